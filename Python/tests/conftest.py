"""What the tests share: the bundled networks and their data, and the command to compare with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy
import pytest

import spikelet
from spikelet import _command

MODELS = Path(__file__).resolve().parents[2] / "Models" / "FashionMNIST"
TRAIN, TEST = MODELS / "train_2000.npz", MODELS / "test_1000.npz"


def model(name: str) -> Path:
    return MODELS / name / f"{name}_dynamo.onnx"


@pytest.fixture(scope="session")
def train():
    with numpy.load(TRAIN) as archive:
        return archive["images"], archive["labels"]


@pytest.fixture(scope="session")
def test():
    with numpy.load(TEST) as archive:
        return archive["images"], archive["labels"]


@pytest.fixture(scope="session")
def images(test):
    """Test images as float32 [N, 1, 28, 28], 0…1."""
    return test[0].astype(numpy.float32) / numpy.float32(255)


@pytest.fixture(scope="session")
def command():
    try:
        found = _command.find()
    except spikelet.SpikeletError as error:
        pytest.skip(f"compares with the command: {error.what}")

    def run(*arguments):
        done = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def radix():
    return spikelet.convert(model("cnn"), TRAIN, recipe="radix", steps=4, limit=100)


@pytest.fixture(scope="session")
def signed():
    return spikelet.convert(model("cnn"), TRAIN, recipe="signed", steps=8, limit=100)
