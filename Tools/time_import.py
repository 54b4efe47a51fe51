"""Time the import of a 100 MB model, and its peak memory, against ONNX Runtime's load of the same file.

    pip install -r Tools/requirements-train.txt
    python Tools/time_import.py [--spikelet .build/release/spikelet]

`spikelet run` on one sample stands for the import: the pass through the network adds milliseconds. Both programs are
started anew each time; ONNX Runtime's time is the session's alone, without Python's start.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

RUNS = 5


def make(folder: pathlib.Path) -> None:
    layers = [part for _ in range(25) for part in (torch.nn.Linear(1024, 1024), torch.nn.ReLU())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            torch.nn.Sequential(*layers), (torch.zeros(1, 1024),), folder / "inside.onnx", dynamo=False, opset_version=17,
            input_names=["x"], dynamic_axes={"x": {0: "batch"}},
        )  # fmt: skip
    onnx.save(onnx.load(folder / "inside.onnx"), folder / "outside.onnx", save_as_external_data=True, location="outside.data")
    np.save(folder / "x.npy", np.zeros((1, 1024), np.float32))


# A process counts its parent's memory as its own until it has started: so the parent is a small one.
STARTER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(status, time.perf_counter() - start, usage.ru_maxrss * 1024)
"""


def spikelet(command: str, folder: pathlib.Path, model: str) -> tuple:
    """Seconds, and peak bytes."""
    arguments = [sys.executable, "-S", "-c", STARTER, command, "run", model, "--input", "x.npy"]
    status, seconds, peak = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert status == "0", f"{model} failed"
    return float(seconds), int(peak)


def onnx_runtime(path: pathlib.Path) -> float:
    start = time.perf_counter()
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    command = str(pathlib.Path(parser.parse_args().spikelet).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(folder)
        size = (folder / "inside.onnx").stat().st_size
        print(f"{size / 1e6:.0f} MB of weights; the best of {RUNS}")
        for model in ("inside.onnx", "outside.onnx"):
            mine = [spikelet(command, folder, model) for _ in range(RUNS)]
            theirs = min(onnx_runtime(folder / model) for _ in range(RUNS))
            seconds, peak = min(run[0] for run in mine), max(run[1] for run in mine)
            print(
                f"{model:<14}spikelet {seconds:.2f} s, ONNX Runtime {theirs:.2f} s: {seconds / theirs:.2f} ×; "
                f"peak {peak / 1e6:.0f} MB: {peak / size:.2f} × the weights"
            )


if __name__ == "__main__":
    main()
