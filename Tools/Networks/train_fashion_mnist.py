"""Train the Fashion-MNIST networks, export each to ONNX up to three times, and bundle images for the tests.

    pip install -r Tools/Networks/requirements.txt
    python Tools/Networks/train_fashion_mnist.py                      # everything, 60 to 70 minutes on one core
    python Tools/Networks/train_fashion_mnist.py --networks cnn vgg   # some of the networks

Writes Models/FashionMNIST/NETWORK/NETWORK_{torchscript,dynamo,unfused}.onnx (of networks without ReLUs those that
bundle.py names), test_1000.npz and train_2000.npz.
The data are Debian's package dataset-fashion-mnist. Seeds are fixed and the last epoch's weights are kept; test
images are used only for the accuracy that is printed at the end, which ONNX Runtime measures.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from bundle import (
    EXPORTS, INPUT, MODELS, NETWORKS, OUTPUT, SMOOTH_NETWORKS, TEST_IMAGES, TRAIN_IMAGES,
    model_path, onnxruntime_logits,
)  # fmt: skip
from idx import read_split
from networks import BUILDERS

EPOCHS = {"cnn": 10, "vgg": 7, "resnet": 10, "mobile": 8, "gated": 5, "convnext": 5, "vit": 8}
EXTERNAL_DATA = {"mobile"}  # its dynamo export keeps the weights in a file of their own
DEBIAN_DATA = Path("/usr/share/datasets/fashion-mnist")
BATCH_SIZE = 128
SEED = 2024


def augment(images: Tensor) -> Tensor:
    """Each image mirrored with probability one half and moved by up to one pixel."""
    count, _, height, width = images.shape
    mirrored = torch.rand(count, 1, 1, 1) < 0.5
    images = functional.pad(torch.where(mirrored, images.flip(3), images), (1, 1, 1, 1))
    rows = torch.randint(3, (count, 1, 1)) + torch.arange(height)[:, None]
    columns = torch.randint(3, (count, 1, 1)) + torch.arange(width)
    return images[torch.arange(count)[:, None, None], 0, rows, columns][:, None]


def train(network: str, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """The network after `epochs` of SGD (without ReLUs of AdamW) with one cycle of the learning rate."""
    torch.manual_seed(SEED)
    model = BUILDERS[network]().to(memory_format=torch.channels_last)
    steps = len(images) // BATCH_SIZE
    if network in SMOOTH_NETWORKS:
        rate = 0.003
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    else:
        rate = 0.1
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps, pct_start=0.25)
    for epoch in range(1, epochs + 1):
        model.train()
        start, losses = time.monotonic(), 0.0
        for step, batch in enumerate(torch.randperm(len(images))[: steps * BATCH_SIZE].split(BATCH_SIZE), 1):
            x = augment(images[batch].float() / 255).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(x), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item()
            if step % 50 == 0 or step == steps:
                print(f"\r{network} epoch {epoch}/{epochs} {step}/{steps} loss {losses / step:.4f}", end="", flush=True)
        print(f" {time.monotonic() - start:.0f} s", flush=True)
    return model.eval().to(memory_format=torch.contiguous_format)


def export_torchscript(model: nn.Module, path: Path, fused: bool) -> None:
    """The TorchScript exporter's file; with `fused` off, batch normalisations stay nodes of their own."""
    mode = torch.onnx.TrainingMode.EVAL if fused else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model, (torch.zeros(1, 1, 28, 28),), path, dynamo=False, opset_version=17, training=mode,
            do_constant_folding=fused, input_names=[INPUT], output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        )  # fmt: skip


def export_dynamo(model: nn.Module, path: Path, external_data: bool) -> None:
    """The torch.export-based exporter's file, without the stack traces, which name files of this machine."""
    torch.onnx.export(
        model, (torch.zeros(2, 1, 28, 28),), path, dynamo=True, opset_version=20, external_data=external_data,
        input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
    )  # fmt: skip
    model_proto = onnx.load(path, load_external_data=False)
    graph = model_proto.graph
    for holder in (model_proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        kept = [entry for entry in holder.metadata_props if "stack_trace" not in entry.key]
        del holder.metadata_props[:]
        holder.metadata_props.extend(kept)
    onnx.save(model_proto, path)


def export(network: str, model: nn.Module) -> list[Path]:
    """All exports of one network, checked for validity and for paths of this machine."""
    (MODELS / network).mkdir(parents=True, exist_ok=True)
    paths = {kind: model_path(network, kind) for kind in SMOOTH_NETWORKS.get(network, EXPORTS)}
    for kind, path in paths.items():
        if kind == "dynamo":
            export_dynamo(model, path, external_data=network in EXTERNAL_DATA)
        else:
            export_torchscript(model, path, fused=kind == "torchscript")
    private = Path(__file__).resolve().parent, Path(torch.__file__).parent, Path.home()
    for path in paths.values():
        onnx.checker.check_model(path, full_check=True)
        if found := [folder for folder in private if str(folder).encode() in path.read_bytes()]:
            raise ValueError(f"{path} contains a path of this machine: {found[0]}")
    return list(paths.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEBIAN_DATA, help="folder of the gzip-compressed IDX files")
    names = (*NETWORKS, *SMOOTH_NETWORKS)
    parser.add_argument("--networks", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--epochs", type=int, help="epochs of every network, instead of each one's own number")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        train_images, train_labels = read_split(arguments.data, "train")
        test_images, test_labels = read_split(arguments.data, "t10k")
    except (OSError, ValueError) as error:
        sys.exit(f"Cannot read Fashion-MNIST: {error}\nInstall Debian's dataset-fashion-mnist, or pass --data FOLDER.")

    MODELS.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(TEST_IMAGES, images=test_images[:1000], labels=test_labels[:1000])
    np.savez_compressed(TRAIN_IMAGES, images=train_images[:2000], labels=train_labels[:2000])
    images, labels = torch.tensor(train_images), torch.tensor(train_labels, dtype=torch.int64)
    for network in arguments.networks:
        start = time.monotonic()
        model = train(network, images, labels, arguments.epochs or EPOCHS[network])
        minutes = (time.monotonic() - start) / 60
        path, *_ = export(network, model)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        logits = onnxruntime_logits(path, test_images.astype(np.float32) / 255)
        accuracy = np.mean(logits.argmax(1) == test_labels)
        print(f"{network}: test accuracy {accuracy:.2%}, {parameters:,} parameters, {minutes:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
