"""The examples in the docstrings run, and print what they say.

They run in a folder with the cnn as ``model.onnx``, and 100 images each as ``train.npz`` and ``test.npz``; ``snn``, ``images`` and ``labels`` are
what the package's own docstring makes of them.
"""

import doctest
import importlib
import importlib.util
import pkgutil
import shutil
import warnings

import numpy
import pytest

import spikelet

from conftest import model

COUNT = 100
HAS_TORCH = importlib.util.find_spec("torch") is not None
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What has nothing to show without a network to download from, a browser, or words of its own.
WITHOUT = {"Comparison", "Explorer", "SpikeletWarning", "ann2snn", "download_url", "functional"}


def _examples():
    names = [module.name for module in pkgutil.iter_modules(spikelet.__path__) if HAS_TORCH or not module.name.startswith(("trainable", "_torch"))]
    modules = [spikelet, *(importlib.import_module(f"spikelet.{name}") for name in names)]
    for module in modules:
        for test in doctest.DocTestFinder().find(module):
            if test.examples and not test.name.endswith(".forward"):
                yield test


EXAMPLES = list(_examples())


@pytest.fixture(scope="module")
def folder(train, test, tmp_path_factory):
    path = tmp_path_factory.mktemp("examples")
    shutil.copyfile(model("cnn"), path / "model.onnx")
    for name, (images, labels) in {"train": train, "test": test}.items():
        numpy.savez(path / f"{name}.npz", images=images[:COUNT], labels=labels[:COUNT])
    return path


@pytest.fixture(scope="module")
def names(folder):
    snn = spikelet.convert(folder / "model.onnx", folder / "train.npz", recipe="signed", steps=8)
    with numpy.load(folder / "test.npz") as archive:
        return {"spikelet": spikelet, "numpy": numpy, "snn": snn, "images": archive["images"], "labels": archive["labels"]}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_prints_what_it_says(example, folder, names, monkeypatch):
    monkeypatch.chdir(folder)
    example.globs = dict(names)
    if not HAS_TORCH:
        # What stands before PyTorch is imported does without it.
        first = next((index for index, line in enumerate(example.examples) if line.source == "import torch\n"), len(example.examples))
        del example.examples[first:]
    said = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", spikelet.SpikeletWarning)
            doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=said.append)
    finally:
        spikelet.set_progress(None)
    assert not said, "".join(said)


def test_every_public_name_has_an_example():
    shown = {test.name.split(".", 2)[-1] for test in EXAMPLES}
    public = {name: getattr(spikelet, name) for name in spikelet.__all__ if name not in WITHOUT}
    assert {name for name, value in public.items() if value.__qualname__ not in shown} == set()
    methods = {f"SpikingNetwork.{name}" for name in ("__call__", "evaluate", "export", "layers", "run", "save", "spike_counts", "spikes", "to_torch")}
    assert methods <= shown
