"""What `convert --mean-steps` gains over the same number of digits in every layer, by network.

    python Tools/Measuring/mixed_accuracy.py RESULTS.json [--networks cnn vgg] [--digits 2 3 4] [--calibration 512]
                                     [--images 10000] [--data FOLDER] [--spikelet .build/release/spikelet]

Converts each bundled network's dynamo export with `--recipe radix`, on the first so many images of train_2000.npz, with `--steps K` and with
`--mean-steps K`; simulates the first so many test images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files) in float32 and in
int8, and compares with ONNX Runtime's outputs: the drop in accuracy, in points; the predictions that agree; the error of the outputs, each about
its mean over the images, as a share of the ANN's own; and the spikes of a neuron. Seconds are those of the conversion.
RESULTS.json gets an entry after each measurement; what was not asked for stays from before. Wants numpy and onnxruntime.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from digit_accuracy import kept, measure_all, output, test_images

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, SMOOTH_NETWORKS, TRAIN_IMAGES, model_path, onnxruntime_logits  # noqa: E402

KINDS = {"uniform": "--steps", "mixed": "--mean-steps"}


def measure(network: str, digits: int, calibration: int, arguments: argparse.Namespace) -> dict:
    """One entry: drop in points, agreement and error as fractions, with the same digits in all layers and with digits by layer."""
    ann = model_path(network, "dynamo")
    images, labels = test_images(arguments)
    expected = onnxruntime_logits(ann, images)
    entry = {"network": network, "digits": digits, "calibrationImages": calibration, "images": len(images)}
    with tempfile.TemporaryDirectory() as folder:
        snn, inputs, outputs = (Path(folder) / name for name in ("snn.safetensors", "x.npy", "y.npy"))
        np.save(inputs, images)
        for kind, option in KINDS.items():
            begin = time.perf_counter()
            text = output(
                arguments.spikelet, "convert", ann, "--recipe", "radix", option, digits,
                "--calibration", TRAIN_IMAGES, "--limit", calibration, "--output", snn,
            )  # fmt: skip
            one = {"seconds": time.perf_counter() - begin}
            layers = re.search(r"digits a layer: ([0-9 ]+), .*; (\d+) steps from", text)
            if layers:
                one |= {"layers": [int(count) for count in layers[1].split()], "stepsEndToEnd": int(layers[2])}
            for precision in ("float32", "int8"):
                said = output(
                    arguments.spikelet, "simulate", snn, "--input", inputs, "--output", outputs, "--precision", precision
                )  # fmt: skip
                one[precision] = kept(np.load(outputs), expected, labels)
            spikes = re.search(r"([0-9.]+) spikes per neuron", said)
            if spikes:
                one["spikesPerNeuron"] = float(spikes[1])
            entry[kind] = one
    return entry


def table(entries: list[dict]) -> str:
    """The entries in Markdown, by digits, calibration images and network."""
    lines = [
        "| mean K | calibrated on | network | digits of the layers | drop: the same K | by layer | agreement: the same K | by layer | error: the same K | by layer | int8, by layer: drop |",
        "| ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = list(NETWORKS) + list(SMOOTH_NETWORKS)
    for one in sorted(entries, key=lambda one: (one["digits"], -one["calibrationImages"], names.index(one["network"]))):
        layers = " ".join(map(str, one["mixed"].get("layers", []))) or "all alike"
        cells = [one["digits"], one["calibrationImages"], f"`{one['network']}`", layers]
        cells += [f"{one[kind]['float32']['dropInPoints']:.2f}" for kind in KINDS]
        cells += [f"{100 * one[kind]['float32']['agreement']:.2f} %" for kind in KINDS]
        cells += [f"{one[kind]['float32']['error']:.3f}" for kind in KINDS]
        cells.append(f"{one['mixed']['int8']['dropInPoints']:.2f}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    measure_all(
        __doc__, [*NETWORKS, *SMOOTH_NETWORKS], (3,), (512,), measure, lambda one: one["mixed"]["float32"]["dropInPoints"], table
    )  # fmt: skip
