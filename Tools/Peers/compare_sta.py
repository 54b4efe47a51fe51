"""Measure SpikingJelly 2.0.0's conversion of transformers (STATransformerRecipe, spiking_encoder) on the bundled vision transformer.

    pip install -r Tools/Peers/requirements-spikingjelly-2.0.0.txt   # into an environment of its own
    pip install --no-deps spikingjelly==2.0.0
    python Tools/Peers/compare_sta.py --output sta.json [--spikelet .build/release/spikelet]

The network has the weights of Models/FashionMNIST/vit/vit_dynamo.onnx, and attention as STA takes it: nn.MultiheadAttention, called
with need_weights=False and unpacked. Its outputs are first compared with ONNX Runtime's. Then, for each number of steps T and each
threshold_scale: calibration with 512 bundled training images in batches of 64; the bundled 1,000 test images as SpikingJelly's own
example of ViT-B/16 shows them, the image in the first step and zeros in the others, and the sum of the outputs of all steps. Recorded are
accuracy, agreement with the ANN, the norm of the output of each step (of the first 100 images), the outputs' error by the first step
alone and by the sum (the root of the mean square of the deviations from the ANN's, over that of the ANN's from their mean), and seconds on
one thread. `equivalent` is the same recipe without encoders: floating-point numbers all the way.

With --spikelet the bundled file is also converted by `--recipe radix` with K digits, on the same calibration images, and simulated on the
same test images by one processor: seconds are those of the command, which loads and compiles first. The output of a step is what the
step adds to what `simulate --per-step` shows. With --spikelet-only entries of SpikingJelly stay as OUTPUT has them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from loguru import logger
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import TEST_IMAGES, TRAIN_IMAGES, load_images, model_path, onnxruntime_logits  # noqa: E402

CALIBRATION_IMAGES, BATCH_SIZE, TEST_BATCH_SIZE = 512, 64, 100
STEPS, SCALES, DIGITS = (4, 8, 32), (0.25, 0.5, 1.0), (4, 6, 8)


class Block(nn.Module):
    """Attention and two linear layers, each behind a layer normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1, self.gelu, self.linear2 = nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        x = x + y
        return x + self.linear2(self.gelu(self.linear1(self.norm2(x))))


class Transformer(nn.Module):
    """The bundled vision transformer, from its ONNX file: batch normalisations are in the convolutions there already."""

    def __init__(self, path: Path, heads: int = 4) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        tensors = {each.name: torch.from_numpy(onnx.numpy_helper.to_array(each).copy()) for each in graph.initializer}
        # Where a linear layer has become a product and a sum, its weight has lost its name, and is transposed.
        products = {node.output[0]: node for node in graph.node if node.op_type == "MatMul"}
        for node in graph.node:
            if node.op_type == "Add" and (product := products.get(node.input[0])) and node.input[1].endswith(".bias"):
                tensors[node.input[1].removesuffix("bias") + "weight"] = tensors[product.input[1]].T.contiguous()
        convolutions = [node for node in graph.node if node.op_type == "Conv"]
        self.stem = nn.Sequential()
        for node in convolutions:
            options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            weight, bias = (tensors[name] for name in node.input[1:])
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), options["strides"], options["pads"][:2])
            layer.load_state_dict({"weight": weight, "bias": bias})
            self.stem.extend([layer] if node is convolutions[-1] else [layer, nn.GELU()])
        self.token, self.position = nn.Parameter(tensors["token"]), nn.Parameter(tensors["position"])
        width, blocks = len(tensors["norm.weight"]), sum(name.startswith("blocks.") and name.endswith("norm1.weight") for name in tensors)
        self.blocks = nn.Sequential()
        for index in range(1, blocks + 1):
            prefix = f"blocks.block{index}."
            old = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            block = Block(width, heads, len(old["mlp.linear1.bias"]))
            state = {name: old[name] for name in old if name.startswith("norm")}
            for kind in ("weight", "bias"):
                state |= {f"linear{number}.{kind}": old[f"mlp.linear{number}.{kind}"] for number in (1, 2)}
                state[f"attention.in_proj_{kind}"] = torch.cat([old[f"attention.{name}.{kind}"] for name in ("query", "key", "value")])
                state[f"attention.out_proj.{kind}"] = old[f"attention.output.{kind}"]
            block.load_state_dict(state)
            self.blocks.append(block)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, tensors["head.weight"].shape[0])
        self.norm.load_state_dict({kind: tensors[f"norm.{kind}"] for kind in ("weight", "bias")})
        self.head.load_state_dict({kind: tensors[f"head.{kind}"] for kind in ("weight", "bias")})

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.blocks(x + self.position)
        return self.head(self.norm(x)[:, 0])


def error(found: Tensor, expected: Tensor) -> float:
    return (((found - expected) ** 2).mean() / ((expected - expected.mean(0)) ** 2).mean()).sqrt().item()


def run(snn: nn.Module, images: Tensor, steps: int) -> Tensor:
    """The outputs of each step: [T, N, classes]."""
    functional.set_step_mode(snn, "m")
    outputs = []
    for batch in images.split(TEST_BATCH_SIZE):
        functional.reset_net(snn)
        shown = torch.zeros(steps, *batch.shape)
        shown[0] = batch
        outputs.append(snn(shown))
    return torch.cat(outputs, dim=1)


def measure(ann: nn.Module, mode: str, steps: int, scale: float, images: Tensor, labels: Tensor, expected: Tensor) -> dict:
    calibration = list(torch.from_numpy(load_images(TRAIN_IMAGES, CALIBRATION_IMAGES)[0]).split(BATCH_SIZE))
    result = {"mode": mode, "timeSteps": steps, "thresholdScale": scale}
    start = time.monotonic()
    recipe = ann2snn.STATransformerRecipe(calibration, time_steps=steps, mode=mode, threshold_mode="mse", threshold_scale=scale)
    snn = ann2snn.Converter(recipe).convert(ann).eval()
    result["conversionSeconds"] = time.monotonic() - start
    start = time.monotonic()
    outputs = run(snn, images, steps)
    result["seconds"] = time.monotonic() - start
    answers = outputs.sum(0)
    return result | {
        "accuracy": (answers.argmax(1) == labels).double().mean().item(),
        "agreement": (answers.argmax(1) == expected.argmax(1)).double().mean().item(),
        "normOfStep": outputs[:, :100].flatten(1).norm(dim=1).tolist(),
        "error": error(answers, expected), "errorOfFirstStep": error(outputs[0], expected),
    }  # fmt: skip


def measure_spikelet(spikelet: Path, model: Path, digits: int, images: Tensor, labels: Tensor, expected: Tensor) -> dict:
    processor = min(os.sched_getaffinity(0))

    def seconds(*command: object) -> float:
        start = time.monotonic()
        subprocess.run(
            [str(word) for word in (spikelet, *command)], check=True, capture_output=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {processor}),
        )  # fmt: skip
        return time.monotonic() - start

    with tempfile.TemporaryDirectory() as folder:
        snn, inputs, outputs = (Path(folder) / name for name in ("snn.safetensors", "x.npy", "y.npy"))
        conversion = seconds(
            "convert", model, "--recipe", "radix", "--steps", digits, "--calibration", TRAIN_IMAGES, "--limit", CALIBRATION_IMAGES,
            "--output", snn,
        )  # fmt: skip
        np.save(inputs, images.numpy())
        taken = seconds("simulate", snn, "--input", inputs, "--output", outputs)
        answers = torch.from_numpy(np.load(outputs))
        np.save(inputs, images[:100].numpy())
        seconds("simulate", snn, "--input", inputs, "--output", outputs, "--per-step")
        shown = torch.from_numpy(np.load(outputs))
    added = torch.cat([shown[:1], shown[1:] - shown[:-1]])
    return {
        "mode": "Spikelet, radix", "timeSteps": digits, "thresholdScale": None, "conversionSeconds": conversion, "seconds": taken,
        "accuracy": (answers.argmax(1) == labels).double().mean().item(),
        "agreement": (answers.argmax(1) == expected.argmax(1)).double().mean().item(),
        "normOfStep": added.flatten(1).norm(dim=1).tolist(), "error": error(answers, expected),
        "errorOfFirstStep": error(shown[0], expected[:100]),
    }  # fmt: skip


def table(results: dict) -> str:
    lines = [
        f"ANN: {100 * results['annAccuracy']:.2f} % of {results['samples']} images, {results['annSeconds']:.1f} s; "
        f"from ONNX Runtime it differs by {results['difference']:.1e}", "",
        "| mode | T | threshold_scale | accuracy | agreement | error | of the first step alone | norm of the first, of all other steps "
        "| seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for entry in results["options"]:
        first, *others = entry["normOfStep"]
        lines.append(
            f"| {entry['mode']} | {entry['timeSteps']} | {entry['thresholdScale'] or ''} | {100 * entry['accuracy']:.2f} % "
            f"| {100 * entry['agreement']:.2f} % | {100 * entry['error']:.2f} % | {100 * entry['errorOfFirstStep']:.2f} % "
            f"| {first:.1f}, {max(others, default=0):.2g} at most | {entry['seconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000, help="number of test images (default: 1000)")
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--scales", nargs="+", type=float, default=SCALES)
    parser.add_argument("--model", type=Path, default=model_path("vit", "dynamo"))
    parser.add_argument("--spikelet", type=Path, help="the built command")
    parser.add_argument("--spikelet-only", action="store_true")
    parser.add_argument("--output", type=Path, required=True, help="where to write the results (.json)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logger.remove()
    warnings.filterwarnings("ignore")
    array, classes = load_images(TEST_IMAGES, arguments.images)
    images, labels = torch.from_numpy(array), torch.from_numpy(classes)
    ann = Transformer(arguments.model).eval()
    with torch.no_grad():
        start = time.monotonic()
        expected = torch.cat([ann(batch) for batch in images.split(TEST_BATCH_SIZE)])
        seconds = time.monotonic() - start
        difference = (expected - torch.from_numpy(onnxruntime_logits(arguments.model, array))).abs().max().item()
        if difference > 1e-4 * expected.abs().max().item():
            sys.exit(f"the network is not that of {arguments.model}: its outputs differ by {difference}")
        results = {
            "versions": {"spikingjelly": "2.0.0", "torch": torch.__version__}, "samples": len(labels),
            "calibration": {"images": CALIBRATION_IMAGES, "batchSize": BATCH_SIZE}, "difference": difference, "annSeconds": seconds,
            "annAccuracy": (expected.argmax(1) == labels).double().mean().item(), "options": [],
        }  # fmt: skip
        choices = [("equivalent", min(arguments.steps), 1.0)]
        choices += [("spiking_encoder", steps, scale) for steps in arguments.steps for scale in arguments.scales]
        if arguments.spikelet_only:
            before = json.loads(arguments.output.read_text())["options"]
            results["options"], choices = [entry for entry in before if entry["thresholdScale"]], []
        for mode, steps, scale in choices:
            results["options"].append(measure(ann, mode, steps, scale, images, labels, expected))
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{mode}, T = {steps}, scale {scale} done", file=sys.stderr, flush=True)
        for digits in DIGITS if arguments.spikelet else ():
            results["options"].append(measure_spikelet(arguments.spikelet.resolve(), arguments.model, digits, images, labels, expected))
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
