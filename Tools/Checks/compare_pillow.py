"""Compare what a network sees of photographs with what Pillow makes of them, as torchvision's evaluation transforms call it.

    pip install -r Tools/Checks/requirements.txt
    python Tools/Checks/compare_pillow.py [FOLDER] [--spikelet .build/release/spikelet]

Without a folder the photographs that come with scikit-image are taken (`skimage.data`, those in its package), and the test
pictures of this repository. `spikelet run` passes them through a network that does nothing; the difference to Pillow's
Resize and CenterCrop is printed for each, as a fraction of the range 0…1. torchvision itself is not needed: `resize` and `center_crop` in
make_image_fixtures.py are its calls of Pillow.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Fixtures"))
from make_image_fixtures import FOLDER, Image, center_crop, channels_first, load, resize  # noqa: E402

CASES = [(256, 224, "bilinear"), (232, 224, "bilinear"), (256, 224, "bicubic"), (32, 32, "bilinear")]
ENDINGS = (".jpg", ".jpeg", ".png")


def collect(target: pathlib.Path) -> None:
    import skimage

    photographs = pathlib.Path(skimage.__file__).parent / "data"
    for source, name in ((photographs, "skimage"), (FOLDER, "fixtures")):
        (target / name).mkdir()
        for path in source.iterdir():
            if path.suffix.lower() in ENDINGS:
                shutil.copy(path, target / name)


def identity(path: pathlib.Path, size: int) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, size, size]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "zero"], ["y"])], "nothing", values[:1], values[1:])
    graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def order(folder: pathlib.Path) -> list:
    """Classes in turns, as Spikelet orders them."""
    groups = [sorted(path for path in group.rglob("*") if path.suffix.lower() in ENDINGS) for group in sorted(folder.iterdir())]
    return [group[turn] for turn in range(max(map(len, groups))) for group in groups if turn < len(group)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="class folders with pictures")
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    options = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        folder = options.folder
        if folder is None:
            folder = scratch / "pictures"
            folder.mkdir()
            collect(folder)
        paths = order(folder)
        for side, crop, method in CASES:
            identity(scratch / "nothing.onnx", crop)
            arguments = ["--resize", str(side), "--crop", str(crop), "--interpolation", method]
            command = [options.spikelet, "run", scratch / "nothing.onnx", "--input", folder, "--output", scratch / "y.npy", *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            ours = np.load(scratch / "y.npy")
            differences = []
            for path, actual in zip(paths, ours, strict=True):
                expected = channels_first(center_crop(resize(load(path), side, getattr(Image.Resampling, method.upper())), crop))
                differences.append(np.abs(actual - expected.astype(np.float32) / 255))
            means = [difference.mean() for difference in differences]
            place = int(np.argmax(means))
            worst = max(worst, *means)
            equal = sum(difference.max() < 1e-6 for difference in differences)
            print(
                f"resize {side}, crop {crop}, {method}: {len(paths)} pictures, {equal} the same in every pixel; largest mean difference "
                f"{means[place] * 255:.4f}/255 ({paths[place].name}), largest of a pixel {max(d.max() for d in differences) * 255:.0f}/255"
            )
    print(f"largest mean difference {worst * 255:.4f}/255: " + ("under 1/255" if worst < 1 / 255 else "TOO LARGE"))
    sys.exit(0 if worst < 1 / 255 else 1)


if __name__ == "__main__":
    main()
