"""Runs exported NIR files in the packages that they are for, and compares with Spikelet's prediction.

    python Tools/Checks/check_nir_readers.py --spikelet .build/release/spikelet [--networks cnn,vgg] [--targets sinabs,norse]
    python Tools/Checks/check_nir_readers.py --table   # what was measured, into Documentation/Export.md

For each network of Models/FashionMNIST: converts it with the recipe `calibrated` for T = 32 steps, exports it for each target
with `--approximate --check` (the prediction), reads the file with `nir.read` and its default checks, and runs 500 test images
in the package itself, where there is one. Every cell is kept in Benchmarks/Results/nir-readers.json as soon as it is
measured. Wants Tools/Checks/requirements.txt.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import pathlib
import subprocess
import sys
import time
import warnings

import nir
import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Models" / "FashionMNIST"
RESULTS = ROOT / "Benchmarks" / "Results" / "nir-readers.json"
DOCUMENT = ROOT / "Documentation" / "Export.md"


class SubtractingIF(torch.nn.Module):
    """NIR's IF for `nirtorch.nir_to_torch`, which has none of its own: v ← v + x, a spike where v ≥ θ, v ← v − θ."""

    def __init__(self, node):
        super().__init__()
        self.threshold = torch.from_numpy(np.asarray(node.v_threshold)).float()

    def forward(self, x, state=None):
        v = x if state is None else state + x
        spikes = (v >= self.threshold).float()
        return spikes, v - self.threshold * spikes


def affine(node):
    """nirtorch 2.6 loses the bias of an Affine."""
    layer = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0])
    layer.weight.data = torch.from_numpy(node.weight)
    layer.bias.data = torch.from_numpy(node.bias)
    return layer


def convolution(node):
    """nirtorch 2.6 swaps the channels of a Conv2d's constructor: only the shapes that it prints are wrong, but not all run."""
    layer = torch.nn.Conv2d(
        node.weight.shape[1] * int(node.groups), node.weight.shape[0], node.weight.shape[2:], tuple(map(int, node.stride)),
        tuple(map(int, node.padding)), tuple(map(int, node.dilation)), int(node.groups))
    layer.weight.data = torch.from_numpy(node.weight)
    layer.bias.data = torch.from_numpy(node.bias)
    return layer


def flatten(node):
    """NIR's axes do not count samples."""
    return torch.nn.Flatten(int(node.start_dim) + 1, -1)


def run_stateful(module, images, steps):
    """A module that takes and gives a state: the mean output over steps."""
    state, total = None, 0
    for _ in range(steps):
        output = module(images) if state is None else module(images, state)
        output, state = output[0], output[1]
        total = total + output
    return total / steps


def wired(graph, import_module):
    """A package's own modules, wired by `nirtorch.nir_to_torch`.

    Norse 1.1 and sinabs 3.1 wire with nirtorch.load, which is deprecated: it runs nodes depth first, so that a sum of two
    branches (a residual, a max pool of neurons) misses the branch that comes later, and the last node it visits passes for
    the output. Only graphs without sums come out right.
    """
    import nirtorch

    kinds = {type(node) for node in graph.nodes.values()} - {nir.Input, nir.Output}
    return nirtorch.nir_to_torch(graph, {kind: import_module for kind in kinds})


def has_sums(graph):
    targets = [target for _, target in graph.edges]
    return len(set(targets)) < len(targets)


def run_nirtorch(graph, images, steps):
    mapping = {nir.IF: SubtractingIF, nir.Affine: affine, nir.Conv2d: convolution, nir.Flatten: flatten}
    import nirtorch

    return run_stateful(nirtorch.nir_to_torch(graph, mapping), images, steps)


def run_sinabs(graph, images, steps):
    import sinabs.nir

    if has_sums(graph):
        network = wired(graph, lambda node: sinabs.nir._import_sinabs_module(node, len(images), steps))
    else:
        network = sinabs.nir.from_nir(graph, num_timesteps=steps, batch_size=len(images))
    # Its layers take samples and steps as one axis: sample after sample, each with all its steps.
    output = network(images.repeat_interleave(steps, 0))
    output = output[0] if isinstance(output, tuple) else output
    return output.reshape(len(images), steps, -1).mean(1)


def run_norse(graph, images, steps):
    import norse.torch

    if has_sums(graph):
        from norse.torch.utils.import_nir import _import_norse_module

        return run_stateful(wired(graph, _import_norse_module), images, steps)
    return run_stateful(norse.torch.from_nir(graph), images, steps)


def run_snntorch(graph, images, steps):
    from snntorch import utils
    from snntorch.import_nir import import_from_nir

    with contextlib.redirect_stdout(io.StringIO()):
        network = import_from_nir(graph)
    utils.reset(network)
    total = 0
    for _ in range(steps):
        total = total + network(images)[0]
    return total / steps


READERS = {"generic": run_nirtorch, "sinabs": run_sinabs, "norse": run_norse, "snntorch": run_snntorch}


def spikelet(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"spikelet {' '.join(map(str, arguments))}\n{result.stderr}")
    return result.stdout


def measure(reader, path, images, labels, steps, batch):
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), batch):
            part = images[start:start + batch]
            output = reader(nir.read(path), part, steps).reshape(len(part), -1)
            correct += int((output.argmax(1) == labels[start:start + batch]).sum())
    return correct / len(images)


def checked(path):
    """What `nir.read` with its default checks says."""
    try:
        return len(nir.read(path).nodes), "accepted"
    except Exception as error:  # noqa: BLE001: whatever it says
        return len(nir.read(path, type_check=False).nodes), f"{type(error).__name__}: {str(error)[:200]}"


def keep(cell):
    """Puts a cell into the results, in place of an older one."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cells": []}
    packages = ("nir", "nirtorch", "sinabs", "norse", "snntorch", "torch")
    results["packages"] = {name: importlib.metadata.version(name) for name in packages}
    results["cells"] = [old for old in results["cells"] if (old["network"], old["target"]) != (cell["network"], cell["target"])]
    results["cells"].append(cell)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table():
    """The results as Markdown, put between the two marks in Documentation/Export.md."""
    results = json.loads(RESULTS.read_text())
    rows = [
        "| network | target | as it is | predicted | at the reader | `nir.read` | nodes | KiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    order = {name: place for place, name in enumerate(("cnn", "vgg", "resnet", "mobile", *READERS, "spinnaker2", "lava", "spikelet"))}
    for cell in sorted(results["cells"], key=lambda cell: (order[cell["network"]], order[cell["target"]])):
        percent = {name: "–" if cell[name] is None else f"{100 * cell[name]:.1f}" for name in ("asItIs", "predicted", "atTheReader")}
        accepts = "✓" if cell["nirRead"] == "accepted" else "no"
        rows.append(
            f"| {cell['network']} | {cell['target']} | {percent['asItIs']} | {percent['predicted']} | {percent['atTheReader']} "
            f"| {accepts} | {cell['nodes']} | {cell['bytes'] // 1024} |")
    begin, end = "<!-- nir-readers -->", "<!-- end -->"
    text = DOCUMENT.read_text()
    before, rest = text.split(begin, 1)
    DOCUMENT.write_text(before + begin + "\n" + "\n".join(rows) + "\n" + end + rest.split(end, 1)[1])
    print("\n".join(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"))
    parser.add_argument("--networks", default="cnn,vgg,resnet,mobile")
    parser.add_argument("--targets", default="generic,sinabs,norse,snntorch,spinnaker2,lava,spikelet")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--folder", default="/tmp/spikelet-nir", help="where networks and files go")
    parser.add_argument("--table", action="store_true", help="measure nothing: write the table of what was")
    arguments = parser.parse_args()
    if arguments.table:
        return table()
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = np.load(MODELS / "test_1000.npz")
    images = data["images"][: arguments.samples]
    images = torch.from_numpy(images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1))
    labels = torch.from_numpy(data["labels"][: arguments.samples].astype(np.int64))

    for name in arguments.networks.split(","):
        network = folder / f"{name}.safetensors"
        if not network.exists():
            spikelet(
                arguments.spikelet, "convert", MODELS / name / f"{name}_torchscript.onnx", "--calibration", MODELS / "train_2000.npz",
                "--limit", 512, "--recipe", "calibrated", "--steps", arguments.steps, "--output", network)
        for target in arguments.targets.split(","):
            path = folder / f"{name}-{target}.nir"
            result = json.loads(
                spikelet(
                    arguments.spikelet, "export", network, "--target", target, "--approximate", "--output", path, "--check",
                    MODELS / "test_1000.npz", "--limit", arguments.samples, "--json", "-"))
            nodes, verdict = checked(path)
            start, measured, failure = time.time(), None, None
            if target in READERS:
                try:
                    measured = measure(READERS[target], path, images, labels, arguments.steps, arguments.batch)
                except Exception as error:  # noqa: BLE001: the reader's own failure is the finding
                    failure = f"{type(error).__name__}: {str(error)[:200]}"
            cell = {
                "network": name, "target": target, "samples": arguments.samples, "steps": arguments.steps, "asItIs": result["accuracy"],
                "predicted": result["predicted"], "atTheReader": measured, "failure": failure, "nirRead": verdict, "nodes": nodes,
                "bytes": path.stat().st_size}
            keep(cell)
            print(f"{time.time() - start:4.0f} s", json.dumps(cell), flush=True)


if __name__ == "__main__":
    main()
