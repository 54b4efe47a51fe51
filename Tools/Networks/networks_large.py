"""Make two large networks with seeded weights for benchmarks: VGG-16 for 3×32×32 and ResNet-18 for 3×224×224 images.

    pip install -r Tools/Networks/requirements.txt
    python Tools/Networks/networks_large.py FOLDER

Writes NAME.onnx (input `input`: pixels / 255; output `logits`; batch norms unfused) and NAME_images.npz (`images` uint8,
`labels`: the network's own answers) into FOLDER, for vgg16 and resnet18; FOLDER is not for committing (110 MB). Nothing
here is trained, so accuracy means nothing. What speed depends on is made like that of trained networks: the statistics
of the batch norms are those of the seeded images, and biases leave 30 % of each channel's activations above zero. For
every ReLU the tool prints this share, and the mean activation over the channel's 99.9th percentile, which is
about the spike density of a rate code.

`time_peers.py` imports the builders.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from bundle import INPUT, OUTPUT
from networks import BUILDERS, BasicBlock, chain, conv_bn

SEED = 2024
SHAPES = {"vgg16": (3, 32, 32), "resnet18": (3, 224, 224)}
IMAGES = {"vgg16": 512, "resnet18": 64}
BATCH_SIZE = 32
ACTIVE = 0.3  # share of every channel's activations that are not zero


def vgg16() -> nn.Module:
    """13 convolutions in 5 stages, each closed by max pooling; 3 linear layers."""
    layers: list[nn.Module] = []
    channels = 3
    for outputs, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            layers += [*conv_bn(channels, outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    head = [nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
    return chain(*layers, nn.Flatten(), *head)


def resnet18() -> nn.Module:
    """A 7×7 stem with max pooling, 4 stages × 2 basic blocks, global average pooling, 1,000 classes."""
    layers: list[nn.Module] = [*conv_bn(3, 64, kernel=7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    channels = 64
    for outputs in (64, 128, 256, 512):
        for index in range(2):
            layers.append(BasicBlock(channels, outputs, stride=2 if index == 0 and outputs > 64 else 1))
            channels = outputs
    return chain(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


BUILDERS |= {"vgg16": vgg16, "resnet18": resnet18}  # so that `networks.from_onnx` knows them


def seeded_images(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Noise of every scale, the coarser the stronger, as in photographs: uint8 [count, *shape]."""
    generator = torch.Generator().manual_seed(SEED)
    channels, height, width = shape
    images = torch.zeros(count, *shape)
    size = 2
    while size <= height:
        noise = torch.randn(count, channels, size, size, generator=generator) * size**-0.5
        images += functional.interpolate(noise, (height, width), mode="bilinear")
        size *= 2
    return (torch.sigmoid(2 * images) * 255).round().to(torch.uint8)


def build(network: str, images: Tensor) -> nn.Module:
    """The network with seeded weights, and statistics and biases that one pass of the images (float32) sets."""
    torch.manual_seed(SEED)
    model = BUILDERS[network]().eval()

    def set_statistics(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        norm.running_var, norm.running_mean = torch.var_mean(inputs[0], (0, 2, 3))

    def set_bias(layer: nn.Module):
        def hook(_relu: nn.ReLU, inputs: tuple[Tensor]) -> Tensor:
            by_channel = inputs[0].transpose(0, 1).flatten(1)
            rank = round((1 - ACTIVE) * by_channel.shape[1])
            shift = torch.stack([values.kthvalue(rank).values for values in by_channel])
            layer.bias -= shift
            return inputs[0] - shift.reshape(-1, *[1] * (inputs[0].dim() - 2))

        return hook

    hooks, biased = [], None
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            hooks.append(module.register_forward_pre_hook(set_statistics))
        if isinstance(module, nn.ReLU):
            hooks.append(module.register_forward_pre_hook(set_bias(biased)))
        if isinstance(module, nn.BatchNorm2d | nn.Linear):
            biased = module
    biased.bias -= model(images).mean(0)
    for hook in hooks:
        hook.remove()
    return model


def print_activations(model: nn.Module, images: Tensor) -> None:
    """For every ReLU: the share of activations that are not zero, and the mean over the 99.9th percentile."""

    def report(name: str):
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            by_channel = output.transpose(0, 1).flatten(1)
            largest = by_channel.topk(max(1, by_channel.shape[1] // 1000)).values[:, -1].clamp_min(1e-9)
            density = (by_channel.mean(1) / largest).mean()
            print(f"  {name:<16}{(output > 0).float().mean():>8.1%}{density:>8.1%}")

        return hook

    modules = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ReLU)]
    hooks = [module.register_forward_hook(report(name)) for name, module in modules]
    model(images)
    for hook in hooks:
        hook.remove()


def export_onnx(model: nn.Module, image: Tensor, path: Path, fused: bool = True) -> None:
    """Write the network as ONNX with a free batch size, by the exporter that names nodes after modules."""
    mode = torch.onnx.TrainingMode.EVAL if fused else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called deprecated
        torch.onnx.export(
            model, (image,), path, dynamo=False, opset_version=17, training=mode, do_constant_folding=fused,
            input_names=[INPUT], output_names=[OUTPUT], dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        )  # fmt: skip
    onnx.checker.check_model(path, full_check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the networks and the images")
    parser.add_argument("--networks", nargs="+", choices=SHAPES, default=list(SHAPES), metavar="NAME")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    with torch.no_grad():
        for network in arguments.networks:
            pixels = seeded_images(IMAGES[network], SHAPES[network])
            images = pixels.float() / 255
            model = build(network, images)
            parameters = sum(parameter.numel() for parameter in model.parameters())
            print(
                f"{network}: {parameters:,} parameters; activations that are not zero, mean over the 99.9th percentile:"
            )
            print_activations(model, images[: 2 * BATCH_SIZE])
            export_onnx(model, images[:1], arguments.folder / f"{network}.onnx", fused=False)
            labels = torch.cat([model(batch).argmax(1) for batch in images.split(BATCH_SIZE)])
            np.savez_compressed(
                arguments.folder / f"{network}_images.npz", images=pixels.numpy(), labels=labels.numpy()
            )
            print(f"  {len(labels.unique())} different answers to {len(labels)} images", flush=True)


if __name__ == "__main__":
    main()
