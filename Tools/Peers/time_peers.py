"""Time the peers: SpikingJelly 2.0.0's converted networks, and the source networks in ONNX Runtime, float32 and int8.

    pip install -r Tools/Peers/requirements-spikingjelly-2.0.0.txt   # into an environment of its own
    pip install --no-deps spikingjelly==2.0.0
    python Tools/Networks/networks_large.py FOLDER                   # for vgg16 and resnet18
    python Tools/Peers/time_peers.py --networks cnn vgg resnet mobile --batch 1 64 --threads 1 2 --output small.json
    python Tools/Peers/time_peers.py --networks vgg16 --batch 1 32 --threads 1 2 --large FOLDER --output vgg16.json
    python Tools/Peers/time_peers.py --networks resnet18 --batch 1 4 --threads 1 2 --large FOLDER --output resnet18.json

Prints one line of JSON per measurement: peer, network, batch, threads, T (null for an ANN), precision, the median
milliseconds per image over the runs, their number, the peak memory of the process, and for ONNX Runtime the accuracy on
the labelled images. Every measurement has a process of its own; loading, converting, quantising and one warm-up are
not timed. Give the machine nothing else to do.

SpikingJelly is timed in its single-step mode (a loop over T) and its multi-step mode (backend torch), each also in
PyTorch's channels-last layout; the options of the conversion hardly matter for speed: per-channel 99.9th percentile,
half threshold. It cannot convert ReLU6, so `mobile` is timed with ReLU in its place. ONNX Runtime's int8 is its static
QDQ quantisation with unsigned activations and signed weights per channel: on a processor with VNNI up to 2.6 times as
fast as the signed activations that its manual names first. Without VNNI, sums of such products can saturate.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import INPUT, NETWORKS, TEST_IMAGES, TRAIN_IMAGES, load_images, model_path, onnxruntime_logits  # noqa: E402

LARGE = ("vgg16", "resnet18")
CALIBRATION_IMAGES = 64
SHORTEST_RUN = 0.05  # seconds; calls are repeated until a run takes as long
SPIKINGJELLY = {
    "SpikingJelly 2.0.0 single-step": ("s", False),
    "SpikingJelly 2.0.0 single-step, channels last": ("s", True),
    "SpikingJelly 2.0.0 multi-step": ("m", False),
    "SpikingJelly 2.0.0 multi-step, channels last": ("m", True),
}
ONNXRUNTIME = {"ONNX Runtime float32": "float32", "ONNX Runtime int8": "int8"}
PEERS = {"spikingjelly": tuple(SPIKINGJELLY), "onnxruntime": tuple(ONNXRUNTIME)}


@dataclass(frozen=True)
class Measurement:
    """What to time; also the argument of the process that does it."""

    peer: str
    network: str
    batch: int
    threads: int
    steps: int
    runs: int
    large: Path | None  # the folder of networks_large.py
    cache: Path  # a folder for quantised models

    def model(self, export: str) -> Path:
        """The ONNX file; the large networks have one export only, `unfused`."""
        if self.network in LARGE:
            return self.large / f"{self.network}.onnx"
        return model_path(self.network, export)

    def images(self, path: Path, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The first `count` of the images at `path`, or of those that belong to a large network."""
        return load_images(self.large / f"{self.network}_images.npz" if self.network in LARGE else path, count)

    def batch_images(self) -> np.ndarray:
        """One batch to run."""
        images, _ = self.images(TEST_IMAGES, self.batch)
        return np.resize(images, (self.batch, *images.shape[1:]))


def time_calls(call: Callable[[], object], runs: int) -> float:
    """The median seconds of one call, after a warm-up."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    repeats = 1
    if first < SHORTEST_RUN:
        call()
        start = time.perf_counter()
        call()
        repeats = max(1, round(SHORTEST_RUN / (time.perf_counter() - start)))
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        seconds.append((time.perf_counter() - start) / repeats)
    return statistics.median(seconds)


def prepare_spikingjelly(measurement: Measurement) -> tuple[Callable[[], object], dict]:
    """Convert with SpikingJelly: a call that runs the batch, and what is to be noted."""
    import torch
    from loguru import logger
    from spikingjelly.activation_based import ann2snn, functional

    import networks_large  # noqa: F401 (adds its builders)
    from measure_spikingjelly2 import recipes
    from networks import from_onnx

    logger.remove()
    torch.set_num_threads(measurement.threads)
    step_mode, channels_last = SPIKINGJELLY[measurement.peer]
    ann = from_onnx(measurement.network, measurement.model("unfused"))
    note = {}
    for name, module in list(ann.named_modules()):
        if isinstance(module, torch.nn.ReLU6):
            ann.set_submodule(name, torch.nn.ReLU())
            note = {"note": "ReLU in place of ReLU6"}
    calibration = [torch.from_numpy(measurement.images(TRAIN_IMAGES, CALIBRATION_IMAGES)[0])]
    recipe = recipes(measurement.network, calibration)["rate coding, 99.9%, per channel, half threshold"]
    snn = ann2snn.Converter(recipe).convert(ann).eval()
    functional.set_step_mode(snn, step_mode)
    images = torch.from_numpy(measurement.batch_images())
    if channels_last:
        snn, images = (item.to(memory_format=torch.channels_last) for item in (snn, images))

    def single_step() -> torch.Tensor:
        functional.reset_net(snn)
        total = 0
        for _ in range(measurement.steps):
            total = total + snn(images)
        return total

    def multi_step() -> torch.Tensor:
        functional.reset_net(snn)
        return snn(images.expand(measurement.steps, *images.shape)).sum(0)

    def call() -> torch.Tensor:
        with torch.inference_mode():
            return (single_step if step_mode == "s" else multi_step)()

    return call, note


def time_spikingjelly(measurement: Measurement) -> dict:
    """Convert and time with SpikingJelly."""
    call, note = prepare_spikingjelly(measurement)
    return {"T": measurement.steps, "precision": "float32", "seconds": time_calls(call, measurement.runs), **note}


def quantised(measurement: Measurement) -> Path:
    """The int8 model; made on first use."""
    result = measurement.cache / f"{measurement.network}_int8.onnx"
    if result.exists():
        return result
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            images, _ = measurement.images(TRAIN_IMAGES, CALIBRATION_IMAGES)
            self.batches = iter(np.split(images, len(images) // 8))

        def get_next(self) -> dict | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    prepared = measurement.cache / f"{measurement.network}_prepared.onnx"
    quant_pre_process(measurement.model("torchscript"), prepared)
    quantize_static(
        prepared, result, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return result


def prepare_onnxruntime(measurement: Measurement) -> tuple[Callable[[], object], Path]:
    """Load the source network in ONNX Runtime: a call that runs the batch, and the model's file."""
    import onnxruntime

    precision = ONNXRUNTIME[measurement.peer]
    model = quantised(measurement) if precision == "int8" else measurement.model("torchscript")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = measurement.threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {INPUT: measurement.batch_images()}
    return lambda: session.run(None, feed), model


def time_onnxruntime(measurement: Measurement) -> dict:
    """Time the source network in ONNX Runtime."""
    precision = ONNXRUNTIME[measurement.peer]
    call, model = prepare_onnxruntime(measurement)
    seconds = time_calls(call, measurement.runs)
    peak = peak_bytes()
    images, labels = measurement.images(TEST_IMAGES)
    accuracy = float(np.mean(onnxruntime_logits(model, images, 32).argmax(1) == labels))
    return {"T": None, "precision": precision, "seconds": seconds, "peakBytes": peak, "accuracy": accuracy}


def peak_bytes() -> int:
    """The most memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells on Linux may be that of the process which started this one.
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(measurement: Measurement) -> dict:
    """One measurement as it is printed."""
    facts = (time_onnxruntime if measurement.peer in ONNXRUNTIME else time_spikingjelly)(measurement)
    return {
        "peer": measurement.peer,
        "network": measurement.network,
        "batch": measurement.batch,
        "threads": measurement.threads,
        "T": facts.pop("T"),
        "precision": facts.pop("precision"),
        "millisecondsPerImage": round(1000 * facts.pop("seconds") / measurement.batch, 4),
        "runs": measurement.runs,
        "peakBytes": facts.pop("peakBytes", None) or peak_bytes(),
        **facts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=(*NETWORKS, *LARGE), default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--steps", type=int, default=32, help="SpikingJelly's time steps (default: 32)")
    parser.add_argument("--runs", type=int, default=7, help="runs whose median counts (default: 7)")
    parser.add_argument("--large", type=Path, help="the folder that networks_large.py wrote")
    parser.add_argument("--output", type=Path, help="write all measurements to this JSON file as well")
    arguments = parser.parse_args()
    if arguments.large is None and set(arguments.networks) & set(LARGE):
        parser.error("vgg16 and resnet18 need --large FOLDER, made by networks_large.py")

    results = []
    with tempfile.TemporaryDirectory() as cache:
        plan = Measurement("", "", 0, 0, arguments.steps, arguments.runs, arguments.large, Path(cache))
        peers = [peer for name in arguments.peers for peer in PEERS[name]]
        # Fresh processes, so that neither the number of threads nor the peak of memory carries over.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as process:
            for network, batch, threads, peer in product(arguments.networks, arguments.batch, arguments.threads, peers):
                measurement = replace(plan, peer=peer, network=network, batch=batch, threads=threads)
                if ONNXRUNTIME.get(peer) == "int8":
                    process.submit(quantised, measurement).result()
                results.append(process.submit(measure, measurement).result())
                print(json.dumps(results[-1]), flush=True)
                if arguments.output:
                    arguments.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
