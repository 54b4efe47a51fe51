"""Check a network of digits (`convert --recipe radix`) against an ordinary ONNX model of the rounded ANN, run by ONNX Runtime.

    pip install -r Tools/Checks/requirements.txt
    python Tools/Checks/check_digits.py snn.safetensors test.npz --spikelet .build/release/spikelet --samples 16

The ONNX model has an ordinary operator for each node of the SNN's graph. VoltageScaler is a multiplication; a DigitNeuron of K
digits is sign(u) · min(⌊|u| + ½⌋, 2^K − 1) of Sign, Abs, Add, Floor, Min and Mul, a RadixNeuron the same of max(0, u); a running
maximum is a MaxPool. It knows nothing of steps, and ONNX Runtime runs it as it stands, in float32, without graph optimisations.
Constants that were taken out of what is sent, and added behind the weights, stand in the graph as additions, and are taken so.

DATA is an .npy, or an .npz with the arrays `images` or `x`, or one for each input by its name; bytes become 0…1 by 1/255.

  free       The ONNX model against `spikelet simulate`: the largest difference over the outputs' deviation (the root of the mean
             square of their distances from their mean over the samples), samples that differ by more than 1e-4 of it, digits that
             differ, and how many places lie within 1e-5 of a tie. One digit that float32 decides otherwise may change all behind it.
  in step    Each layer of neurons by itself: what it reads is computed from the digits that Spikelet's neurons before it have sent,
             and so are the outputs. Every digit must then be ONNX Runtime's, or its potential be as near to a tie as float32
             may err (1e-5 and 2e-6 of the largest potential of the sample in this layer); the outputs must agree to 1e-4 of their
             deviation, or 2e-5 of the largest. Where one does not, all between the digits and this layer is computed once
             more in float64 (Tools/Generate/operators.py): the potential must then be as near to a tie, or the output as
             near to float64's, as four times what ONNX Runtime's are off at most there. A softmax of large scores errs so,
             or a sum over many places.

Before that, it says what weights and products of matrices read: digits; real numbers that depend on no neuron; or functions of digits,
which no neuron has sent on.

Spikelet's digits are read from a copy of the file that has its neurons among its outputs; that the others come out the same, to
the bit, is checked too. Exits with 1 where a digit or an output is not explained; with int8 weights nothing is expected of either.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tools/Generate"))
from operators import NotWritten, apply  # noqa: E402
from simulate import NEAR_CURRENT, NEAR_THRESHOLD, Network  # noqa: E402

TIE, TOLERANCE, OF_LARGEST, OPSET = 1e-5, 1e-4, 2e-5, 21
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
# Of an operator with parameters, how ONNX calls them.
PARAMETERS = {
    "Celu": ["alpha"], "Elu": ["alpha"], "HardSigmoid": ["alpha", "beta"], "LeakyRelu": ["alpha"], "Selu": ["alpha", "gamma"],
    "Shrink": ["lambd", "bias"], "ThresholdedRelu": ["alpha"],
}  # fmt: skip


# A whole number in JSON is one of these all the same.
REAL = {"alpha", "beta", "gamma", "lambd", "bias", "epsilon"}


class Rounded:
    """The ONNX model of the rounded ANN for `batch` samples. `in_step`: what neurons send are inputs of it."""

    def __init__(self, network: Network, batch: int, in_step: bool):
        self.network, self.batch, self.in_step = network, batch, in_step
        self.nodes, self.constants = [], []
        self.ranks = {name: array.ndim for name, array in network.constants.items()}
        self.neurons = {}
        """For each node of neurons: the value it reads, the value it sends, the largest number it sends, whether that has a sign."""
        for name, array in network.constants.items():
            self.constant(array.astype(np.float32) if array.dtype.kind == "f" else array, name)
        inputs = []
        for each in network.inputs:
            self.ranks[each["name"]] = len(each["shape"])
            inputs.append(helper.make_tensor_value_info(each["name"], TYPES[each["elementType"]], [None] * len(each["shape"])))
        for node in network.nodes:
            self.node(node)
        outputs = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(self.shown())]
        if in_step:
            inputs += [helper.make_tensor_value_info(sent, TensorProto.FLOAT, None) for _, sent, *_ in self.neurons.values()]
        graph = helper.make_graph(self.nodes, "rounded", inputs, outputs, self.constants)
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def shown(self) -> list:
        read = [value for neuron in self.neurons.values() for value in (neuron[:1] if self.in_step else neuron[:2])]
        return [output["value"] for output in self.network.outputs] + read

    def session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        return onnxruntime.InferenceSession(self.model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def constant(self, array, name: str = "") -> str:
        name = name or f"check.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.float32(value))

    def whole(self, values) -> str:
        return self.constant(np.asarray(values, np.int64))

    def add(self, kind: str, inputs: list, result: str = "", **attributes) -> str:
        result = result or f"check.{len(self.nodes)}.{kind}"
        attributes = {key: float(v) if key in REAL else v for key, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(kind, inputs, [result], **attributes))
        return result

    def scales(self, numbers, rank: int, axis: int = 1) -> str:
        numbers = np.asarray(numbers, np.float32)
        return self.constant(numbers if numbers.size == 1 else numbers.reshape(-1, *[1] * (rank - 1 - axis % rank)))

    def window(self, window: dict, **more) -> dict:
        pads = {"pads": window["padsBegin"] + window["padsEnd"]} if window["autoPad"] == "NOTSET" else {"auto_pad": window["autoPad"]}
        more |= {"ceil_mode": 1} if window["ceilMode"] else {}
        return {"kernel_shape": window["kernel"], "strides": window["strides"], "dilations": window["dilations"]} | pads | more

    def sizes(self, sizes: list, same: int) -> str:
        def size(each: dict) -> int:
            if "fixed" in each:
                return each["fixed"]["constant"] + each["fixed"]["batchFactor"] * self.batch
            return same if "same" in each else -1

        return self.whole([size(each) for each in sizes])

    def rank(self, kind: str, a: dict, ranks: list) -> int:
        match kind:
            case "Reshape":
                return len(a["sizes"])
            case "Expand":
                return max(ranks[0], len(a["sizes"]))
            case "Flatten" | "Gemm":
                return 2
            case "Gather":
                return sum(ranks) - 1
            case "Reduce" | "ReduceMean" if not a["keepsDimensions"]:
                return ranks[0] - len(a["axes"]) if a["axes"] else 0
            case "ArgExtremum" if not a["keepsDimensions"]:
                return ranks[0] - 1
            case "Add" | "Mul" | "Binary" | "MatMul" | "Where":
                return max(ranks)
        return ranks[0]

    def node(self, node: dict) -> None:
        kind, a, x, y = node["operator"]["type"], node["operator"]["attributes"], node["inputs"], node["outputs"][0]
        rank = self.ranks[x[0]]
        self.ranks[y] = self.rank(kind, a, [self.ranks[name] for name in x])
        match kind:
            case "VoltageScaler":
                self.add("Mul", [x[0], self.scales(a["scales"], rank, a.get("axis", 1))], y)
            case "Neuron":
                self.neuron(node["name"], a, x[0], y)
            case "Dropout" | "Identity" | "VoltageHook":
                self.add("Identity", x[:1], y)
            case "Add" | "Mul" | "MatMul" | "Where" | "Floor" | "Round" | "Relu" | "Sigmoid" | "GlobalAveragePool" | "GlobalMaxPool":
                self.add(kind, x, y)
            case "Binary":
                self.add("Mod" if a["function"] == "Fmod" else a["function"], x, y, fmod=1 if a["function"] == "Fmod" else None)
            case "Unary":
                self.unary(a["function"], a["parameters"], x[0], y)
            case "ArgExtremum":
                keeps, last = int(a["keepsDimensions"]), int(a["selectsLast"])
                self.add("ArgMin" if a["isMinimum"] else "ArgMax", x, y, axis=a["axis"], keepdims=keeps, select_last_index=last)
            case "AveragePool":
                self.add(kind, x, y, **self.window(a["window"], count_include_pad=int(a["countsPadding"])))
            case "MaxPool" | "RunningMaximumPool":
                self.add("MaxPool", x, y, **self.window(a["window"]))
            case "BatchNormalization":
                self.add(kind, x, y, epsilon=a["epsilon"])
            case "Cast":
                self.add(kind, x, y, to=TYPES[a["type"]])
            case "Clip":
                bounds = ["" if a.get(key) is None else self.number(a[key]) for key in ("minimum", "maximum")]
                self.add(kind, x + bounds, y)
            case "Concat":
                self.add(kind, x, y, axis=a["axis"])
            case "Conv":
                self.add(kind, x, y, group=a["groups"], **self.window(a["window"]))
            case "ConvTranspose":
                self.add(kind, x, y, group=a["groups"], output_padding=a["outputPadding"], **self.window(a["window"]))
            case "CumSum":
                self.add(kind, [x[0], self.constant(np.int64(a["axis"]))], y, exclusive=int(a["isExclusive"]), reverse=int(a["isReverse"]))
            case "Expand":
                self.add(kind, [x[0], self.sizes(a["sizes"], 1)], y)
            case "Flatten" | "Gather":
                self.add(kind, x, y, axis=a["axis"])
            case "Gemm":
                self.add(kind, x, y, alpha=a["alpha"], beta=a["beta"], transA=int(a["transposeA"]), transB=int(a["transposeB"]))
            case "GroupNormalization" if a.get("groups"):
                self.add(kind, x, y, num_groups=a["groups"], epsilon=a["epsilon"])
            case "GroupNormalization":
                self.add("InstanceNormalization", x, y, epsilon=a["epsilon"])
            case "LayerNormalization" if a["isCentered"]:
                self.add(kind, x, y, axis=a["axis"], epsilon=a["epsilon"])
            case "LayerNormalization":
                axes = self.whole(list(range(a["axis"] % rank, rank)))
                squares = self.add("ReduceMean", [self.add("Mul", [x[0], x[0]]), axes], keepdims=1)
                norm = self.add("Sqrt", [self.add("Add", [squares, self.number(a["epsilon"])])])
                whole = self.add("Mul", [self.add("Div", [x[0], norm]), x[1]], "" if len(x) > 2 else y)
                if len(x) > 2:
                    self.add("Add", [whole, x[2]], y)
            case "LRN":
                self.add(kind, x, y, size=a["size"], alpha=a["alpha"], beta=a["beta"], bias=a["bias"])
            case "Softmax" | "LogSoftmax" if a["flattensTail"] and a["axis"] not in (-1, rank - 1):
                rows = self.add(kind, [self.add("Flatten", x, axis=a["axis"])], axis=1)
                self.add("Reshape", [rows, self.add("Shape", x)], y)
            case "Softmax" | "LogSoftmax":
                self.add(kind, x, y, axis=a["axis"])
            case "Pad":
                value = [self.number(a["value"])] if a["mode"] == "constant" else []
                self.add(kind, [x[0], self.whole(a["begins"] + a["ends"])] + value, y, mode=a["mode"])
            case "Reduce" | "ReduceMean":
                axes = [self.whole(a["axes"])] if a["axes"] else []
                self.add(a.get("function", kind), x + axes, y, keepdims=int(a["keepsDimensions"]))
            case "Reshape":
                self.add(kind, [x[0], self.sizes(a["sizes"], 0)], y)
            case "Resize":
                self.resize(a, x[0], y)
            case "Slice":
                self.add(kind, [x[0]] + [self.whole([cut[key] for cut in a["cuts"]]) for key in ("start", "end", "axis", "step")], y)
            case "Tile":
                self.add(kind, [x[0], self.whole(a["repeats"])], y)
            case "Transpose":
                self.add(kind, x, y, perm=a["permutation"])
            case _:
                raise NotWritten(kind)

    def unary(self, function: str, parameters: list, x: str, y: str) -> None:
        match function:
            case "Gelu":
                self.add("Gelu", [x], y, approximate="tanh" if parameters[0] else "none")
            case "Swish":
                gate = self.add("Sigmoid", [self.add("Mul", [x, self.number(parameters[0])])])
                self.add("Mul", [x, gate], y)
            case "IsInf":
                self.add("IsInf", [x], y, detect_positive=int(parameters[0]), detect_negative=int(parameters[1]))
            case _:
                self.add(function, [x], y, **dict(zip(PARAMETERS.get(function, []), map(float, parameters))))

    def resize(self, a: dict, x: str, y: str) -> None:
        if any(axis.get("region") for axis in a["axes"]):
            raise NotWritten("Resize with a region")
        # Of a size that is no multiple, the quotient must not be rounded down.
        scales = [axis["scale"] if axis["scale"] == int(axis["scale"]) else np.nextafter(np.float32(axis["scale"]), np.float32(np.inf))
                  for axis in a["axes"]]  # fmt: skip
        self.add(
            "Resize", [x, "", self.constant(np.array(scales, np.float32))], y, axes=[axis["axis"] for axis in a["axes"]], mode=a["mode"],
            coordinate_transformation_mode=a["coordinates"], nearest_mode=a["rounding"], cubic_coeff_a=float(a["cubicCoefficient"]),
            exclude_outside=int(a["excludesOutside"]), antialias=int(a["antialiases"]),
        )  # fmt: skip

    def neuron(self, name: str, a: dict, x: str, y: str) -> None:
        if a["kind"] not in ("DigitNeuron", "RadixNeuron") or a.get("initialOffsets") or a["parameters"].get("initialMembrane"):
            raise NotWritten(f"neurons other than digits: {a['kind']}")
        top, signed = 2 ** a["parameters"]["digits"] - 1, a["kind"] == "DigitNeuron"
        self.neurons[name] = x, y, top, signed
        if self.in_step:
            return
        magnitude = self.add("Abs", [x]) if signed else self.add("Max", [x, self.number(0)])
        level = self.add("Floor", [self.add("Add", [magnitude, self.number(0.5)])])
        bounded = self.add("Min", [level, self.number(top)], "" if signed else y)
        if signed:
            self.add("Mul", [self.add("Sign", [x]), bounded], y)


def what_weights_read(network: Network) -> dict:
    """How many nodes with weights, and products of matrices, read what."""
    kinds = dict.fromkeys(network.constants, "constant") | {each["name"]: "real" for each in network.inputs}
    counts = {"digits": 0, "real": 0, "functions": 0}
    for node in network.nodes:
        kind, read = node["operator"]["type"], {kinds[name] for name in node["inputs"]} - {"constant"}
        if kind in ("Conv", "ConvTranspose", "Gemm", "MatMul") and read:
            counts[max(read, key=["digits", "real", "functions"].index)] += 1
        if kind == "Neuron":
            made = "digits"
        elif read <= {"real"}:
            made = "real" if read else "constant"
        else:
            is_linear = kind == "RunningMaximumPool" or network.linearity(node)[0] != "nonlinear"
            made = "digits" if is_linear and read == {"digits"} else "functions"
        kinds |= dict.fromkeys(node["outputs"], made)
    return counts


def rounded(u: np.ndarray, top: int, signed: bool) -> np.ndarray:
    level = np.minimum(np.floor(np.abs(u) + np.float32(0.5)), top)
    return np.sign(u) * level if signed else np.where(u > 0, level, 0)


def distance_to_tie(u: np.ndarray, top: int, signed: bool) -> np.ndarray:
    """How far a potential is from one of another digit."""
    u = u.astype(np.float64)
    magnitude = np.abs(u) if signed else u
    return np.abs(magnitude - np.clip(np.floor(magnitude), 0, top - 1) - 0.5)


class Exact:
    """Values of the network in float64, from the inputs and what its neurons have sent."""

    def __init__(self, network: Network, batch: int, known: dict):
        self.batch = batch
        self.makers = {name: node for node in network.nodes for name in node["outputs"]}
        self.values = network.constants | {name: x.astype(np.float64) if x.dtype.kind == "f" else x for name, x in known.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        waiting = [name]
        while waiting:
            node = self.makers.get(waiting[-1])
            if waiting[-1] in self.values:
                waiting.pop()
            elif missing := [each for each in node["inputs"] if each not in self.values]:
                waiting += missing
            else:
                kind = node["operator"]["type"].removeprefix("Running")
                kind = {"MaximumPool": "MaxPool"}.get(kind, kind)
                with np.errstate(all="ignore"):
                    found = apply(kind, node["operator"]["attributes"], [self.values[each] for each in node["inputs"]], self.batch)
                self.values[waiting.pop()] = found
        return self.values[name]


def simulated(spikelet: str, snn: pathlib.Path, inputs: dict, folder: pathlib.Path, *options: str) -> dict:
    np.savez(folder / "x.npz", **inputs)
    line = [spikelet, "simulate", str(snn), "--input", str(folder / "x.npz"), "--output", str(folder / "y.npz"), *options]
    result = subprocess.run(line, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"spikelet simulate failed ({result.returncode}): {result.stderr.strip()[:1000]}")
    with np.load(folder / "y.npz") as arrays:
        return dict(arrays)


def with_digits(snn: pathlib.Path, path: pathlib.Path, sent: list) -> None:
    """The same file, with what its neurons send among the outputs."""
    data = snn.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    graph = json.loads(header["__metadata__"]["spikelet"])
    graph["outputs"] += [{"name": f"digits.{index}", "value": value} for index, value in enumerate(sent)]
    header["__metadata__"]["spikelet"] = json.dumps(graph, ensure_ascii=False, sort_keys=True)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def load(path: str, network: Network, samples: int) -> dict:
    data = np.load(path)
    names = [each["name"] for each in network.inputs]
    if isinstance(data, np.ndarray):
        inputs = {names[0]: data}
    elif all(name in data for name in names):
        inputs = {name: data[name] for name in names}
    else:
        inputs = {names[0]: data["images"] if "images" in data else data["x"]}
    inputs = {name: array[:samples] for name, array in inputs.items()}
    for each in network.inputs:
        array = inputs[each["name"]]
        if array.dtype == np.uint8:
            array = array.astype(np.float32) / 255
        size = [entry if isinstance(entry, int) else -1 for entry in each["shape"]]
        inputs[each["name"]] = np.ascontiguousarray(array.astype(each["elementType"]).reshape(len(array), *size[1:]))
    return inputs


def check(
    snn: pathlib.Path, data: str, spikelet: str, samples: int, batch: int, options: list, has_digits: bool, model: str | None
) -> dict:  # fmt: skip
    network = Network.read(snn)
    inputs = load(data, network, samples)
    count = len(next(iter(inputs.values())))
    batch = min(batch, count)
    free, forced = Rounded(network, batch, False), Rounded(network, batch, True)
    if model:
        onnx.save(free.model, model)
    sessions = free.session(), forced.session()
    names, values = [output["name"] for output in network.outputs], [output["value"] for output in network.outputs]
    neurons = list(free.neurons.items())
    result = {"samples": count, "read": what_weights_read(network), "layers": len(neurons), "neurons": 0, "nearTies": 0,
              "sameBits": None, "unexplained": [], "digits": None, "digitsOff": None, "farthest": 0.0, "inFloat64": 0}  # fmt: skip
    outputs = {kind: {name: [] for name in names} for kind in ("simulated", "free", "in step")}
    exacts = []
    near_samples, differing, off, same = [], 0, 0, True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shown = folder / "digits.safetensors"
        with_digits(snn, shown, [sent for _, (_, sent, *_) in neurons])
        for start in range(0, count, batch):
            chosen = np.minimum(np.arange(start, start + batch), count - 1)
            real = min(batch, count - start)
            part = {key: array[chosen] for key, array in inputs.items()}
            found = simulated(spikelet, snn, part, folder, *options)
            answers = dict(zip(free.shown(), sessions[0].run(list(free.shown()), part)))
            near = np.zeros(batch, int)
            for _, (read, _, top, signed) in neurons:
                close = distance_to_tie(answers[read], top, signed) <= TIE
                near += close.reshape(batch, -1).sum(1)
                result["neurons"] += answers[read][:real].size
            result["nearTies"] += int(near[:real].sum())
            near_samples += list(near[:real])
            for output, value in zip(names, values):
                outputs["simulated"][output].append(found[output][:real])
                outputs["free"][output].append(answers[value][:real])
            if not has_digits:
                continue
            told = simulated(spikelet, shown, part, folder, *options)
            same &= all(np.array_equal(told[output], found[output], equal_nan=True) for output in names)
            digits = {sent: told[f"digits.{index}"].astype(np.float32) for index, (_, (_, sent, *_)) in enumerate(neurons)}
            exact = Exact(network, batch, part | digits)
            exacts.append((exact, real))
            given = dict(zip(forced.shown(), sessions[1].run(list(dict.fromkeys(forced.shown())), part | digits)))
            for output, value in zip(names, values):
                outputs["in step"][output].append(given[value][:real])
            for layer, (read, sent, top, signed) in neurons:
                u, sends = given[read][:real], digits[sent][:real]
                differing += int((answers[sent][:real] != sends).sum())
                wrong = rounded(u, top, signed) != sends
                off += int(wrong.sum())
                if not wrong.any():
                    continue
                def beyond(u: np.ndarray, allowed: np.ndarray) -> np.ndarray:
                    """From a potential to the nearest one that rounds to what was sent, as a share of what is allowed."""
                    distance = np.maximum(0, np.abs((np.abs(u) if signed else u) - np.abs(sends)) - 0.5)
                    is_none = (np.abs(sends) > top) | (sends != np.rint(sends)) | (np.sign(u) * sends < 0)
                    distance = np.where(is_none, np.inf, distance)
                    return np.where(wrong, distance / allowed, 0)

                u = u.astype(np.float64)
                axes = tuple(range(1, u.ndim))
                worst = beyond(u, NEAR_THRESHOLD + NEAR_CURRENT * np.abs(u).max(axes, keepdims=True))
                if (worst > 1).any():
                    truth = exact[read][:real]
                    err = np.where(np.abs(u) < 2 * top, np.abs(u - truth), 0).max(axes, keepdims=True)
                    worst = np.where(worst > 1, beyond(truth, NEAR_THRESHOLD + 4 * err), worst)
                    result["inFloat64"] += 1
                result["farthest"] = max(result["farthest"], float(worst.max()))
                if (worst > 1).any():
                    place = np.unravel_index(worst.argmax(), worst.shape)
                    result["unexplained"].append(
                        f"{layer}: {int((worst > 1).sum())} of {wrong.size} digits; at {[start + int(place[0]), *map(int, place[1:])]} "
                        f"the potential is {u[place]:.7g} in float32, {truth[place]:.7g} in float64, and Spikelet sends {sends[place]:g}")
    if has_digits:
        result |= {"digits": differing, "digitsOff": off, "sameBits": bool(same)}
        if not same:
            result["unexplained"].append("the outputs are others when the digits are shown")
    for kind in ("free", "in step") if has_digits else ("free",):
        result[kind] = {}
        for output in names:
            y, z = (np.concatenate(outputs[key][output]).astype(np.float64) for key in (kind, "simulated"))
            deviation = np.sqrt(((y - y.mean(0)) ** 2).mean()) or y.std() or 1.0
            same_infinity = (y == z) | np.isnan(y) & np.isnan(z)
            difference = np.where(np.isfinite(y) & np.isfinite(z), np.abs(y - z), np.where(same_infinity, 0, np.inf))
            each = difference.reshape(count, -1).max(1) / deviation
            result[kind][output] = {"largest": float(each.max()), "differ": int((each > TOLERANCE).sum())}
            if kind == "in step" and (each > max(TOLERANCE, OF_LARGEST * np.abs(y).max() / deviation)).any():
                value = values[names.index(output)]
                truth = np.concatenate([exact[value][:real] for exact, real in exacts])
                off, err = np.abs(z - truth).max(), np.abs(y - truth).max()
                result["inFloat64"] += 1
                if not off <= max(4 * err, OF_LARGEST * np.abs(truth).max()):
                    result["unexplained"].append(
                        f"output '{output}': {off:.3g} from what float64 makes of the same digits; ONNX Runtime {err:.3g}; "
                        f"deviation {deviation:.3g}")
            if not has_digits and (far := (each > TOLERANCE) & (np.array(near_samples) == 0)).any():
                result["unexplained"].append(f"output '{output}': {int(far.sum())} samples differ and have no place near a tie")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snn", type=pathlib.Path, help="a spiking network (.safetensors)")
    parser.add_argument("data", help="samples (.npy or .npz)")
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"))
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8, help="samples at a time")
    parser.add_argument("--precision", default="float32", choices=["float32", "int8"])
    parser.add_argument("--reference", action="store_true", help="check the slow reference executor")
    parser.add_argument("--outputs-only", action="store_true", help="leave the digits out: quicker, and says less")
    parser.add_argument("--onnx", help="where to write the rounded ANN (.onnx)")
    parser.add_argument("--json", action="store_true", help="print all as JSON")
    arguments = parser.parse_args()
    options = ["--precision", arguments.precision] + (["--reference"] if arguments.reference else [])
    result = check(
        arguments.snn, arguments.data, os.path.abspath(arguments.spikelet), arguments.samples, arguments.batch, options,
        not arguments.outputs_only, arguments.onnx)  # fmt: skip
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{result['samples']} samples, {result['layers']} layers of neurons, {result['neurons']} digits in all")
        read = result["read"]
        print(f"weights and products of matrices: {read['digits']} read digits, {read['real']} real numbers, "
              f"{read['functions']} functions of digits")  # fmt: skip
        for kind in ("free", "in step"):
            for output, found in result.get(kind, {}).items():
                print(f"{kind}: '{output}' differs by {found['largest']:.2g} of its deviation at most, "
                      f"{found['differ']} samples by more than {TOLERANCE}")  # fmt: skip
        print(f"free: {result['nearTies']} places within {TIE} of a tie")
        if result["digits"] is not None:
            print(f"free: {result['digits']} digits differ")
            print(f"in step: {result['digitsOff']} digits differ, the farthest from its tie by {result['farthest']:.2g} "
                  f"of what float32 may err; {result['inFloat64']} layers computed in float64")  # fmt: skip
        for line in result["unexplained"]:
            print("NOT EXPLAINED" if arguments.precision == "float32" else "int8", line)
    sys.exit(1 if result["unexplained"] and arguments.precision == "float32" else 0)


if __name__ == "__main__":
    main()
