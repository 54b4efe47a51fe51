"""Time the import of a 100 MB model, and its peak memory, against ONNX Runtime's load of the same file.

    pip install -r Tools/Measuring/requirements.txt
    python Tools/Measuring/time_import.py [--spikelet .build/release/spikelet]

Three networks with seeded weights: 25 layers of 1024 × 1024, a ResNet-50's convolutions, and a VGG-11 with a smaller head; each with
its weights inside and in a file beside the model. *import*: `spikelet run` on an input that does not exist; it reads the model
first, and then says so. *run*: on one sample. Each round starts spikelet anew (so that its start counts), then ONNX Runtime makes a session (its time alone, without
Python's start). The ratio is the median of the rounds' ratios, of wall-clock times and of processor times.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

ROUNDS = 9


def dense() -> tuple:
    return torch.nn.Sequential(*[part for _ in range(25) for part in (torch.nn.Linear(1024, 1024), torch.nn.ReLU())]), (1024,)


def bottlenecks() -> tuple:
    """ResNet-50's convolutions in their order, without what joins them."""
    layers, channels = [torch.nn.Conv2d(3, 64, 7, 2, 3)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for _ in range(blocks):
            for size, kernel in ((width, 1), (width, 3), (width * 4, 1)):
                layers += [torch.nn.Conv2d(channels, size, kernel, padding=kernel // 2), torch.nn.ReLU()]
                channels = size
        layers += [torch.nn.MaxPool2d(2)]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(2048, 1000)), (3, 32, 32)


def vgg() -> tuple:
    layers, channels = [], 3
    for size in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        layers += [torch.nn.MaxPool2d(2)] if size == 0 else [torch.nn.Conv2d(channels, size, 3, padding=1), torch.nn.ReLU()]
        channels = size or channels
    head = [torch.nn.Flatten(), torch.nn.Linear(2048, 4096), torch.nn.ReLU(), torch.nn.Linear(4096, 1000)]
    return torch.nn.Sequential(*layers, *head), (3, 64, 64)


NETWORKS = {"dense": dense, "resnet-50": bottlenecks, "vgg-11": vgg}


def make(folder: pathlib.Path, name: str) -> None:
    torch.manual_seed(5)
    network, shape = NETWORKS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, *shape),), folder / f"{name}.onnx", dynamo=False, opset_version=17, input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )  # fmt: skip
    outside = folder / f"{name}-outside.onnx"
    onnx.save(onnx.load(folder / f"{name}.onnx"), outside, save_as_external_data=True, location=f"{name}.data")
    np.save(folder / f"{name}.npy", np.zeros((1, *shape), np.float32))


# A process counts its parent's memory as its own until it has started: so the parent is a small one.
STARTER = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(json.dumps([status, time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


def spikelet(command: str, folder: pathlib.Path, *arguments: str) -> tuple:
    """Wall-clock seconds, processor seconds, peak bytes."""
    line = [sys.executable, "-S", "-c", STARTER, command, *arguments]
    status, wall, processor, peak = json.loads(subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True).stdout)
    assert status in (0, 256), f"{arguments} failed"
    return wall, processor, peak


def onnx_runtime(path: pathlib.Path) -> tuple:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    wall, processor = time.perf_counter(), time.process_time()
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    command = str(pathlib.Path(parser.parse_args().spikelet).resolve())
    print("| model | MB | what | s | ONNX Runtime, s | ratio | of processor times | peak, MB | over the file |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name in NETWORKS:
            make(folder, name)
            size = (folder / f"{name}.onnx").stat().st_size
            for model in (f"{name}.onnx", f"{name}-outside.onnx"):
                for what, data in (("import", "missing"), ("run", name)):
                    arguments = ["run", model, "--input", f"{data}.npy"]
                    mine, theirs = [], []
                    for _ in range(ROUNDS):
                        mine.append(spikelet(command, folder, *arguments))
                        theirs.append(onnx_runtime(folder / model))
                    ratios = [statistics.median(a[i] / b[i] for a, b in zip(mine, theirs)) for i in (0, 1)]
                    peak = max(run[2] for run in mine)
                    seconds = [statistics.median(run[0] for run in runs) for runs in (mine, theirs)]
                    print(
                        f"| {model} | {size / 1e6:.0f} | {what} | {seconds[0]:.2f} | {seconds[1]:.2f} | {ratios[0]:.2f} × | {ratios[1]:.2f} × "
                        f"| {peak / 1e6:.0f} | {peak / size:.2f} × |", flush=True,
                    )  # fmt: skip


if __name__ == "__main__":
    main()
