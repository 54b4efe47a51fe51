"""Compare `spikelet run` with ONNX Runtime on every export of every bundled network.

    pip install -r Tools/Checks/requirements.txt
    python Tools/Checks/compare_onnxruntime.py --spikelet .build/release/spikelet

Runs the first 100 test images through both and fails where the largest difference exceeds 1e-4 of the largest output.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import EXPORTS, NETWORKS, TEST_IMAGES, load_images, model_path, onnxruntime_logits  # noqa: E402

TOLERANCE = 1e-4


def spikelet_logits(spikelet: Path, model: Path, images: Path) -> np.ndarray:
    """The outputs that `spikelet run` writes."""
    output = images.with_name("output.npy")
    output.unlink(missing_ok=True)
    command = [spikelet, "run", model, "--input", images, "--output", output]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"spikelet run {model.name} failed ({result.returncode}): {result.stderr.strip()}")
    return np.load(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", type=Path, required=True, help="the command to compare")
    parser.add_argument("--images", type=int, default=100, help="number of test images (default: 100)")
    arguments = parser.parse_args()
    if not arguments.spikelet.is_file():
        sys.exit(f"There is no command {arguments.spikelet}; build it with: swift build -c release")

    images, _ = load_images(TEST_IMAGES, arguments.images)
    models = [model_path(network, export) for network in NETWORKS for export in EXPORTS]
    failures = 0
    print(f"{'model':<24}{'difference':>12}{'largest':>10}{'ratio':>10}")
    with tempfile.TemporaryDirectory() as folder:
        input_file = Path(folder) / "input.npy"
        np.save(input_file, images)
        for model in models:
            expected = onnxruntime_logits(model, images)
            try:
                actual = spikelet_logits(arguments.spikelet.resolve(), model, input_file)
                if actual.shape != expected.shape:
                    raise RuntimeError(f"the output's shape is {actual.shape}, not {expected.shape}")
            except (OSError, ValueError, RuntimeError) as error:
                failures += 1
                print(f"{model.stem:<24}FAILED: {error}", flush=True)
                continue
            difference, largest = np.abs(actual - expected).max(), np.abs(expected).max()
            passed = difference <= TOLERANCE * largest  # false for NaN
            failures += not passed
            numbers = f"{difference:>12.2e}{largest:>10.3f}{difference / largest:>10.1e}"
            print(f"{model.stem:<24}{numbers}{'' if passed else '  FAILED'}", flush=True)
    if failures:
        sys.exit(f"{failures} of {len(models)} models failed (limit: {TOLERANCE} of the largest output)")


if __name__ == "__main__":
    main()
