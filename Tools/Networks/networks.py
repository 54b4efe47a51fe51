"""The networks for 1×28×28 Fashion-MNIST (input: pixels / 255), and the way back from ONNX of the four with ReLU.

Imported by the other tools; needs torch, and onnx for `from_onnx`. Every activation of those four is a module with
one call site, because SpikingJelly 0.0.0.0.14 converts nothing else.
"""

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor, nn

KINDS = {
    nn.Conv2d: "conv", nn.Linear: "linear", nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.ReLU6: "relu",
    nn.AvgPool2d: "pool", nn.MaxPool2d: "pool", nn.AdaptiveAvgPool2d: "pool",
    nn.Flatten: "flatten", nn.Dropout: "dropout",
    nn.SiLU: "silu", nn.GELU: "gelu", nn.Sigmoid: "sigmoid", nn.LayerNorm: "norm",
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


class SqueezeExcitation(nn.Module):
    """Each channel times a number between 0 and 1, which two 1×1 convolutions make of all channels' means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        reduce, expand = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.gate = chain(nn.AdaptiveAvgPool2d(1), reduce, nn.SiLU(), expand, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class GatedResidual(nn.Module):
    """An inverted residual with SiLU, and squeeze and excitation before its projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 3) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = chain(*conv_bn(inputs, hidden, kernel=1), nn.SiLU())
        self.depthwise = chain(*conv_bn(hidden, hidden, stride=stride, groups=hidden), nn.SiLU())
        self.excite = SqueezeExcitation(hidden, inputs // 4)
        self.project = chain(*conv_bn(hidden, outputs, kernel=1))
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


def gated() -> nn.Module:
    """A small EfficientNet: stride-2 stem, 3 stages × 2 inverted residuals of 24, 40 and 64 channels."""
    blocks: list[nn.Module] = []
    channels = 16
    for outputs, stride in ((24, 1), (40, 2), (64, 2)):
        blocks += [GatedResidual(channels, outputs, stride), GatedResidual(outputs, outputs, 1)]
        channels = outputs
    stem = [*conv_bn(1, 16, stride=2), nn.SiLU()]
    head = [*conv_bn(64, 128, kernel=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    return chain(*stem, *blocks, *head)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


KINDS[ChannelNorm] = "norm"


class ConvNeXtBlock(nn.Module):
    """5×5 depthwise convolution, layer normalisation, two linear layers at each place, layer scale, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.mlp = chain(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + (self.scale * y).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    """A small ConvNeXt: stride-2 stem, 2 stages × 2 blocks of 32 and 64 channels."""
    stem = [nn.Conv2d(1, 32, 4, stride=2, padding=1), ChannelNorm(32)]
    halve = [ChannelNorm(32), nn.Conv2d(32, 64, 2, stride=2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 10)]
    return chain(
        *stem, ConvNeXtBlock(32), ConvNeXtBlock(32), *halve, ConvNeXtBlock(64), ConvNeXtBlock(64), *head
    )  # fmt: skip


class Attention(nn.Module):
    """Self-attention of several heads, written out: softmax(q kᵀ / √d) v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """[batch, tokens, width] as [batch, heads, tokens, width of a head]."""
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        weights = torch.softmax(q @ k.transpose(2, 3) / q.shape[3] ** 0.5, dim=3)
        return self.output((weights @ v).transpose(1, 2).flatten(2))


class TransformerBlock(nn.Module):
    """Attention and two linear layers, each behind a layer normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = chain(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """7×7 tokens that three convolutions make, a class token, learned positions, and blocks of width 64."""

    def __init__(self, width: int = 64, heads: int = 4, blocks: int = 4) -> None:
        super().__init__()
        half = width // 2
        stem = [*conv_bn(1, half, stride=2), nn.GELU(), *conv_bn(half, half), nn.GELU()]
        self.stem = chain(*stem, *conv_bn(half, width, stride=2))
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 50, width))
        self.blocks = chain(*(TransformerBlock(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(patches.shape[0], -1, -1), patches], dim=1)
        x = self.blocks(x + self.position)
        return self.head(self.norm(x)[:, 0])


BUILDERS = {
    "cnn": cnn, "vgg": vgg, "resnet": resnet, "mobile": mobile,
    "gated": gated, "convnext": convnext, "vit": VisionTransformer,
}  # fmt: skip


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
