"""Measure SpikingJelly 2.0.0 on the bundled networks: accuracy over time steps with its best documented options.

    pip install -r Tools/Peers/requirements-spikingjelly-2.0.0.txt   # into an environment of its own
    pip install --no-deps spikingjelly==2.0.0
    python Tools/Peers/measure_spikingjelly2.py                      # an hour on one free core

Starts from the `unfused` exports, calibrates with the first 512 bundled training images in batches of 64, shows the
bundled test images as a constant input and adds up the outputs from step 0. Local threshold balancing never lowers a
threshold, so the number of passes over the calibration images matters: several are tried, and each is also read from
the step that its `estimate_delay_start` gives for T. Writes Benchmarks/Results/spikingjelly-2.0.0.json, after every
option; what is in the file already is not measured again. With `--steps 128` and fewer `--networks` it takes less.
"""

import argparse
import json
import sys
import time
import warnings
from itertools import chain
from pathlib import Path

import torch
from loguru import logger
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, ROOT, TEST_IMAGES, TRAIN_IMAGES, load_images, model_path  # noqa: E402
from networks import from_onnx  # noqa: E402

RESULTS = ROOT / "Benchmarks" / "Results" / "spikingjelly-2.0.0.json"
CALIBRATION_IMAGES, BATCH_SIZE = 512, 64
TEST_BATCH_SIZE = 100
STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAX_POOLED = ("vgg", "vgg16", "resnet18")
MODES = {"max": "Max", "99.9%": "99.9%", "1/2": 1 / 2, "1/3": 1 / 3, "1/4": 1 / 4, "1/5": 1 / 5}
BALANCING_PASSES = (1, 8, 48)  # 48: as many batches as SpikingJelly's ImageNet example
DROP = 0.01  # the number of steps to a smaller drop of accuracy is recorded


class Passes:
    """The same batches several times over."""

    def __init__(self, batches: list[Tensor], count: int) -> None:
        self.batches, self.count = batches, count

    def __iter__(self):
        return chain.from_iterable([self.batches] * self.count)


def recipes(network: str, calibration: list[Tensor]) -> dict[str, ann2snn.ConversionRecipe]:
    """SpikingJelly's recipes for convolutional networks, by the name they get in the results."""
    result: dict[str, ann2snn.ConversionRecipe] = {
        f"rate coding, {name}, per channel, half threshold": ann2snn.RateCodingRecipe(
            calibration, mode=mode, channel_wise=True, half_threshold=True, pre_spike_maxpool=network in MAX_POOLED
        )
        for name, mode in MODES.items()
    }
    for passes in BALANCING_PASSES:
        name = f"local threshold balancing, {passes} pass{'es' if passes > 1 else ''}"
        result[name] = ann2snn.LocalThresholdBalancingRecipe(Passes(calibration, passes))
    return result


def calibration_batches() -> list[Tensor]:
    """The calibration images."""
    images, _ = load_images(TRAIN_IMAGES, CALIBRATION_IMAGES)
    return list(torch.from_numpy(images).split(BATCH_SIZE))


def accumulated_outputs(snn: nn.Module, images: Tensor, steps: int) -> Tensor:
    """The sum of the outputs of the first 0, 1, … `steps` steps: [steps + 1, N, classes]."""
    totals = []
    snn = snn.to(memory_format=torch.channels_last)  # the faster layout
    for batch in images.to(memory_format=torch.channels_last).split(TEST_BATCH_SIZE):
        functional.reset_net(snn)
        outputs = torch.stack([snn(batch) for _ in range(steps)]).cumsum(0)
        totals.append(torch.cat([torch.zeros_like(outputs[:1]), outputs]))
    functional.reset_net(snn)
    return torch.cat(totals, dim=1)


def steps_to_accuracy(accuracy: list[float], steps: list[int], ann_accuracy: float) -> int | None:
    """The first of `steps` at which the drop is under DROP."""
    return next((t for t, value in zip(steps, accuracy) if ann_accuracy - value < DROP - 1e-9), None)


def measure(network: str, images: Tensor, labels: Tensor, steps: list[int], known: dict, save) -> None:
    """Measure the recipes that are not in `known`, giving `save` the network's results after each."""
    ann = from_onnx(network, model_path(network, "unfused"))
    ann_accuracy = (ann(images).argmax(1) == labels).float().mean(dtype=torch.float64).item()
    if known.get("steps") != steps or known.get("samples") != len(labels):
        known = {}
    options: dict[str, dict] = known.get("options", {})
    result = {"annAccuracy": ann_accuracy, "samples": len(labels), "convertible": True, "options": options}
    calibration = calibration_batches()

    def record(name: str, outputs: list[Tensor], **facts) -> None:
        accuracy = [(output.argmax(1) == labels).sum().item() / len(labels) for output in outputs]
        options[name] = {"accuracy": accuracy, "stepsToDrop": steps_to_accuracy(accuracy, steps, ann_accuracy), **facts}
        result["best"] = [
            {"steps": t, "accuracy": best, "option": option}
            for index, t in enumerate(steps)
            for best, option in [max((options[key]["accuracy"][index], key) for key in options)]
        ]
        result["stepsToDrop"] = steps_to_accuracy([entry["accuracy"] for entry in result["best"]], steps, ann_accuracy)
        save(result)
        print(f"{network} {name}: {accuracy}", flush=True)

    for name, recipe in recipes(network, calibration).items():
        if name in options:
            continue
        start = time.monotonic()
        try:
            snn = ann2snn.Converter(recipe).convert(from_onnx(network, model_path(network, "unfused"))).eval()
        except ValueError as error:
            save({"annAccuracy": ann_accuracy, "samples": len(labels), "convertible": False, "error": str(error)})
            print(f"{network}: not convertible: {error}", flush=True)
            return
        totals = accumulated_outputs(snn, images, max(steps))
        record(name, [totals[t] for t in steps], seconds=round(time.monotonic() - start))
        if isinstance(recipe, ann2snn.LocalThresholdBalancingRecipe):
            delays = [ann2snn.estimate_delay_start(snn, calibration, "cpu", t) for t in steps]
            outputs = [totals[t] - totals[delay] for t, delay in zip(steps, delays)]
            record(f"{name}, delayed readout", outputs, delays=delays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["mobile", "cnn", "vgg", "resnet"])
    parser.add_argument("--images", type=int, default=1000, help="number of test images (default: 1000)")
    parser.add_argument("--steps", type=int, default=max(STEPS), help="the most time steps (default: 256)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    logger.remove()
    warnings.filterwarnings("ignore", message="estimate_delay_start: time_steps is too small")
    images, labels = (torch.from_numpy(array) for array in load_images(TEST_IMAGES, arguments.images))
    steps = [step for step in STEPS if step <= arguments.steps]
    known = json.loads(arguments.output.read_text())["networks"] if arguments.output.exists() else {}
    results = {
        "versions": {"spikingjelly": "2.0.0", "torch": torch.__version__},
        "calibration": {"images": CALIBRATION_IMAGES, "batchSize": BATCH_SIZE},
        "drop": DROP,
        "networks": known,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)

    for network in arguments.networks:

        def save(result: dict, network: str = network) -> None:
            results["networks"][network] = {"steps": steps, **result}
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")

        with torch.no_grad():
            measure(network, images, labels, steps, known.get(network, {}), save)


if __name__ == "__main__":
    main()
