"""What the recipes that send few spikes keep of the accuracy, beside radix codes.

    python Tools/Measuring/latency_accuracy.py RESULTS.json [--networks cnn vgg] [--recipes latency/24 two-spike/12 radix/4]
                                       [--calibration 512] [--images 10000] [--data FOLDER] [--spikelet .build/release/spikelet]

Converts each bundled network of ReLUs (its dynamo export) by each RECIPE/STEPS, on the first so many images of train_2000.npz; simulates
the first so many test images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files) in float32, and compares with ONNX
Runtime's outputs: the drop in accuracy, in points; the predictions that agree; and the error of the outputs, each about its mean over the
images, as a share of the ANN's own. Spikes and operations are those of 1,000 images, from `evaluate`.
RESULTS.json gets an entry after each measurement; what was not asked for stays from before. Wants numpy and onnxruntime.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from digit_accuracy import DATA, ROOT, output, test_images

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, TRAIN_IMAGES, model_path, onnxruntime_logits  # noqa: E402

RECIPES = ("latency/24", "two-spike/12", "radix/3", "radix/4", "radix/5")


def measure(network: str, recipe: str, arguments: argparse.Namespace) -> dict:
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
            "--calibration", TRAIN_IMAGES, "--limit", arguments.calibration, "--output", snn,
        )  # fmt: skip
        output(arguments.spikelet, "simulate", snn, "--input", inputs, "--output", outputs)
        found = np.load(outputs)
        result = json.loads(output(
            arguments.spikelet, "evaluate", snn, "--ann", ann, "--data", arguments.data, "--split", "test", "--limit", 1000,
            "--json", "-",
        ))  # fmt: skip
    difference, whole = found - expected, expected - expected.mean(0)
    step, multiplies = result["steps"][-1], result["counts"]["ann"]["multiplyAccumulates"]
    return {
        "network": network, "recipe": name, "steps": int(steps), "calibrationImages": arguments.calibration, "images": len(images),
        "dropInPoints": 100 * float((expected.argmax(1) == labels).mean() - (found.argmax(1) == labels).mean()),
        "agreement": float((found.argmax(1) == expected.argmax(1)).mean()),
        "error": float(np.linalg.norm(difference - difference.mean(0)) / np.linalg.norm(whole)),
        "spikesPerNeuron": step["spikesPerNeuron"],
        "synapticOperationsPerMultiplyAccumulate": step["synapticOperations"] / multiplies,
        "stepsEndToEnd": result["counts"]["stepsEndToEnd"],
    }  # fmt: skip


def table(entries: list[dict]) -> str:
    """The entries in Markdown, by network and recipe."""
    lines = [
        "| network | recipe | steps a layer | end to end | drop, points | agreement | error | spikes/neuron | SynOps/MAC |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = list(NETWORKS)
    for one in sorted(entries, key=lambda one: (names.index(one["network"]), one["recipe"], one["steps"])):
        cells = [f"`{one['network']}`", f"`{one['recipe']}`", one["steps"], one["stepsEndToEnd"], f"{one['dropInPoints']:.2f}"]
        cells += [f"{100 * one['agreement']:.2f} %", f"{one['error']:.3f}", f"{one['spikesPerNeuron']:.3f}"]
        cells += [f"{one['synapticOperationsPerMultiplyAccumulate']:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON file to write, or to add to")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, metavar="RECIPE/STEPS")
    parser.add_argument("--calibration", type=int, default=512, metavar="N")
    parser.add_argument("--images", type=int, default=10000, help="number of test images (default: 10000)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the gzip-compressed IDX files")
    parser.add_argument("--spikelet", type=Path, default=ROOT / ".build" / "release" / "spikelet")
    arguments = parser.parse_args()
    entries = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for network in arguments.networks:
        for recipe in arguments.recipes:
            one = measure(network, recipe, arguments)
            entries[f"{network} {recipe} calibrated on {arguments.calibration} tested on {arguments.images}"] = one
            arguments.results.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
            print(f"{network} {recipe}: {one['dropInPoints']:.2f} points", file=sys.stderr)
    print(table([one for one in entries.values() if one["images"] == arguments.images]))


if __name__ == "__main__":
    main()
