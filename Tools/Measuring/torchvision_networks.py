"""Take torchvision's networks, with seeded weights, through import, conversion and simulation; write the table.

    pip install -r Tools/Measuring/requirements.txt && pip install --no-deps torchvision==0.28.0
    python Tools/Measuring/torchvision_networks.py [--spikelet .build/release/spikelet] [--only NAME,…] [--parts import,radix,rates]
        [--digit-images 32]

Of each network: both PyTorch exporters' files, all outputs of the ANN against ONNX Runtime's, the conversion or what stands
in its way; the outputs of `radix` with 8 digits, and how many digits bring them within 5 %; the layers' rates of
`calibrated` at T = 64 against the ANN's activations. Batch normalisations get statistics of the images first, so that
outputs vary.

Beside radix stands what PyTorch itself loses when each ReLU's output is rounded to the same 255 levels: each channel's
range is the best one on the very images that are measured, so that no choice of thresholds does much better. And how much a
network amplifies: noise of 0.01 % on the first ReLU's outputs, over what it makes of the network's outputs.

Networks of other activations (DIGITS) are converted with `radix` as sign and K digits of what their weights and products read.
Beside them stands the same rounding with steps of PyTorch's HistogramObserver: Tools/Checks/check_digits.py writes the rounded ANN
as an ONNX model, ONNX Runtime runs it, with the observers' steps and with Spikelet's; the latter is what the engine must say too.

Results go to Benchmarks/Results/networks.json, one network after the other, and from there to Documentation/Networks.md;
empty cells were not measured.
"""

import argparse
import json
import logging
import math
import pathlib
import re
import statistics
import subprocess
import sys
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "Tools/Checks"), str(ROOT / "Tools/Generate")]
from check_digits import Rounded  # noqa: E402
from operators import NotWritten  # noqa: E402
from simulate import Network  # noqa: E402

RESULTS = ROOT / "Benchmarks" / "Results" / "networks.json"
PAGE = ROOT / "Documentation" / "Networks.md"
IMAGES, STATISTICS = 8, 32
DIGIT_IMAGES = 32  # measured of networks of digits: their errors differ from image to image
TIMEOUT = 400  # seconds for a command


class Segmentation(nn.Module):
    """A segmentation network with its outputs in a row: the logits, and those of its auxiliary head."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        outputs = self.network(x)
        return outputs["out"], outputs["aux"]


def with_head(network, name: str):
    """The network with weights in its last layer, which torchvision leaves zero."""
    head = network.get_submodule(name)
    nn.init.normal_(head.weight, std=head.in_features**-0.5)
    return network


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
    "GoogLeNet": (lambda: models.googlenet(aux_logits=False, init_weights=False, transform_input=True), (3, 64, 64)),
    "Inception v3": (lambda: models.inception_v3(aux_logits=False, init_weights=False, transform_input=True), (3, 96, 96)),
    "ShuffleNetV2 1.0": (lambda: models.shufflenet_v2_x1_0(), (3, 64, 64)),
    "MNASNet 1.0": (lambda: models.mnasnet1_0(), (3, 64, 64)),
    "RegNetX-400MF": (lambda: models.regnet_x_400mf(), (3, 64, 64)),
    "RegNetY-400MF": (lambda: models.regnet_y_400mf(), (3, 64, 64)),
    "EfficientNet-B0": (lambda: models.efficientnet_b0(), (3, 64, 64)),
    "MobileNetV3": (lambda: models.mobilenet_v3_large(), (3, 64, 64)),
    "ConvNeXt-Tiny": (lambda: models.convnext_tiny(), (3, 64, 64)),
    "ViT-B/16": (lambda: with_head(models.vit_b_16(image_size=64), "heads.head"), (3, 64, 64)),
    "Swin-T": (lambda: models.swin_t(), (3, 64, 64)),
    "DeepLabV3-ResNet-50": (
        lambda: Segmentation(models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, aux_loss=True)), (3, 64, 64)
    ),
    "U-Net": (UNet, (3, 64, 64)),
    "1-D convolutions": (Sequence1d, (3, 128)),
}  # fmt: skip
# Networks whose activations are sent as sign and digits.
DIGITS = ("RegNetY-400MF", "EfficientNet-B0", "MobileNetV3", "ConvNeXt-Tiny", "ViT-B/16", "Swin-T")


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


def obstacles(message: str) -> str:
    """`n operator` of each group in a refusal, or its first line."""
    counts: dict = {}
    for count, operator in re.findall(r"^\s*- (\d+) × (.+?):", message, re.MULTILINE):
        counts[operator] = counts.get(operator, 0) + int(count)
    for operator, count in re.findall(r"^\s*- (\w+), opset \d+: (\d+) nodes?:", message, re.MULTILINE):
        counts[operator] = counts.get(operator, 0) + int(count)
    if counts:
        return ", ".join(f"{count} {operator}" for operator, count in counts.items())
    return message.splitlines()[0].split(": ", 1)[-1][:120]


class Rectifiers:
    """Calls `change(index, output)` in place of each ReLU's output, in the order in which they are reached."""

    def __init__(self, change):
        self.change, self.index = change, 0

    def __enter__(self):
        self.saved = {name: getattr(nn.functional, name) for name in ("relu", "hardtanh")}
        for name, function in self.saved.items():
            setattr(nn.functional, name, self.replacement(function))
        return self

    def __exit__(self, *_):
        for name, function in self.saved.items():
            setattr(nn.functional, name, function)

    def replacement(self, function):
        def changed(x, *arguments, inplace=False, **options):
            output = self.change(self.index, function(x.clone(), *arguments, **options))
            self.index += 1
            return output

        return changed


def quantised(_: int, output: torch.Tensor) -> torch.Tensor:
    """At 255 levels, each channel with the range that has the least squared error on this very tensor."""
    channels = output.transpose(0, 1).flatten(1)
    best, least = None, None
    for share in np.linspace(0.3, 1, 29):
        step = (channels.amax(1, keepdim=True) * share / 255).clamp(min=1e-12)
        rounded = (channels / step + 0.5).floor().clamp(max=255) * step
        error = (rounded - channels).square().sum(1, keepdim=True)
        best, least = (rounded, error) if best is None else (torch.where(error < least, rounded, best), torch.minimum(error, least))
    return best.reshape(output.transpose(0, 1).shape).transpose(0, 1)


def noisy(index: int, output: torch.Tensor) -> torch.Tensor:
    """With noise of 0.01 % on the first ReLU's outputs."""
    if index:
        return output
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(5))
    return output + noise * (1e-4 * output.norm() / noise.norm())


def distance(found, expected) -> float:
    """Relative L2 distance of the first output, after the mean over the images has been removed."""
    found, expected = ((y[0] if isinstance(y, tuple) else y).double() for y in (found, expected))
    return float((found - expected - (found - expected).mean(0)).norm() / (expected - expected.mean(0)).norm())


def in_pytorch(network: nn.Module, x: torch.Tensor) -> dict:
    with torch.no_grad():
        expected = network(x)
        with Rectifiers(quantised):
            rounded = network(x)
        with Rectifiers(noisy):
            disturbed = network(x)
    return {"levels255": distance(rounded, expected), "gain": distance(disturbed, expected) / 1e-4}


def imported(network: nn.Module, shape: tuple, folder: str, spikelet: str, exporters: tuple) -> dict:
    """The exporters' files, all outputs against ONNX Runtime's; and the verdict on the conversion."""
    result = {}
    x = np.load(f"{folder}/x.npy")
    for exporter in exporters:
        path = f"{folder}/{exporter}.onnx"
        try:
            export(network, shape, exporter, path)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            expected = session.run(None, {session.get_inputs()[0].name: x})
            command(folder, spikelet, "run", path, "--input", "x.npy", "--output", "y.npz")
            found = np.load(f"{folder}/y.npz")
            names = [output.name for output in session.get_outputs()]
            result[exporter] = max(
                float(np.abs(found[name] - value).max() / np.abs(value).max()) for name, value in zip(names, expected, strict=True)
            )
            result["outputs"] = len(names)
        except Exception as error:  # noqa: BLE001
            result[exporter] = obstacles(str(error))
    try:
        verdict = command(folder, spikelet, "inspect", "script.onnx")
    except Exception as error:  # noqa: BLE001
        return result | {"operations": 0, "reason": obstacles(str(error))}
    result["operations"] = int(re.search(r"^([\d,]+) multiply–accumulates", verdict, re.MULTILINE)[1].replace(",", ""))
    if "cannot be converted" in verdict:
        result["reason"] = obstacles(verdict[verdict.index("cannot be converted") :])
    return result


def radix(folder: str, spikelet: str, digits: int) -> float:
    """The largest of the outputs' errors, after the mean over the images has been removed."""
    convert = [spikelet, "convert", "script.onnx", "--calibration", "calibration.npy", "--recipe", "radix", "--steps", str(digits)]
    command(folder, *convert, "--output", "radix.safetensors")
    evaluate = [spikelet, "evaluate", "radix.safetensors", "--data", "x.npy", "--ann", "script.onnx", "--outputs", "--json", "-"]
    found = json.loads(command(folder, *evaluate))
    return max(output["errorOfVariation"] for output in found["steps"][-1]["outputs"])


def digits_needed(error) -> dict:
    """The error at 8 digits, and how many bring it within 5 %: found by halving, since a digit halves what rounding does."""
    errors = {8: error(8)}
    while errors[max(errors)] > 0.05 and max(errors) < 14:
        digits = min(14, max(errors) + max(1, math.ceil(math.log2(errors[max(errors)] / 0.05))))
        errors[digits] = error(digits)
    while (digits := max(errors)) > 9 and errors[digits] <= 0.05 and digits - 1 not in errors:
        errors[digits - 1] = error(digits - 1)
        if errors[digits - 1] <= 0.05:
            del errors[digits]
    within = [digits for digits, found in errors.items() if found <= 0.05]
    return {"radix": errors[8], "digitsFor5": min(within, default=None)}


class Encoded(Rounded):
    """The ANN as it is encoded, with nothing rounded: what each layer of neurons is to encode stands among its outputs."""

    def neuron(self, name: str, a: dict, x: str, y: str) -> None:
        signed = a["kind"] == "DigitNeuron"
        self.neurons[name] = scalers(self.network, name)[0]["inputs"][0], y, None, signed
        self.add("Identity" if signed else "Relu", [x], y)

    def values(self, x: np.ndarray) -> tuple:
        """The outputs, and the values to encode by the neurons' names."""
        session, inputs = self.session(), [each["name"] for each in self.network.inputs]
        names = [name for name in dict.fromkeys(self.shown()) if name not in inputs]
        found: dict = {name: [] for name in names}
        for part in np.split(x, range(self.batch, len(x), self.batch)):
            for name, value in zip(names, session.run(names, {inputs[0]: part}), strict=True):
                found[name].append(value)
        whole = {inputs[0]: x} | {name: np.concatenate(parts) for name, parts in found.items()}
        encoded = {name: whole[read] if signed else whole[read].clip(0) for name, (read, _, _, signed) in self.neurons.items()}
        return whole[self.network.outputs[0]["value"]], encoded


def scalers(network: Network, neuron: str) -> tuple:
    """What divides by the step before a layer of neurons, and what multiplies with it behind."""
    node = next(node for node in network.nodes if node["name"] == neuron)
    before = next((other for other in network.nodes if node["inputs"][0] in other["outputs"]), None)
    behind = [other for other in network.nodes if node["outputs"][0] in other["inputs"]]
    if before is None or not behind or {other["operator"]["type"] for other in (before, *behind)} != {"VoltageScaler"}:
        raise NotWritten(f"digits without steps around them: {neuron}")
    return before, behind


def observed(values: np.ndarray, digits: int) -> float:
    """The step of PyTorch's observer for sign and `digits` digits of these values, all of them at once."""
    top = 2**digits - 1
    observer = torch.ao.quantization.observer.HistogramObserver(
        dtype=torch.qint32, qscheme=torch.per_tensor_symmetric, quant_min=-top, quant_max=top, eps=1e-12
    )
    observer.dst_nbins = 2 * top + 1  # how many levels its search reckons with; else 2³² of them
    observer(torch.from_numpy(np.ascontiguousarray(values)))
    return float(observer.calculate_qparams()[0])


def against_observers(folder: str, digits: int, encoded: dict) -> tuple:
    """The error of the rounded ANN in ONNX Runtime with the observers' steps; and its outputs with those of radix.safetensors."""
    x = np.load(f"{folder}/x.npy")
    network = Network.read(f"{folder}/radix.safetensors")
    name = network.inputs[0]["name"]
    output = [network.outputs[0]["value"]]
    ours = Rounded(network, len(x), False).session().run(output, {name: x})[0]
    for neuron, values in encoded.items():
        step = observed(values, digits)
        before, behind = scalers(network, neuron)
        before["operator"]["attributes"]["scales"] = [1 / step]
        for node in behind:
            node["operator"]["attributes"]["scales"] = [step]
    theirs = Rounded(network, len(x), False).session().run(output, {name: x})[0]
    session = onnxruntime.InferenceSession(f"{folder}/script.onnx", providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: x})[0]
    return distance(torch.from_numpy(theirs), torch.from_numpy(expected)), ours


def of_digits(folder: str, spikelet: str, count: int) -> dict:
    """A network of digits: its errors with Spikelet's steps and with the observers', and the engine against ONNX Runtime."""
    calibration = np.load(f"{folder}/calibration.npy")[:count]
    np.save(f"{folder}/calibration.npy", calibration)
    errors: dict = {}

    def error(digits: int) -> float:
        if digits not in errors:
            errors[digits] = radix(folder, spikelet, digits)
        return errors[digits]

    result = {"digitImages": count, "digits": {}, "observers": {}}
    for digits in (6, 8):
        result["digits"][str(digits)] = error(digits)
        network = Network.read(f"{folder}/radix.safetensors")
        answers, encoded = Encoded(network, 8, False).values(calibration)
        session = onnxruntime.InferenceSession(f"{folder}/script.onnx", providers=["CPUExecutionProvider"])
        expected = session.run(None, {session.get_inputs()[0].name: calibration})[0]
        result["unrounded"] = distance(torch.from_numpy(answers), torch.from_numpy(expected))
        result["layersOfDigits"] = len(encoded)
        result["observers"][str(digits)], rounded = against_observers(folder, digits, encoded)
    command(folder, spikelet, "simulate", "radix.safetensors", "--input", "x.npy", "--output", "digits.npy")
    found = np.load(f"{folder}/digits.npy")
    deviation = np.sqrt(np.square(rounded - rounded.mean(0), dtype=np.float64).mean())
    result["engine"] = float(np.abs(found - rounded).max() / deviation)
    # Whatever stops the search for K must not lose what was found.
    try:
        within = digits_needed(error)["digitsFor5"]
        if within == 8:
            within = 6 if error(6) <= 0.05 else 7 if error(7) <= 0.05 else 8
        result["digitsFor5"] = within
    except subprocess.TimeoutExpired:
        result["stopped"] = f"stopped after {TIMEOUT} s"
    result["digits"] |= {str(digits): found for digits, found in sorted(errors.items())}
    return result


def rates(folder: str, spikelet: str, operations: int) -> dict:
    """The layers' errors at T = 64. Each image of the correction and of the measurement is simulated for all steps."""
    count = max(2, min(16, int(3e9 / operations)))
    convert = [spikelet, "convert", "script.onnx", "--calibration", "calibration.npy", "--limit", str(count)]
    command(folder, *convert, "--recipe", "calibrated", "--steps", "64", "--output", "rate.safetensors")
    evaluate = [spikelet, "evaluate", "rate.safetensors", "--data", "x.npy", "--limit", str(min(count, IMAGES)), "--ann", "script.onnx"]
    found = json.loads(command(folder, *evaluate, "--steps", "64", "--outputs", "--layers", "--json", "-"))
    errors = [layer["total"] for layer in found["layers"] if layer.get("total") is not None]
    return {
        "layers": len(errors), "median": statistics.median(errors), "largest": max(errors), "first": errors[0], "rateImages": count,
        "correctedImages": count,
    }  # fmt: skip


def measure(name: str, spikelet: str, parts: list, known: dict, count: int) -> dict:
    make, shape = NETWORKS[name]
    network = prepared(make, shape)
    result = {"network": name, "input": list(shape), "parameters": sum(part.numel() for part in network.parameters())}
    result |= {key: value for key, value in known.items() if key not in ("reason", "stopped")}
    with tempfile.TemporaryDirectory() as folder:
        x = images(DIGIT_IMAGES if name in DIGITS else IMAGES, shape, seed=4)
        np.save(f"{folder}/x.npy", x.numpy())
        np.save(f"{folder}/calibration.npy", images(calibration(shape), shape, seed=2).numpy())
        result |= imported(network, shape, folder, spikelet, ("script", "dynamo") if "import" in parts else ("script",))
        if "reason" in result:
            return result
        try:
            if name in DIGITS:
                return result | (of_digits(folder, spikelet, count) if "radix" in parts else {})
            if "radix" in parts:
                result |= in_pytorch(network, x)
                result |= digits_needed(lambda digits: radix(folder, spikelet, digits))
            if "rates" in parts:
                result |= rates(folder, spikelet, result["operations"])
        except subprocess.TimeoutExpired:
            result["stopped"] = f"stopped after {TIMEOUT} s"
    return result


def page(results: list) -> str:
    def cell(value) -> str:
        return f"{value:.1e}" if isinstance(value, float) else f"no: {value}" if value else ""

    def percent(value) -> str:
        return f"{100 * value:.1f} %" if isinstance(value, float) else ""

    def digits(entry) -> str:
        return str(entry["digitsFor5"] or "more than 14") if "digitsFor5" in entry else ""

    imports, radixes, digit, rate = [], [], [], []
    for entry in results:
        size = "×".join(str(number) for number in entry["input"])
        verdict = f"no: {entry['reason']}" if "reason" in entry else "yes"
        imports.append(f"| {entry['network']} | {size} | {cell(entry.get('script'))} | {cell(entry.get('dynamo'))} | {verdict} |")
        if isinstance(entry.get("radix"), float):
            radixes.append(
                f"| {entry['network']} | {percent(entry['radix'])} | {percent(entry['levels255'])} | {entry['gain']:.1f} "
                f"| {digits(entry)} |"
            )
        if "observers" in entry:
            found, observers = entry["digits"], entry["observers"]
            digit.append(
                f"| {entry['network']} | {entry['layersOfDigits']} | {percent(found['6'])} | {percent(observers['6'])} "
                f"| {percent(found['8'])} | {percent(observers['8'])} | {digits(entry)} | {cell(entry['engine'])} |"
            )
        if "layers" in entry:
            rate.append(
                f"| {entry['network']} | {entry['layers']} | {percent(entry['first'])} | {percent(entry['median'])} "
                f"| {percent(entry['largest'])} | {entry['rateImages']} | {entry.get('correctedImages', 0)} |"
            )
    text = TEXT.format(images=IMAGES, measured=DIGIT_IMAGES, few=calibration((3, 96, 96)), many=calibration((3, 64, 64)),
                       digits=", ".join(str(n) for n in sorted({entry["digitImages"] for entry in results if "digitImages" in entry})))  # fmt: skip
    if not digit:
        begin = text.index("## Networks of digits")
        text = text[:begin] + text[text.index("## `calibrated`") :]
    if not rate:
        text = text[: text.index("## `calibrated`")].rstrip() + "\n"
    for title, rows in (("IMPORTS", imports), ("RADIX", radixes), ("DIGITS", digit), ("RATES", rate)):
        text = text.replace(title, "\n".join(rows))
    return text


TEXT = """\
# Networks

torchvision's networks, a U-Net and a network over one axis, with seeded weights that nobody trained: what is shown is
that they are imported and converted rightly, not how well they classify. `Tools/Measuring/torchvision_networks.py` makes this
part of the page, and says how. Measured on {images} images; thresholds from {many} others ({few} where they are larger than 64 × 64).

## Import

Both of PyTorch's exporters: the largest difference of the ANN's outputs (all of them) from ONNX Runtime's, over the
largest output; and whether the network converts, or what stands in its way.

| network | input | TorchScript | dynamo | converts |
| --- | --- | --- | --- | --- |
IMPORTS

## `radix`

Relative L2 error of the outputs, after their mean over the images has been removed: `radix` at K = 8, and the K that
brings it within 5 %. *255 levels in PyTorch*: what PyTorch itself loses when it rounds each ReLU's output to as
many levels, each channel's range being the best for these very images. *gain*: noise of 0.01 % on the first ReLU's
outputs grows so much on its way to the network's.

| network | K = 8 | 255 levels in PyTorch | gain | K for 5 % |
| --- | ---: | ---: | ---: | ---: |
RADIX

Networks that nobody trained may amplify, and rounding with all else: what PyTorch's own rounding to 255 levels loses is
as much a matter of the network as of the code. Each further digit halves the step. Networks without a row here have not been measured, and
rows may come from different runs (`--only`).

## Networks of digits

Networks of other activations than ReLU: `radix` sends what their weights and products of matrices read as sign and K
digits. Errors as above, on {measured} images; steps from {digits} others. *observers*: the same rounding at the same places, without Spikelet: the steps are those of
PyTorch's `HistogramObserver` (symmetric, −(2^K − 1) … 2^K − 1, one for the whole tensor, where Spikelet has one for each channel unless a
product of matrices reads it), on what ONNX Runtime computes there for the same images; `Tools/Checks/check_digits.py` writes the rounded ANN as an ordinary
ONNX model, and ONNX Runtime runs it. *engine*: the largest difference of the engine's outputs at K = 8 from that ONNX model with Spikelet's steps, over the
outputs' deviation.

| network | layers of digits | K = 6 | observers | K = 8 | observers | K for 5 % | engine |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
DIGITS

Where *engine* is large, float32 sums in another order have decided a digit at a tie otherwise, and the network amplifies it: given the engine's own digits in front of
each layer, of 8 images EfficientNet-B0, RegNetY-400MF and ViT-B/16 differ in 6 of 6.1, 1 of 2.9 and 232 of 11.0 million digits, all at ties, and their outputs by 8.4e-06, 6.7e-06 and
4.6e-06 of the deviation (K = 8, `check_digits.py --samples 8`).

## `calibrated`

Relative root mean square error of the layers' activations at T = 64: the first layer's, the median, the largest; the images
that thresholds are from, and those that potentials were corrected on (none when correction still took 32 images).

| network | layers | first | median | largest | images | corrected on |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
RATES
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--only", help="names of networks, separated by commas")
    parser.add_argument("--parts", default="import,radix,rates", help="what to measure; what was measured before is kept")
    parser.add_argument("--digit-images", type=int, default=32, help="images that the steps of networks of digits are from")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    spikelet = str(pathlib.Path(options.spikelet).resolve())
    known = {entry["network"]: entry for entry in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for name in options.only.split(",") if options.only else NETWORKS:
        start = time.time()
        known[name] = measure(name, spikelet, options.parts.split(","), known.get(name, {}), options.digit_images)
        print(json.dumps(known[name]), f"{time.time() - start:.0f} s", flush=True)
        results = [known[name] for name in NETWORKS if name in known]
        RESULTS.write_text("[\n" + ",\n".join("  " + json.dumps(entry) for entry in results) + "\n]\n")
        # What real_networks.py measures stands behind.
        _, heading, rest = PAGE.read_text().partition("\n## Trained networks")
        PAGE.write_text(page(results) + heading + rest)


if __name__ == "__main__":
    main()
