"""Run the plain arrays of `spikelet export --format npz`, by what Documentation/Export.md says of them.

The arrays hold layers, not how they are wired: that comes from the SNN file, of which nothing else is taken than the order of its
nodes, their windows and shapes. Networks that are no chain are not run.
"""

import re

import numpy as np
from operators import NotWritten, apply, conv, windows
from simulate import NEAR_THRESHOLD, Network


FOLDED = {"VoltageScaler", "BatchNormalization", "Mul", "Unary", "Add"}
"""What has no arrays because others hold it."""


class NotAChain(Exception):
    """The network is not one layer behind the other."""


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def run(network: Network, path: str, x: np.ndarray, steps: int) -> tuple:
    """The outputs, averaged over the steps, and for each sample whether a neuron came near its threshold."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float64) for name in file}
    layers = list(dict.fromkeys(name.rsplit(".", 1)[0] for name in arrays))
    before = {network.inputs[0]["name"]}
    for node in network.nodes:
        reading = [name for name in node["inputs"] if name not in network.constants]
        if len(reading) != 1 or reading[0] not in before:
            raise NotAChain(f"{node['operator']['type']} of several values")
        before = set(node["outputs"])
    if len(network.outputs) != 1 or network.outputs[0]["value"] not in before or network.tail:
        raise NotAChain("several outputs, or a function of them")
    used, states, total = set(), {}, 0
    near = np.zeros(len(x), bool)

    def layer(name: str, y: np.ndarray) -> np.ndarray:
        """The arrays of a layer, if there are any."""
        used.add(name)
        if f"{name}.weight" in arrays:
            weight, bias = arrays[f"{name}.weight"], arrays.get(f"{name}.bias")
            if weight.ndim == 2:
                return y @ weight.T + (0 if bias is None else bias)
            stride, padding, dilation = arrays[f"{name}.stride_padding_dilation"].astype(int).tolist()
            window = {
                "kernel": list(weight.shape[2:]),
                "strides": stride,
                "dilations": dilation,
                "padsBegin": padding,
                "padsEnd": padding,
                "autoPad": "NOTSET",
                "ceilMode": False,
            }
            return conv(y, weight, bias, window=window, groups=y.shape[1] // weight.shape[1])
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

    for _ in range(steps):
        y = x.astype(np.float64)
        for node in network.nodes:
            name, kind, a = file_name(node["name"]), node["operator"]["type"], node["operator"]["attributes"]
            if name in layers:
                y = layer(name, y)
            elif kind == "RunningMaximumPool":
                sums = states.get(name, 0) + y
                states[name] = sums
                axes = tuple(range(y.ndim, y.ndim + len(a["window"]["kernel"])))
                most = windows(sums, a["window"], -np.inf).max(axes)
                y, states[name + " before"] = most - states.get(name + " before", 0), most
            elif kind not in FOLDED:
                y = apply(kind, a, [y] + [network.constants[other] for other in node["inputs"] if other in network.constants], len(x))
            for extra in (f"{name}_scale",):
                if extra in layers:
                    y = layer(extra, y)
        total = total + y
    if set(layers) - used:
        raise NotAChain(f"arrays of layers that the graph does not name: {len(set(layers) - used)}")
    return total / steps, near


__all__ = ["NotAChain", "NotWritten", "run"]
