"""What the bundled networks and images are called, where they lie, and how ONNX Runtime runs them.

Imported by the other tools; needs numpy, and onnxruntime for `onnxruntime_logits`.
"""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "Models" / "FashionMNIST"
TEST_IMAGES = MODELS / "test_1000.npz"
TRAIN_IMAGES = MODELS / "train_2000.npz"

NETWORKS = ("cnn", "vgg", "resnet", "mobile")
EXPORTS = ("torchscript", "dynamo", "unfused")
BOTH = ("torchscript", "dynamo")
SMOOTH_NETWORKS = {"gated": BOTH, "convnext": BOTH, "vit": ("dynamo",)}  # without ReLUs; and the exports of each
INPUT, OUTPUT = "input", "logits"


def model_path(network: str, export: str) -> Path:
    """The ONNX file of one export of one network."""
    return MODELS / network / f"{network}_{export}.onnx"


def load_images(path: Path, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` images as float32 [N, 1, 28, 28] in 0…1, and their labels as int64 [N]."""
    with np.load(path) as arrays:
        images, labels = arrays["images"][:count], arrays["labels"][:count]
    return images.astype(np.float32) / 255, labels.astype(np.int64)


def onnxruntime_logits(model: Path, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """ONNX Runtime's outputs [N, classes], computed by one thread on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    batches = range(0, len(images), batch_size)
    return np.concatenate([session.run([OUTPUT], {INPUT: images[i : i + batch_size]})[0] for i in batches])
