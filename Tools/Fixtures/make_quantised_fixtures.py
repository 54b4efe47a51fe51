"""Make the fixtures of quantised networks: files as their exporters write them, and what ONNX Runtime makes of them.

    pip install -r Tools/Fixtures/requirements.txt
    python Tools/Fixtures/make_quantised_fixtures.py

Writes to Tests/Fixtures/Quantised:

* qcfs_<form>_<exporter>.onnx: one small network of clip–floor activations, written in the ways that training code writes
  them, by both of PyTorch's exporters. Weights, biases, inputs and thresholds are dyadic: every sum is exact in float32, so
  that whoever runs the network has to agree bit for bit, at ties as well.
* fake_quantize_torchscript.onnx: PyTorch's own fake quantisation, of activations and, per channel, of weights.
* cnn_qdq_<kind>.onnx: the bundled network `cnn`, quantised by onnxruntime.quantization.quantize_static in QDQ format.
* plain_qdq_<kind>.onnx: a small network of convolutions, without pools, quantised so; its input is quantised near ties.
* negative_qdq.onnx: the same up to a quantiser of never positive numbers.
* expected.npz: `<file>` the outputs without graph optimisations (each operator in float32, as it stands in the file), and
  for the quantised also `<file>.optimised` (pairs and convolutions fused to integer arithmetic); `input` that of the small networks,
  `plain` of the plain ones.
"""

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "Networks"))
from bundle import INPUT, OUTPUT, ROOT, TEST_IMAGES, TRAIN_IMAGES, load_images, model_path  # noqa: E402

FOLDER = ROOT / "Tests" / "Fixtures" / "Quantised"
IMAGES = 32


class StraightThroughFloor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.floor()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


class Activation(nn.Module):
    """λ · clip(⌊x·L/λ + ½⌋ / L, 0, 1), or with round() for ⌊ + ½⌋."""

    def __init__(self, levels: int, threshold: float) -> None:
        super().__init__()
        self.levels = levels
        self.threshold = nn.Parameter(torch.tensor(threshold))


class ClipFirst(Activation):
    def forward(self, x: Tensor) -> Tensor:
        x = torch.clamp(x / self.threshold, 0, 1)
        return StraightThroughFloor.apply(x * self.levels + 0.5) / self.levels * self.threshold


class ClipLast(Activation):
    def forward(self, x: Tensor) -> Tensor:
        return self.threshold * torch.clamp(torch.floor(x * self.levels / self.threshold + 0.5) / self.levels, 0, 1)


class ClipLevels(Activation):
    def forward(self, x: Tensor) -> Tensor:
        step = self.threshold / self.levels
        return torch.clamp(torch.floor(x / step + 0.5), 0, self.levels) * step


class RoundMinimum(Activation):
    def forward(self, x: Tensor) -> Tensor:
        x = torch.minimum(torch.relu(x), self.threshold)
        return torch.round(x * (self.levels / self.threshold)) / self.levels * self.threshold


class StraightThroughRound(Activation):
    """As LSQ's code writes it."""

    def forward(self, x: Tensor) -> Tensor:
        step = self.threshold / self.levels
        x = torch.clamp(x / step, 0, self.levels)
        return ((torch.round(x) - x).detach() + x) * step


FORMS = {
    "clip_first": ClipFirst, "clip_last": ClipLast, "clip_levels": ClipLevels,
    "round_minimum": RoundMinimum, "straight_through": StraightThroughRound,
}  # fmt: skip


def dyadic(shape: tuple[int, ...], generator: np.random.Generator) -> Tensor:
    """Multiples of 1/16 from −1 to 1."""
    return torch.from_numpy((generator.integers(-16, 17, shape) / 16).astype(np.float32))


def small(first: nn.Module, second: nn.Module) -> nn.Module:
    network = nn.Sequential()
    for name, layer in {
        "conv1": nn.Conv2d(2, 4, 3, padding=1), "act1": first, "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(4, 4, 3, padding=1), "act2": second, "flatten": nn.Flatten(), "linear": nn.Linear(36, 3),
    }.items():  # fmt: skip
        network.add_module(name, layer)
    generator = np.random.default_rng(0)
    for name, parameter in network.named_parameters():
        if "threshold" not in name:
            parameter.data = dyadic(parameter.shape, generator)
    return network.eval()


def export(network: nn.Module, path: Path, exporter: str) -> None:
    example = (torch.zeros(2, 2, 6, 6),)
    names = {"input_names": ["x"], "output_names": ["y"]}
    if exporter == "torchscript":
        torch.onnx.export(network, example, path, opset_version=17, dynamo=False, dynamic_axes={"x": {0: "N"}}, **names)
    else:
        batch = ({0: torch.export.Dim("N")},)
        torch.onnx.export(
            network, example, path, opset_version=20, dynamo=True, dynamic_shapes=batch, external_data=False, verbose=False, **names
        )
    # Dynamo writes where in the file system each node's source line stood: nobody else's business.
    model = onnx.load(path)
    for holder in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        kept = [entry for entry in holder.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del holder.metadata_props[:]
        holder.metadata_props.extend(kept)
    onnx.save(model, path)


def run(path: Path, feed: np.ndarray, optimised: bool = False) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: feed})[0]


def make_small(expected: dict[str, np.ndarray]) -> None:
    feed = dyadic((8, 2, 6, 6), np.random.default_rng(1)).numpy()
    expected["input"] = feed
    for form, activation in FORMS.items():
        for exporter in ("torchscript", "dynamo"):
            path = FOLDER / f"qcfs_{form}_{exporter}.onnx"
            network = small(activation(4, 4.0), activation(4, 8.0))
            export(network, path, exporter)
            expected[path.stem] = run(path, feed)
            with torch.no_grad():
                assert (network(torch.from_numpy(feed)).numpy() == expected[path.stem]).all(), path


class FakeQuantize(nn.Module):
    def __init__(self, scale: float, most: int) -> None:
        super().__init__()
        self.scale, self.most = scale, most

    def forward(self, x: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(torch.relu(x), self.scale, 0, 0, self.most)


class FakeQuantizedConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        scales, zeros = torch.tensor([0.25, 0.125, 0.25, 0.5]), torch.zeros(4, dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.weight, scales, zeros, 0, -128, 127)
        return self._conv_forward(x, weight, self.bias)


def make_fake_quantize(expected: dict[str, np.ndarray]) -> None:
    path = FOLDER / "fake_quantize_torchscript.onnx"
    network = small(FakeQuantize(1 / 64, 127), FakeQuantize(1 / 32, 255))
    conv = FakeQuantizedConv(4, 4, 3, padding=1)
    conv.weight, conv.bias = network.conv2.weight, network.conv2.bias
    network.conv2 = conv
    export(network, path, "torchscript")
    expected[path.stem] = run(path, expected["input"])


class Calibration(CalibrationDataReader):
    def __init__(self, name: str, samples: np.ndarray) -> None:
        self.batches = iter([{name: samples[start : start + 32]} for start in range(0, len(samples), 32)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def make_cnn(expected: dict[str, np.ndarray]) -> None:
    images, _ = load_images(TEST_IMAGES, IMAGES)
    samples, _ = load_images(TRAIN_IMAGES, 128)
    kinds = {
        # The defaults: int8, with zero point −128 behind a ReLU.
        "default": {},
        "uint8_per_channel": {"activation_type": QuantType.QUInt8, "per_channel": True},
        # Rectifiers stay in the file, between two pairs.
        "symmetric": {"extra_options": {"ActivationSymmetric": True, "WeightSymmetric": True}},
    }
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "cnn.onnx"
        quant_pre_process(model_path("cnn", "torchscript"), prepared)
        for kind, options in kinds.items():
            path = FOLDER / f"cnn_qdq_{kind}.onnx"
            model = quantise(prepared, path, Calibration(INPUT, samples), options)
            assert [output.name for output in model.graph.output] == [OUTPUT]
            expected[path.stem] = run(path, images)
            expected[f"{path.stem}.optimised"] = run(path, images, optimised=True)


def quantise(source: Path, path: Path, calibration: Calibration, options: dict) -> onnx.ModelProto:
    quantize_static(source, path, calibration, quant_format=QuantFormat.QDQ, **options)
    model = onnx.load(path)
    del model.graph.value_info[:]
    onnx.save(model, path)
    return model


def plain(negative: bool = False) -> onnx.ModelProto:
    """conv → ReLU, twice, → linear; or, negative, → linear → −ReLU → sigmoid."""
    generator = np.random.default_rng(3)
    shapes = {"w1": (8, 1, 3, 3), "b1": (8,), "w2": (12, 8, 3, 3), "b2": (12,), "w3": (10, 300), "b3": (10,)}
    weights = [
        numpy_helper.from_array((generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4), helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1] * 4, strides=[2, 2]), helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"]), helper.make_node("Gemm", ["f", "w3", "b3"], ["l" if negative else "y"], transB=1),
    ]  # fmt: skip
    if negative:
        nodes += [helper.make_node("Relu", ["l"], ["p"]), helper.make_node("Neg", ["p"], ["n"]), helper.make_node("Sigmoid", ["n"], ["y"])]
    graph = helper.make_graph(
        nodes, "plain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 10, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def make_plain(expected: dict[str, np.ndarray]) -> None:
    generator = np.random.default_rng(4)
    images = (np.round(generator.random((IMAGES, 1, 10, 10)) * 20) / 20).astype(np.float32)
    images[:, :, 0, :2] = 0, 1  # the whole range: 0.5 is quantised to 127.49999
    expected["plain"] = images
    kinds = {
        "plain_qdq_int8": {"per_channel": True}, "plain_qdq_uint8": {"activation_type": QuantType.QUInt8},
        "plain_qdq_int16": {"activation_type": QuantType.QInt16}, "plain_qdq_uint16": {"activation_type": QuantType.QUInt16},
        "negative_qdq": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "plain.onnx"
        for kind, options in kinds.items():
            onnx.save(plain(negative=kind == "negative_qdq"), source)
            path = FOLDER / f"{kind}.onnx"
            quantise(source, path, Calibration("x", images), options)
            expected[kind] = run(path, images)
            expected[f"{kind}.optimised"] = run(path, images, optimised=True)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected: dict[str, np.ndarray] = {}
    make_small(expected)
    make_fake_quantize(expected)
    make_cnn(expected)
    make_plain(expected)
    np.savez_compressed(FOLDER / "expected.npz", **expected)
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name:<40}{path.stat().st_size:>8} bytes")
    for key, values in expected.items():
        if key.endswith(".optimised"):
            plain = expected[key.removesuffix(".optimised")]
            print(f"{key:<40}differs by up to {np.abs(values - plain).max():.3f} of {np.abs(plain).max():.1f}")


if __name__ == "__main__":
    main()
