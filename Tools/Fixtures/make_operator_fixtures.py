"""Make the fixtures of the operators: small models with inputs, and the outputs that ONNX Runtime gives.

    pip install -r Tools/Fixtures/requirements.txt
    python Tools/Fixtures/make_operator_fixtures.py

Writes two archives to Tests/Fixtures. operators.npz: single operators in many forms, and what both PyTorch exporters make
of idioms (GELU, layer normalisation, attention, …). dags.npz: small networks of each kind that conversion has to handle.
An array `CASE/model` holds a model's bytes, `CASE/input/NAME` and `CASE/output/NAME` its data.
"""

import argparse
import io
import logging
import pathlib
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Tests" / "Fixtures"
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64, np.dtype(bool): TensorProto.BOOL}
random = np.random.default_rng(5)


def floats(*shape: int, low: float = -2, high: float = 2) -> np.ndarray:
    return random.uniform(low, high, shape).astype(np.float32)


def node(operator: str, inputs: list, opset: int = 20, constants: dict | None = None, outputs: int = 1, **attributes) -> tuple:
    """A model of one operator: arrays are its inputs, those in `constants` (by position) initialisers."""
    constants = constants or {}
    count = len(inputs) + len(constants)
    given = iter(inputs)
    names, values, weights, data = [], [], [], {}
    for position in range(max([count, *(place + 1 for place in constants)])):
        name = f"x{position}"
        if position in constants:
            if constants[position] is None:
                names.append("")
                continue
            weights.append(numpy_helper.from_array(constants[position], name))
        else:
            data[name] = next(given)
            values.append(helper.make_tensor_value_info(name, TYPES[data[name].dtype], data[name].shape))
        names.append(name)
    results = [f"y{index}" for index in range(outputs)]
    made = helper.make_node(operator, names, results, **attributes)
    graph = helper.make_graph([made], "case", values, [onnx.ValueInfoProto(name=name) for name in results], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    return model.SerializeToString(), data


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def single_operators() -> dict:
    """Each family of the graph's operators in several forms."""
    image, flat = floats(2, 3, 5, 6), floats(2, 6)
    cases = {}
    for name in "Abs Atan Ceil Cos Erf Exp HardSwish Mish Neg Reciprocal Sigmoid Sign Sin Softplus Softsign Tanh".split():
        cases[name] = node(name, [flat])
    for name in "Acosh Log Sqrt".split():
        cases[name] = node(name, [floats(2, 6, low=1, high=3)])
    for name, attributes in {
        "Celu": {"alpha": 0.7}, "Elu": {"alpha": 0.6}, "HardSigmoid": {"alpha": 0.3, "beta": 0.4}, "LeakyRelu": {"alpha": 0.2},
        "Selu": {}, "Shrink": {"lambd": 0.4, "bias": 0.2}, "ThresholdedRelu": {"alpha": 0.5}, "Gelu": {"approximate": "tanh"},
        "LeakyRelu_zero": {"alpha": 0.0}, "Gelu_exact": {},
    }.items():  # fmt: skip
        cases[name] = node(name.split("_")[0], [flat], **attributes)
    for name in "Sub Div Max Min Greater LessOrEqual Equal".split():
        cases[name] = node(name, [image, floats(3, 1, 6)])
    cases["Pow"] = node("Pow", [floats(2, 6, low=0.1), floats(6)])
    cases["PRelu"] = node("PRelu", [image, floats(3, 1, 1)])
    cases["Mod"] = node("Mod", [ints(-7, 7, -7, 7), ints(3, -3, -3, 3)])
    cases["Mod_fmod"] = node("Mod", [flat, floats(6, low=0.5)], fmod=1)
    cases["Add_int64"] = node("Add", [ints(1, 2, 3), ints(4)])
    cases["Div_int64"] = node("Div", [ints(-7, 7, 9), ints(2)])
    cases["Where"] = node("Where", [flat > 0, flat, floats(1, 6)])
    cases["Not"] = node("Not", [flat > 0])
    cases["Xor"] = node("Xor", [flat > 0, flat > 1])
    cases["Cast"] = node("Cast", [flat], to=TensorProto.INT64)
    for name in "ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare ReduceMean".split():
        cases[name] = node(name, [image], constants={1: ints(1, -1)}, keepdims=0)
    cases["ReduceMax_places"] = node("ReduceMax", [image], constants={1: ints(2, 3)}, keepdims=0)
    cases["ReduceSum_11"] = node("ReduceSum", [image], opset=11, axes=[2])
    cases["ReduceSum_noop"] = node("ReduceSum", [image], constants={1: ints()}, noop_with_empty_axes=1)
    cases["ArgMax"] = node("ArgMax", [image], axis=-1, select_last_index=1)
    cases["ArgMin"] = node("ArgMin", [image], axis=1, keepdims=0)
    cases["CumSum"] = node("CumSum", [image], constants={1: np.array(2, np.int64)}, exclusive=1, reverse=1)
    cases["Transpose"] = node("Transpose", [image], perm=[0, 2, 3, 1])
    cases["Slice"] = node("Slice", [image], constants={1: ints(1, -1), 2: ints(3, -100), 3: ints(1, 3), 4: ints(1, -2)})
    cases["Slice_9"] = node("Slice", [image], opset=9, starts=[1], ends=[100], axes=[2])
    cases["Split"] = node("Split", [image], constants={1: ints(1, 4)}, outputs=2, axis=2)
    cases["Split_uneven"] = node("Split", [image], outputs=2, axis=1, num_outputs=2)
    cases["Gather"] = node("Gather", [image], constants={1: np.array([[2, 0], [-1, 1]])}, axis=1)
    cases["Gather_computed"] = node("Gather", [floats(7, 3), np.array([[2, 0], [-1, 6]])])
    cases["Expand"] = node("Expand", [floats(3, 1)], constants={1: ints(2, 1, 4)})
    cases["Tile"] = node("Tile", [image], constants={1: ints(1, 2, 1, 3)})
    cases["Pad"] = node("Pad", [image], constants={1: ints(0, 0, 1, -2, 0, 1, 2, 3), 2: np.array(0.5, np.float32)})
    for mode in ("reflect", "edge", "wrap"):
        cases[f"Pad_{mode}"] = node("Pad", [image], constants={1: ints(0, 0, 1, 2, 0, 0, 3, 1)}, mode=mode)
    cases["DepthToSpace"] = node("DepthToSpace", [floats(2, 8, 2, 3)], blocksize=2)
    cases["DepthToSpace_CRD"] = node("DepthToSpace", [floats(2, 8, 2, 3)], blocksize=2, mode="CRD")
    cases["SpaceToDepth"] = node("SpaceToDepth", [floats(2, 3, 4, 6)], blocksize=2)
    cases["Trilu"] = node("Trilu", [floats(4, 5)], constants={1: np.array(1, np.int64)}, upper=0)
    cases["OneHot"] = node("OneHot", [ints(1, -1, 7)], constants={1: ints(4), 2: floats(2)}, axis=0)
    kernel = floats(3, 2, 3, 2)
    for name, attributes in {
        "plain": {}, "strides": {"strides": [2, 3], "output_padding": [1, 2]}, "pads": {"pads": [1, 0, 2, 1], "strides": [2, 2]},
        "dilations": {"dilations": [2, 2]}, "same": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        "output_shape": {"output_shape": [11, 13], "strides": [2, 2]},
    }.items():  # fmt: skip
        cases[f"ConvTranspose_{name}"] = node("ConvTranspose", [image], constants={1: kernel, 2: floats(2)}, **attributes)
    cases["ConvTranspose_groups"] = node("ConvTranspose", [floats(1, 4, 3, 3)], constants={1: floats(4, 2, 2, 2)}, group=2)
    cases["ConvTranspose_1d"] = node("ConvTranspose", [floats(2, 3, 5)], constants={1: floats(3, 2, 3)}, strides=[2])
    cases["ConvTranspose_3d"] = node("ConvTranspose", [floats(1, 2, 2, 3, 2)], constants={1: floats(2, 2, 2, 2, 2)}, strides=[2, 1, 2])
    sizes, scales = ints(2, 3, 9, 4), np.array([1, 1, 0.6, 1.7], np.float32)
    for mode in ("nearest", "linear", "cubic"):
        for place in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
            cases[f"Resize_{mode}_{place}"] = node(
                "Resize", [image], constants={1: None, 2: None, 3: sizes}, mode=mode, coordinate_transformation_mode=place
            )
    for nearest in ("floor", "ceil", "round_prefer_ceil"):
        cases[f"Resize_{nearest}"] = node("Resize", [image], constants={1: None, 2: scales}, nearest_mode=nearest)
    cases["Resize_antialias"] = node("Resize", [image], constants={1: None, 2: scales[2:]}, mode="linear", antialias=1, axes=[2, 3])
    cases["Upsample_9"] = node("Upsample", [image], opset=9, constants={1: np.array([1, 1, 2, 3], np.float32)})
    cases["LayerNormalization"] = node("LayerNormalization", [image], constants={1: floats(5, 6), 2: floats(5, 6)}, axis=2)
    cases["InstanceNormalization"] = node("InstanceNormalization", [image], constants={1: floats(3), 2: floats(3)})
    cases["GroupNormalization"] = node(
        "GroupNormalization", [floats(2, 4, 5)], opset=21, constants={1: floats(4), 2: floats(4)}, num_groups=2
    )
    cases["LRN"] = node("LRN", [floats(2, 6, 3, 3)], size=3, alpha=0.5)
    cases["LpNormalization"] = node("LpNormalization", [image], axis=1, p=1)
    cases["Clip_computed"] = node("Clip", [flat, np.array(-0.5, np.float32), np.array(1, np.float32)])
    cases["Max_many"] = node("Max", [flat, floats(6), floats(2, 1)])
    cases["Mean"] = node("Mean", [flat, floats(6), floats(2, 1)])
    cases["Hardmax"] = node("Hardmax", [image], axis=1)
    cases["Size"] = node("Size", [image])
    # Scales that make no whole number of places.
    for name, factors in {"up": (1.5, 1.3), "down": (0.5, 0.6)}.items():
        factors = np.array(factors, np.float32)
        for mode in ("nearest", "linear", "cubic"):
            for place in ("align_corners", "half_pixel_symmetric") if mode != "nearest" else ("align_corners",):
                cases[f"Resize_{name}_{mode}_{place}"] = node(
                    "Resize", [image], constants={1: None, 2: factors}, mode=mode, coordinate_transformation_mode=place, axes=[2, 3]
                )
        region = np.array([0.1, 0.2, 0.9, 0.7], np.float32)
        cases[f"Resize_{name}_crop"] = node(
            "Resize", [image], constants={1: region, 2: factors}, mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
            axes=[2, 3], extrapolation_value=2.0,
        )  # fmt: skip
    for policy in ("not_larger", "not_smaller"):
        for place in ("half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"):
            cases[f"Resize_{policy}_{place}"] = node(
                "Resize", [image], constants={1: None, 2: None, 3: ints(8, 4)}, mode="linear", coordinate_transformation_mode=place,
                axes=[2, 3], keep_aspect_ratio_policy=policy,
            )  # fmt: skip
    # 2 · 7/4 is a tie, 2 / (4/7) in float32 is none.
    cases["Resize_tie"] = node(
        "Resize", [floats(1, 1, 7)], constants={1: None, 2: None, 3: ints(1, 1, 4)}, nearest_mode="round_prefer_ceil",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip
    return cases


# What PyTorch writes for idioms.


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(x, *self.parts)


def idioms() -> dict:
    torch.manual_seed(5)
    norm = nn.LayerNorm(8)
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    interpolate = nn.functional.interpolate
    return {
        "gelu": (nn.GELU(), (2, 8)), "gelu_tanh": (nn.GELU(approximate="tanh"), (2, 8)), "silu": (nn.SiLU(), (2, 8)),
        "hardswish": (nn.Hardswish(), (2, 8)), "softmax": (nn.Softmax(1), (2, 8)), "layer_norm": (norm, (2, 5, 8)),
        "group_norm": (nn.GroupNorm(2, 8), (2, 8, 3, 3)), "mean_places": (Function(lambda x: x.mean((2, 3))), (2, 8, 3, 3)),
        "max_places": (Function(lambda x: x.amax((2, 3))), (2, 8, 3, 3)), "clamp": (Function(lambda x: x.clamp(min=0)), (2, 8)),
        "chunk": (Function(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)), (2, 8, 3, 3)),
        "shuffle": (Function(lambda x: x.view(x.size(0), 2, 4, 3, 3).transpose(1, 2).reshape(x.size(0), 8, 3, 3)), (2, 8, 3, 3)),
        "view": (Function(lambda x: x.view(x.size(0), -1)), (2, 8, 3, 3)), "pixel_shuffle": (nn.PixelShuffle(2), (2, 8, 3, 3)),
        "pad_conv": (Function(lambda x, c: c(nn.functional.pad(x, (1, 2, 0, 1))), nn.Conv2d(8, 4, 3)), (2, 8, 5, 5)),
        "upsample": (nn.Upsample(scale_factor=2), (2, 8, 3, 3)),
        "bilinear": (Function(lambda x: interpolate(x, (7, 5), mode="bilinear")), (2, 8, 3, 3)),
        "corners": (Function(lambda x: interpolate(x, scale_factor=1.5, mode="bilinear", align_corners=True)), (2, 2, 3, 5)),
        "corners_down": (Function(lambda x: interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True)), (2, 2, 5, 7)),
        "class_token": (Function(lambda x: torch.cat([torch.ones(1, 1, 8).expand(x.shape[0], -1, -1), x], 1)), (2, 5, 8)),
        "attention": (Function(lambda x, a: a(x, x, x, need_weights=False)[0], nn.MultiheadAttention(8, 2, batch_first=True)), (2, 5, 8)),
        "std_norm": (Function(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)), (2, 8)),
    }  # fmt: skip


def branches(x, a, b, c):
    return c(torch.cat([torch.relu(a(x)), torch.relu(b(x)) * 3], 1))


def dags() -> dict:
    """Networks for conversion: name, module, shape of a batch."""
    torch.manual_seed(6)

    def conv(a, b, k=3, **options):
        return nn.Conv2d(a, b, k, padding=k // 2, **options)

    def head(channels, classes=5):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

    def dense(x, a, n, b, h):
        y = torch.relu(a(x))
        z = torch.cat([y, b(torch.relu(n(y)))], 1)
        return h(torch.relu(z))

    def unet(x, a, b, up, c):
        skip = torch.relu(a(x))
        deep = torch.relu(b(nn.functional.max_pool2d(skip, 2)))
        return c(torch.cat([skip, up(deep)], 1))

    def residual(x, a, b, c, h):
        y = torch.relu(a(x))
        z = torch.relu(y + b(y))
        return h(z + torch.relu(c(z)))

    return {
        "concat": (Function(branches, conv(3, 4), conv(3, 4, 1), head(8)), (4, 3, 8, 8)),
        "dense": (Function(dense, conv(3, 4), nn.BatchNorm2d(4), conv(4, 4), head(8)), (4, 3, 8, 8)),
        "residual": (Function(residual, conv(3, 4), conv(4, 4), conv(4, 4, groups=4), head(4)), (4, 3, 8, 8)),
        "unet": (Function(unet, conv(3, 4), conv(4, 8), nn.ConvTranspose2d(8, 4, 2, stride=2), conv(8, 2, 1)), (4, 3, 8, 8)),
        "upsample": (nn.Sequential(conv(3, 6, stride=2), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), conv(6, 2)), (4, 3, 8, 8)),
        "one_axis": (nn.Sequential(nn.Conv1d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(64, 5)), (4, 3, 16)),
        "three_axes": (nn.Sequential(nn.Conv3d(2, 6, 3, padding=1), nn.ReLU(), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(48, 5)), (4, 2, 4, 4, 4)),
        "two_heads": (Function(lambda x, a, h, k: (h(torch.relu(a(x))), k(torch.relu(a(x)))), conv(3, 6), head(6), head(6, 2)), (4, 3, 8, 8)),
        "shuffled": (Function(lambda x, a, c, h: h(c(idioms()["shuffle"][0](torch.relu(a(x))))), conv(3, 8), conv(8, 6), head(6)), (4, 3, 3, 3)),
    } | heads(conv, head) | spellings(conv, head) | layouts(conv, head)  # fmt: skip


def heads(conv, head) -> dict:
    """Networks that end in more than a layer of weights."""
    functional, shape = nn.functional, (6, 3, 8, 8)

    def ending(function, channels=5):
        return Function(lambda x, a, h: function(h(torch.relu(a(x)))), conv(3, 8), head(8, channels)), shape

    def joined(x, a, h, k):
        y = torch.relu(a(x))
        return torch.cat([torch.sigmoid(h(y)), k(y) * 2, torch.exp(k(y))], 1)

    def boxes(x, a, c):
        y = c(torch.relu(a(x))).view(x.size(0), 2, 4, 8, 8).permute(0, 1, 3, 4, 2)
        return torch.cat([torch.sigmoid(y[..., :2]), torch.exp(y[..., 2:])], -1).flatten(1, 3)

    return {
        "head_unit_norm": ending(lambda y: functional.normalize(y)), "head_tanh": ending(lambda y: torch.tanh(y) * 2 + 0.5),
        "head_one_class": ending(lambda y: torch.softmax(y, 1)[:, 1]), "head_number": ending(lambda y: y.squeeze(1), 1),
        "head_clipped": ending(lambda y: y.clamp(-0.1, 0.1)), "head_reshaped": ending(lambda y: torch.softmax(y, 1).view(-1, 2, 3), 6),
        "head_joined": (Function(joined, conv(3, 8), head(8, 3), head(8, 2)), shape),
        "head_boxes": (Function(boxes, conv(3, 8), conv(8, 8, 1)), shape),
        "head_places": (Function(lambda x, a, c: c(torch.relu(a(x))).view(x.size(0), 2, 3, 8, 8), conv(3, 8), conv(8, 6)), shape),
    }  # fmt: skip


def spellings(conv, head) -> dict:
    """Networks whose ReLUs are written in other words."""

    def rectified(function, *parts):
        def network(x, a, b, h, *others):
            return h(function(b(function(a(x), *others)), *others))

        return Function(network, conv(3, 6), conv(6, 6), head(6), *parts), (6, 3, 8, 8)

    def cases(x):
        return torch.where(x < 0, torch.zeros_like(x), torch.where(x > 1, torch.ones_like(x), x))

    return {
        "relu_clamped": rectified(lambda x: torch.relu(x).clamp(max=0.5)), "relu_minimum": rectified(lambda x: torch.minimum(torch.relu(x), torch.ones_like(x) / 2)),
        "relu_maximum": rectified(lambda x: torch.maximum(x, torch.zeros_like(x))), "relu_where": rectified(lambda x: torch.where(x > 0, x, 0.0)),
        "relu_mask": rectified(lambda x: x * (x > 0)), "relu_cases": rectified(cases),
        "leaky": rectified(nn.functional.leaky_relu), "leaky_maximum": rectified(lambda x: torch.maximum(x, 0.25 * x)),
        "parametric": rectified(lambda x, p: p(x), nn.PReLU(6)),
    }  # fmt: skip


def layouts(conv, head) -> dict:
    """Networks with channels last between layers, as Keras' exporters write them, and of a fixed batch."""
    functional = nn.functional

    def last(x, a, b, d):
        y = functional.max_pool2d(torch.relu(a(x.permute(0, 3, 1, 2))), 2)
        return d(torch.relu(b(y)).permute(0, 2, 3, 1).reshape(-1, 96))

    def largest(x, a, d):
        return d(torch.relu(a(x)).permute(0, 2, 3, 1).amax((1, 2)))

    def padded(x, a, b, h):
        return h(b(functional.pad(torch.relu(a(x)), (1, 0, 1, 2), value=0.5)))

    def flat(x, a, d):
        return d(torch.relu(a(x)).view(x.size(0), -1))

    return {
        "channels_last": (Function(last, conv(3, 6), conv(6, 6), nn.Linear(96, 5)), (6, 8, 8, 3)),
        "largest_last": (Function(largest, conv(3, 6), nn.Linear(6, 5)), (6, 3, 8, 8)),
        "largest_channel": (Function(lambda x, a, d: d(torch.relu(a(x)).amax(1).flatten(1)), conv(3, 6), nn.Linear(64, 5)), (6, 3, 8, 8)),
        "padded": (Function(padded, conv(3, 6), nn.Conv2d(6, 4, 3), head(4)), (6, 3, 8, 8)),
        "fixed_one": (Function(flat, conv(3, 4), nn.Linear(256, 5)), (1, 3, 8, 8)),
        "fixed_six": (Function(flat, conv(3, 4), nn.Linear(256, 5)), (6, 3, 8, 8)),
    }  # fmt: skip


def exported(module: nn.Module, shape: tuple, is_dynamo: bool, opset: int, is_fixed: bool = False) -> tuple:
    module.eval()
    x = torch.rand(shape, generator=torch.Generator().manual_seed(7)) * 2 - 1
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = f"{folder}/model.onnx"
        if is_dynamo:
            shapes = None if is_fixed else ({0: torch.export.Dim("batch", min=1, max=1024)},)
            torch.onnx.export(module, (x,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False)
        else:
            names = {} if is_fixed else {"x": {0: "batch"}}
            torch.onnx.export(module, (x,), path, dynamo=False, opset_version=opset, input_names=["x"], dynamic_axes=names)
        model = onnx.load(path)
    for made in model.graph.node:  # stack traces name this machine's folders
        kept = [entry for entry in made.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del made.metadata_props[:]
        made.metadata_props.extend(kept)
        made.doc_string = ""
    del model.graph.metadata_props[:], model.metadata_props[:], model.graph.value_info[:]
    return model.SerializeToString(), {model.graph.input[0].name: x.numpy()}


def normalised(module: nn.Module, shape: tuple) -> nn.Module:
    """The module with statistics in its batch normalisations that fit what it sees."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = None
    with torch.no_grad():
        module(torch.rand(shape) * 2 - 1)
    return module


def write(path: pathlib.Path, cases: dict) -> None:
    arrays = {}
    for name, (model, inputs) in cases.items():
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        arrays[f"{name}/model"] = np.frombuffer(model, np.uint8)
        arrays |= {f"{name}/input/{key}": array for key, array in inputs.items()}
        for output, array in zip(session.get_outputs(), session.run(None, inputs)):
            arrays[f"{name}/output/{output.name}"] = np.asarray(array)
    np.savez_compressed(path, **arrays)
    print(f"{path.relative_to(ROOT)}: {len(cases)} cases, {path.stat().st_size} bytes")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    logging.disable(logging.WARNING)
    cases = single_operators()
    for name, (module, shape) in idioms().items():
        cases[f"torch_{name}_script"] = exported(module, shape, False, 14)
        cases[f"torch_{name}_dynamo"] = exported(module, shape, True, 20)
    write(FIXTURES / "operators.npz", cases)
    networks = {}
    for index, (name, (module, shape)) in enumerate(dags().items()):
        is_dynamo = index % 2 == 1
        networks[name] = exported(normalised(module, shape), shape, is_dynamo, 17, name.startswith("fixed_"))
    write(FIXTURES / "dags.npz", networks)


if __name__ == "__main__":
    main()
