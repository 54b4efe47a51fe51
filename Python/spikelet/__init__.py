"""Spikelet: trained networks become spiking ones, and prove that they still work.

From a trained ``torch.nn.Module`` and two ``DataLoader``s to accuracy over time steps::

    import spikelet

    snn = spikelet.convert(model, train_loader, recipe="radix", steps=4)
    print(snn)                                      # the table of its layers
    logits = snn.run(images)                        # tensors in, tensors out
    result = snn.evaluate(test_loader, ann=model)
    print(result.ann.accuracy, result.steps[-1].accuracy, result.steps[-1].spikes_per_neuron)
    result.save_report("report.html")
    snn.save("snn.safetensors")                     # spikelet.load reads it, and so does the command

Models may be ONNX files, too, and data NumPy arrays, iterables of (x, y), or files: PyTorch is not needed then.

The examples of the docstrings stand on a folder with a trained network, ``model.onnx``, and images, ``train.npz`` and ``test.npz``, and on these
lines:

>>> import numpy, spikelet
>>> snn = spikelet.convert("model.onnx", "train.npz", recipe="signed", steps=8)
>>> with numpy.load("test.npz") as archive:
...     images, labels = archive["images"], archive["labels"]
"""

from __future__ import annotations

from . import ann2snn, functional
from ._c import set_threads, version as library_version
from ._data import Files
from ._errors import SpikeletError, SpikeletWarning
from ._explorer import Explorer
from ._records import Record
from ._work import set_progress
from .ann2snn import Converter, VoltageHook, VoltageScaler, download_url
from ._conversion import convert
from .graph import Graph, Port, load_model
from .layers import Layer
from .network import SpikingNetwork, from_torch, load
from .result import Comparison, Result, compare

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Converter",
    "Explorer",
    "Files",
    "Graph",
    "Layer",
    "Port",
    "Record",
    "Result",
    "SpikeletError",
    "SpikeletWarning",
    "SpikingNetwork",
    "VoltageHook",
    "VoltageScaler",
    "ann2snn",
    "compare",
    "convert",
    "download_url",
    "from_torch",
    "functional",
    "library_version",
    "load",
    "load_model",
    "set_progress",
    "set_threads",
]
