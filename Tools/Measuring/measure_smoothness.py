"""How far thresholds move where calibration images are multiplied by 1 ± 10⁻⁶, and between exports of one network.

    python Tools/Measuring/measure_smoothness.py [--spikelet .build/release/spikelet] [--networks cnn,vgg] [--samples 8,32,512]
                                       [--recipes radix:4,calibrated:32] [--per-layer]

Python 3.11 or newer, with numpy. A line for each network, recipe and number of images: the largest relative move of a
threshold, for brighter and darker images, and for PyTorch's other exporter and the export with its batch normalisations left
in; how many thresholds move by more than a bin of the histograms; and the largest move of a corrected potential, in
thresholds.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Models" / "FashionMNIST"
BIN = 2 ** (1 / 32) - 1
RECIPES = [f"radix:{digits}" for digits in range(2, 9)] + [
    "calibrated:32", "signed:8", "burst:8", "local-threshold-balancing:32",
]  # fmt: skip


def converted(spikelet: str, model: pathlib.Path, images: str, output: str, options: list) -> tuple:
    """Thresholds of all layers, and the corrections of their potentials, one after the other."""
    command = [spikelet, "convert", str(model), "--calibration", images, "--output", output, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with open(output, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    nodes = json.loads(header["__metadata__"]["spikelet"])["nodes"]
    thresholds, offsets = [], []
    for node in nodes:
        attributes = node["operator"]["attributes"]
        if node["name"].startswith("snn tailor") and node["name"].endswith(".2"):
            thresholds.append(np.array(attributes["scales"]))
        if node["name"].startswith("snn tailor") and node["name"].endswith(".1"):
            offsets.append(np.atleast_1d(np.array(attributes.get("initialOffsets", 0.0), dtype=float)))
    return np.concatenate(thresholds), offsets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikelet", default=str(ROOT / ".build" / "release" / "spikelet"))
    parser.add_argument("--networks", default="cnn,vgg,resnet,mobile")
    parser.add_argument("--samples", default="8,32,512")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--per-layer", action="store_true")
    arguments = parser.parse_args()
    pixels = np.load(MODELS / "train_2000.npz")["images"].astype(np.float32) / np.float32(255)
    with tempfile.TemporaryDirectory() as folder:
        for name, factor in (("plain", 1), ("brighter", 1 + 1e-6), ("darker", 1 - 1e-6)):
            np.save(f"{folder}/{name}.npy", (pixels.astype(np.float64) * factor).astype(np.float32))
        cases = [("brighter", "torchscript"), ("darker", "torchscript"), ("plain", "dynamo"), ("plain", "unfused")]
        print(f"{'network':8} {'recipe':28} {'images':>6}  {'brighter':>8}  {'darker':>8}  {'dynamo':>8}  {'unfused':>8}   beyond a bin  potentials")
        for network in arguments.networks.split(","):
            for recipe in arguments.recipes.split(","):
                for samples in arguments.samples.split(","):
                    (name, steps), output = recipe.split(":"), f"{folder}/snn.safetensors"
                    options = ["--recipe", name, "--steps", steps, "--limit", samples]
                    options += ["--per-layer"] if arguments.per_layer else []

                    def convert(images, export):
                        model = MODELS / network / f"{network}_{export}.onnx"
                        return converted(arguments.spikelet, model, f"{folder}/{images}.npy", output, options)

                    thresholds, offsets = convert("plain", "torchscript")
                    moves, moved = [], 0.0
                    for case in cases:
                        others, other_offsets = convert(*case)
                        moves.append(np.abs(others / thresholds - 1))
                        moved = max(moved, *(np.abs(one - other).max() for one, other in zip(offsets, other_offsets)))
                    beyond = sum(int((move > BIN).sum()) for move in moves)
                    percents = "  ".join(f"{100 * move.max():6.3f} %" for move in moves)
                    print(f"{network:8} {recipe:28} {samples:>6}  {percents}   {beyond:5} of {4 * thresholds.size:5}  {moved:.3f}", flush=True)


if __name__ == "__main__":
    main()
