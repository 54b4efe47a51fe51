"""What the recipes keep of the accuracy of the bundled networks of ReLUs, in how many steps and spikes.

    python Tools/Measuring/recipe_accuracy.py RESULTS.json [--networks cnn vgg] [--recipes latency/24 radix/4] [--calibration 512]
                                      [--images 10000] [--data FOLDER] [--spikelet .build/release/spikelet]

Converts each network's dynamo export by each RECIPE/STEPS, on the first so many images of train_2000.npz; simulates the first so many
test images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files) in float32, and compares with ONNX Runtime's outputs: the
drop in accuracy, in points; the predictions that agree; and the error of the outputs, each about its mean over the images, as a share of
the ANN's own. Spikes and operations are those of 1,000 images, from `evaluate`.
Without --recipes and --calibration it measures what the tables of Documentation/Accuracy.md show: every recipe on 512 images, and some on
fewer and more. RESULTS.json gets an entry after each measurement, which is not measured again; what was not asked for stays from before.
Beside them stands what SpikingJelly 2.0.0 loses at the same number of steps with its best option (Benchmarks/Results/spikingjelly-2.0.0.json).
Wants numpy and onnxruntime.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from digit_accuracy import DATA, ROOT, kept, output, test_images

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, TRAIN_IMAGES, model_path, onnxruntime_logits  # noqa: E402

IMAGES = 512
RECIPES = (
    "radix/2", "radix/3", "radix/4", "radix/5", "radix/6", "radix/8", "latency/24", "two-spike/12",
    "signed/4", "signed/8", "signed/16", "signed/32", "burst/2", "burst/4", "burst/8", "calibrated/8", "calibrated/16", "calibrated/32",
    "calibrated/64", "local-threshold-balancing/32",
)  # fmt: skip
FEW_RECIPES, FEW = ("radix/4", "two-spike/12", "signed/8"), (16, 64, 2000)
PEER = ROOT / "Benchmarks" / "Results" / "spikingjelly-2.0.0.json"


def measure(network: str, recipe: str, calibration: int, arguments: argparse.Namespace) -> dict:
    """One entry: drop in points; agreement, error and sparsity as fractions; spikes and operations of one image."""
    ann = model_path(network, "dynamo")
    images, labels = test_images(arguments)
    expected = onnxruntime_logits(ann, images)
    name, steps = recipe.split("/")
    with tempfile.TemporaryDirectory() as folder:
        snn, inputs, outputs = (Path(folder) / name for name in ("snn.safetensors", "x.npy", "y.npy"))
        np.save(inputs, images)
        output(
            arguments.spikelet, "convert", ann, "--recipe", name, "--steps", steps,
            "--calibration", TRAIN_IMAGES, "--limit", calibration, "--output", snn,
        )  # fmt: skip
        output(arguments.spikelet, "simulate", snn, "--input", inputs, "--output", outputs)
        found = np.load(outputs)
        result = json.loads(output(
            arguments.spikelet, "evaluate", snn, "--ann", ann, "--data", arguments.data, "--split", "test", "--limit", 1000,
            "--steps", steps, "--json", "-",
        ))  # fmt: skip
    step, counts = result["steps"][-1], result["counts"]
    return {
        "network": network, "recipe": name, "steps": int(steps), "calibrationImages": calibration, "images": len(images),
        "annAccuracy": float((expected.argmax(1) == labels).mean()),
        **kept(found, expected, labels),
        "spikesPerNeuron": step["spikesPerNeuron"], "spikes": counts["steps"][-1]["spikes"],
        "synapticOperationsPerMultiplyAccumulate": step["synapticOperations"] / counts["ann"]["multiplyAccumulates"],
        "stepsEndToEnd": counts.get("stepsEndToEnd"),
    }  # fmt: skip


def peers_drop(network: str, steps: int) -> str:
    """Of SpikingJelly's best option after so many steps, in points."""
    result = json.loads(PEER.read_text())["networks"].get(network, {})
    best = {one["steps"]: one["accuracy"] for one in result.get("best", [])}
    return f"{100 * (result['annAccuracy'] - best[steps]):.1f}" if steps in best else "–"


def row(cells: list) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def tables(entries: list[dict]) -> str:
    """The entries in Markdown: by recipe, a column for each network; and by the number of calibration images, means of the networks."""
    found = {(one["recipe"], one["steps"], one["calibrationImages"], one["network"]): one for one in entries}
    names = list(NETWORKS)
    kinds = [recipe.split("/")[0] for recipe in RECIPES]
    keys = sorted(
        {key[:3] for key in found}, key=lambda key: (kinds.index(key[0]) if key[0] in kinds else len(kinds), key[1], key[2])
    )
    accuracies = {one["network"]: f"{100 * one['annAccuracy']:.2f}" for one in entries}
    lines = [
        row(["recipe", "steps a layer", *(f"`{name}` ({accuracies.get(name, '–')})" for name in names), "mean", "agreement",
             "error", "spikes/neuron", "SynOps/MAC"]),
        row(["---", "---:", *("---:" for _ in names), "---:", "---:", "---:", "---:", "---:"]),
    ]  # fmt: skip
    for recipe, steps, images in keys:
        ours = [found[recipe, steps, images, name] for name in names if (recipe, steps, images, name) in found]
        if images != IMAGES or len(ours) < len(names):
            continue
        cells = [f"`{recipe}`", steps] + [f"{one['dropInPoints']:.2f}" for one in ours]
        cells.append(f"{statistics.mean(one['dropInPoints'] for one in ours):.2f}")
        cells.append(f"{100 * statistics.mean(one['agreement'] for one in ours):.2f} %")
        cells += [f"{statistics.mean(one[key] for one in ours):.3f}" for key in ("error", "spikesPerNeuron")]
        cells.append(f"{statistics.mean(one['synapticOperationsPerMultiplyAccumulate'] for one in ours):.2f}")
        lines.append(row(cells))
    for steps in (4, 8, 16, 32, 64):
        lines.append(row(["SpikingJelly 2.0.0", steps, *(peers_drop(name, steps) for name in names), "–", "–", "–", "–", "–"]))
    counts = sorted({key[2] for key in keys})
    lines += ["", row(["recipe", "steps a layer", *(f"{count:,} images" for count in counts)])]
    lines.append(row(["---", "---:", *("---:" for _ in counts)]))
    for recipe, steps in dict.fromkeys(key[:2] for key in keys if key[2] != IMAGES):
        cells = [f"`{recipe}`", steps]
        for images in counts:
            drops = [found[recipe, steps, images, name]["dropInPoints"] for name in names if (recipe, steps, images, name) in found]
            cells.append(f"{statistics.mean(drops):.2f} ({max(drops):.2f})" if len(drops) == len(names) else "–")
        lines.append(row(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON file to write, or to add to")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--recipes", nargs="+", metavar="RECIPE/STEPS")
    parser.add_argument("--calibration", nargs="+", type=int, metavar="N")
    parser.add_argument("--images", type=int, default=10000, help="number of test images (default: 10000)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the gzip-compressed IDX files")
    parser.add_argument("--spikelet", type=Path, default=ROOT / ".build" / "release" / "spikelet")
    arguments = parser.parse_args()
    cases = [(recipe, count) for count in arguments.calibration or [IMAGES] for recipe in arguments.recipes or RECIPES]
    if not arguments.recipes and not arguments.calibration:
        cases += [(recipe, count) for count in FEW for recipe in FEW_RECIPES]
    entries = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for recipe, count in cases:
        for network in arguments.networks:
            key = f"{network} {recipe} calibrated on {count} tested on {arguments.images}"
            if key in entries:
                continue
            entries[key] = measure(network, recipe, count, arguments)
            arguments.results.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
            print(f"{network} {recipe} on {count}: {entries[key]['dropInPoints']:.2f} points", file=sys.stderr)
    print(tables([one for one in entries.values() if one["images"] == arguments.images]))


if __name__ == "__main__":
    main()
