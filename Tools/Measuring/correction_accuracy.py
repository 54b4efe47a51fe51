"""What `convert --weight-correction` gains, by network, number of digits and of calibration images.

    python Tools/Measuring/correction_accuracy.py RESULTS.json [--networks cnn vit] [--digits 2 3 4] [--calibration 512]
                                          [--images 10000] [--data FOLDER] [--spikelet .build/release/spikelet]

Converts each bundled network's dynamo export with `--recipe radix`, on the first so many images of train_2000.npz, without and with the
correction; simulates the first so many test images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files) in float32, and
compares with ONNX Runtime's outputs: the drop in accuracy, in points; the predictions that agree; and the error of the outputs, each
about its mean over the images, as a share of the ANN's own. Seconds are those of the conversion.
RESULTS.json gets an entry after each measurement; what was not asked for stays from before. Wants numpy and onnxruntime.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from digit_accuracy import kept, measure_all, output, test_images

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, SMOOTH_NETWORKS, TRAIN_IMAGES, model_path, onnxruntime_logits  # noqa: E402

KINDS = {"without": "--no-weight-correction", "with": "--weight-correction"}


def measure(network: str, digits: int, calibration: int, arguments: argparse.Namespace) -> dict:
    """One entry: drop in points, agreement and error as fractions, without and with the correction."""
    ann = model_path(network, "dynamo")
    images, labels = test_images(arguments)
    expected = onnxruntime_logits(ann, images)
    entry = {"network": network, "digits": digits, "calibrationImages": calibration, "images": len(images)}
    with tempfile.TemporaryDirectory() as folder:
        snn, inputs, outputs = (Path(folder) / name for name in ("snn.safetensors", "x.npy", "y.npy"))
        np.save(inputs, images)
        for kind, option in KINDS.items():
            begin = time.perf_counter()
            output(
                arguments.spikelet, "convert", ann, "--recipe", "radix", "--steps", digits, option,
                "--calibration", TRAIN_IMAGES, "--limit", calibration, "--output", snn,
            )  # fmt: skip
            seconds = time.perf_counter() - begin
            output(arguments.spikelet, "simulate", snn, "--input", inputs, "--output", outputs)
            entry[kind] = kept(np.load(outputs), expected, labels) | {"seconds": seconds}
    return entry


def table(entries: list[dict]) -> str:
    """The entries in Markdown, by digits, calibration images and network."""
    lines = [
        "| K | calibrated on | network | drop: without | with | agreement: without | with | error: without | with | conversion: without | with |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = list(NETWORKS) + list(SMOOTH_NETWORKS)
    for one in sorted(entries, key=lambda one: (one["digits"], -one["calibrationImages"], names.index(one["network"]))):
        cells = [one["digits"], one["calibrationImages"], f"`{one['network']}`"]
        cells += [f"{one[kind]['dropInPoints']:.2f}" for kind in KINDS]
        cells += [f"{100 * one[kind]['agreement']:.2f} %" for kind in KINDS]
        cells += [f"{one[kind]['error']:.3f}" for kind in KINDS] + [f"{one[kind]['seconds']:.1f} s" for kind in KINDS]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    measure_all(
        __doc__, [*NETWORKS, *SMOOTH_NETWORKS], (2, 3, 4), (512,), measure, lambda one: one["with"]["dropInPoints"], table
    )  # fmt: skip
