"""Simulates two spiking networks on the same images, and counts the neurons that do not fire equally often.

    python Tools/Checks/compare_spikes.py snn.safetensors snn.nir --spikelet .build/release/spikelet --samples 20 --steps 32

Takes any two files that `spikelet simulate` takes; layers are matched by name (NIR has '_' for what is no letter or digit).
The images are the first of Models/FashionMNIST/test_1000.npz. Runs on the reference executor. Wants numpy.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs=2)
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"))
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--steps", type=int, default=32)
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", np.load(ROOT / "Models/FashionMNIST/test_1000.npz")["images"][: arguments.samples])
        for network in arguments.networks:
            subprocess.run(
                [arguments.spikelet, "simulate", network, "--reference", "--steps", str(arguments.steps), "--input", folder / "x.npy",
                 "--output", folder / "y.npy", "--spike-counts", folder / "counts.npz"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with np.load(folder / "counts.npz") as counts:
                found.append(({re.sub("[^A-Za-z0-9]", "_", layer): counts[layer] for layer in counts.files}, np.load(folder / "y.npy")))
    (a, y), (b, z) = found
    z = z.reshape(y.shape)
    common = [layer for layer in a if layer in b]
    differences = np.concatenate([np.abs(a[layer] - b[layer]).ravel() for layer in common])
    print(f"{len(common)} layers of {len(a)} and {len(b)}; {differences.size} neurons, {int((differences > 0).sum())} differ, by "
          f"{differences.max()} spikes at most; largest difference of outputs {np.abs(y - z).max():.2g}; the same class for "
          f"{int((y.argmax(1) == z.argmax(1)).sum())} of {len(y)} images")
    print("layers that differ:", {layer: int((a[layer] != b[layer]).sum()) for layer in common if (a[layer] != b[layer]).any()} or "none")


if __name__ == "__main__":
    main()
