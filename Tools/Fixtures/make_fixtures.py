"""Make the test fixtures that need Python: ONNX Runtime's outputs, and small array files as numpy writes them.

    pip install -r Tools/Fixtures/requirements.txt
    python Tools/Fixtures/make_fixtures.py

Writes Tests/Fixtures/onnxruntime_outputs.npz (logits [100, 10] of each bundled network on the first 100 test
images) and Tests/Fixtures/Arrays (NPY, NPZ and IDX files, and expected.json with what a reader should find).
"""

import argparse
import gzip
import json
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import EXPORTS, NETWORKS, ROOT, SMOOTH_NETWORKS, TEST_IMAGES, load_images, model_path, onnxruntime_logits  # noqa: E402

FIXTURES = ROOT / "Tests" / "Fixtures"
ARRAYS = FIXTURES / "Arrays"
TOLERANCE = 1e-5  # between the exports of one network, relative to the largest logit


def make_outputs() -> None:
    """ONNX Runtime's logits for every network, after a check that its exports agree."""
    images, _ = load_images(TEST_IMAGES, 100)
    outputs = {}
    for network, exports in {**dict.fromkeys(NETWORKS, EXPORTS), **SMOOTH_NETWORKS}.items():
        logits = {export: onnxruntime_logits(model_path(network, export), images) for export in exports}
        outputs[network] = logits[exports[-1]]
        largest = np.abs(outputs[network]).max()
        for export, values in logits.items():
            difference = np.abs(values - outputs[network]).max() / largest
            print(f"{network:<8}{export:<13}relative difference {difference:.1e}", flush=True)
            if difference > TOLERANCE:
                sys.exit(f"{model_path(network, export)} disagrees with the {exports[-1]} export.")
    np.savez_compressed(FIXTURES / "onnxruntime_outputs.npz", **outputs)


def describe(array: np.ndarray) -> dict:
    """What a reader should find: numpy's type code, the shape, the first values in row-major order."""
    return {"dtype": array.dtype.str, "shape": list(array.shape), "values": array.flatten()[:8].tolist()}


def idx(array: np.ndarray) -> bytes:
    """The array in the MNIST family's format: type code 8 (bytes), rank, big-endian sizes, values."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def make_arrays() -> None:
    """One file for every kind of header, type and layout that the readers support."""
    ramp = np.arange(24).reshape(2, 3, 4)
    matrix = (ramp[0] - 5.5).astype(np.float32)
    arrays = {
        "float16": (ramp / 8 - 1).astype(np.float16),
        "float32": (ramp / 8 - 1).astype(np.float32),
        "float64": ramp / 8 - 1,
        "uint8": (ramp * 11).astype(np.uint8),
        "int8": (ramp * 10 - 120).astype(np.int8),
        "int32": (ramp * 100_000_000 - 1_200_000_000).astype(np.int32),
        "int64": (ramp - 12) * 1_000_000_000_000,
        "bool": ramp % 3 == 0,
        "big_endian": matrix.astype(">f4"),
        "fortran_order": np.asfortranarray(matrix),
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }
    expected = {f"{name}.npy": describe(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        np.save(ARRAYS / f"{name}.npy", array)
    for version in (1, 2, 3):
        name = f"version{version}.npy"
        with open(ARRAYS / name, "wb") as file:
            np.lib.format.write_array(file, matrix, version=(version, 0))
        expected[name] = describe(matrix)

    pair = {"x": arrays["float32"], "y": np.array([7, 3], np.int64)}
    np.savez(ARRAYS / "stored.npz", **pair)
    np.savez_compressed(ARRAYS / "compressed.npz", **pair)
    for name in ("stored.npz", "compressed.npz"):
        expected[name] = {key: describe(array) for key, array in pair.items()}

    images = (np.arange(5 * 4 * 6) * 7 % 256).astype(np.uint8).reshape(5, 4, 6)
    labels = np.array([3, 0, 9, 1, 4], np.uint8)
    (ARRAYS / "IDX").mkdir(exist_ok=True)
    for kind, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        (ARRAYS / "IDX" / f"train-{kind}").write_bytes(idx(array))
        (ARRAYS / "IDX" / f"t10k-{kind}.gz").write_bytes(gzip.compress(idx(array[::-1]), mtime=0))
        expected[f"IDX/train-{kind}"] = describe(array)
        expected[f"IDX/t10k-{kind}.gz"] = describe(array[::-1])

    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in expected.items()]
    (ARRAYS / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(expected)} array files in {ARRAYS.relative_to(ROOT)}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    ARRAYS.mkdir(parents=True, exist_ok=True)
    make_arrays()
    make_outputs()


if __name__ == "__main__":
    main()
