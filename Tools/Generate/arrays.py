"""Run the plain arrays of `spikelet export --format npz`, by what Documentation/Export.md says of them.

The arrays hold layers, not how they are wired: that comes from the SNN file, of which nothing else is taken than its nodes that hold
no numbers (pools, sums, shapes).
"""

import re

import numpy as np
from operators import WEIGHTED, apply, conv, conv_transpose, windows
from simulate import NEAR_THRESHOLD, Network

FOLDED = {"VoltageScaler", "BatchNormalization", "Neg"}
"""What has no arrays because others hold it; so have sums and products with constants."""


class Unwired(Exception):
    """The arrays do not say where they belong."""


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def run(network: Network, path: str, x: np.ndarray, steps: int) -> tuple:
    """The first output, averaged over the steps, and for each sample whether a neuron came near its threshold."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float64) for name in file}
    before = network.inputs[0]["name"]
    for node in network.nodes:
        if node["name"] not in network.tail:
            if [name for name in node["inputs"] if name not in network.constants] != [before]:
                raise Unwired("a network with branches")
            before = node["outputs"][0]
    layers = set(name.rsplit(".", 1)[0] for name in arrays)
    used, states = set(), {}
    near = np.zeros(len(x), bool)

    def layer(name: str, y: np.ndarray) -> np.ndarray:
        used.add(name)
        if f"{name}.weight" in arrays:
            weight, bias = arrays[f"{name}.weight"], arrays.get(f"{name}.bias")
            if weight.ndim == 2:
                return y @ weight.T + (0 if bias is None else bias)
            stride, padding, dilation = arrays[f"{name}.stride_padding_dilation"].astype(int).tolist()
            window = {"kernel": list(weight.shape[2:]), "strides": stride, "dilations": dilation, "padsBegin": padding, "padsEnd": padding}
            if f"{name}.output_padding" in arrays:
                more = arrays[f"{name}.output_padding"].astype(int).tolist()
                return conv_transpose(y, weight, bias, window=window, groups=y.shape[1] // weight.shape[0], outputPadding=more)
            return conv(y, weight, bias, window=window | {"autoPad": "NOTSET", "ceilMode": False}, groups=y.shape[1] // weight.shape[1])
        shape = (-1, *[1] * (y.ndim - 2))
        threshold = arrays[f"{name}.threshold"].reshape(shape)
        v = states.get(name)
        if v is None:
            v = np.zeros_like(y) + arrays.get(f"{name}.initial", np.zeros(1)).reshape(shape) * threshold
        v = v + y
        near[:] |= (np.abs(v - threshold) <= NEAR_THRESHOLD * threshold).reshape(len(y), -1).any(1)
        spikes = (v >= threshold).astype(np.float64)
        states[name] = v - threshold * spikes
        return spikes

    def compute(node: dict, values: dict) -> np.ndarray:
        name, kind, a = file_name(node["name"]), node["operator"]["type"], node["operator"]["attributes"]
        given = [values[each] for each in node["inputs"]]
        # What could not be folded into a neighbour stands in front, as a convolution of 1 × 1.
        if f"{name}_scale" in layers:
            given[0] = layer(f"{name}_scale", given[0])
        if name in layers:
            return layer(name, given[0])
        if kind in WEIGHTED:
            raise Unwired(f"{kind} without arrays")
        if kind == "RunningMaximumPool":
            sums = states.get(name, 0) + given[0]
            most = windows(sums, a["window"], -np.inf).max(tuple(range(sums.ndim, sums.ndim + len(a["window"]["kernel"]))))
            before, states[name], states[name + " before"] = states.get(name + " before", 0), sums, most
            return most - before
        has_constant = any(each in network.constants for each in node["inputs"])
        if (a.get("function") or kind) in FOLDED or kind in ("Add", "Mul") and has_constant:
            return next(value for value, each in zip(given, node["inputs"]) if each not in network.constants)
        y = apply(kind, a, given, len(x))
        # An average pool's divisor is folded too, as for NIR: what is left is a sum.
        if kind == "AveragePool":
            y = y * np.prod(a["window"]["kernel"])
        elif kind in ("GlobalAveragePool", "ReduceMean"):
            y = y * (given[0].size // y.size)
        return y

    totals = {}
    for _ in range(steps):
        values = network.constants | {network.inputs[0]["name"]: x.astype(np.float64)}
        for node in network.nodes:
            if node["name"] not in network.tail:
                value = values[node["outputs"][0]] = compute(node, values)
                totals[node["outputs"][0]] = totals.get(node["outputs"][0], 0) + value
    means = {name: total / steps for name, total in totals.items()}
    # So does what stands in front of the output itself.
    if "output_scale" in layers:
        means[before] = layer("output_scale", means[before])
    if layers - used:
        raise Unwired("arrays of layers that the graph does not name")
    values = network.constants | means
    for node in network.nodes:
        if node["name"] in network.tail:
            operator = node["operator"]
            values[node["outputs"][0]] = apply(operator["type"], operator["attributes"], [values[n] for n in node["inputs"]], len(x))
    return values[network.outputs[0]["value"]], near
