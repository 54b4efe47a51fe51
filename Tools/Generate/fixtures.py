"""The sample of generated networks that the tests read: `generate.py --fixtures` writes it."""

import json
import pathlib
import random
import tempfile

import networks
import numpy as np
from judges import Point

RECIPES = ["calibrated", "radix", "signed", "burst", "local-threshold-balancing", "rate-coding", "quantised"]
COUNT = 28
LARGEST = 12_000
"""Bytes of an SNN file."""


def candidate(seed: str, recipe: str) -> tuple:
    """A network for a recipe, with that recipe's own options: what the library gives without any."""
    dice = random.Random(seed)
    spec = networks.specification(dice)
    while spec.get("limit") or spec["quantised"] != (recipe == "quantised") or spec["head"] in ("ArgMax", "two-outputs"):
        spec = networks.specification(dice)
    steps = dice.choice([3, 4, 6]) if recipe == "radix" else dice.choice([4, 7, 12])
    words = [] if recipe in ("quantised", "rate-coding") else ["--steps", steps]
    return spec, {
        "recipe": recipe,
        "words": words,
        "calibration": 8,
        "samples": 3,
        "simulate": None if words or recipe == "quantised" else steps,
        "extras": [],
    }


def write(spikelet: str, path: pathlib.Path, seed: int) -> None:
    """Writes the networks, with the outputs and spikes that simulate.py gives for their SNN files."""
    arrays, kept, number = {}, 0, 0
    while kept < COUNT:
        spec, chosen = candidate(f"fixture/{seed}/{number}", RECIPES[kept % len(RECIPES)])
        number += 1
        with tempfile.TemporaryDirectory() as folder:
            point = Point(spec, chosen, spikelet, folder).judge()
            file = pathlib.Path(folder) / "snn.safetensors"
            if not hasattr(point, "expected") or not file.exists() or file.stat().st_size > LARGEST:
                continue
            run = point.expected
            varied = all(np.isfinite(output).all() and np.ptp(output) > 0 for output in run.outputs.values())
            # One whose neurons come near their thresholds says nothing to the unit.
            if not varied or any(marks.any() for marks in run.near.values()) or sum(counts.sum() for counts in run.counts.values()) < 20:
                continue
            if point.failures:
                print(f"left out, it fails: fixture/{seed}/{number - 1}: {point.failures[0].text}")
                continue
            name = f"{kept:02d}-{chosen['recipe']}"
            for part in ("model.onnx", "snn.safetensors"):
                arrays[f"{name}/{part.split('.')[0]}"] = np.frombuffer((pathlib.Path(folder) / part).read_bytes(), np.uint8)
            arrays[f"{name}/options"] = np.frombuffer(
                json.dumps({"recipe": chosen["recipe"], "steps": point.count, "options": chosen["words"]}).encode(), np.uint8
            )
            arrays[f"{name}/steps"] = np.array([point.count])
            arrays[f"{name}/calibration"] = networks.samples(spec, chosen["calibration"], 2)
            arrays[f"{name}/input"] = point.x
            for output, array in run.outputs.items():
                arrays[f"{name}/output/{output}"] = array.astype(np.float32)
            for node, counts in run.counts.items():
                arrays[f"{name}/spikes/{node}"] = np.array([int(counts.sum())])
        kept += 1
    np.savez_compressed(path, **arrays)
    print(f"{kept} of {number} networks, {path.stat().st_size // 1024} KiB: {path}")
