"""The operators of a spiking network's file in PyTorch, but for the neurons. Imports PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_MEANS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_TYPES = {"int64": torch.int64, "bool": torch.bool}

UNARY: dict[str, Callable[..., Tensor]] = {
    "Abs": torch.abs,
    "Celu": lambda x, a: F.celu(x, a),
    "Cos": torch.cos,
    "Elu": lambda x, a: F.elu(x, a),
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Gelu": lambda x, a: F.gelu(x, approximate="tanh" if a else "none"),
    "HardSigmoid": lambda x, a, b: (a * x + b).clamp(0, 1),
    "HardSwish": lambda x: x * (x / 6 + 0.5).clamp(0, 1),
    "LeakyRelu": lambda x, a: torch.where(x >= 0, x, a * x),
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Selu": lambda x, a, g: g * F.elu(x, a),
    "Sin": torch.sin,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Swish": lambda x, a: x * torch.sigmoid(a * x),
    "Tanh": torch.tanh,
}

BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Div": torch.div,
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Pow": torch.pow,
    "PRelu": lambda x, slope: torch.where(x >= 0, x, slope * x),
    "Sub": torch.sub,
}

REDUCE: dict[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep).sqrt(),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
}


def along(numbers: Tensor, x: Tensor, axis: int = 1) -> Tensor:
    """One number for all, or one a channel, [C], so that it broadcasts to ``x`` with channels along an axis."""
    return numbers if numbers.numel() == 1 else numbers.reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim))


def _placement(window: Mapping[str, Any], sizes: Sequence[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """For each axis the pads before and after, how far windows reach beyond them, and the number of positions."""
    begins, ends, beyond, positions = [], [], [], []
    for axis, size in enumerate(sizes):
        stride = window["strides"][axis]
        extent = (window["kernel"][axis] - 1) * window["dilations"][axis] + 1
        begin, end = window["padsBegin"][axis], window["padsEnd"][axis]
        if window["autoPad"] in ("SAME_UPPER", "SAME_LOWER"):
            count = -(-size // stride)
            total = max(0, (count - 1) * stride + extent - size)
            begin = total // 2 if window["autoPad"] == "SAME_UPPER" else total - total // 2
            end = total - begin
        else:
            if window["autoPad"] == "VALID":
                begin = end = 0
            room = size + begin + end - extent
            count = (-(-room // stride) if window["ceilMode"] else room // stride) + 1
            # A window that would start behind the input, in its padding, is left out.
            if window["ceilMode"] and (count - 1) * stride >= size + begin:
                count -= 1
        begins.append(begin)
        ends.append(end)
        beyond.append(max(0, (count - 1) * stride + extent - size - begin - end))
        positions.append(count)
    return begins, ends, beyond, positions


def _padded(x: Tensor, begins: Sequence[int], ends: Sequence[int], value: float) -> Tensor:
    if not any(begins) and not any(ends):
        return x
    return F.pad(x, [pad for pair in reversed(list(zip(begins, ends))) for pad in pair], value=value)


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, window: Mapping[str, Any], groups: int) -> Tensor:
    begins, ends, _, _ = _placement(window, x.shape[2:])
    if begins != ends:
        x, begins = _padded(x, begins, ends, 0), [0] * len(begins)
    return _CONVOLUTIONS[x.ndim - 2](x, weight, bias, window["strides"], begins, window["dilations"], groups)


def _conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, a: Mapping[str, Any]) -> Tensor:
    window = a["window"]
    y = _TRANSPOSED[x.ndim - 2](x, weight, None, window["strides"], 0, 0, a["groups"], window["dilations"])
    y = _padded(y, [0] * (x.ndim - 2), a["outputPadding"], 0)
    for axis, (begin, end) in enumerate(zip(window["padsBegin"], window["padsEnd"])):
        y = y.narrow(2 + axis, begin, y.shape[2 + axis] - begin - end)
    return y if bias is None else y + along(bias, y)


def max_pool(x: Tensor, window: Mapping[str, Any]) -> Tensor:
    """The largest number of each window, [N, C, …]."""
    begins, ends, beyond, _ = _placement(window, x.shape[2:])
    x = _padded(x, begins, [end + more for end, more in zip(ends, beyond)], -math.inf)
    return _MAXIMA[x.ndim - 2](x, window["kernel"], window["strides"], 0, window["dilations"])


def _average_pool(x: Tensor, window: Mapping[str, Any], counts_padding: bool) -> Tensor:
    begins, ends, beyond, _ = _placement(window, x.shape[2:])
    after = [end + more for end, more in zip(ends, beyond)]
    pool = _MEANS[x.ndim - 2]
    y = pool(_padded(x, begins, after, 0), window["kernel"], window["strides"])
    if not any(beyond) and (counts_padding or not any(begins) and not any(ends)):
        return y
    # Pads may count; places beyond them, which rounding up may reach, never do.
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    counted = _padded(_padded(ones, begins, ends, 1 if counts_padding else 0), [0] * len(beyond), beyond, 0)
    return y / pool(counted, window["kernel"], window["strides"])


def _gemm(a: Tensor, b: Tensor, c: Tensor | None = None, *, alpha: float, beta: float, transposeA: bool, transposeB: bool) -> Tensor:
    y = (a.T if transposeA else a) @ (b.T if transposeB else b)
    y = y if alpha == 1 else alpha * y
    return y if c is None else y + (c if beta == 1 else beta * c)


def _layer_normalization(x: Tensor, scale: Tensor, bias: Tensor | None = None, *, axis: int, epsilon: float, isCentered: bool) -> Tensor:
    axes = tuple(range(axis % x.ndim, x.ndim))
    centred = x - x.mean(axes, keepdim=True) if isCentered else x
    y = scale * centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + epsilon)
    return y if bias is None else y + bias


def _group_normalization(x: Tensor, scale: Tensor, bias: Tensor, groups: int | None, epsilon: float) -> Tensor:
    parts = x.reshape(len(x), groups or x.shape[1], -1)
    parts = (parts - parts.mean(2, keepdim=True)) / torch.sqrt(parts.var(2, keepdim=True, correction=0) + epsilon)
    return parts.reshape(x.shape) * along(scale, x) + along(bias, x)


def _sizes(sizes: Sequence[Mapping[str, Any]], x: Tensor, batch: int) -> list[int]:
    result = []
    for axis, size in enumerate(sizes):
        if "fixed" in size:
            result.append(size["fixed"]["constant"] + size["fixed"]["batchFactor"] * batch)
        else:
            result.append(x.shape[axis] if "same" in size else -1)
    return result


def _softmax(x: Tensor, a: Mapping[str, Any], function: Callable[..., Tensor]) -> Tensor:
    if not a["flattensTail"]:
        return function(x, a["axis"])
    axis = a["axis"] % x.ndim
    return function(x.reshape(math.prod(x.shape[:axis]), -1), 1).reshape(x.shape)


def _axes(axes: Sequence[int], x: Tensor) -> tuple[int, ...]:
    return tuple(sorted(axis % x.ndim for axis in axes)) or tuple(range(x.ndim))


def _cut(x: Tensor, cuts: Sequence[Mapping[str, int]]) -> Tensor:
    for each in cuts:
        axis, step = each["axis"] % x.ndim, each["step"]
        size = x.shape[axis]
        start, end = (place + size if place < 0 else place for place in (each["start"], each["end"]))
        low, high = (0, size) if step > 0 else (-1, size - 1)
        places = range(min(max(start, low), high), min(max(end, low), high), step)
        x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))
    return x


def _clip(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    if a.get("minimum") is None and a.get("maximum") is None:
        return x
    return x.clamp(a.get("minimum"), a.get("maximum"))


def _scaled(x: Tensor, scales: Tensor, a: Mapping[str, Any]) -> Tensor:
    return x * along(scales, x, a.get("axis", 1))


# Each takes the inputs, the attributes, and the number of samples, which shapes may name.
_OPERATORS: dict[str, Callable[[Sequence[Tensor], Mapping[str, Any], int], Tensor]] = {
    "Add": lambda i, a, n: i[0] + i[1],
    "AveragePool": lambda i, a, n: _average_pool(i[0], a["window"], a["countsPadding"]),
    "BatchNormalization": lambda i, a, n: F.batch_norm(i[0], i[3], i[4], i[1], i[2], False, 0.0, a["epsilon"]),
    "Binary": lambda i, a, n: BINARY[a["function"]](*i),
    "Cast": lambda i, a, n: i[0].to(_TYPES[a["type"]]) if a["type"] in _TYPES else i[0].to(torch.get_default_dtype()),
    "Clip": lambda i, a, n: _clip(i[0], a),
    "Concat": lambda i, a, n: torch.cat(list(i), a["axis"]),
    "Conv": lambda i, a, n: _conv(*i, window=a["window"], groups=a["groups"]),
    "ConvTranspose": lambda i, a, n: _conv_transpose(*i, a=a),
    "Dropout": lambda i, a, n: i[0],
    "Expand": lambda i, a, n: i[0].expand(torch.broadcast_shapes(i[0].shape, tuple(_sizes(a["sizes"], i[0], n)))),
    "Flatten": lambda i, a, n: i[0].reshape(math.prod(i[0].shape[: a["axis"] + (i[0].ndim if a["axis"] < 0 else 0)]), -1),
    "Gather": lambda i, a, n: _gather(i[0], i[1], a["axis"]),
    "Gemm": lambda i, a, n: _gemm(
        *i, alpha=a["alpha"], beta=a["beta"], transposeA=a["transposeA"], transposeB=a["transposeB"]
    ),
    "GlobalAveragePool": lambda i, a, n: i[0].mean(tuple(range(2, i[0].ndim)), keepdim=True),
    "GlobalMaxPool": lambda i, a, n: i[0].amax(tuple(range(2, i[0].ndim)), keepdim=True),
    "GroupNormalization": lambda i, a, n: _group_normalization(i[0], i[1], i[2], a.get("groups"), a["epsilon"]),
    "Identity": lambda i, a, n: i[0],
    "LayerNormalization": lambda i, a, n: _layer_normalization(
        *i, axis=a["axis"], epsilon=a["epsilon"], isCentered=a["isCentered"]
    ),
    "LogSoftmax": lambda i, a, n: _softmax(i[0], a, torch.log_softmax),
    "MatMul": lambda i, a, n: i[0] @ i[1],
    "MaxPool": lambda i, a, n: max_pool(i[0], a["window"]),
    "Mul": lambda i, a, n: i[0] * i[1],
    "Pad": lambda i, a, n: _padded(i[0], a["begins"], a["ends"], a["value"]),
    "Reduce": lambda i, a, n: REDUCE[a["function"]](i[0], _axes(a["axes"], i[0]), a["keepsDimensions"]),
    "ReduceMean": lambda i, a, n: i[0].mean(_axes(a["axes"], i[0]), keepdim=a["keepsDimensions"]),
    "Relu": lambda i, a, n: F.relu(i[0]),
    "Reshape": lambda i, a, n: i[0].reshape(_sizes(a["sizes"], i[0], n)),
    "RunningMaximumPool": lambda i, a, n: max_pool(i[0], a["window"]),
    "Sigmoid": lambda i, a, n: torch.sigmoid(i[0]),
    "Slice": lambda i, a, n: _cut(i[0], a["cuts"]),
    "Softmax": lambda i, a, n: _softmax(i[0], a, torch.softmax),
    "Tile": lambda i, a, n: i[0].repeat(a["repeats"]),
    "Transpose": lambda i, a, n: i[0].permute(a["permutation"]),
    "Unary": lambda i, a, n: UNARY[a["function"]](i[0], *a["parameters"]),
    # What an attribute says is a tensor of the module's here, which moves with it.
    "VoltageScaler": lambda i, a, n: _scaled(i[0], i[1], a),
}


def _gather(x: Tensor, places: Tensor, axis: int) -> Tensor:
    axis %= x.ndim
    places = torch.where(places < 0, places + x.shape[axis], places)
    y = x.index_select(axis, places.reshape(-1))
    return y.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def obstacle(kind: str, a: Mapping[str, Any]) -> str | None:
    """Why an operator is not written here; None where it is."""
    if kind not in _OPERATORS:
        return f"the operator {kind}"
    tables: dict[str, Mapping[str, Any]] = {"Unary": UNARY, "Binary": BINARY, "Reduce": REDUCE}
    if kind in tables and a["function"] not in tables[kind]:
        return f"the function {a['function']}"
    if kind == "Pad" and a["mode"] != "constant":
        return f"padding of mode {a['mode']}"
    window = a.get("window")
    if window is not None:
        if not 1 <= len(window["kernel"]) <= 3:
            return f"{kind} in {len(window['kernel'])} dimensions"
        if kind == "AveragePool" and any(dilation != 1 for dilation in window["dilations"]):
            return "average pooling with dilation"
    return None


def apply(kind: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor], batch: int) -> Tensor:
    """One node that remembers nothing.

    Parameters
    ----------
    kind : str
        The operator; :func:`obstacle` says of which there are none.
    attributes : mapping
        As a file has them.
    inputs : sequence of Tensor
        In the operator's order.
    batch : int
        The number of samples.
    """
    return _OPERATORS[kind](inputs, attributes, batch)


WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that a stored weight makes a layer."""


def nature(kind: str, a: Mapping[str, Any], constant: Sequence[bool]) -> str:
    """``linear`` (or affine) in what is no constant, which passes on each step's spikes; ``maximum``, which does too; or ``nonlinear``."""
    linear = {
        "Add", "AveragePool", "Concat", "Dropout", "Expand", "Flatten", "GlobalAveragePool", "Identity", "ReduceMean", "Reshape", "Slice",
        "Tile", "Transpose", "VoltageScaler",
    }
    if kind in linear:
        return "linear"
    if kind in ("MaxPool", "GlobalMaxPool"):
        return "maximum"
    conditions = {
        "Mul": lambda: any(constant),
        "MatMul": lambda: any(constant),
        "Conv": lambda: all(constant[1:]),
        "ConvTranspose": lambda: all(constant[1:]),
        "BatchNormalization": lambda: all(constant[1:]),
        "Gemm": lambda: any(constant[:2]),
        "Gather": lambda: constant[-1],
        "Unary": lambda: a["function"] == "Neg",
        "Reduce": lambda: a["function"] == "ReduceSum",
        "Pad": lambda: a.get("value", 0) == 0,
        "Clip": lambda: a.get("minimum") is None and a.get("maximum") is None,
    }
    return "linear" if kind in conditions and conditions[kind]() else "nonlinear"
