"""Time torchvision's ViT-B/16 and ConvNeXt-Tiny, as digits and as ANNs in ONNX Runtime, side by side in one run.

    pip install -r Tools/Measuring/requirements.txt sympy && pip install --no-deps torchvision==0.28.0
    python Tools/Measuring/time_transformers.py FOLDER [--spikelet .build/release/spikelet] [--digits 6] [--rounds 7]

Weights are seeded: time does not depend on them. FOLDER, which is not for committing, gets the networks: PyTorch's export; the SNN that
`convert --recipe radix` makes of it, of 16 images; and ONNX Runtime's own 8-bit networks (`quantize_static`, per channel, unsigned activations, which are its
faster ones, 8 images; and `quantize_dynamic`). Each round times all of them after the other, one image of 224 × 224, one thread: the SNN by `spikelet benchmark`
(int8 and float32), the ANN in float32 and in both 8-bit forms by ONNX Runtime in this process (the median of 5 runs). The table has the
medians of the rounds and their ratios to the ANN in float32. Results go to Benchmarks/Results/transformers.json.

`--convert` times the conversion of ViT-B/16 with 128 images too, with its peak of memory.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

sys.path.append(str(pathlib.Path(__file__).resolve().parent))
import torchvision_networks  # noqa: E402
from torchvision import models  # noqa: E402

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "Benchmarks" / "Results" / "transformers.json"
SHAPE = (3, 224, 224)
NETWORKS = {
    "ViT-B/16": lambda: torchvision_networks.with_head(models.vit_b_16(), "heads.head"),
    "ConvNeXt-Tiny": lambda: models.convnext_tiny(),
}  # fmt: skip


def command(*words: object) -> str:
    """Standard output; raises with the error's text."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed ({result.returncode}):\n{result.stderr.strip()}")
    return result.stdout


class Images(quantization.CalibrationDataReader):
    """Images one by one, under the name of a network's input."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self.rows = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict | None:
        return next(self.rows, None)


def session(path: pathlib.Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def prepare(name: str, folder: pathlib.Path, arguments: argparse.Namespace) -> pathlib.Path:
    """The network's files, made where they are not there yet."""
    stem = folder / name.replace("/", "-")
    ann = stem.with_suffix(".onnx")
    images = torchvision_networks.images(16, SHAPE, seed=5).numpy()
    np.save(folder / "calibration.npy", images)
    np.save(folder / "image.npy", torchvision_networks.images(1, SHAPE, seed=7).numpy())
    if not ann.exists():
        network = torchvision_networks.prepared(NETWORKS[name], SHAPE)
        torchvision_networks.export(network, SHAPE, "torchscript", str(ann))
    if not stem.with_suffix(".8bit.onnx").exists():
        simplified = str(stem.with_suffix(".simple.onnx"))
        quant_pre_process(str(ann), simplified, skip_symbolic_shape=True)
        reader = Images(session(ann).get_inputs()[0].name, images[:8])
        quantization.quantize_static(
            simplified, str(stem.with_suffix(".8bit.onnx")), reader, per_channel=True, weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
        )  # fmt: skip
        quantization.quantize_dynamic(
            simplified, str(stem.with_suffix(".dynamic.onnx")), per_channel=True, weight_type=quantization.QuantType.QInt8
        )
    command(
        arguments.spikelet, "convert", ann, "--recipe", "radix", "--steps", arguments.digits,
        "--calibration", folder / "calibration.npy", "--output", stem.with_suffix(".safetensors"),
    )  # fmt: skip
    return stem


def measured(stem: pathlib.Path, folder: pathlib.Path, arguments: argparse.Namespace) -> dict:
    """Milliseconds of an image, by what runs it: one number a round."""
    image = np.load(folder / "image.npy")
    sessions = {
        "ANN float32": session(stem.with_suffix(".onnx")), "ANN static": session(stem.with_suffix(".8bit.onnx")),
        "ANN dynamic": session(stem.with_suffix(".dynamic.onnx")),
    }  # fmt: skip
    times: dict = {}
    for _ in range(arguments.rounds):
        for label, run in sessions.items():
            each = []
            for _ in range(6):
                begin = time.perf_counter()
                run.run(None, {run.get_inputs()[0].name: image})
                each.append(time.perf_counter() - begin)
            times.setdefault(label, []).append(1000 * statistics.median(each[1:]))
        for precision in ("int8", "float32"):
            result = json.loads(command(
                arguments.spikelet, "benchmark", stem.with_suffix(".safetensors"), "--input", folder / "image.npy",
                "--precision", precision, "--threads", 1, "--json", "-",
            ))  # fmt: skip
            times.setdefault(f"SNN {precision}", []).append(1000 * result["secondsPerSample"])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--digits", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--convert", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in NETWORKS:
        stem = prepare(name, arguments.folder, arguments)
        times = measured(stem, arguments.folder, arguments)
        results[name] = {"digits": arguments.digits, "threads": 1, "batchSize": 1, "milliseconds": times}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        ann = statistics.median(times["ANN float32"])
        for label, values in times.items():
            quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
            middle = statistics.median(values)
            print(
                f"{name:14} {label:12} {middle:8.1f} ms ({quartiles[0]:.1f} to {quartiles[2]:.1f}), {middle / ann:.2f} of the ANN in float32",
                flush=True,
            )
    if arguments.convert:
        np.save(arguments.folder / "calibration128.npy", torchvision_networks.images(128, SHAPE, seed=5).numpy())
        begin = time.perf_counter()
        command(
            arguments.spikelet, "convert", arguments.folder / "ViT-B-16.onnx", "--recipe", "radix", "--steps", arguments.digits,
            "--calibration", arguments.folder / "calibration128.npy", "--output", arguments.folder / "converted.safetensors",
        )  # fmt: skip
        seconds, usage = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        results["conversion"] = {"network": "ViT-B/16", "images": 128, "seconds": seconds, "peakBytes": 1024 * usage.ru_maxrss}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"conversion of ViT-B/16 with 128 images: {seconds:.0f} s, {usage.ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
