"""How much accuracy the networks without ReLUs lose as digits, by the number of digits and of calibration images.

    python Tools/Measuring/digit_accuracy.py RESULTS.json [--networks gated vit] [--digits 4 6] [--calibration 512 64]
                                     [--images 10000] [--data FOLDER] [--spikelet .build/release/spikelet]

Converts each network's dynamo export with `--recipe radix`, on the first so many images of train_2000.npz, simulates
the first so many test images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files) in float32 and in int8, and
compares the predictions with ONNX Runtime's. Operations are those of 100 images, from `evaluate`.
RESULTS.json gets an entry after each measurement; what was not asked for stays from before, so that a table can be
made in parts. The table shows every entry of so many images. Wants numpy and onnxruntime.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import ROOT, SMOOTH_NETWORKS, TRAIN_IMAGES, model_path, onnxruntime_logits  # noqa: E402
from idx import read_split  # noqa: E402

DATA = Path("/usr/share/datasets/fashion-mnist")
DIGITS, CALIBRATION = (4, 5, 6, 8), (512, 64)


def output(*command: object) -> str:
    """What the command writes to standard output; where it fails, the end of everything with its message."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed ({result.returncode}):\n{result.stderr.strip()}")
    return result.stdout


def test_images(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 in 0…1, and labels."""
    images, labels = read_split(arguments.data, "t10k")
    return images[: arguments.images].astype(np.float32) / 255, labels[: arguments.images].astype(np.int64)


def kept(found: np.ndarray, expected: np.ndarray, labels: np.ndarray) -> dict:
    """What outputs keep of the ANN's: drop in points; agreement, and error about the means over the images, as fractions."""
    difference, whole = found - expected, expected - expected.mean(0)
    return {
        "dropInPoints": 100 * float((expected.argmax(1) == labels).mean() - (found.argmax(1) == labels).mean()),
        "agreement": float((found.argmax(1) == expected.argmax(1)).mean()),
        "error": float(np.linalg.norm(difference - difference.mean(0)) / np.linalg.norm(whole)),
    }  # fmt: skip


def measure(network: str, digits: int, calibration: int, arguments: argparse.Namespace) -> dict:
    """One entry: accuracies, agreement and sparsity as fractions, drops in points, operations of one image."""
    ann = model_path(network, "dynamo")
    images, labels = test_images(arguments)
    expected = onnxruntime_logits(ann, images).argmax(1)
    entry = {
        "network": network, "digits": digits, "calibrationImages": calibration, "images": len(images),
        "annAccuracy": float((expected == labels).mean()),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        snn, inputs, outputs = (Path(folder) / name for name in ("snn.safetensors", "x.npy", "y.npy"))
        np.save(inputs, images)
        output(
            arguments.spikelet, "convert", ann, "--recipe", "radix", "--steps", digits,
            "--calibration", TRAIN_IMAGES, "--limit", calibration, "--output", snn,
        )  # fmt: skip
        for precision in ("float32", "int8"):
            begin = time.perf_counter()
            output(arguments.spikelet, "simulate", snn, "--input", inputs, "--output", outputs, "--precision", precision)
            found = np.load(outputs).argmax(1)
            entry[precision] = {
                "accuracy": float((found == labels).mean()), "agreement": float((found == expected).mean()),
                "dropInPoints": 100 * float((expected == labels).mean() - (found == labels).mean()),
                "seconds": time.perf_counter() - begin,
            }  # fmt: skip
        result = json.loads(output(
            arguments.spikelet, "evaluate", snn, "--ann", ann, "--data", arguments.data, "--split", "test", "--limit", 100,
            "--json", "-",
        ))  # fmt: skip
    step, multiplies = result["steps"][-1], result["counts"]["ann"]["multiplyAccumulates"]
    return entry | {
        "synapticOperationsPerMultiplyAccumulate": step["synapticOperations"] / multiplies, "spikesPerNeuron": step["spikesPerNeuron"],
    }  # fmt: skip


def table(entries: list[dict]) -> str:
    """The entries in Markdown, by network, calibration images and digits."""
    lines = [
        "| network | K | calibrated on | ANN | drop, points | agreement | int8: drop | agreement | spikes/neuron | SynOps/MAC |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = list(SMOOTH_NETWORKS)
    for one in sorted(entries, key=lambda one: (names.index(one["network"]), -one["calibrationImages"], one["digits"])):
        cells = [f"`{one['network']}`", one["digits"], one["calibrationImages"], f"{100 * one['annAccuracy']:.2f} %"]
        for precision in ("float32", "int8"):
            cells += [f"{one[precision]['dropInPoints']:.2f}", f"{100 * one[precision]['agreement']:.2f} %"]
        cells += [f"{one['spikesPerNeuron']:.2f}", f"{one['synapticOperationsPerMultiplyAccumulate']:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def measure_all(text: str, networks: list[str], digits: tuple, calibration: tuple, measure, drop, table) -> None:
    """The command of a tool whose entries are for a network, a number of digits and one of calibration images, with its defaults.

    `measure` makes an entry, `drop` tells its drop in points, `table` shows all entries.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON file to write, or to add to")
    parser.add_argument("--networks", nargs="+", choices=networks, default=networks, metavar="NAME")
    parser.add_argument("--digits", nargs="+", type=int, default=digits, metavar="K")
    parser.add_argument("--calibration", nargs="+", type=int, default=calibration, metavar="N")
    parser.add_argument("--images", type=int, default=10000, help="number of test images (default: 10000)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the gzip-compressed IDX files")
    parser.add_argument("--spikelet", type=Path, default=ROOT / ".build" / "release" / "spikelet")
    arguments = parser.parse_args()
    entries = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for network in arguments.networks:
        for calibration in arguments.calibration:
            for digits in arguments.digits:
                one = measure(network, digits, calibration, arguments)
                entries[f"{network} radix {digits} calibrated on {calibration} tested on {arguments.images}"] = one
                arguments.results.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
                print(f"{network} K={digits} on {calibration}: {drop(one):.2f} points", file=sys.stderr)
    print(table([one for one in entries.values() if one["images"] == arguments.images]))


if __name__ == "__main__":
    measure_all(
        __doc__, list(SMOOTH_NETWORKS), DIGITS, CALIBRATION, measure, lambda one: one["float32"]["dropInPoints"], table
    )  # fmt: skip
