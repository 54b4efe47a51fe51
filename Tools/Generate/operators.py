"""The operators of an SNN file, in NumPy: written from the equations in Sources/SpikeGraph/Operators and from ONNX's text.

Numbers are float64, so that what rounds is the program that is judged. `apply(kind, attributes, inputs)` computes one node. What
is not written here raises `NotWritten`: the point is then counted as not judged.
"""

import math

import numpy as np


class NotWritten(Exception):
    """The operator, or one of its options, is not written here."""


def spatial(numbers: list, rank: int) -> list:
    return [0, 0, *numbers] if len(numbers) == rank - 2 else numbers


def placement(window: dict, sizes: tuple) -> tuple:
    """Pads before and after, and the number of window positions, for each spatial axis."""
    begins, ends, positions = [], [], []
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
        positions.append(count)
    return begins, ends, positions


def windows(x: np.ndarray, window: dict, fill: float) -> np.ndarray:
    """What each window sees: [N, C, positions…, kernel…]. Places beyond the pads, which rounding up may reach, hold `fill` too."""
    rank = len(window["kernel"])
    begins, ends, positions = placement(window, x.shape[2:])
    pads = [(0, 0), (0, 0)]
    for axis in range(rank):
        extent = (window["kernel"][axis] - 1) * window["dilations"][axis] + 1
        needed = (positions[axis] - 1) * window["strides"][axis] + extent - x.shape[2 + axis] - begins[axis]
        pads.append((begins[axis], max(ends[axis], needed, 0)))
    x = np.pad(x, pads, constant_values=fill)
    extents = [(k - 1) * d + 1 for k, d in zip(window["kernel"], window["dilations"])]
    seen = np.lib.stride_tricks.sliding_window_view(x, extents, tuple(range(2, 2 + rank)))
    places = tuple(slice(0, (p - 1) * s + 1, s) for p, s in zip(positions, window["strides"]))
    taps = tuple(slice(None, None, d) for d in window["dilations"])
    return seen[(slice(None), slice(None), *places, *taps)]


def channels(numbers, x: np.ndarray, axis: int = 1) -> np.ndarray:
    """One number for all, or one a channel, so that it broadcasts to x `[N, C, …]`, or to one with channels along another axis."""
    numbers = np.asarray(numbers, np.float64)
    return numbers if numbers.size == 1 else numbers.reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim))


def conv(x, weight, bias=None, *, window, groups):
    rank = len(window["kernel"])
    seen = windows(x, window, 0)
    share, outputs = weight.shape[1], weight.shape[0] // groups
    parts = []
    for group in range(groups):
        part = np.tensordot(
            seen[:, group * share : (group + 1) * share],
            weight[group * outputs : (group + 1) * outputs],
            ([1, *range(2 + rank, 2 + 2 * rank)], [1, *range(2, 2 + rank)]),
        )
        parts.append(np.moveaxis(part, -1, 1))
    y = np.concatenate(parts, 1)
    return y if bias is None else y + channels(bias, y)


def conv_transpose(x, weight, bias=None, *, window, groups, outputPadding):
    rank = len(window["kernel"])
    begins, ends = window["padsBegin"], window["padsEnd"]
    full = []
    for axis in range(rank):
        extent = (window["kernel"][axis] - 1) * window["dilations"][axis] + 1
        full.append(window["strides"][axis] * (x.shape[2 + axis] - 1) + outputPadding[axis] + extent)
    share, outputs = weight.shape[0] // groups, weight.shape[1]
    y = np.zeros((len(x), outputs * groups, *full))
    for group in range(groups):
        part = x[:, group * share : (group + 1) * share]
        for taps in np.ndindex(*window["kernel"]):
            kernel = weight[(slice(group * share, (group + 1) * share), slice(None), *taps)]
            places = tuple(
                slice(tap * d, tap * d + (size - 1) * s + 1, s)
                for tap, d, s, size in zip(taps, window["dilations"], window["strides"], x.shape[2:])
            )
            y[(slice(None), slice(group * outputs, (group + 1) * outputs), *places)] += np.moveaxis(
                np.tensordot(part, kernel, ([1], [0])), -1, 1
            )
    y = y[(slice(None), slice(None), *(slice(b, y.shape[2 + a] - e) for a, (b, e) in enumerate(zip(begins, ends))))]
    return y if bias is None else y + channels(bias, y)


def average_pool(x, *, window, countsPadding):
    rank = len(window["kernel"])
    axes = tuple(range(2 + rank, 2 + 2 * rank))
    counts = windows(np.ones((1, 1, *x.shape[2:])), window, 0).sum(axes)
    if countsPadding:
        # The pads count; places beyond them, which rounding up may reach, do not.
        begins, ends, positions = placement(window, x.shape[2:])
        counts = np.ones((1, 1, *positions))
        for axis, size in enumerate(x.shape[2:]):
            starts = np.arange(positions[axis]) * window["strides"][axis]
            taps = starts[:, None] + np.arange(window["kernel"][axis]) * window["dilations"][axis]
            inside = (taps < begins[axis] + size + ends[axis]).sum(1)
            counts = counts * inside.reshape(-1, *[1] * (rank - 1 - axis))
    return windows(x, window, 0).sum(axes) / counts


def max_pool(x, *, window):
    rank = len(window["kernel"])
    return windows(x, window, -np.inf).max(tuple(range(2 + rank, 2 + 2 * rank)))


def gemm(a, b, c=None, *, alpha, beta, transposeA, transposeB):
    y = alpha * ((a.T if transposeA else a) @ (b.T if transposeB else b))
    return y if c is None else y + beta * c


def batch_normalization(x, scale, bias, mean, variance, *, epsilon):
    factor = scale / np.sqrt(variance + epsilon)
    return x * channels(factor, x) + channels(bias, x) - channels(mean * factor, x)


def layer_normalization(x, scale, bias=None, *, axis, epsilon, isCentered):
    axes = tuple(range(axis % x.ndim, x.ndim))
    centred = x - x.mean(axes, keepdims=True) if isCentered else x
    y = scale * centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)
    return y if bias is None else y + bias


def group_normalization(x, scale, bias, *, groups=None, epsilon):
    parts = x.reshape(len(x), groups or x.shape[1], -1)
    parts = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + epsilon)
    return parts.reshape(x.shape) * channels(scale, x) + channels(bias, x)


def reshape_sizes(sizes: list, x: np.ndarray, batch: int) -> list:
    result = []
    for axis, size in enumerate(sizes):
        if "fixed" in size:
            result.append(size["fixed"]["constant"] + size["fixed"]["batchFactor"] * batch)
        else:
            result.append(x.shape[axis] if "same" in size else -1)
    return result


def softmax(x, axis: int, flattens_tail: bool, logarithm: bool = False) -> np.ndarray:
    shape = x.shape
    if flattens_tail:
        axis %= x.ndim
        x, axis = x.reshape(math.prod(shape[:axis]), -1), 1
    x = x - x.max(axis, keepdims=True)
    total = np.exp(x).sum(axis, keepdims=True)
    return (x - np.log(total) if logarithm else np.exp(x) / total).reshape(shape)


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


UNARY = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Erf": erf,
    "Exp": np.exp,
    "Log": np.log,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Reciprocal": lambda x: 1 / x,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
    "Mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "IsNaN": np.isnan,
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Celu": lambda x, a: np.maximum(0, x) + np.minimum(0, a * np.expm1(x / a)),
    "Elu": lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    "Gelu": lambda x, a: x
    * (0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) if a else 0.5 * (1 + erf(x / math.sqrt(2)))),
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "LeakyRelu": lambda x, a: np.where(x >= 0, x, a * x),
    "Selu": lambda x, a, g: g * np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    "Shrink": lambda x, a, b: np.where(x < -a, x + b, np.where(x > a, x - b, 0)),
    "Swish": lambda x, a: x * sigmoid(a * x),
    "ThresholdedRelu": lambda x, a: np.where(x > a, x, 0),
}

BINARY = {
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": np.mod,
    "Fmod": np.fmod,
    "Mul": np.multiply,
    "Add": np.add,
    "Sub": np.subtract,
    "Pow": np.power,
    "Div": lambda a, b: np.trunc(a / b).astype(a.dtype) if a.dtype.kind == "i" else a / b,
    "PRelu": lambda x, slope: np.where(x >= 0, x, slope * x),
}

REDUCE = {
    "ReduceL1": lambda x, axes, keep: np.abs(x).sum(axes, keepdims=keep),
    "ReduceL2": lambda x, axes, keep: np.sqrt((x * x).sum(axes, keepdims=keep)),
    "ReduceLogSum": lambda x, axes, keep: np.log(x.sum(axes, keepdims=keep)),
    "ReduceLogSumExp": lambda x, axes, keep: np.log(np.exp(x - x.max()).sum(axes, keepdims=keep)) + x.max(),
    "ReduceMax": lambda x, axes, keep: x.max(axes, keepdims=keep),
    "ReduceMin": lambda x, axes, keep: x.min(axes, keepdims=keep),
    "ReduceProd": lambda x, axes, keep: x.prod(axes, keepdims=keep),
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdims=keep),
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdims=keep),
}


def reduced(axes: list, x: np.ndarray) -> tuple:
    return tuple(sorted(axis % x.ndim for axis in axes)) or tuple(range(x.ndim))


def round_level(number: np.ndarray, rounding: str, divisor: int | None) -> np.ndarray:
    """The whole number that a quantiser takes; `divisor`: `number` is a multiple of one over it in exact arithmetic."""
    if divisor:
        number = np.rint(number * divisor) / divisor
    return {"half-up": lambda: np.floor(number + 0.5), "half-to-even": lambda: np.rint(number), "down": lambda: np.floor(number)}[
        rounding
    ]()


def resize_matrix(attributes: dict, axis: dict, size: int) -> np.ndarray:
    """The weights [output, input] of one axis; ONNX's Resize."""
    if attributes["antialiases"] or axis.get("region"):
        raise NotWritten("Resize with anti-aliasing or a region")
    length, scale, coordinates = axis["size"], float(axis["scale"]), attributes["coordinates"]
    at = np.arange(length, dtype=np.float64)
    if coordinates == "half_pixel":
        at = (at + 0.5) / scale - 0.5
    elif coordinates == "pytorch_half_pixel":
        at = (at + 0.5) / scale - 0.5 if length > 1 else np.zeros(1)
    elif coordinates == "align_corners":
        at = at * (size - 1) / (length - 1) if length > 1 else np.zeros(1)
    elif coordinates == "asymmetric":
        at = at / scale
    else:
        raise NotWritten(f"Resize, {coordinates}")
    weights = np.zeros((length, size))
    mode = attributes["mode"]
    for row, place in enumerate(at):
        if mode == "nearest":
            rule = attributes["rounding"]
            # Coordinates are float32 elsewhere: a half that float64 misses by 1e-7 is a half.
            place = round(place * 2**16) / 2**16
            index = {
                "round_prefer_floor": math.ceil(place - 0.5),
                "round_prefer_ceil": math.floor(place + 0.5),
                "floor": math.floor(place),
                "ceil": math.ceil(place),
            }[rule]
            weights[row, min(max(index, 0), size - 1)] += 1
            continue
        low = math.floor(place)
        share = place - low
        if mode == "linear":
            taps = [(low, 1 - share), (low + 1, share)]
        else:
            a = attributes["cubicCoefficient"]
            near = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1  # noqa: E731
            far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a  # noqa: E731
            taps = [(low - 1, far(1 + share)), (low, near(share)), (low + 1, near(1 - share)), (low + 2, far(2 - share))]
        if attributes["excludesOutside"]:
            taps = [(index, weight) for index, weight in taps if 0 <= index < size]
            total = sum(weight for _, weight in taps)
            taps = [(index, weight / total) for index, weight in taps]
        for index, weight in taps:
            weights[row, min(max(index, 0), size - 1)] += weight
    return weights


def resize(x: np.ndarray, attributes: dict) -> np.ndarray:
    for axis in attributes["axes"]:
        position = axis["axis"] % x.ndim
        x = np.moveaxis(np.tensordot(x, resize_matrix(attributes, axis, x.shape[position]), ([position], [1])), -1, position)
    return x


def cut(x: np.ndarray, cuts: list) -> np.ndarray:
    for each in cuts:
        axis, size = each["axis"] % x.ndim, x.shape[each["axis"]]
        start, end, step = each["start"], each["end"], each["step"]
        start, end = (start + size if start < 0 else start), (end + size if end < 0 else end)
        low, high = (0, size) if step > 0 else (-1, size - 1)
        places = range(min(max(start, low), high), min(max(end, low), high), step)
        x = np.take(x, np.array(places, np.int64), axis)
    return x


def pad(x, mode, begins, ends, value):
    x = x[tuple(slice(max(0, -b), size - max(0, -e)) for b, e, size in zip(begins, ends, x.shape))]
    widths = [(max(0, b), max(0, e)) for b, e in zip(begins, ends)]
    return np.pad(x, widths, constant_values=value) if mode == "constant" else np.pad(x, widths, mode)


def apply(kind: str, a: dict, inputs: list, batch: int) -> np.ndarray:
    """One node that remembers nothing. `batch` is the number of samples, which shapes may name."""
    x = inputs[0] if inputs else None
    match kind:
        case "Add":
            return inputs[0] + inputs[1]
        case "Mul":
            return inputs[0] * inputs[1]
        case "ArgExtremum":
            values = -x if a["isMinimum"] else x
            axis = a["axis"] % x.ndim
            place = x.shape[axis] - 1 - np.flip(values, axis).argmax(axis) if a["selectsLast"] else values.argmax(axis)
            return np.expand_dims(place, axis) if a["keepsDimensions"] else place
        case "AveragePool":
            return average_pool(x, window=a["window"], countsPadding=a["countsPadding"])
        case "BatchNormalization":
            return batch_normalization(*inputs, epsilon=a["epsilon"])
        case "Binary":
            return BINARY[a["function"]](*inputs)
        case "Cast":
            return x.astype({"float32": np.float64, "int64": np.int64, "bool": bool}[a["type"]])
        case "Clip":
            x = x if a.get("minimum") is None else np.maximum(x, a["minimum"])
            return x if a.get("maximum") is None else np.minimum(x, a["maximum"])
        case "Concat":
            return np.concatenate(inputs, a["axis"])
        case "Conv":
            return conv(*inputs, window=a["window"], groups=a["groups"])
        case "ConvTranspose":
            return conv_transpose(*inputs, window=a["window"], groups=a["groups"], outputPadding=a["outputPadding"])
        case "CumSum":
            axis = a["axis"] % x.ndim
            x = np.flip(x, axis) if a["isReverse"] else x
            y = x.cumsum(axis) - (x if a["isExclusive"] else 0)
            return np.flip(y, axis) if a["isReverse"] else y
        case "Dropout" | "Identity":
            return x
        case "Expand":
            return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(reshape_sizes(a["sizes"], x, batch))))
        case "Flatten":
            axis = a["axis"] + (x.ndim if a["axis"] < 0 else 0)
            return x.reshape(math.prod(x.shape[:axis]), -1)
        case "Floor":
            return np.floor(x)
        case "Gather":
            return np.take(x, inputs[1].astype(np.int64), a["axis"])
        case "Gemm":
            return gemm(*inputs, alpha=a["alpha"], beta=a["beta"], transposeA=a["transposeA"], transposeB=a["transposeB"])
        case "GlobalAveragePool":
            return x.mean(tuple(range(2, x.ndim)), keepdims=True)
        case "GlobalMaxPool":
            return x.max(tuple(range(2, x.ndim)), keepdims=True)
        case "GroupNormalization":
            return group_normalization(*inputs, groups=a.get("groups"), epsilon=a["epsilon"])
        case "LayerNormalization":
            return layer_normalization(*inputs, axis=a["axis"], epsilon=a["epsilon"], isCentered=a["isCentered"])
        case "LRN":
            # ONNX: of `size` channels, ⌊(size−1)/2⌋ lie before the channel.
            before = (a["size"] - 1) // 2
            squares = np.pad(x * x, [(0, 0), (before, a["size"] - 1 - before), *[(0, 0)] * (x.ndim - 2)])
            sums = sum(squares[:, k : k + x.shape[1]] for k in range(a["size"]))
            return x / (a["bias"] + a["alpha"] / a["size"] * sums) ** a["beta"]
        case "LogSoftmax":
            return softmax(x, a["axis"], a["flattensTail"], logarithm=True)
        case "MatMul":
            return inputs[0] @ inputs[1]
        case "MaxPool":
            return max_pool(x, window=a["window"])
        case "Pad":
            return pad(x, a["mode"], a["begins"], a["ends"], a["value"])
        case "Quantizer":
            level = round_level(x / a["step"], a["rounding"], a.get("divisor"))
            return a["step"] * np.clip(level, a["lowest"], a["levels"])
        case "Reduce":
            return REDUCE[a["function"]](x, reduced(a["axes"], x), a["keepsDimensions"])
        case "ReduceMean":
            return x.mean(reduced(a["axes"], x), keepdims=a["keepsDimensions"])
        case "Relu":
            return np.maximum(x, 0)
        case "Reshape":
            return x.reshape(reshape_sizes(a["sizes"], x, batch))
        case "Resize":
            return resize(x, a)
        case "Round":
            return np.rint(x)
        case "Sigmoid":
            return sigmoid(x)
        case "Slice":
            return cut(x, a["cuts"])
        case "Softmax":
            return softmax(x, a["axis"], a["flattensTail"])
        case "Tile":
            return np.tile(x, a["repeats"])
        case "Transpose":
            return x.transpose(a["permutation"])
        case "Unary":
            if a["function"] not in UNARY:
                raise NotWritten(a["function"])
            return UNARY[a["function"]](x, *a["parameters"])
        case "VoltageScaler":
            return x * channels(a["scales"], x, a.get("axis", 1))
        case "VoltageHook":
            return x
        case "Where":
            return np.where(inputs[0], inputs[1], inputs[2])
    raise NotWritten(kind)


WEIGHTED = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
"""Operators that a stored weight makes a layer: where it stands as a rule."""


def linearity(kind: str, a: dict, constant: list) -> tuple:
    """Whether a node is linear (or affine) in what is no constant, and which of its inputs are added to the rest.

    Linear means that it passes on each step's spikes; 'maximum' too; all else acts on what has been accumulated, or is real-valued.
    """
    every = range(len(constant))
    match kind:
        case "Add":
            return "linear", [0, 1]
        case "Mul" | "MatMul":
            return ("linear" if any(constant) else "nonlinear"), []
        case "Conv" | "ConvTranspose":
            return ("linear" if all(constant[1:]) else "nonlinear"), [2]
        case "Gemm":
            return ("nonlinear" if constant[:2] == [False, False] else "linear"), [2]
        case "BatchNormalization":
            return ("linear" if all(constant[1:]) else "nonlinear"), [2, 3]
        case "Concat":
            return "linear", list(every)
        case "Where":
            return ("linear" if constant[0] else "nonlinear"), [1, 2]
        case "Gather":
            return ("linear" if constant[-1] else "nonlinear"), []
        case "Unary":
            return ("linear" if a["function"] == "Neg" else "nonlinear"), []
        case "Reduce":
            return ("linear" if a["function"] == "ReduceSum" else "nonlinear"), []
        case "Pad":
            return ("nonlinear" if a["mode"] == "constant" and a["value"] != 0 else "linear"), []
        case "Clip":
            return ("linear" if a.get("minimum") is None and a.get("maximum") is None else "nonlinear"), []
        case "MaxPool" | "GlobalMaxPool":
            return "maximum", []
        case (
            "AveragePool"
            | "CumSum"
            | "Dropout"
            | "Identity"
            | "Expand"
            | "Flatten"
            | "GlobalAveragePool"
            | "ReduceMean"
            | "Reshape"
            | "Resize"
            | "Slice"
            | "Tile"
            | "Transpose"
            | "VoltageScaler"
            | "VoltageHook"
        ):
            return "linear", []
    return "nonlinear", []
