"""Take torchvision's networks, with seeded weights, through import, conversion and simulation; write the table.

    pip install -r Tools/requirements-networks.txt && pip install --no-deps torchvision==0.28.0
    python Tools/torchvision_networks.py [--spikelet .build/release/spikelet] [--only NAME,…]

Of each network: both PyTorch exporters' files, the ANN's outputs against ONNX Runtime's, the conversion or what stands in
its way, the outputs of `radix` with 8 digits and the layers' rates of `calibrated` at T = 64 against the ANN's. Batch
normalisations get statistics of the images first, so that outputs vary. Results go to Documentation/Results/networks.json,
one network after the other, and from there to Documentation/Networks.md; empty cells were not measured.
"""

import argparse
import json
import logging
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

# torchvision describes its compiled operators on import; they are not there, and not needed.
register = torch.library.register_fake
torch.library.register_fake = lambda name, *rest, **options: (
    (lambda function: function) if str(name).startswith("torchvision::") else register(name, *rest, **options)
)
from torchvision import models  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "Documentation" / "Results" / "networks.json"
PAGE = ROOT / "Documentation" / "Networks.md"
IMAGES, STATISTICS = 8, 32
TIMEOUT = 400  # seconds for a command


class Segmentation(nn.Module):
    """The logits alone of a segmentation network."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)["out"]


class UNet(nn.Module):
    """A small U-Net (Ronneberger et al., 2015) with batch normalisation and transposed convolutions."""

    def __init__(self, channels=(16, 32, 64)):
        super().__init__()

        def block(a, b):
            layers = []
            for source in (a, b):
                layers += [nn.Conv2d(source, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
            return nn.Sequential(*layers)

        self.down = nn.ModuleList(block(a, b) for a, b in zip((3, *channels), channels))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in zip(channels, channels[1:]))
        self.merge = nn.ModuleList(block(2 * a, a) for a in channels[:-1])
        self.head = nn.Conv2d(channels[0], 4, 1)

    def forward(self, x):
        skips = []
        for index, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if index else x)
            skips.append(x)
        for skip, up, merge in reversed(list(zip(skips, self.up, self.merge))):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.head(x)


class Sequence1d(nn.Sequential):
    """A 1-D convolutional network, as for sensors."""

    def __init__(self):
        layers, channels = [], 3
        for features in (32, 64, 128):
            layers += [nn.Conv1d(channels, features, 7, padding=3), nn.BatchNorm1d(features), nn.ReLU(), nn.MaxPool1d(2)]
            channels = features
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, 6))


# Name, how to make it, the shape of a sample.
NETWORKS = {
    "VGG-11-bn": (lambda: models.vgg11_bn(), (3, 224, 224)),
    "ResNet-18": (lambda: models.resnet18(), (3, 64, 64)),
    "ResNet-50": (lambda: models.resnet50(), (3, 64, 64)),
    "MobileNetV2": (lambda: models.mobilenet_v2(), (3, 64, 64)),
    "DenseNet-121": (lambda: models.densenet121(), (3, 64, 64)),
    "SqueezeNet 1.1": (lambda: models.squeezenet1_1(), (3, 64, 64)),
    "GoogLeNet": (lambda: models.googlenet(aux_logits=False, init_weights=False), (3, 64, 64)),
    "Inception v3": (lambda: models.inception_v3(aux_logits=False, init_weights=False), (3, 96, 96)),
    "ShuffleNetV2 1.0": (lambda: models.shufflenet_v2_x1_0(), (3, 64, 64)),
    "MNASNet 1.0": (lambda: models.mnasnet1_0(), (3, 64, 64)),
    "RegNetX-400MF": (lambda: models.regnet_x_400mf(), (3, 64, 64)),
    "RegNetY-400MF": (lambda: models.regnet_y_400mf(), (3, 64, 64)),
    "EfficientNet-B0": (lambda: models.efficientnet_b0(), (3, 64, 64)),
    "ConvNeXt-Tiny": (lambda: models.convnext_tiny(), (3, 64, 64)),
    "ViT-B/16": (lambda: models.vit_b_16(image_size=64), (3, 64, 64)),
    "DeepLabV3-ResNet-50": (
        lambda: Segmentation(models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None)), (3, 64, 64)
    ),
    "U-Net": (UNet, (3, 64, 64)),
    "1-D convolutions": (Sequence1d, (3, 128)),
}  # fmt: skip


def images(count: int, shape: tuple, seed: int) -> torch.Tensor:
    """Smooth blobs of several sizes, in about −1 … 1: noise would look alike to every network."""
    generator = torch.Generator().manual_seed(seed)
    mode = "linear" if len(shape) == 2 else "bilinear"
    total = torch.zeros(count, *shape)
    for size in (2, 4, 8, 16):
        coarse = torch.randn(count, shape[0], *[size] * (len(shape) - 1), generator=generator)
        total += nn.functional.interpolate(coarse, shape[1:], mode=mode, align_corners=False) / 2
    return total


def prepared(make, shape: tuple) -> nn.Module:
    """The network with seeded weights, and batch normalisations that know the images' statistics."""
    torch.manual_seed(1)
    network = make().eval()
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        network(images(STATISTICS, shape, seed=2))
    return network.eval()


def calibration(shape: tuple) -> int:
    """How many images thresholds are chosen from: fewer of large ones, to be done this year."""
    return 128 if np.prod(shape[1:]) <= 64 * 64 else 24


def export(network: nn.Module, shape: tuple, exporter: str, path: str) -> None:
    x = images(2, shape, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            batch = torch.export.Dim("batch", min=1, max=1024)
            torch.onnx.export(network, (x,), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
        else:
            axes = {"input": {0: "batch"}}
            torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17, input_names=["input"], dynamic_axes=axes)


def command(folder: str, *arguments: str) -> str:
    """Standard output; raises with the error's text."""
    process = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if process.returncode != 0:
        raise RuntimeError(process.stderr.strip())
    return process.stdout


def varying(outputs: np.ndarray) -> np.ndarray:
    return outputs - outputs.mean(axis=0, keepdims=True)


def obstacles(message: str) -> str:
    """`n × operator` of each group in a refusal, or its first line."""
    groups = re.findall(r"^\s*- (\d+) × (.+?):", message, re.MULTILINE)
    counts: dict = {}
    for count, operator in groups:
        counts[operator] = counts.get(operator, 0) + int(count)
    if counts:
        return ", ".join(f"{count} {operator}" for operator, count in counts.items())
    return message.splitlines()[0].split(": ", 1)[-1][:120]


def measure(name: str, spikelet: str, is_quick: bool) -> dict:
    make, shape = NETWORKS[name]
    network = prepared(make, shape)
    result = {"network": name, "input": list(shape), "parameters": sum(part.numel() for part in network.parameters())}
    with tempfile.TemporaryDirectory() as folder:
        x = images(IMAGES, shape, seed=4).numpy()
        np.save(f"{folder}/x.npy", x)
        np.save(f"{folder}/calibration.npy", images(calibration(shape), shape, seed=2).numpy())
        for exporter in ("script", "dynamo"):
            path = f"{folder}/{exporter}.onnx"
            try:
                export(network, shape, exporter, path)
                session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                expected = session.run(None, {session.get_inputs()[0].name: x})[0]
                command(folder, spikelet, "run", path, "--input", "x.npy", "--output", "y.npy")
                found = np.load(f"{folder}/y.npy")
                result[exporter] = float(np.abs(found - expected).max() / np.abs(expected).max())
            except Exception as error:  # noqa: BLE001
                result[exporter] = obstacles(str(error))
        verdict = command(folder, spikelet, "inspect", "script.onnx")
        if "cannot be converted" in verdict:
            result["reason"] = obstacles(verdict[verdict.index("cannot be converted") :])
        if is_quick or "reason" in result:
            return result
        reference = varying(expected)
        start = time.time()
        try:
            convert = [spikelet, "convert", "script.onnx", "--calibration", "calibration.npy"]
            command(folder, *convert, "--recipe", "radix", "--steps", "8", "--output", "radix.safetensors")
            command(folder, spikelet, "simulate", "radix.safetensors", "--input", "x.npy", "--output", "radix.npy")
            difference = varying(np.load(f"{folder}/radix.npy")) - reference
            result["radix"] = float(np.linalg.norm(difference) / np.linalg.norm(reference))
            # Potentials are corrected by simulating all steps of all these images.
            command(folder, *convert, "--limit", "16", "--recipe", "calibrated", "--steps", "64", "--output", "rate.safetensors")
            command(
                folder, spikelet, "evaluate", "rate.safetensors", "--data", "x.npy", "--ann", "script.onnx", "--steps", "64", "--layers",
                "--json", "rate.json",
            )  # fmt: skip
            errors = [layer["error"]["total"] for layer in json.loads(pathlib.Path(folder, "rate.json").read_text())["layers"]]
            errors = [error for error in errors if error is not None]
            result |= {"layers": len(errors), "median": statistics.median(errors), "largest": max(errors), "first": errors[0]}
        except subprocess.TimeoutExpired:
            result["reason"] = f"stopped after {TIMEOUT} s"
        except RuntimeError as error:
            result["reason"] = obstacles(str(error))
        result["seconds"] = round(time.time() - start)
    return result


def page(results: list) -> str:
    def cell(value) -> str:
        return f"{value:.1e}" if isinstance(value, float) else value or ""

    def percent(value) -> str:
        return f"{100 * value:.1f} %" if isinstance(value, float) else ""

    rows = []
    for entry in results:
        size = "×".join(str(number) for number in entry["input"])
        verdict = "yes" if "radix" in entry or "reason" not in entry else f"no: {entry['reason']}"
        layers = f"{entry['layers']}" if "layers" in entry else ""
        rows.append(
            f"| {entry['network']} | {size} | {cell(entry['script'])} | {cell(entry['dynamo'])} | {verdict} | {percent(entry.get('radix'))} "
            f"| {layers} | {percent(entry.get('first'))} | {percent(entry.get('median'))} | {percent(entry.get('largest'))} |"
        )
    return "\n".join(
        [
            "# Networks",
            "",
            "torchvision's networks, a U-Net and a network over one axis, with seeded weights that nobody trained: what is shown is",
            "that they are imported and converted rightly, not how well they classify. Made by `Tools/torchvision_networks.py`,",
            f"which says how; {IMAGES} images each, {calibration((3, 64, 64))} others for calibration ({calibration((3, 96, 96))} where they are",
            "larger than 64 × 64).",
            "",
            "- *TorchScript*, *dynamo*: the exporter's file is imported, and the largest difference of the ANN's outputs from ONNX",
            "  Runtime's, over the largest output.",
            "- *converts*: or what stands in the way.",
            "- *radix, K = 8*: relative L2 error of the outputs, after their mean over the images has been removed.",
            "- *calibrated, T = 64*: relative root mean square error of the layers' activations: the first layer's, the median, the",
            "  largest. Calibrated on 16 images. Empty cells were not measured.",
            "",
            "| network | input | TorchScript | dynamo | converts | radix, K = 8 | layers | first | median | largest |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--only", help="names of networks, separated by commas")
    parser.add_argument("--quick", action="store_true", help="import and judge, but do not simulate")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(2)
    spikelet = str(pathlib.Path(options.spikelet).resolve())
    known = {entry["network"]: entry for entry in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for name in options.only.split(",") if options.only else NETWORKS:
        known[name] = measure(name, spikelet, options.quick)
        print(json.dumps(known[name]), flush=True)
        results = [known[name] for name in NETWORKS if name in known]
        RESULTS.write_text("[\n" + ",\n".join("  " + json.dumps(entry) for entry in results) + "\n]\n")
        PAGE.write_text(page(results))


if __name__ == "__main__":
    main()
