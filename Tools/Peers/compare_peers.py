"""Spikelet beside SpikingJelly 2.0.0 and ONNX Runtime: one run, in turn, one table.

    pip install -r Tools/Peers/requirements-spikingjelly-2.0.0.txt   # into an environment of its own
    pip install --no-deps spikingjelly==2.0.0
    swift build -c release --product spikelet
    python Tools/Networks/networks_large.py FOLDER                   # vgg16 and resnet18
    python Tools/Peers/compare_peers.py --large FOLDER --work FOLDER --output peers.json
    python Tools/Peers/compare_peers.py --large FOLDER --work FOLDER --quick

For each network, batch size and number of threads every contestant gets a process of its own, and they run in turn, a round
after the other, so that what else the machine does hits all of them. The time is the median over the rounds. Rows:

- spikelet's rate code (recipe `calibrated`, T steps) and radix code (K = 4), float32 and int8;
- SpikingJelly with T steps: the fastest of single-step and multi-step mode, each with and without channels last;
- the source network in ONNX Runtime, float32 and int8 (static QDQ quantisation).

Accuracies are those on the 1,000 bundled test images; the weights of vgg16 and resnet18 are seeded, so that theirs would mean
nothing. Memory is the most that a process held. WORK keeps what was converted and each finished group of rows: a run that was
stopped goes on from there, unless --fresh is given. Give the machine nothing else to do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import NETWORKS, ROOT, TEST_IMAGES, TRAIN_IMAGES, load_images, model_path, onnxruntime_logits  # noqa: E402
from time_peers import (  # noqa: E402
    LARGE,
    ONNXRUNTIME,
    SHORTEST_RUN,
    SPIKINGJELLY,
    Measurement,
    peak_bytes,
    prepare_onnxruntime,
    prepare_spikingjelly,
    quantised,
)

PLAN = {**dict.fromkeys(NETWORKS, (1, 64)), "vgg16": (1, 32), "resnet18": (1, 4)}
THREADS = (1, 2)
RADIX_STEPS = 4
OURS = {
    "spikelet rate int8": ("calibrated", "int8"),
    "spikelet rate float32": ("calibrated", "float32"),
    "spikelet radix int8": ("radix", "int8"),
    "spikelet radix float32": ("radix", "float32"),
}
PAUSE = 0.3  # seconds between contestants: threads of the one before may still spin


def serve(connection: Connection, measurement: Measurement) -> None:
    """A peer's process: prepares, then runs once for each request and sends the seconds; None ends it."""
    if measurement.peer in ONNXRUNTIME:
        call, _ = prepare_onnxruntime(measurement)
        facts = {"contestant": measurement.peer}
    else:
        # The fastest mode, by one call each after a warm-up of few steps.
        fastest = None
        for mode in SPIKINGJELLY:
            warm, _ = prepare_spikingjelly(replace(measurement, peer=mode, steps=2))
            warm()
            call, note = prepare_spikingjelly(replace(measurement, peer=mode))
            start = time.perf_counter()
            call()
            seconds = time.perf_counter() - start
            if fastest is None or seconds < fastest[0]:
                fastest = (seconds, call, {"contestant": mode, **note})
        _, call, facts = fastest
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, round(SHORTEST_RUN / (time.perf_counter() - start)))
    connection.send(facts)
    while connection.recv() is not None:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        connection.send(((time.perf_counter() - start) / repeats, peak_bytes()))


class Peer:
    """A peer in a process of its own."""

    def __init__(self, measurement: Measurement) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        # Libraries read these when they are loaded.
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(measurement.threads)
        self.process = context.Process(target=serve, args=(other, measurement), daemon=True)
        self.process.start()
        other.close()
        self.batch = measurement.batch
        self.facts = self.connection.recv()
        self.facts["T"] = measurement.steps if measurement.peer == "SpikingJelly" else None
        self.facts["precision"] = ONNXRUNTIME.get(measurement.peer, "float32")
        self.times: list[float] = []

    def run(self) -> None:
        """One round."""
        self.connection.send("run")
        seconds, self.facts["peakBytes"] = self.connection.recv()
        self.times.append(seconds / self.batch)

    def close(self) -> None:
        """Ends the process."""
        self.connection.send(None)
        self.process.join(10)


class Ours:
    """`spikelet benchmark`: a process for each round."""

    def __init__(self, name: str, tool: Path, snn: Path, images: Path, measurement: Measurement) -> None:
        recipe, precision = OURS[name]
        steps = RADIX_STEPS if recipe == "radix" else measurement.steps
        self.command = [tool, "benchmark", snn, "--input", images, "--steps", steps, "--batch-size", measurement.batch]
        self.command += ["--threads", measurement.threads, "--precision", precision, "--runs", 3, "--json", "-"]
        self.facts = {"contestant": name, "T": steps, "precision": precision}
        self.times: list[float] = []

    def run(self) -> None:
        """One round."""
        found = json.loads(spikelet(*self.command))
        self.times.append(found["secondsPerSample"])
        self.facts |= {"density": found["density"], "peakBytes": found["processBytes"], "engineBytes": found["peakBytes"]}

    def close(self) -> None:
        """Nothing is left to end."""


def spikelet(*command: object) -> str:
    """What the command prints."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def converted(tool: Path, measurement: Measurement, recipe: str) -> Path:
    """The spiking network; made on first use."""
    steps = RADIX_STEPS if recipe == "radix" else measurement.steps
    result = measurement.cache / f"{measurement.network}_{recipe}_{steps}.safetensors"
    if not result.exists():
        large = measurement.network in LARGE
        data = measurement.large / f"{measurement.network}_images.npz" if large else TRAIN_IMAGES
        command = [tool, "convert", measurement.model("torchscript"), "--calibration", data, "--recipe", recipe]
        spikelet(*command, "--steps", steps, "--batch-size", 8, "--limit", 64 if large else 512, "--output", result)
    return result


def accuracies(tool: Path, measurement: Measurement) -> dict[str, float]:
    """Accuracy on the bundled test images, by contestant."""
    found = {}
    for name, (recipe, precision) in OURS.items():
        steps = RADIX_STEPS if recipe == "radix" else measurement.steps
        snn = converted(tool, measurement, recipe)
        command = [tool, "evaluate", snn, "--data", TEST_IMAGES, "--steps", steps, "--precision", precision, "--json", "-"]
        found[name] = json.loads(spikelet(*command))["steps"][-1]["accuracy"]
    images, labels = load_images(TEST_IMAGES)
    for name, precision in ONNXRUNTIME.items():
        model = quantised(measurement) if precision == "int8" else model_path(measurement.network, "torchscript")
        found[name] = float(np.mean(onnxruntime_logits(model, images, 32).argmax(1) == labels))
    return found


def spikingjelly_accuracy(measurement: Measurement) -> float:
    """The accuracy of what is timed; all modes compute the same."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    images, labels = load_images(TEST_IMAGES)
    right = 0
    for first in range(0, len(images), 100):
        part = replace(measurement, batch=100)
        object.__setattr__(part, "batch_images", lambda first=first: images[first : first + 100])
        call, _ = prepare_spikingjelly(part)
        right += int((call().argmax(1).numpy() == labels[first : first + 100]).sum())
    return right / len(images)


def compare(tool: Path, measurement: Measurement, rounds: int) -> list[dict]:
    """The rows of one network, batch size and number of threads."""
    images = measurement.cache / f"{measurement.network}_x.npy"
    if not images.exists():
        large = measurement.network in LARGE
        pixels, _ = measurement.images(TEST_IMAGES, 64 if not large else 32)
        np.save(images, pixels)
    quantised(measurement)
    contestants: list[Ours | Peer] = [
        Ours(name, tool, converted(tool, measurement, recipe), images, measurement) for name, (recipe, _) in OURS.items()
    ]
    for peer in ("SpikingJelly", *ONNXRUNTIME):
        contestants.append(Peer(replace(measurement, peer=peer)))
    for _ in range(rounds):
        for contestant in contestants:
            time.sleep(PAUSE)
            contestant.run()
    rows = []
    for contestant in contestants:
        contestant.close()
        times = sorted(contestant.times)
        rows.append(
            {
                "network": measurement.network,
                "batch": measurement.batch,
                "threads": measurement.threads,
                **contestant.facts,
                "millisecondsPerImage": 1000 * statistics.median(times),
                "least": 1000 * times[0],
                "most": 1000 * times[-1],
                "rounds": rounds,
            }
        )
    return rows


def table(rows: list[dict], accuracy: dict[str, dict[str, float]]) -> str:
    """All rows for people; ratios are against spikelet's rate and radix codes in int8 of the same group."""
    lines = [
        "| network | batch | threads | contestant | T | precision | ms/image | ÷ rate int8 | ÷ radix int8 | density | accuracy | MiB |",
        "| --- | ---: | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base: dict[tuple, dict[str, float]] = {}
    for row in rows:
        group = base.setdefault((row["network"], row["batch"], row["threads"]), {})
        group[row["contestant"]] = row["millisecondsPerImage"]
    for row in rows:
        group = base[row["network"], row["batch"], row["threads"]]
        name = row["contestant"]
        key = "SpikingJelly" if name.startswith("SpikingJelly") else name
        right = accuracy.get(row["network"], {}).get(key)
        cells = [
            row["network"], row["batch"], row["threads"], name, row["T"] or "–", row["precision"],
            f"{row['millisecondsPerImage']:.3f}",
            f"{row['millisecondsPerImage'] / group['spikelet rate int8']:.2f}",
            f"{row['millisecondsPerImage'] / group['spikelet radix int8']:.2f}",
            f"{100 * row['density']:.1f} %" if "density" in row else "–",
            f"{100 * right:.1f} %" if right is not None else "–",
            f"{row['peakBytes'] / 2**20:.0f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=PLAN, default=list(PLAN), metavar="NAME")
    parser.add_argument("--spikelet", type=Path, default=ROOT / ".build/release/spikelet", help="the command")
    parser.add_argument("--large", type=Path, help="the folder that networks_large.py wrote")
    parser.add_argument("--work", type=Path, required=True, help="a folder for converted networks and finished rows")
    parser.add_argument("--steps", type=int, default=32, help="T of the rate codes (default: 32)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds whose median counts (default: 7)")
    parser.add_argument("--quick", action="store_true", help="try it out: cnn and vgg16 at batch 1, two rounds")
    parser.add_argument("--fresh", action="store_true", help="measure again what WORK has results of")
    parser.add_argument("--output", type=Path, help="write all rows to this JSON file")
    arguments = parser.parse_args()
    networks = [name for name in arguments.networks if not arguments.quick or name in ("cnn", "vgg16")]
    if arguments.large is None and set(networks) & set(LARGE):
        parser.error("vgg16 and resnet18 need --large FOLDER, made by networks_large.py")
    arguments.work.mkdir(parents=True, exist_ok=True)
    rounds = 2 if arguments.quick else arguments.rounds
    finished = arguments.work / f"rows_{arguments.steps}_{rounds}.json"
    known = {"rows": [], "accuracy": {}}
    if finished.exists() and not arguments.fresh:
        known = json.loads(finished.read_text())

    def keep() -> None:
        finished.write_text(json.dumps(known, indent=1) + "\n")
        if arguments.output:
            arguments.output.write_text(json.dumps(known, indent=1) + "\n")

    for network in networks:
        plan = Measurement("SpikingJelly", network, 1, 1, arguments.steps, 1, arguments.large, arguments.work)
        for batch in PLAN[network][: 1 if arguments.quick else 2]:
            for threads in THREADS[: 1 if arguments.quick else 2]:
                group = {"network": network, "batch": batch, "threads": threads}
                if any(group.items() <= row.items() for row in known["rows"]):
                    continue
                print(f"{network}, batch {batch}, {threads} threads", file=sys.stderr, flush=True)
                known["rows"] += compare(arguments.spikelet, replace(plan, batch=batch, threads=threads), rounds)
                keep()
        if network not in LARGE and network not in known["accuracy"]:
            fastest = next(
                row["contestant"]
                for row in known["rows"]
                if row["network"] == network and row["contestant"].startswith("SpikingJelly")
            )
            right = accuracies(arguments.spikelet, plan)
            right["SpikingJelly"] = spikingjelly_accuracy(replace(plan, peer=fastest))
            known["accuracy"][network] = right
            keep()
    keep()
    print(table([row for row in known["rows"] if row["network"] in networks], known["accuracy"]))


if __name__ == "__main__":
    main()
