"""Make small networks of what is no ReLU: smooth activations, gates, normalisations, attention.

    pip install -r Tools/Fixtures/requirements.txt
    python Tools/Fixtures/make_digit_fixtures.py

Writes Tests/Fixtures/digits.npz, laid out as make_operator_fixtures.py lays out dags.npz: `CASE/model` holds a model's bytes,
`CASE/input/NAME` and `CASE/output/NAME` its data, by ONNX Runtime. Weights are random, seeds fixed. Writes Tests/Fixtures/open_axes.npz too:
networks whose sizes besides the batch are open, `CASE/model`, with data of several sizes, `CASE/SIZE/input/NAME` and `CASE/SIZE/output/NAME`.
"""

import io
import logging
import warnings

import numpy as np
import onnxruntime
import torch
from make_operator_fixtures import FIXTURES, exported, normalised, write
from torch import nn

functional = nn.functional


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(functional.silu(self.down(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    """A MobileNet's block with a gate, and a skip from a potential."""

    def __init__(self, channels: int, activation: nn.Module):
        super().__init__()
        wide = 2 * channels
        self.wide, self.first = nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.deep, self.second = nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide)
        self.gate, self.narrow, self.third = Gate(wide), nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.activation = activation

    def forward(self, x):
        y = self.activation(self.first(self.wide(x)))
        return x + self.third(self.narrow(self.gate(self.activation(self.second(self.deep(y))))))


def gated(activation: nn.Module) -> nn.Module:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)]
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), activation, Inverted(6, activation), *head)


class ConvNeXt(nn.Module):
    def __init__(self, channels: int = 6):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, channels, 2, 2), nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm, self.last = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.up, self.down, self.head = nn.Linear(channels, 12), nn.Linear(12, channels), nn.Linear(channels, 5)
        self.scale = nn.Parameter(torch.full((channels,), 0.3))

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        x = x + (self.scale * self.down(functional.gelu(self.up(y)))).permute(0, 3, 1, 2)
        return self.head(self.last(x.mean((2, 3))))


class Attention(nn.Module):
    """A transformer's block over tokens, with a class token, positions, and, where asked, a mask."""

    def __init__(self, width: int = 8, heads: int = 2, is_causal: bool = False, post_norm: bool = False):
        super().__init__()
        self.heads, self.is_causal, self.post_norm = heads, is_causal, post_norm
        self.embed = nn.Conv2d(3, width, 4, 4)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(0.3 * torch.randn(1, 5, width))
        self.first, self.second, self.last = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.head = nn.Linear(width, 16), nn.Linear(16, width), nn.Linear(width, 5)
        self.register_buffer("mask", torch.full((5, 5), float("-1e4")).triu(1))

    def attend(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        scores = scores + self.mask if self.is_causal else scores
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width))

    def feed(self, x):
        return self.down(functional.gelu(self.up(x)))

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        if self.post_norm:
            x = self.first(x + self.attend(x))
            x = self.second(x + self.feed(x))
        else:
            x = x + self.attend(self.first(x))
            x = x + self.feed(self.second(x))
        return self.head(self.last(x)[:, 0])


class Linears(nn.Module):
    """Halves that gate each other, max pools over signed digits, a slope below zero, a tanh."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(4, 8, 3, 2, 1), nn.Linear(8, 5)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x):
        a, b = self.first(x).chunk(2, 1)
        x = self.pool(a * torch.sigmoid(b))
        return self.head(torch.tanh(self.pool(functional.leaky_relu(self.second(x), 0.25)).amax((2, 3))))


class Groups(nn.Module):
    """Group and instance normalisation, a skip from a rectifier, a hand-written norm of rows."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 4, 1)
        self.group, self.instance, self.head = nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True), nn.Linear(4, 5)

    def forward(self, x):
        y = torch.relu(self.group(self.first(x)))
        y = self.third(functional.softplus(self.instance(self.second(y))) + y).mean((2, 3))
        return self.head(y / y.square().sum(1, keepdim=True).add(1e-3).sqrt())


class Tokens(nn.Module):
    """An encoder of token ids with a mask, as sentence encoders are: norms behind the sums, and the mean of what is no padding."""

    def __init__(self, width: int = 8, heads: int = 2):
        super().__init__()
        self.heads, self.table, self.places = heads, nn.Embedding(30, width), nn.Parameter(0.3 * torch.randn(1, 7, width))
        self.start, self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, 16), nn.Linear(16, width)

    def place(self, ids):
        return self.places

    def forward(self, ids, mask):
        x = self.start(self.table(ids) + self.place(ids))
        batch, tokens, width = x.shape

        def split(layer):
            return layer(x).reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

        shade = (1 - mask[:, None, None, :].float()) * -1e4
        scores = split(self.query) @ split(self.key).transpose(-1, -2) / (width // self.heads) ** 0.5 + shade
        x = self.first(x + self.out((scores.softmax(-1) @ split(self.value)).transpose(1, 2).reshape(batch, tokens, width)))
        x = self.second(x + self.down(functional.gelu(self.up(x))))
        weight = mask[:, :, None].float()
        return (x * weight).sum(1) / weight.sum(1)


def encoder() -> tuple:
    module = Tokens().eval()
    generator = torch.Generator().manual_seed(8)
    ids = torch.randint(0, 30, (12, 7), generator=generator)
    mask = (torch.arange(7)[None] < torch.randint(2, 8, (12, 1), generator=generator)).long()
    file = io.BytesIO()
    names = {name: {0: "batch"} for name in ("ids", "mask")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (ids, mask), file, dynamo=False, opset_version=17, input_names=list(names), output_names=["y"], dynamic_axes=names
        )
    return file.getvalue(), {"ids": ids.numpy(), "mask": mask.numpy()}


class OpenTokens(Tokens):
    """The same encoder for any length up to 16: places are cut to it."""

    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(0.3 * torch.randn(1, 16, 8))

    def place(self, ids):
        return self.places[:, : ids.shape[1]]


class Reader(nn.Module):
    """Lines of pictures of any width as sequences of classes, as text recognition is: convolutions, then attention over columns."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.attention = nn.Conv2d(3, 8, 3, 2, 1), nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        y = functional.hardswish(self.stem(x)).mean(2).transpose(1, 2)
        z = self.norm(y)
        return self.head(y + self.attention(z, z, z, need_weights=False)[0]).softmax(-1)


class Mlp(nn.Module):
    """Layers with ReLUs between them for each token, with a norm between them too, or without."""

    def __init__(self, has_norm: bool):
        super().__init__()
        self.norm = nn.LayerNorm(6) if has_norm else nn.Identity()
        self.first, self.up, self.down = nn.Linear(6, 6), nn.Linear(6, 10), nn.Linear(10, 4)

    def forward(self, x):
        y = self.norm(torch.relu(self.first(x)))
        return self.down(torch.relu(self.up(y)).amax(1))


def open_networks() -> dict:
    """For each network its model, and its inputs at each size."""
    generator = torch.Generator().manual_seed(9)

    def sentences(length: int) -> dict:
        mask = (torch.arange(length)[None] < torch.randint(2, length + 1, (6, 1), generator=generator)).long()
        return {"ids": torch.randint(0, 30, (6, length), generator=generator), "mask": mask}

    def pictures(*size: int) -> dict:
        return {"x": torch.randn(6, 3, *size, generator=generator)}

    names = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}}
    area, line = {"x": {0: "batch", 2: "height", 3: "width"}}, {"x": {0: "batch", 3: "width"}}
    gate, relus = gated(nn.SiLU()), nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(2))
    cases = {
        "encoder_script": (OpenTokens(), names, {str(length): sentences(length) for length in (7, 2, 12, 16)}),
        "encoder_dynamo": (OpenTokens(), names, {str(length): sentences(length) for length in (7, 2, 12, 16)}),
        "gate_dynamo": (gate, area, {f"{h}x{w}": pictures(h, w) for h, w in ((8, 8), (12, 6), (16, 20))}),
        "relus_script": (relus, area, {f"{h}x{w}": pictures(h, w) for h, w in ((8, 8), (12, 6), (16, 20))}),
        "reader_dynamo": (Reader(), line, {str(width): pictures(8, width) for width in (16, 10, 40)}),
    }
    features = {str(length): {"x": torch.randn(6, length, 6, generator=generator)} for length in (9, 3, 20)}
    # Of ReLUs alone the steps lie along axis 1, which are the tokens.
    for name, has_norm in (("mlp_script", True), ("closed_mlp_script", False)):
        cases[name] = (Mlp(has_norm), {"x": {0: "batch", 1: "tokens"}}, features)
    found = {}
    for name, (module, axes, sizes) in cases.items():
        file, module = io.BytesIO(), module.eval()
        example = tuple(next(iter(sizes.values())).values())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name.endswith("dynamo"):
                dynamic = {key: {axis: torch.export.Dim.DYNAMIC for axis in open_axes} for key, open_axes in axes.items()}
                if len(axes) == 1:
                    dynamic = tuple(dynamic.values())
                program = torch.onnx.export(
                    module, example, dynamo=True, opset_version=18, input_names=list(axes), output_names=["y"], dynamic_shapes=dynamic,
                    verbose=False,
                )
                program.save(file)
            else:
                torch.onnx.export(
                    module, example, file, dynamo=False, opset_version=17, input_names=list(axes), output_names=["y"], dynamic_axes=axes
                )
        found[name] = (file.getvalue(), {size: {key: value.numpy() for key, value in given.items()} for size, given in sizes.items()})
    return found


def write_open(path) -> None:
    arrays = {}
    for name, (model, sizes) in open_networks().items():
        arrays[f"{name}/model"] = np.frombuffer(model, np.uint8)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        inputs = [entry.name for entry in session.get_inputs()]
        for size, given in sizes.items():
            named = dict(zip(inputs, given.values()))
            arrays |= {f"{name}/{size}/input/{key}": value for key, value in named.items()}
            output = session.get_outputs()[0].name
            arrays[f"{name}/{size}/output/{output}"] = session.run([output], named)[0]
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    logging.disable(logging.WARNING)
    torch.manual_seed(23)
    write_open(FIXTURES / "open_axes.npz")
    torch.manual_seed(17)
    networks = {
        "silu": gated(nn.SiLU()),
        "hardswish": gated(nn.Hardswish()),
        "mish": gated(nn.Mish()),
        "elu": gated(nn.ELU()),
        "prelu": gated(nn.PReLU()),
        "relu_gate": gated(nn.ReLU()),
        "convnext": ConvNeXt(),
        "attention": Attention(),
        "masked": Attention(is_causal=True),
        "post_norm": Attention(post_norm=True),
        "linears": Linears(),
        "groups": Groups(),
    }
    shape = (12, 3, 8, 8)
    cases = {name: exported(normalised(module, shape), shape, index % 2 == 1, 17) for index, (name, module) in enumerate(networks.items())}
    write(FIXTURES / "digits.npz", cases | {"tokens": encoder()})


if __name__ == "__main__":
    main()
