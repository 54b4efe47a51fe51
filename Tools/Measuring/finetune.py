"""What an epoch of training gains: `snn.to_torch()`, trained, and back by `spikelet.from_torch`, by network and number of digits.

    PYTHONPATH=Python SPIKELET_LIBRARY=.build/release/libspikelet_c.so python Tools/Measuring/finetune.py RESULTS.json
        [--networks resnet] [--digits 2] [--recipe radix] [--calibration 512] [--train 60000] [--images 10000] [--data FOLDER]
        [--batch 64] [--rate 3e-4] [--thresholds] [--seed 0]

Converts each bundled network's dynamo export, on the first so many images of train_2000.npz; trains the module for one epoch on the first so many
training images of Fashion-MNIST (FOLDER holds the gzip-compressed IDX files), in a random order, every second time mirrored, with
cross-entropy and Adam, whose rate falls to 0 along a cosine; and lets Spikelet's engine classify the test images before and after.
`--thresholds` trains what spikes are worth, too. `equal` is the share of test images whose outputs by the engine and by PyTorch are the same
but for 10⁻⁵ of the largest: the others are those where rounding decides about a spike. RESULTS.json gets an entry after each measurement; what
was not asked for stays from before. Wants numpy and torch.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, TRAIN_IMAGES, model_path  # noqa: E402
from idx import read_split  # noqa: E402

import spikelet  # noqa: E402

DATA = Path("/usr/share/datasets/fashion-mnist")
PORTION = 500


def classes(snn, images: torch.Tensor) -> torch.Tensor:
    return torch.cat([snn.run(part).argmax(1) for part in images.split(PORTION)])


def train(module: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, arguments: argparse.Namespace) -> list[float]:
    """One epoch. The mean losses of its tenths."""
    batches = math.ceil(len(images) / arguments.batch)
    optimizer = torch.optim.Adam([value for value in module.parameters() if value.requires_grad], lr=arguments.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    losses = []
    for indices in torch.randperm(len(images)).split(arguments.batch):
        x = images[indices]
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        loss = torch.nn.functional.cross_entropy(module(x), labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return [float(np.mean(part)) for part in np.array_split(losses, 10) if len(part)]


def measure(network: str, digits: int, arguments: argparse.Namespace) -> dict:
    """One entry: accuracies and the share of equal outputs as fractions, seconds of the training."""
    torch.manual_seed(arguments.seed)
    (images, labels), (test, answers) = (
        (torch.from_numpy(images[:limit].astype(np.float32) / np.float32(255)), torch.from_numpy(labels[:limit].astype(np.int64)))
        for (images, labels), limit in ((read_split(arguments.data, "train"), arguments.train), (read_split(arguments.data, "t10k"), arguments.images))
    )  # fmt: skip
    path = model_path(network, "dynamo")
    ann = spikelet.load_model(path)
    snn = spikelet.convert(path, TRAIN_IMAGES, recipe=arguments.recipe, steps=digits, limit=arguments.calibration)
    module = snn.to_torch(learn_thresholds=arguments.thresholds)
    begin = time.perf_counter()
    losses = train(module, images, labels, arguments)
    seconds = time.perf_counter() - begin
    tuned = spikelet.from_torch(module)
    with torch.no_grad():
        pairs = [(module(part), tuned.run(part)) for part in test.split(PORTION)]
    own, engine = (torch.cat(outputs) for outputs in zip(*pairs))
    differences = (own - engine).abs().amax(1) / engine.abs().max()
    correct = lambda found: float((found == answers).float().mean())  # noqa: E731
    return {
        "network": network, "recipe": arguments.recipe, "digits": digits, "calibrationImages": arguments.calibration,
        "trainImages": len(images), "images": len(test), "batch": arguments.batch, "rate": arguments.rate,
        "thresholds": arguments.thresholds, "seed": arguments.seed, "seconds": seconds, "losses": losses,
        "ann": correct(torch.cat([ann.run(part).argmax(1) for part in test.split(PORTION)])),
        "before": correct(classes(snn, test)), "after": correct(engine.argmax(1)), "afterInPyTorch": correct(own.argmax(1)),
        "equal": float((differences < 1e-5).float().mean()), "sameClass": float((own.argmax(1) == engine.argmax(1)).float().mean()),
        "spikesPerNeuron": [one.evaluate((test.numpy(), answers.numpy()), limit=100).steps[-1].spikes_per_neuron for one in (snn, tuned)],
    }  # fmt: skip


def table(entries: list[dict]) -> str:
    """The entries in Markdown, by network and digits."""
    lines = [
        "| network | K | trained on | thresholds | ANN | before | after | seconds | equal outputs | spikes/neuron before | after |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in sorted(entries, key=lambda one: (one["network"], one["recipe"], one["digits"], one["trainImages"], one["thresholds"])):
        cells = [f"`{one['network']}`", one["digits"], one["trainImages"], "learn" if one["thresholds"] else "stay"]
        cells += [f"{100 * one[name]:.2f} %" for name in ("ann", "before", "after")]
        cells += [f"{one['seconds']:.0f}", f"{100 * one['equal']:.2f} %", *(f"{count:.3f}" for count in one["spikesPerNeuron"])]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON file to write, or to add to")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["resnet"], metavar="NAME")
    parser.add_argument("--digits", nargs="+", type=int, default=[2], metavar="K")
    parser.add_argument("--recipe", default="radix", help="of other recipes K is the number of steps (default: radix)")
    parser.add_argument("--calibration", type=int, default=512, metavar="N")
    parser.add_argument("--train", type=int, default=60000, help="number of training images (default: 60000)")
    parser.add_argument("--images", type=int, default=10000, help="number of test images (default: 10000)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the gzip-compressed IDX files")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=3e-4, help="Adam's learning rate (default: 0.0003)")
    parser.add_argument("--thresholds", action="store_true", help="train the thresholds, too")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    entries = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for network in arguments.networks:
        for digits in arguments.digits:
            one = measure(network, digits, arguments)
            words = [network, arguments.recipe, digits, "trained on", one["trainImages"], "rate", arguments.rate, "seed", arguments.seed]
            words += ["thresholds"] if arguments.thresholds else []
            entries[" ".join(map(str, words))] = one
            arguments.results.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    print(table(list(entries.values())))


if __name__ == "__main__":
    main()
