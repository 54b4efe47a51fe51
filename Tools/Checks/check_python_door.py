"""Runs the Python of Documentation/Export.md as it stands there, and compares it with `spikelet simulate`.

    python Tools/Checks/check_python_door.py --spikelet .build/release/spikelet   # wants numpy and safetensors
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Models" / "FashionMNIST"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"))
    arguments = parser.parse_args()
    program = re.search(r"```python\n(.*?)```", (ROOT / "Documentation/Export.md").read_text(), re.S).group(1)
    names = {}
    exec(program, names)  # noqa: S102: the repository's own text

    data = np.load(MODELS / "test_1000.npz")
    images = data["images"][:20]
    images = images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(pathlib.Path(folder) / name) for name in ("snn.safetensors", "x.npy", "y.npy")}
        np.save(paths["x.npy"], images)

        def spikelet(*words):
            subprocess.run([arguments.spikelet, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

        spikelet(
            "convert", MODELS / "cnn/cnn_torchscript.onnx", "--calibration", MODELS / "train_2000.npz", "--limit", 256, "--recipe",
            "calibrated", "--steps", 16, "--output", paths["snn.safetensors"])
        spikelet("simulate", paths["snn.safetensors"], "--input", paths["x.npy"], "--steps", 16, "--output", paths["y.npy"])
        expected = np.load(paths["y.npy"])
        found = names["run"](paths["snn.safetensors"], images, 16)
    same = int((expected.argmax(1) == found.argmax(1)).sum())
    print(f"largest difference {np.abs(expected - found).max():.2g}; the same class for {same} of {len(images)} images")
    if same < len(images) - 1:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
