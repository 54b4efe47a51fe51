"""Compare Spikelet's `rate-coding` recipe with SpikingJelly 0.0.0.0.14: accuracy over time steps, in all six modes.

    pip install -r Tools/Peers/requirements-spikingjelly-0.0.0.0.14.txt   # into an environment of its own
    pip install --no-deps spikingjelly==0.0.0.0.14
    python Tools/Peers/compare_spikingjelly.py spikingjelly               # measure SpikingJelly, about half an hour
    python Tools/Peers/compare_spikingjelly.py table --spikelet .build/release/spikelet

Both sides start from the `unfused` exports, calibrate with the bundled training images in order and in batches of
100, and see the bundled 1,000 test images as a constant input. `spikingjelly` writes
Benchmarks/Results/spikingjelly-0.0.0.0.14.json; `table` reads it, runs `spikelet` (numpy is all it needs) and
fails where an accuracy differs by more than half a point.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import ROOT, TEST_IMAGES, TRAIN_IMAGES, load_images, model_path  # noqa: E402

RESULTS = ROOT / "Benchmarks" / "Results" / "spikingjelly-0.0.0.0.14.json"
NETWORKS = ("cnn", "vgg", "resnet")  # SpikingJelly does not convert the ReLU6 of `mobile`
MAX_POOLED = ("vgg",)  # the only one on which the kind of pooling matters
MODES = {"max": "max", "99.9%": "99.9%", "1/2": 1 / 2, "1/3": 1 / 3, "1/4": 1 / 4, "1/5": 1 / 5}
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_SIZE = 100
LIMIT = 0.5  # points of accuracy


def measure_spikingjelly(output: Path) -> None:
    """Convert and simulate with SpikingJelly; the file is rewritten after every mode."""
    import torch
    from spikingjelly.activation_based import ann2snn, functional, neuron

    from networks import from_onnx

    def batches(path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
        images, labels = (torch.from_numpy(array) for array in load_images(path))
        return list(zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE)))

    def accuracy_over_steps(snn: torch.nn.Module) -> list[float]:
        correct = dict.fromkeys(STEPS, 0)
        for images, labels in test:
            functional.reset_net(snn)
            total = 0
            for step in range(1, max(STEPS) + 1):
                total = total + snn(images)
                if step in correct:
                    correct[step] += (total.argmax(1) == labels).sum().item()
        return [count / samples for count in correct.values()]

    def scales(snn: torch.fx.GraphModule) -> list[float]:
        """Each neuron's scale, in the order of execution: that of the scaler behind it."""
        nodes = [node for node in snn.graph.nodes if node.op == "call_module"]
        neurons = [node for node in nodes if isinstance(snn.get_submodule(node.target), neuron.IFNode)]
        return [snn.get_submodule(next(iter(node.users)).target).scale.item() for node in neurons]

    torch.set_num_threads(1)
    calibration, test = batches(TRAIN_IMAGES), batches(TEST_IMAGES)
    samples = sum(len(labels) for _, labels in test)
    result = {
        "versions": {"spikingjelly": "0.0.0.0.14", "torch": torch.__version__},
        "calibration": {"images": sum(len(labels) for _, labels in calibration), "batchSize": BATCH_SIZE},
        "samples": samples,
        "steps": STEPS,
        "networks": {},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for network in NETWORKS:
            ann = from_onnx(network, model_path(network, "unfused"))
            correct = sum((ann(images).argmax(1) == labels).sum().item() for images, labels in test)
            modes = {}
            result["networks"][network] = {"annAccuracy": correct / samples, "modes": modes}
            for name, mode in MODES.items():
                start = time.monotonic()
                ann = from_onnx(network, model_path(network, "unfused"))
                snn = ann2snn.Converter(dataloader=calibration, mode=mode)(ann)
                modes[name] = {"scales": scales(snn), "accuracy": accuracy_over_steps(snn)}
                output.write_text(json.dumps(result, indent=1) + "\n")
                print(f"{network} {name}: {modes[name]['accuracy']} ({time.monotonic() - start:.0f} s)", flush=True)


def run_spikelet(spikelet: Path, *arguments: str | Path) -> None:
    """One command; its error message where it fails."""
    result = subprocess.run([spikelet, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"spikelet {' '.join(map(str, arguments))}\nfailed ({result.returncode}): {result.stderr.strip()}")


def spikelet_accuracy(spikelet: Path, network: str, mode: str, pooling: str) -> list[float]:
    """Accuracy at each of STEPS."""
    with tempfile.TemporaryDirectory() as folder:
        snn, report = Path(folder) / "snn.safetensors", Path(folder) / "result.json"
        run_spikelet(
            spikelet, "convert", model_path(network, "unfused"), "--recipe", "rate-coding",
            "--mode", str(MODES[mode]), "--pooling", pooling, "--calibration", TRAIN_IMAGES,
            "--batch-size", str(BATCH_SIZE), "--output", snn,
        )  # fmt: skip
        steps = ",".join(map(str, STEPS))
        run_spikelet(spikelet, "evaluate", snn, "--data", TEST_IMAGES, "--steps", steps, "--json", report)
        accuracy = {entry["steps"]: entry["accuracy"] for entry in json.loads(report.read_text())["steps"]}
    return [accuracy[step] for step in STEPS]


def compare_network(
    spikelet: Path, network: str, pooling: str, reference: dict, limit: float, emit: Callable[[str], None]
) -> float:
    """Emit one Markdown table, bold where a difference is over the limit; the largest difference in points."""
    emit(f"### {network}, pooling {pooling} (ANN {reference['annAccuracy']:.1%})\n")
    emit(f"| mode | {' | '.join(f'T = {step}' for step in STEPS)} | largest difference |")
    emit("| --- |" + " ---: |" * (len(STEPS) + 1))
    worst = 0.0
    for mode in MODES:
        expected = reference["modes"][mode]["accuracy"]
        actual = spikelet_accuracy(spikelet, network, mode, pooling)
        differences = [round(100 * abs(one - other), 6) for one, other in zip(expected, actual)]
        cells = [f"{100 * one:.1f} / {100 * other:.1f}" for one, other in zip(expected, actual)]
        cells = [f"**{cell}**" if difference > limit else cell for cell, difference in zip(cells, differences)]
        emit(f"| {mode} | {' | '.join(cells)} | {max(differences):.1f} |")
        worst = max(worst, *differences)
    emit("")
    return worst


def compare(spikelet: Path, results: Path, output: Path | None) -> None:
    """Print the tables, and fail if an accuracy with the seed's pooling is over the limit."""
    try:
        reference = json.loads(results.read_text())["networks"]
    except OSError as error:
        sys.exit(f"Cannot read SpikingJelly's results: {error}\nMake them with the subcommand `spikingjelly`.")
    if not spikelet.is_file():
        sys.exit(f"There is no command {spikelet}; build it with: swift build -c release")
    lines: list[str] = []

    def emit(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    def compare_all(networks: tuple[str, ...], pooling: str, limit: float) -> float:
        return max(compare_network(spikelet, name, pooling, reference[name], limit, emit) for name in networks)

    emit(f"Accuracy in %, SpikingJelly 0.0.0.0.14 / Spikelet; bold: more than {LIMIT} points apart.\n")
    worst = compare_all(NETWORKS, "instantaneous", LIMIT)
    emit(f"Largest difference with the same pooling: {worst:.1f} points.\n")
    emit("Running-maximum pooling is Spikelet's own: the differences below are what it changes.\n")
    compare_all(MAX_POOLED, "running-maximum", math.inf)
    if output:
        output.write_text("\n".join(lines))
    if worst > LIMIT:
        sys.exit(f"Accuracies differ by up to {worst:.1f} points (limit: {LIMIT}).")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="SpikingJelly's results")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("spikingjelly", help="measure SpikingJelly and write its results")
    table_parser = commands.add_parser("table", help="run Spikelet and print both side by side")
    table_parser.add_argument("--spikelet", type=Path, required=True, help="the command to compare")
    table_parser.add_argument("--output", type=Path, help="write the tables to this Markdown file as well")
    arguments = parser.parse_args()
    if arguments.command == "spikingjelly":
        measure_spikingjelly(arguments.results)
    else:
        compare(arguments.spikelet.resolve(), arguments.results.resolve(), arguments.output)


if __name__ == "__main__":
    main()
