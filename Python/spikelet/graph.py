"""Networks as they are read: layers, inputs, outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from . import _c, _models
from ._arrays import like
from ._data import inputs as as_inputs
from ._errors import SpikeletError
from ._records import Record


@dataclass(frozen=True)
class Port:
    """An input or an output of a network.

    Attributes
    ----------
    name : str
        As the model has it.
    type : str
        Of its values, such as ``float32``.
    shape : tuple of int or None
        None for the batch.

    Examples
    --------
    >>> snn.inputs
    (Port(name='input', type='float32', shape=(None, 1, 28, 28)),)
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


def _ports(values: Any) -> tuple[Port, ...]:
    return tuple(Port(value["name"], value.get("type", ""), tuple(value.get("shape") or ())) for value in values or [])


class Graph:
    """A network: an ANN that :func:`load_model` read, or what a step of :class:`Converter` made of one.

    ``print(graph)`` shows its layers.

    Examples
    --------
    >>> graph = spikelet.load_model("model.onnx")
    >>> graph
    <Graph 'model' (ANN): input → logits>
    >>> graph.inputs[0].shape
    (None, 1, 28, 28)
    >>> sorted(graph.constants)[:2]
    ['conv1.bias', 'conv1.weight']
    """

    def __init__(self, handle: _c.Handle) -> None:
        self._handle = handle

    def __copy__(self) -> "Graph":
        # It never changes.
        return self

    def __deepcopy__(self, _memory: Any) -> "Graph":
        return self

    def __reduce__(self) -> Any:
        raise SpikeletError("unsupported", "a Graph is not pickled", remedy="pickle the model's path or bytes, and load_model() them there")

    @cached_property
    def _description(self) -> dict[str, Any]:
        text = _c.Text()
        _c.call("graph_describe", self._handle, text.out())
        return text.json()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._description.get("name", "")

    @property
    def is_spiking(self) -> bool:
        """Whether it has spiking neurons."""
        return bool(self._description.get("isSpiking"))

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """What goes in."""
        return _ports(self._description.get("inputs"))

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """What comes out."""
        return _ports(self._description.get("outputs"))

    @property
    def _input_names(self) -> list[str]:
        return [port.name for port in self.inputs]

    @property
    def document(self) -> Record:
        """The graph as a spiking network's file has it: ``nodes`` with their operators, by whose ``inputs`` :attr:`constants` are named."""
        return Record(self._description.get("document") or {})

    @cached_property
    def constants(self) -> Mapping[str, numpy.ndarray]:
        """Weights, biases and other constants by name; in the network's own memory, and so not to be written to."""
        handle = _c.Handle(lambda out: _c.call("graph_arrays", self._handle, out))
        return dict(_c.arrays(handle, writeable=False))

    def run(self, *x: Any) -> Any:
        """Runs an ANN.

        Parameters
        ----------
        *x : array or tensor, [N, …]
            One for each input; or a tuple of them, or a dictionary by name. Values of uint8 become 0…1 by 1/255.

        Returns
        -------
        array or tensor, [N, …]
            A tensor where a tensor went in. Of several outputs a dictionary by name.

        Raises
        ------
        SpikeletError
            ``invalidData`` for inputs that are not the network's.

        Examples
        --------
        >>> spikelet.load_model("model.onnx").run(images[:3]).shape
        (3, 10)
        """
        given = x[0] if len(x) == 1 else x
        names = self._input_names
        arrays = _c.Arrays(as_inputs(given, names), list(names))
        outputs = _c.Handle(lambda out: _c.work("graph_run", (self._handle, arrays.array, arrays.count), (out,)))
        return values_of(_c.arrays(outputs), given)

    def __str__(self) -> str:
        return str(self._description.get("text", "")).rstrip("\n")

    def print_tabular(self) -> None:
        """Prints the table of layers, as ``torch.fx.Graph.print_tabular`` does."""
        print(self)

    def __repr__(self) -> str:
        kind = "spiking" if self.is_spiking else "ANN"
        return f"<Graph '{self.name}' ({kind}): {', '.join(port.name for port in self.inputs)} → {', '.join(p.name for p in self.outputs)}>"


def values_of(named: Sequence[tuple[str, numpy.ndarray]], given: Any) -> Any:
    """One output itself, several by name; tensors where tensors were given."""
    if len(named) == 1:
        return like(given, named[0][1])
    return {name: like(given, array) for name, array in named}


def load_model(
    model: Any, *, open_axes: Mapping[str, int] | None = None, input_shape: Sequence[Any] | None = None
) -> Graph:
    """Reads an ANN.

    Parameters
    ----------
    model : path, bytes, onnx.ModelProto, or torch.nn.Module
        An ONNX model, or a module, which is exported inside; that needs ``input_shape``.
    open_axes : mapping of str to int, optional
        Sizes that the model leaves open besides the batch: ``{"H": 320, "W": 320}``.
    input_shape : sequence of int, or for several inputs a sequence of such, optional
        The shape of one sample: ``(3, 32, 32)``.

    Returns
    -------
    Graph

    Raises
    ------
    SpikeletError
        ``fileSystem``, ``malformedFile``, ``invalidModel``, ``unsupported`` (with all that cannot be read), or ``export``.

    Examples
    --------
    >>> print(spikelet.load_model("model.onnx"))
    network 'model': 11 nodes, 21706 parameters
    ...
    >>> import torch
    >>> spikelet.load_model(torch.nn.Linear(3, 2), input_shape=(3,)).outputs[0].shape
    (None, 2)
    """
    return Graph(_models.handle_of(model, input_shape=input_shape, open_axes=open_axes))


def graph_of(model: Any, data: Any = None) -> Graph:
    """A graph, whatever says which; ``data`` shows what goes in."""
    if isinstance(model, Graph):
        return model
    return Graph(_models.handle_of(model, data=data))


def is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))
