"""Random small networks, as a specification that can be shrunk, and as the ONNX model that it stands for.

A specification is plain JSON: the input, a list of blocks, a head. `build` makes a model of any, also of one from which blocks were
taken: a block takes what it finds, cuts its kernel to the size and its groups to the channels, and does nothing where it has no
place. Weights come from the seed and the block's own number, so that taking out a block leaves the others' weights.
"""

import math
import random

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ACTIVATIONS = ["Relu"] * 6 + ["relu6", "clip", "max", "where", "mask", "min-max", "LeakyRelu", "PRelu", "twice"]
QUANTISERS = ["qcfs", "qdq"]
NONLINEAR = ["Tanh", "Sigmoid", "Gelu", "HardSwish", "Elu", "Softmax", "LayerNormalization", "InstanceNormalization"]
HEADS = ["none"] * 6 + [
    "Softmax",
    "LogSoftmax",
    "Sigmoid",
    "Tanh",
    "norm",
    "norm-by-hand",
    "ArgMax",
    "one-class",
    "scaled-sigmoid",
    "two-outputs",
    "joined",
    "column",
    "squeezed",
    "maximum",
    "centred",
    "relu",
]


# ---------------------------------------------------------------------------------------------------------------- the dice


def block(dice: random.Random, depth: int = 0, quantised: bool = False) -> dict:
    """One block, of any kind; deeper ones hold blocks of their own."""
    kinds = (
        ["conv"] * 7
        + ["act"] * 4
        + ["pool"] * 4
        + ["norm"] * 2
        + ["affine", "resize", "transpose", "pad", "slice", "copy", "shuffle", "map"]
    )
    if depth < 2:
        kinds += ["residual"] * 2 + ["concat"] * 2
    kind = dice.choice(kinds)
    number = dice.randrange(1 << 30)
    match kind:
        case "conv":
            return {
                "kind": "conv",
                "number": number,
                "out": dice.choice([1, 2, 3, 4, 5, 6, 8, 8, 12, 17]),
                "kernel": dice.choice([1, 1, 2, 3, 3, 3, 4, 5]),
                "stride": dice.choice([1, 1, 1, 2, 3]),
                "dilation": dice.choice([1, 1, 1, 2]),
                "groups": dice.choice([1, 1, 1, 2, 3, "depthwise"]),
                "pad": dice.choice(["none", "same", "same", "SAME_UPPER", "SAME_LOWER", "uneven"]),
                "bias": dice.random() < 0.8,
                "transposed": dice.random() < 0.12,
                "flat": dice.random() < 0.15,
                "sparse": dice.random() < 0.15,
                "norm": dice.random() < 0.25,
                "act": activation(dice, quantised) if dice.random() < 0.75 else None,
            }
        case "act":
            return {"kind": "act", "number": number, "spelling": activation(dice, quantised)}
        case "pool":
            return {
                "kind": "pool",
                "number": number,
                "of": dice.choice(["max", "max", "average", "average", "all-average", "all-max", "mean", "ReduceMax"]),
                "kernel": dice.choice([2, 2, 3, 4]),
                "stride": dice.choice([1, 2, 2, 3]),
                "pad": dice.choice([0, 0, 1]),
                "ceil": dice.random() < 0.25,
                "counts_padding": dice.random() < 0.4,
                "dilation": dice.choice([1] * 6 + [2]),
                "keep_size": dice.random() < 0.15,
            }
        case "residual":
            return {
                "kind": "residual",
                "number": number,
                "blocks": blocks(dice, dice.randrange(1, 4), depth + 1, quantised),
                "scaled": dice.random() < 0.2,
                "operator": dice.choice(["Add"] * 5 + ["Sub", "Sum", "Max"]),
            }
        case "concat":
            return {
                "kind": "concat",
                "number": number,
                "branches": [blocks(dice, dice.randrange(0, 3), depth + 1, quantised) for _ in range(dice.choice([2, 2, 3]))],
            }
        case "affine":
            return {
                "kind": "affine",
                "number": number,
                "operator": dice.choice(["Mul", "Add", "Sub", "Div", "Neg"]),
                "a_channel": dice.random() < 0.6,
            }
        case "resize":
            return {
                "kind": "resize",
                "number": number,
                "mode": dice.choice(["nearest", "nearest", "linear", "cubic"]),
                "scale": dice.choice([2, 2, 1.5, 0.5]),
                "coordinates": dice.choice(["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"]),
            }
        case "pad":
            return {"kind": "pad", "number": number, "mode": dice.choice(["constant", "constant", "value", "reflect", "edge"])}
        case "copy":
            return {"kind": "copy", "number": number, "operator": dice.choice(["Identity", "Dropout", "Cast"])}
        case "map":
            return {"kind": "map", "number": number, "function": dice.choice(NONLINEAR)}
    return {"kind": kind, "number": number}


def activation(dice: random.Random, quantised: bool) -> str:
    return dice.choice(QUANTISERS if quantised else ACTIVATIONS)


def blocks(dice: random.Random, count: int, depth: int, quantised: bool) -> list:
    return [block(dice, depth, quantised) for _ in range(count)]


def with_choice(dice: random.Random, spec: dict) -> dict:
    """The same network, some of whose blocks are a branch that its shapes choose."""
    first = dice.randrange(len(spec["blocks"]))
    last = dice.randrange(first, len(spec["blocks"])) + 1
    chosen = {"kind": "choice", "number": dice.randrange(1 << 30), "taken": dice.random() < 0.5, "blocks": spec["blocks"][first:last]}
    return spec | {"blocks": spec["blocks"][:first] + [chosen] + spec["blocks"][last:]}


def with_functions(dice: random.Random, spec: dict) -> dict:
    """The same network with functions that are no ReLU, gates and attention among its blocks."""
    made = list(spec["blocks"])
    for _ in range(dice.randrange(1, 4)):
        kind = dice.choice(["map", "map", "map", "gate", "gate", "attention"])
        new = {"kind": kind, "number": dice.randrange(1 << 30)}
        if kind == "map":
            new["function"] = dice.choice(NONLINEAR)
        made.insert(dice.randrange(len(made) + 1), new)
    return spec | {"blocks": made}


def specification(dice: random.Random) -> dict:
    """A network."""
    if dice.random() < 0.03:
        return limit(dice)
    rank = dice.choice([2] * 6 + [1, 1, 3, 0])
    size = {0: [], 1: [dice.randrange(4, 25)], 2: [dice.randrange(3, 13) for _ in range(2)], 3: [dice.randrange(2, 6) for _ in range(3)]}[
        rank
    ]
    quantised = dice.random() < 0.15
    spec = {
        "seed": dice.randrange(1 << 30),
        "opset": dice.choice([11, 13, 17, 17, 20]),
        "channels": dice.choice([1, 2, 3, 3, 4, 7]),
        "size": size,
        "channels_last": dice.random() < 0.2,
        "quantised": quantised,
        "blocks": blocks(dice, dice.randrange(1, 7), 0, quantised),
        "dense": [dice.choice([2, 5, 16, 33]) for _ in range(dice.choice([0, 0, 1, 2]))],
        "flatten": dice.choice(["Flatten", "Reshape", "mean", "keep"]),
        "classes": dice.choice([1, 2, 3, 10]),
        "head": dice.choice(HEADS),
        "pixels": dice.choice(["signed", "signed", "unit", "sparse", "normal"]),
        "matmul": dice.random() < 0.3,
        "gain": dice.choice([1] * 12 + [0.01, 100, 1e4]),
        "bias": dice.choice([0.3] * 8 + [0.0, 3.0, 10.0]),
        "dead": dice.random() < 0.08,
    }
    # Most networks get what conversion needs: weights, then an activation.
    if dice.random() < 0.95 and not any(b["kind"] == "conv" and b.get("act") for b in spec["blocks"]):
        first = block(dice, 3, quantised)
        while first["kind"] != "conv":
            first = block(dice, 3, quantised)
        first["act"] = activation(dice, quantised)
        spec["blocks"].insert(dice.randrange(len(spec["blocks"]) + 1), first)
    # What stays real-valued is refused without --allow-analog: once is often enough.
    if dice.random() < 0.8:
        strip_maps(spec["blocks"])
    return spec


def strip_maps(list_of_blocks: list) -> None:
    list_of_blocks[:] = [b for b in list_of_blocks if b["kind"] != "map"]
    for b in list_of_blocks:
        for inner in [b.get("blocks")] + b.get("branches", []):
            if inner:
                strip_maps(inner)


def limit(dice: random.Random) -> dict:
    """A network at or past one of the numbers of Documentation/Engine.md, thin in all else."""
    conv = {
        "kind": "conv",
        "number": 1,
        "out": 2,
        "kernel": 1,
        "stride": 1,
        "dilation": 1,
        "groups": 1,
        "pad": "none",
        "bias": True,
        "transposed": False,
        "flat": False,
        "sparse": False,
        "norm": False,
        "act": "Relu",
    }
    pool = {
        "kind": "pool",
        "number": 2,
        "of": "max",
        "kernel": 2,
        "stride": 2,
        "pad": 0,
        "ceil": False,
        "counts_padding": False,
        "dilation": 1,
        "keep_size": False,
    }
    spec = {
        "seed": dice.randrange(1 << 30),
        "opset": 17,
        "channels": 1,
        "size": [4, 4],
        "channels_last": False,
        "quantised": False,
        "dense": [],
        "flatten": "Flatten",
        "classes": 3,
        "head": "none",
        "pixels": "signed",
        "matmul": False,
        "blocks": [],
        "limit": True,
    }
    match dice.choice(["depthwise", "dense", "max", "average", "fan-in", "channels", "rows"]):
        case "depthwise":
            side = dice.choice([32, 33])
            spec |= {"size": [side + 2, side + 2], "channels": 2}
            spec["blocks"] = [conv, conv | {"number": 3, "kernel": side, "groups": "depthwise"}]
        case "dense":
            spec |= {"size": [13, 13]}
            spec["blocks"] = [conv | {"out": 5}, conv | {"number": 3, "kernel": dice.choice([11, 12]), "out": 6, "pad": "same"}]
        case "max":
            side = dice.choice([64, 65])
            spec |= {"size": [side, side]}
            spec["blocks"] = [conv, pool | {"kernel": side, "stride": side}]
        case "average":
            side = dice.choice([128, 129])
            spec |= {"size": [side, side]}
            spec["blocks"] = [conv, pool | {"kernel": side, "stride": side, "of": "average"}, conv | {"number": 3}]
        case "fan-in":
            spec |= {"size": [dice.choice([128, 129]), 256]}
            spec["blocks"] = [conv]
        case "channels":
            # A spike's channel, and a row of weights, are told in 16 bits.
            spec |= {"size": [1, 1], "channels": 1}
            spec["blocks"] = [conv | {"out": dice.choice([65536, 65537, 65600])}, conv | {"number": 3, "out": 2}]
        case "rows":
            spec |= {"size": [3, 3], "channels": 2}
            spec["blocks"] = [
                conv | {"out": dice.choice([252, 253, 255, 256, 257])},
                conv | {"number": 3, "out": dice.choice([31, 32, 33, 65]), "kernel": 3, "pad": "same"},
            ]
    return spec


# ------------------------------------------------------------------------------------------------------------- the model


class Builder:
    """Writes nodes. A value is its name, its channels and its spatial sizes; behind a flatten it has no sizes."""

    def __init__(self, spec: dict):
        self.spec, self.nodes, self.weights, self.count = spec, [], [], 0
        self.opset = spec["opset"]

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def node(self, operator: str, inputs: list, outputs: int = 1, **attributes):
        name = self.name(operator)
        results = [name] + [f"{name}_{index}" for index in range(1, outputs)]
        self.nodes.append(helper.make_node(operator, inputs, results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def constant(self, array, kind: str = "w") -> str:
        name = self.name(kind)
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def floats(self, *numbers) -> str:
        return self.constant(np.array(numbers[0] if len(numbers) == 1 else numbers, np.float32))

    def ints(self, *numbers) -> str:
        return self.constant(np.array(numbers, np.int64))

    def over_axes(self, operator: str, x: str, axes: list, since: int, **attributes) -> str:
        """An operator whose axes are an input from an opset on."""
        if self.opset >= since:
            return self.node(operator, [x, self.ints(*axes)], **attributes)
        return self.node(operator, [x], axes=axes, **attributes)


class Value:
    def __init__(self, name: str, channels: int, size: list):
        self.name, self.channels, self.size = name, channels, list(size)

    @property
    def rank(self) -> int:
        return len(self.size)


def a_channel(numbers: np.ndarray, x: Value) -> np.ndarray:
    return numbers.astype(np.float32).reshape(-1, *[1] * x.rank)


def dice_of(b: Builder, number: int) -> np.random.Generator:
    return np.random.default_rng([b.spec["seed"], number])


def biases(b: Builder, rng: np.random.Generator, out: int) -> np.ndarray:
    numbers = rng.normal(0, b.spec.get("bias", 0.3), out)
    if b.spec.get("dead"):
        # Channels that no input wakes.
        numbers[rng.random(out) < 0.3] = -1000
    return numbers.astype(np.float32)


def dense(b: Builder, x: Value, out: int, number: int) -> Value:
    rng = dice_of(b, number)
    weight = rng.normal(0, math.sqrt(2 / x.channels), (x.channels, out)).astype(np.float32)
    bias = biases(b, rng, out)
    if b.spec["matmul"]:
        name = b.node("Add", [b.node("MatMul", [x.name, b.constant(weight)]), b.constant(bias)])
    else:
        name = b.node("Gemm", [x.name, b.constant(np.ascontiguousarray(weight.T)), b.constant(bias)], transB=1)
    return Value(name, out, [])


def add_conv(b: Builder, x: Value, a: dict) -> Value:
    if x.rank == 0:
        y = dense(b, x, a["out"], a["number"])
        return add_act(b, y, a["act"], a["number"]) if a["act"] else y
    rng = dice_of(b, a["number"])
    kernel, strides, dilations, begins, ends = [], [], [], [], []
    for axis, size in enumerate(x.size):
        wide = a["kernel"] if not (a["flat"] and axis == 0) else 1
        dilation = a["dilation"] if (wide - 1) * a["dilation"] < size else 1
        wide = min(wide, size)
        extent = (wide - 1) * dilation + 1
        begin, end = {"same": (extent // 2, (extent - 1) // 2), "uneven": (min(1, extent - 1), 0)}.get(a["pad"], (0, 0))
        kernel.append(wide)
        dilations.append(dilation)
        strides.append(a["stride"])
        begins.append(begin)
        ends.append(end)
    if a["groups"] == "depthwise":
        groups, out = x.channels, x.channels * max(1, min(2, a["out"] // max(1, x.channels)))
    else:
        groups = math.gcd(a["groups"], x.channels)
        out = -(-a["out"] // groups) * groups
    places = math.prod(kernel)
    spread = math.sqrt(2 * groups / (x.channels * places))
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": groups}
    transposed = a["transposed"] and math.prod(x.size) * math.prod(strides) * out < 20_000
    auto = a["pad"] in ("SAME_UPPER", "SAME_LOWER") and not transposed
    if auto:
        # ONNX Runtime refuses it with dilations.
        attributes |= {"auto_pad": a["pad"], "dilations": [1] * x.rank}
        dilations = [1] * x.rank
        size = [-(-s // t) for s, t in zip(x.size, strides)]
    else:
        attributes["pads"] = begins + ends
        size = [(s + p + q - (k - 1) * d - 1) // t + 1 for s, p, q, k, d, t in zip(x.size, begins, ends, kernel, dilations, strides)]
    shape = (out, x.channels // groups, *kernel)
    if transposed:
        shape = (x.channels, out // groups, *kernel)
        size = [(s - 1) * t + (k - 1) * d + 1 - p - q for s, p, q, k, d, t in zip(x.size, begins, ends, kernel, dilations, strides)]
    weight = (b.spec.get("gain", 1) * rng.normal(0, spread, shape)).astype(np.float32)
    if a["sparse"]:
        weight[rng.random(shape) < 0.6] = 0
    inputs = [x.name, b.constant(weight)]
    if a["bias"]:
        inputs.append(b.constant(biases(b, rng, out)))
    y = Value(b.node("ConvTranspose" if transposed else "Conv", inputs, **attributes), out, size)
    if a["norm"]:
        y = add_norm(b, y, a["number"] + 1)
    return add_act(b, y, a["act"], a["number"] + 2) if a["act"] else y


def add_norm(b: Builder, x: Value, number: int) -> Value:
    rng, n = dice_of(b, number), x.channels
    parts = [rng.uniform(0.5, 1.5, n) * rng.choice([1, 1, 1, -1], n), rng.normal(0, 0.3, n), rng.normal(0, 0.3, n), rng.uniform(0.3, 2, n)]
    names = [b.constant(part.astype(np.float32)) for part in parts]
    return Value(b.node("BatchNormalization", [x.name, *names], epsilon=1e-3), n, x.size)


def add_act(b: Builder, x: Value, spelling: str, number: int) -> Value:
    rng, name = dice_of(b, number), x.name
    zero = lambda: b.floats(0.0)  # noqa: E731
    match spelling:
        case "Relu":
            name = b.node("Relu", [name])
        case "twice":
            name = b.node("Relu", [b.node("Relu", [name])])
        case "relu6":
            name = b.node("Clip", [name, zero(), b.floats(6.0)])
        case "clip":
            name = b.node("Clip", [name, zero(), b.floats(float(np.float32(rng.uniform(0.5, 2))))])
        case "max":
            name = b.node("Max", [name, zero()])
        case "min-max":
            name = b.node("Min", [b.node("Max", [name, zero()]), b.floats(1.5)])
        case "where":
            name = b.node("Where", [b.node("Greater", [name, zero()]), name, zero()])
        case "mask":
            name = b.node("Mul", [name, b.node("Cast", [b.node("Greater", [name, zero()])], to=TensorProto.FLOAT)])
        case "LeakyRelu":
            name = b.node("LeakyRelu", [name], alpha=float(rng.choice([0.01, 0.1, 0.3])))
        case "PRelu":
            name = b.node("PRelu", [name, b.constant(a_channel(rng.uniform(0, 0.4, x.channels), x))])
        case "qcfs":
            # clip(x / λ · L + ½ floored / L, 0, 1) · λ, as its authors write it.
            levels, bound = float(rng.choice([2, 3, 4, 7, 8])), float(np.float32(rng.uniform(0.8, 3)))
            scaled = b.node("Clip", [b.node("Div", [name, b.floats(bound)]), zero(), b.floats(1.0)])
            level = b.node("Floor", [b.node("Add", [b.node("Mul", [scaled, b.floats(levels)]), b.floats(0.5)])])
            name = b.node("Mul", [b.node("Div", [level, b.floats(levels)]), b.floats(bound)])
        case "qdq":
            step, zero_point = b.floats(float(np.float32(rng.uniform(0.004, 0.02)))), b.constant(np.array(0, np.uint8))
            name = b.node("Relu", [name]) if rng.random() < 0.5 else name
            name = b.node("DequantizeLinear", [b.node("QuantizeLinear", [name, step, zero_point]), step, zero_point])
    return Value(name, x.channels, x.size)


def add_pool(b: Builder, x: Value, a: dict) -> Value:
    if x.rank == 0:
        return x
    axes = list(range(2, 2 + x.rank))
    match a["of"]:
        case "all-average":
            return Value(b.node("GlobalAveragePool", [x.name]), x.channels, [1] * x.rank)
        case "all-max":
            return Value(b.node("GlobalMaxPool", [x.name]), x.channels, [1] * x.rank)
        case "mean":
            return Value(b.over_axes("ReduceMean", x.name, axes, 18, keepdims=1), x.channels, [1] * x.rank)
        case "ReduceMax":
            return Value(b.over_axes("ReduceMax", x.name, axes[-1:], 18, keepdims=1), x.channels, x.size[:-1] + [1])
    kernel = [min(a["kernel"], s) for s in x.size]
    if a["keep_size"]:
        kernel = [3 if s >= 3 else 1 for s in x.size]
        pads, strides, dilations = [k // 2 for k in kernel], [1] * x.rank, [1] * x.rank
    else:
        pads = [min(a["pad"], k // 2) for k in kernel]
        dilations = [
            a["dilation"] if a["of"] == "max" and (k - 1) * a["dilation"] + 1 <= s + p else 1 for k, s, p in zip(kernel, x.size, pads)
        ]
        strides = [a["stride"]] * x.rank
    ceil = int(a["ceil"] and not a["keep_size"])
    size = []
    for s, k, p, d, t in zip(x.size, kernel, pads, dilations, strides):
        room = s + 2 * p - (k - 1) * d - 1
        count = (-(-room // t) if ceil else room // t) + 1
        if ceil and (count - 1) * t >= s + p:
            count -= 1
        size.append(count)
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads + pads, "ceil_mode": ceil}
    if a["of"] == "max":
        attributes["dilations"] = dilations
        return Value(b.node("MaxPool", [x.name], **attributes), x.channels, size)
    return Value(b.node("AveragePool", [x.name], count_include_pad=int(a["counts_padding"]), **attributes), x.channels, size)


def turned(b: Builder, x: Value, back: bool = False) -> str:
    order = [0, *range(2, 2 + x.rank), 1] if not back else [0, 1 + x.rank, *range(1, 1 + x.rank)]
    return b.node("Transpose", [x.name], perm=order)


def mixed(b: Builder, x: Value, out: int, number: int) -> Value:
    """A layer of 1 × 1."""
    if x.rank == 0:
        return dense(b, x, out, number)
    rng = dice_of(b, number)
    weight = rng.normal(0, math.sqrt(1 / x.channels), (out, x.channels, *[1] * x.rank)).astype(np.float32)
    return Value(b.node("Conv", [x.name, b.constant(weight), b.constant(biases(b, rng, out))]), out, x.size)


def add_gate(b: Builder, x: Value, a: dict) -> Value:
    """Squeeze and excitation."""
    mean = Value(b.node("GlobalAveragePool", [x.name]), x.channels, [1] * x.rank) if x.rank else x
    gate = b.node("Sigmoid", [mixed(b, mean, x.channels, a["number"]).name])
    return Value(b.node("Mul", [x.name, gate]), x.channels, x.size)


def add_attention(b: Builder, x: Value, a: dict) -> Value:
    """One head over places, with a skip."""
    if x.rank == 0 or math.prod(x.size) > 80:
        return x
    width, places = 3, math.prod(x.size)
    parts = []
    for index in range(3):
        part = mixed(b, x, width if index < 2 else x.channels, a["number"] + index)
        parts.append(b.node("Reshape", [part.name, b.ints(0, part.channels, places)]))
    query = b.node("Transpose", [parts[0]], perm=[0, 2, 1])
    scores = b.node("Mul", [b.node("MatMul", [query, parts[1]]), b.floats(width**-0.5)])
    weights = b.node("Softmax", [scores], axis=-1 if b.opset >= 13 else 2)
    value = b.node("MatMul", [weights, b.node("Transpose", [parts[2]], perm=[0, 2, 1])])
    back = b.node("Reshape", [b.node("Transpose", [value], perm=[0, 2, 1]), b.ints(0, x.channels, *x.size)])
    return Value(b.node("Add", [x.name, back]), x.channels, x.size)


def add_choice(b: Builder, x: Value, a: dict) -> Value:
    """The blocks in one branch of an `If` that asks for a size, and something else in the other."""
    outside, b.nodes = b.nodes, []
    y = add_blocks(b, x, a["blocks"])
    inside, b.nodes = b.nodes, outside
    if y.name == x.name:
        return y
    wanted = x.channels if a["taken"] else x.channels + 1
    size = b.node("Gather", [b.node("Shape", [x.name]), b.constant(np.array(1, np.int64))])
    condition = b.node("Equal", [size, b.constant(np.array(wanted, np.int64))])

    def graph(nodes: list, output: str):
        return helper.make_graph(nodes, output, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])

    unwanted = b.name("other")
    # Of the same outline: ONNX Runtime believes either branch about it.
    ones = numpy_helper.from_array(np.ones((1, y.channels, *y.size), np.float32))
    branches = [graph(inside, y.name), graph([helper.make_node("Constant", [], [unwanted], value=ones)], unwanted)]
    first, second = branches if a["taken"] else branches[::-1]
    return Value(b.node("If", [condition], then_branch=first, else_branch=second), y.channels, y.size)


def add_block(b: Builder, x: Value, a: dict) -> Value:
    rng, name, n = dice_of(b, a["number"]), x.name, x.channels
    match a["kind"]:
        case "conv":
            return add_conv(b, x, a)
        case "act":
            return add_act(b, x, a["spelling"], a["number"])
        case "pool":
            return add_pool(b, x, a)
        case "norm":
            return add_norm(b, x, a["number"])
        case "affine":
            numbers = rng.uniform(0.5, 1.5, n) if a["operator"] in ("Mul", "Div") else rng.normal(0, 0.3, n)
            if a["operator"] == "Neg":
                return Value(b.node("Neg", [name]), n, x.size)
            given = b.constant(a_channel(numbers, x)) if a["a_channel"] else b.floats(float(np.float32(numbers[0])))
            return Value(b.node(a["operator"], [name, given]), n, x.size)
        case "residual":
            y = add_blocks(b, x, a["blocks"])
            if y.size != x.size or y.name == x.name:
                return y
            if y.channels != n:
                short = (
                    b.node("Conv", [name, b.constant(rng.normal(0, 1 / math.sqrt(n), (y.channels, n, *[1] * x.rank)).astype(np.float32))])
                    if x.rank
                    else dense(b, x, y.channels, a["number"]).name
                )
            else:
                short = b.node("Mul", [name, b.floats(0.5)]) if a["scaled"] else name
            return Value(b.node(a["operator"], [y.name, short]), y.channels, y.size)
        case "choice":
            return add_choice(b, x, a)
        case "gate":
            return add_gate(b, x, a)
        case "attention":
            return add_attention(b, x, a)
        case "concat":
            branches = [add_blocks(b, x, inner) for inner in a["branches"]]
            branches = [y for y in branches if y.size == branches[0].size]
            if len(branches) == 1:
                return branches[0]
            return Value(b.node("Concat", [y.name for y in branches], axis=1), sum(y.channels for y in branches), branches[0].size)
        case "resize":
            if (
                x.rank == 0
                or min(x.size) < 2
                or math.prod(x.size) > 400
                or a["mode"] == "cubic"
                and x.rank != 2
                or x.rank == 3
                and a["mode"] != "nearest"
            ):
                return x
            size = [max(1, int(s * a["scale"])) for s in x.size]
            attributes = {"nearest_mode": "floor"} if a["mode"] == "nearest" and a["coordinates"] == "asymmetric" else {}
            if a["mode"] == "nearest" and a["scale"] in (2, 0.5):
                factor = b.constant(np.array([1, 1, *[a["scale"]] * x.rank], np.float32))
                given = ["", factor] if b.opset >= 13 else [b.constant(np.zeros(0, np.float32)), factor]
            else:
                # The scale a little above the quotient, so that every reader rounds the size down to the same.
                scales = np.array([1, 1, *[(z + 0.001) / s for z, s in zip(size, x.size)]], np.float32)
                given = ["" if b.opset >= 13 else b.constant(np.zeros(0, np.float32)), b.constant(scales)]
                size = [int(s * float(scale)) for s, scale in zip(x.size, scales[2:])]
            return Value(
                b.node("Resize", [name, *given], mode=a["mode"], coordinate_transformation_mode=a["coordinates"], **attributes), n, size
            )
        case "transpose":
            # There and back, with something between that does not mind.
            if x.rank == 0:
                return x
            last = Value(turned(b, x), n, x.size)
            last.name = b.node("Add", [last.name, b.constant(rng.normal(0, 0.2, n).astype(np.float32))])
            last.name = b.node("Relu", [last.name]) if rng.random() < 0.5 and not b.spec["quantised"] else last.name
            return Value(turned(b, last, back=True), n, x.size)
        case "pad":
            if x.rank == 0 or a["mode"] == "reflect" and min(x.size) < 2:
                return x
            pads = b.ints(*[0, 0, *[1] * x.rank, 0, 0, *[1] * (x.rank - 1), 0])
            given = [name, pads, b.floats(0.5)] if a["mode"] == "value" else [name, pads]
            size = [s + 2 for s in x.size[:-1]] + [x.size[-1] + 1]
            return Value(b.node("Pad", given, mode="constant" if a["mode"] == "value" else a["mode"]), n, size)
        case "slice":
            if x.rank == 0 or x.size[-1] < 3:
                return x
            step = int(rng.choice([1, 2]))
            result = b.node("Slice", [name, b.ints(1), b.ints(1 << 40), b.ints(-1), b.ints(step)])
            return Value(result, n, x.size[:-1] + [len(range(1, x.size[-1], step))])
        case "copy":
            if a["operator"] == "Cast":
                return Value(b.node("Cast", [name], to=TensorProto.FLOAT), n, x.size)
            return Value(b.node(a["operator"], [name]), n, x.size)
        case "shuffle":
            # Channels in another order, as ShuffleNet does it, or halves exchanged.
            if n % 2 or n < 4:
                return x
            if x.rank == 0 or rng.random() < 0.5:
                parts = b.node("Split", [name, b.ints(n // 2, n // 2)], 2, axis=1) if b.opset >= 13 else b.node("Split", [name], 2, axis=1)
                return Value(b.node("Concat", parts[::-1], axis=1), n, x.size)
            wide = b.node("Reshape", [name, b.ints(0, 2, n // 2, *x.size)])
            turn = b.node("Transpose", [wide], perm=[0, 2, 1, *range(3, 3 + x.rank)])
            return Value(b.node("Reshape", [turn, b.ints(0, n, *x.size)]), n, x.size)
        case "map":
            match a["function"]:
                case "Gelu":
                    half = b.node("Add", [b.node("Erf", [b.node("Div", [name, b.floats(math.sqrt(2))])]), b.floats(1.0)])
                    return Value(b.node("Mul", [b.node("Mul", [name, half]), b.floats(0.5)]), n, x.size)
                case "Softmax":
                    return Value(b.node("Softmax", [name], axis=1), n, x.size)
                case "HardSwish":
                    return Value(b.node("Mul", [name, b.node("HardSigmoid", [name], alpha=1 / 6, beta=0.5)]), n, x.size)
                case "LayerNormalization":
                    mean = b.over_axes("ReduceMean", name, [-1], 18, keepdims=1)
                    return Value(b.node("Sub", [name, mean]), n, x.size)
                case "InstanceNormalization":
                    if x.rank == 0 or math.prod(x.size) < 4:
                        return x
                    return Value(
                        b.node(
                            "InstanceNormalization",
                            [
                                name,
                                b.floats(*[1.0] * n) if n > 1 else b.constant(np.ones(1, np.float32)),
                                b.constant(np.zeros(n, np.float32)),
                            ],
                        ),
                        n,
                        x.size,
                    )
                case function:
                    return Value(b.node(function, [name]), n, x.size)
    raise ValueError(a["kind"])


def add_blocks(b: Builder, x: Value, inner: list) -> Value:
    for a in inner:
        x = add_block(b, x, a)
    return x


def add_head(b: Builder, x: Value, head: str) -> list:
    """The outputs: (name, shape without the batch, element type)."""
    name, shape = x.name, [x.channels, *x.size]
    float_output = lambda value, sizes=shape: [(value, sizes, TensorProto.FLOAT)]  # noqa: E731
    match head:
        case "Softmax" | "LogSoftmax":
            return float_output(b.node(head, [name], axis=1 if b.opset >= 13 or not x.size else 1))
        case "Sigmoid" | "Tanh":
            return float_output(b.node(head, [name]))
        case "norm":
            return float_output(b.node("LpNormalization", [name], axis=1, p=2))
        case "norm-by-hand":
            return float_output(b.node("Div", [name, b.node("Max", [b.over_axes("ReduceL2", name, [1], 18, keepdims=1), b.floats(1e-6)])]))
        case "ArgMax":
            return [(b.node("ArgMax", [name], axis=1, keepdims=0), x.size, TensorProto.INT64)]
        case "one-class" if x.channels > 1:
            return float_output(b.node("Gather", [b.node("Softmax", [name], axis=1), b.constant(np.array([1]))], axis=1), [1, *x.size])
        case "scaled-sigmoid":
            return float_output(b.node("Sub", [b.node("Mul", [b.node("Sigmoid", [name]), b.floats(4.0)]), b.floats(1.0)]))
        case "two-outputs":
            return float_output(b.node("Identity", [name])) + float_output(b.node("Tanh", [name]))
        case "joined":
            return float_output(
                b.node("Concat", [b.node("Tanh", [name]), b.node("Sigmoid", [name]), name], axis=1), [3 * x.channels, *x.size]
            )
        case "column" if not x.size:
            return float_output(b.over_axes("Unsqueeze", name, [2], 13), [x.channels, 1])
        case "squeezed" if shape[0] == 1:
            return float_output(b.over_axes("Squeeze", name, [1], 13), x.size)
        case "maximum":
            return float_output(b.over_axes("ReduceMax", name, [1], 18, keepdims=1), [1, *x.size])
        case "centred":
            return float_output(b.node("Sub", [name, b.over_axes("ReduceMean", name, [1], 18, keepdims=1)]))
        case "relu":
            return float_output(b.node("Relu", [name]))
    return float_output(name)


def build(spec: dict):
    """The model of a specification."""
    b = Builder(spec)
    last = spec["channels_last"] and spec["size"]
    shape = [*spec["size"], spec["channels"]] if last else [spec["channels"], *spec["size"]]
    x = Value("x", spec["channels"], spec["size"])
    if last:
        x.name = turned(b, x, back=True)
    x = add_blocks(b, x, spec["blocks"])
    if x.rank and spec["flatten"] != "keep":
        if spec["flatten"] == "mean":
            x = Value(b.node("Flatten", [b.node("GlobalAveragePool", [x.name])]), x.channels, [])
        else:
            turn = turned(b, x) if last else x.name
            name = b.node("Flatten", [turn]) if spec["flatten"] == "Flatten" else b.node("Reshape", [turn, b.ints(0, -1)])
            x = Value(name, x.channels * math.prod(x.size), [])
    if x.rank == 0:
        for number, out in enumerate(spec["dense"]):
            x = dense(b, x, out, 100 + number)
            x = add_act(b, x, "qcfs" if spec["quantised"] else "Relu", 200 + number)
        x = dense(b, x, spec["classes"], 99)
    outputs = add_head(b, x, spec["head"])
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])]
    shown = [helper.make_tensor_value_info(name, kind, ["N", *sizes]) for name, sizes, kind in outputs]
    if any(name == "x" for name, _, _ in outputs):
        raise ValueError("nothing but the input")
    graph = helper.make_graph(b.nodes, "generated", given, shown, b.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", spec["opset"])], ir_version=8)


def samples(spec: dict, count: int, number: int) -> np.ndarray:
    """Inputs of the network."""
    rng = np.random.default_rng([spec["seed"], 7, number])
    shape = [count, *spec["size"], spec["channels"]] if spec["channels_last"] and spec["size"] else [count, spec["channels"], *spec["size"]]
    match spec["pixels"]:
        case "unit":
            x = rng.uniform(0, 1, shape)
        case "sparse":
            x = rng.uniform(0, 1, shape) * (rng.random(shape) < 0.3)
        case "normal":
            x = rng.normal(0, 1, shape)
        case _:
            x = rng.uniform(-1, 1, shape)
    return x.astype(np.float32)
