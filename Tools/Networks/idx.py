"""Read Debian's Fashion-MNIST: gzip-compressed IDX files. Imported by the other tools; needs NumPy."""

import gzip
from pathlib import Path

import numpy as np


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes, gzip-compressed, as a uint8 array."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of bytes")
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def read_split(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as uint8 [N, 1, 28, 28] and labels as uint8 [N]."""
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    return images[:, None], read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
