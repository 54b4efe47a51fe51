"""The four networks for 1×28×28 Fashion-MNIST (input: pixels / 255), and their way back from ONNX.

Imported by the other tools; needs torch, and onnx for `from_onnx`. Every activation is a module with one call
site, because SpikingJelly 0.0.0.0.14 converts nothing else.
"""

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor, nn

KINDS = {
    nn.Conv2d: "conv", nn.Linear: "linear", nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.ReLU6: "relu",
    nn.AvgPool2d: "pool", nn.MaxPool2d: "pool", nn.AdaptiveAvgPool2d: "pool",
    nn.Flatten: "flatten", nn.Dropout: "dropout",
}  # fmt: skip


def chain(*layers: nn.Module) -> nn.Sequential:
    """The layers one after another, named conv1, norm1, relu1, …: the names that ONNX nodes get."""
    counts: Counter[str] = Counter()
    result = nn.Sequential()
    for layer in layers:
        kind = KINDS.get(type(layer), "block")
        counts[kind] += 1
        result.add_module(f"{kind}{counts[kind]}", layer)
    return result


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A "same"-padded convolution without bias, and the batch normalisation behind it."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def cnn() -> nn.Module:
    """SpikingJelly's conversion tutorial: 3 × (conv, batch norm, ReLU, average pooling), linear."""
    layers: list[nn.Module] = []
    for inputs in (1, 32, 32):
        layers += [nn.Conv2d(inputs, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AvgPool2d(2)]
    return chain(*layers, nn.Flatten(), nn.Linear(32 * 3 * 3, 10))


def vgg() -> nn.Module:
    """Max pooling, a hidden linear layer, dropout."""
    return chain(
        *conv_bn(1, 16), nn.ReLU(),
        *conv_bn(16, 32), nn.ReLU(), nn.MaxPool2d(2),
        *conv_bn(32, 64), nn.ReLU(), nn.MaxPool2d(2),
        *conv_bn(64, 96), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96 * 3 * 3, 128), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(128, 10),
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, which is a 1×1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, outputs, stride=stride)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv_bn(outputs, outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else chain(*conv_bn(inputs, outputs, kernel=1, stride=stride))
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + self.shortcut(x))


def resnet() -> nn.Module:
    """ResNet-20 behind a stride-2 stem: 3 stages × 3 basic blocks of 16, 32 and 64 channels."""
    blocks: list[nn.Module] = []
    channels = 16
    for outputs in (16, 32, 64):
        for index in range(3):
            stride = 2 if index == 0 and outputs > 16 else 1
            blocks.append(BasicBlock(channels, outputs, stride))
            channels = outputs
    stem = [*conv_bn(1, 16, stride=2), nn.ReLU()]
    return chain(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class InvertedResidual(nn.Module):
    """1×1 expansion, 3×3 depthwise convolution, linear 1×1 projection, and a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 3) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = chain(*conv_bn(inputs, hidden, kernel=1), nn.ReLU6())
        self.depthwise = chain(*conv_bn(hidden, hidden, stride=stride, groups=hidden), nn.ReLU6())
        self.project = chain(*conv_bn(hidden, outputs, kernel=1))
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def mobile() -> nn.Module:
    """A small MobileNet-V2 with ReLU6 and a stride-2 stem."""
    blocks: list[nn.Module] = []
    channels = 16
    for outputs, stride, repeats in ((24, 1, 2), (40, 2, 3), (64, 2, 3)):
        for index in range(repeats):
            blocks.append(InvertedResidual(channels, outputs, stride if index == 0 else 1))
            channels = outputs
    stem = [*conv_bn(1, 16, stride=2), nn.ReLU6()]
    head = [*conv_bn(64, 128, kernel=1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    return chain(*stem, *blocks, *head)


BUILDERS = {"cnn": cnn, "vgg": vgg, "resnet": resnet, "mobile": mobile}


def from_onnx(network: str, path: Path) -> nn.Module:
    """The network with the weights of its `unfused` export, whose initialisers keep the parameters' names."""
    import onnx

    graph = onnx.load(path).graph
    weights = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    # The exporter stores equal tensors once and makes the others an Identity of the stored one.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    model = BUILDERS[network]().eval()
    result = model.load_state_dict(weights, strict=False)
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"{path} is no unfused export of '{network}': it lacks {', '.join(missing)}")
    return model
