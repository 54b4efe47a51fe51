"""The layers of a spiking network as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy

# The operators that have weights, which lie among the graph's constants.
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights, and the neurons that they reach.

    Attributes
    ----------
    name : str
        Of the neurons, as in :meth:`SpikingNetwork.spikes`; of a layer without any, such as the last, that of its weights.
    kind : str
        The neurons' rule (``IFNode``, ``SignedIFNeuron``, ``RadixNeuron``, …), or the operator of a layer without any.
    activation : str or None
        The ANN's activation that the neurons stand for.
    weight, bias : numpy.ndarray or None
        As the network holds them, read-only. A convolution's weights are [out, in, height, width], a transposed one's [in, out, height,
        width], a linear layer's as in the ONNX model. None where the neurons read something else, such as a sum of two layers.
    threshold : numpy.ndarray or None
        What a spike is worth, in the unit of the ANN's activation: [1], or [C] for each channel. Of a radix code a spike in the last step.
    initial_membrane : numpy.ndarray or None
        The membrane before the first step, in the same unit: [1] or [C].
    parameters : dict
        The rule's own parameters, as the file has them.

    Examples
    --------
    >>> snn.layers[0]
    <Layer 'snn tailor.0.1' SignedIFNeuron for 'relu1': weight 32×1×3×3, threshold 32>
    >>> snn.layers[0].threshold.shape
    (32,)
    """

    name: str
    kind: str
    activation: str | None = None
    weight: numpy.ndarray | None = None
    bias: numpy.ndarray | None = None
    threshold: numpy.ndarray | None = None
    initial_membrane: numpy.ndarray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        def shape(array: numpy.ndarray | None) -> str:
            return "none" if array is None else "×".join(map(str, array.shape))

        stands = f" for '{self.activation}'" if self.activation else ""
        return f"<Layer '{self.name}' {self.kind}{stands}: weight {shape(self.weight)}, threshold {shape(self.threshold)}>"


def _numbers(value: Any) -> numpy.ndarray | None:
    if value is None or isinstance(value, (dict, str)):
        return None
    try:
        return numpy.atleast_1d(numpy.asarray(value, numpy.float32))
    except (TypeError, ValueError):
        return None


def layers(document: Mapping[str, Any], constants: Mapping[str, numpy.ndarray]) -> list[Layer]:
    """The layers of a graph's document, in its order."""
    nodes = document.get("nodes") or []
    maker = {value: node for node in nodes for value in node["outputs"]}
    biases = _biases_behind_products(nodes, maker, constants)
    found: list[Layer] = []
    read: set[str] = set()
    for node in nodes:
        operator = node["operator"]
        attributes = operator.get("attributes") or {}
        if operator["type"] == "Neuron":
            source, scale = maker.get(node["inputs"][0]), numpy.ones(1, numpy.float32)
            if source is not None and source["operator"]["type"] == "VoltageScaler":
                scale = numpy.asarray(source["operator"]["attributes"]["scales"], numpy.float32)
                source = maker.get(source["inputs"][0])
            if source is not None and source["name"] in biases:
                source = maker[biases[source["name"]][0]]
            weight, bias = _weights(source, constants, biases)
            if source is not None and weight is not None:
                read.add(source["name"])
            parameters = attributes.get("parameters") or {}
            site = attributes.get("site") or {}
            own = _numbers(parameters.get("threshold"))
            spike = _numbers(site.get("spike"))
            threshold = spike if spike is not None else (numpy.ones(1, numpy.float32) if own is None else own) / scale
            initial = _numbers(parameters.get("initialMembrane"))
            offsets = _numbers(attributes.get("initialOffsets") or None)
            if offsets is not None:
                initial = offsets if initial is None else initial + offsets
            membrane = None if initial is None else initial / scale
            found.append(
                Layer(node["name"], attributes.get("kind", "Neuron"), site.get("activation"), weight, bias, threshold, membrane, parameters)
            )
        elif operator["type"] in _WEIGHTED:
            weight, bias = _weights(node, constants, biases)
            if weight is not None:
                found.append(Layer(node["name"], operator["type"], None, weight, bias, parameters=attributes))
    # What neurons have taken for theirs does not stand on its own.
    return [layer for layer in found if layer.kind not in _WEIGHTED or layer.name not in read]


def _biases_behind_products(
    nodes: list[Any], maker: Mapping[str, Any], constants: Mapping[str, numpy.ndarray]
) -> dict[str, tuple[str, numpy.ndarray]]:
    """The sums of a product of matrices and a constant, as exporters write linear layers: by the sum's name, and the product's, the value
    between them and the constant."""
    readers: dict[str, int] = {}
    for node in nodes:
        for value in node["inputs"]:
            readers[value] = readers.get(value, 0) + 1
    found = {}
    for node in nodes:
        if node["operator"]["type"] != "Add" or len(node["inputs"]) != 2:
            continue
        bias = next((constants[name] for name in node["inputs"] if name in constants), None)
        value = next((name for name in node["inputs"] if name not in constants), None)
        product = maker.get(value) if value is not None else None
        if bias is not None and product is not None and product["operator"]["type"] == "MatMul" and readers[value] == 1:
            if bias.size == max(bias.shape, default=1):
                found[node["name"]] = found[product["name"]] = (value, bias.reshape(-1))
    return found


def _weights(
    node: Mapping[str, Any] | None, constants: Mapping[str, numpy.ndarray], biases: Mapping[str, tuple[str, numpy.ndarray]]
) -> tuple[numpy.ndarray | None, numpy.ndarray | None]:
    if node is None or node["operator"]["type"] not in _WEIGHTED:
        return None, None
    arrays = [constants[name] for name in node["inputs"] if name in constants]
    bias = arrays[1] if len(arrays) > 1 else biases[node["name"]][1] if node["name"] in biases else None
    return (arrays[0] if arrays else None), bias
