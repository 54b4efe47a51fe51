"""Counts operations twice on the same network and the same spikes: by `spikelet evaluate`, and by NeuroBench's own counters.

    pip install -r Tools/Checks/requirements.txt
    python Tools/Checks/compare_neurobench.py [--spikelet .build/release/spikelet] [--samples 4] [--steps 8]

Two kinds of networks: a small one of random weights (convolution with stride and padding, depthwise, groups, dilation, linear;
weights that are zero), converted here, and the bundled ones. The spikes of every step are read from `spikelet simulate`, and
replayed through PyTorch layers with the SNN file's weights, with the value of a spike folded into the layer that reads it:
NeuroBench's hooks see what arrives at each layer. Prints both numbers for every layer; exits with 1 where one differs.

NeuroBench sums in float32, which is exact up to 2^24 operations of one layer, step and sample; none here has as many.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy
import snntorch
import torch
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import TorchModel
from safetensors import safe_open
from torch.nn import functional

MODELS = pathlib.Path(__file__).resolve().parents[2] / "Models" / "FashionMNIST"


class Small(torch.nn.Module):
    """Every kind of layer that has to be counted, on images of 12 × 11."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.depthwise = torch.nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.grouped = torch.nn.Conv2d(6, 8, (3, 2), stride=(1, 2), padding=(2, 1), groups=2)
        self.dilated = torch.nn.Conv2d(8, 10, 3, padding=2, dilation=2)
        self.linear1 = torch.nn.Linear(10 * 4 * 2, 20)
        self.linear2 = torch.nn.Linear(20, 5)
        self.relus = torch.nn.ModuleList(torch.nn.ReLU() for _ in range(5))
        self.pool = torch.nn.AvgPool2d(2)

    def forward(self, x):
        for layer, relu in zip([self.conv1, self.depthwise, self.grouped, self.dilated], self.relus):
            x = relu(layer(x))
        x = self.relus[4](self.linear1(torch.flatten(self.pool(x), 1)))
        return self.linear2(x)


def small(folder):
    """The small network, some of its weights zero, as an ONNX file with images and labels."""
    torch.manual_seed(3)
    network = Small().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2).mul_(torch.rand_like(parameter) > 0.2)
    images = torch.rand(64, 1, 12, 11) * (torch.rand(64, 1, 12, 11) > 0.3)
    torch.onnx.export(
        network, (images[:2],), folder / "small.onnx", dynamo=False, input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}}, opset_version=17)
    numpy.savez(folder / "small.npz", images=images.numpy(), labels=network(images).argmax(1).numpy())
    return network, folder / "small.onnx", folder / "small.npz", folder / "small.npz"


class Neurons(snntorch.Leaky):
    """Integrate-and-fire neurons that emit what they are told, and keep their membranes accordingly."""

    def __init__(self, initial, spikes):
        super().__init__(beta=1.0, init_hidden=True)
        self.initial, self.spikes, self.step = initial, spikes, 0
        self.mem = torch.zeros(())

    def forward(self, current):
        emitted = self.spikes[self.step]
        before = torch.full_like(current, self.initial) if self.step == 0 else self.mem
        self.mem = (before + current) - emitted
        self.step += 1
        return emitted


class Replay(torch.nn.Module):
    """The nodes of an SNN file, run with given spikes. Layers with weights are PyTorch's own, so that hooks find them."""

    def __init__(self, path, spikes):
        super().__init__()
        with safe_open(path, "pt") as file:
            graph = json.loads(file.metadata()["spikelet"])
            self.constants = {name: file.get_tensor(name) for name in file.keys()}
        self.nodes, self.output, self.input = graph["nodes"], graph["outputs"][0]["value"], graph["inputs"][0]["name"]
        self.layers, self.neurons, self.pools = torch.nn.ModuleList(), torch.nn.ModuleList(), {}
        self.position = {}
        for node in self.nodes:
            kind, attributes = node["operator"]["type"], node["operator"]["attributes"]
            if kind in ("Conv", "Gemm"):
                self.position[node["name"]] = len(self.layers)
                self.layers.append(self.layer(kind, attributes, [self.constants[name] for name in node["inputs"][1:]]))
            elif kind == "Neuron":
                self.position[node["name"]] = len(self.neurons)
                self.neurons.append(Neurons(attributes["parameters"]["initialMembrane"], spikes[node["name"]]))

    @staticmethod
    def layer(kind, attributes, constants):
        weight = constants[0]
        if kind == "Gemm":
            weight = weight if attributes["transposeB"] else weight.T
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=len(constants) > 1)
        else:
            window = attributes["window"]
            assert window["padsBegin"] == window["padsEnd"]
            layer = torch.nn.Conv2d(
                weight.shape[1] * attributes["groups"], weight.shape[0], window["kernel"], window["strides"], window["padsBegin"],
                window["dilations"], attributes["groups"], bias=len(constants) > 1)
        layer.weight.data = weight.clone()
        if len(constants) > 1:
            layer.bias.data = constants[1].clone()
        return layer

    def step(self, image):
        """One step. A value travels with what one spike in it is worth (`None`: it is graded)."""
        values = {self.input: (image, None)}
        values.update((name, (tensor, None)) for name, tensor in self.constants.items())
        for node in self.nodes:
            kind, attributes = node["operator"]["type"], node["operator"]["attributes"]
            (x, unit), *rest = (values[name] for name in node["inputs"])
            if kind in ("Conv", "Gemm"):
                layer = self.layers[self.position[node["name"]]]
                if unit is None:
                    result = (layer(x), None)
                else:
                    # Folded: 0 and 1 arrive, and the layer's own sum is made beside it without being seen.
                    layer(torch.round(x / unit))
                    result = (self.unseen(layer, x), None)
            elif kind == "VoltageScaler":
                scales = torch.tensor(attributes["scales"]).reshape(1, -1, *[1] * (x.dim() - 2))
                result = (x * scales, None if unit is None else unit * scales.expand(1, *x.shape[1:]))
            elif kind == "Neuron":
                spikes = self.neurons[self.position[node["name"]]](x)
                result = (spikes, torch.ones(1, *x.shape[1:]))
            elif kind == "RunningMaximumPool":
                kernel, stride = attributes["window"]["kernel"], attributes["window"]["strides"]
                total, highest = self.pools.get(node["name"], (0, 0))
                total = total + x
                now = functional.max_pool2d(total, kernel, stride)
                self.pools[node["name"]] = (total, now)
                result = (now - highest, None if unit is None else functional.max_pool2d(unit, kernel, stride))
            elif kind == "AveragePool":
                result = (functional.avg_pool2d(x, attributes["window"]["kernel"], attributes["window"]["strides"]), None)
            elif kind == "ReduceMean":
                result = (x.mean(attributes["axes"], keepdim=attributes["keepsDimensions"]), None)
            elif kind in ("Flatten", "Reshape"):
                result = (torch.flatten(x, 1), None if unit is None else torch.flatten(unit, 1))
            elif kind == "Add":
                result = (x + rest[0][0], None)
            else:
                sys.exit(f"{kind} is not known here")
            values[node["outputs"][0]] = result
        return values[self.output][0]

    @staticmethod
    def unseen(layer, x):
        if isinstance(layer, torch.nn.Linear):
            return functional.linear(x, layer.weight, layer.bias)
        return functional.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, image):
        with torch.no_grad():
            return torch.stack([self.step(image) for _ in range(len(self.neurons[0].spikes))]).mean(0)


def run(arguments):
    done = subprocess.run([str(part) for part in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments[1]} failed: {done.stderr}")


def spikes_of(spikelet, snn, images, steps, folder):
    """For each neuron node its spikes in each step, [steps][N, …]."""
    numpy.save(folder / "x.npy", images)
    counts = []
    for count in range(1, steps + 1):
        run([spikelet, "simulate", snn, "--input", folder / "x.npy", "--steps", count, "--reference", "--output", folder / "y.npy",
             "--spike-counts", folder / "counts.npz"])
        archive = numpy.load(folder / "counts.npz")
        counts.append({name: archive[name].astype(numpy.float32) for name in archive.files})
    zero = {name: numpy.zeros_like(array) for name, array in counts[0].items()}
    return [{name: now[name] - before[name] for name in now} for before, now in zip([zero] + counts, counts)]


def count(model, images, steps):
    """NeuroBench's numbers of one network: by layer, and in all."""
    layers = {}
    for name, position in model.position.items():
        if not name.startswith("snn tailor"):
            layers[name] = position
    wrapped = TorchModel(model)
    wrapped.add_activation_module(Neurons)
    wrapped.register_hooks()
    output = wrapped(images)
    data = (images, None)
    found = {}
    for name, position in layers.items():
        only = types.SimpleNamespace(connection_hooks=[wrapped.connection_hooks[position]])
        found[name] = SynapticOperations()(only, output, data)
    updates, sparsity = MembraneUpdates()(wrapped, output, data), ActivationSparsity()(wrapped, output, data)
    wrapped.cleanup_hooks()
    return found, updates, sparsity


def compare(title, spikelet, onnx, calibration, data, samples, steps, folder, recipe, network=None):
    print(f"\n{title}, {recipe}, {samples} samples, {steps} steps")
    snn, result = folder / "snn.safetensors", folder / "result.json"
    run([spikelet, "convert", onnx, "--calibration", calibration, "--limit", 64, "--recipe", recipe, "--output", snn]
        + (["--steps", steps] if recipe == "calibrated" else []))
    run([spikelet, "evaluate", snn, "--data", data, "--ann", onnx, "--limit", samples, "--steps", steps, "--json", result])
    counts = json.loads(result.read_text())["counts"]
    archive = numpy.load(data)
    images = archive["images"][:samples]
    images = images.astype(numpy.float32) / 255 if images.dtype == numpy.uint8 else images
    spikes = spikes_of(spikelet, snn, images, steps, folder)

    different = 0
    def check(name, ours, theirs, digits=0):
        nonlocal different
        equal = abs(ours - theirs) <= 1e-9 * max(1, abs(theirs))
        different += not equal
        print(f"  {name:44} {ours:16.{digits}f} {theirs:16.{digits}f}  {'' if equal else 'DIFFERENT'}")

    # One sample at a time: NeuroBench classes a batch as a whole, which is no property of a sample.
    totals, updates, zeros, by_sample = {}, 0, 0, []
    for sample in range(samples):
        one = {name: [torch.from_numpy(step[name][sample:sample + 1]) for step in spikes] for name in spikes[0]}
        layers, more, sparsity = count(Replay(snn, one), torch.from_numpy(images[sample:sample + 1]), steps)
        updates, zeros = updates + more, zeros + sparsity
        by_sample.append(0)
        for layer in counts["layers"]:
            found = layers[layer["name"]]
            sums = totals.setdefault(layer["name"], [0, 0, 0])
            for place, key in enumerate(["Effective_ACs", "Effective_MACs", "Dense"]):
                sums[place] += found[key]
            if layer["readsSpikes"]:
                by_sample[-1] += found["Effective_ACs"] + found["Effective_MACs"]
    print(f"  {'':44} {'spikelet':>16} {'NeuroBench':>16}")
    for layer in counts["layers"]:
        accumulates, multiplies, dense = totals[layer["name"]]
        # A constant input gives the same current in every step: it is counted once, NeuroBench counts it in every step.
        times = 1 if layer["readsSpikes"] else steps
        check(layer["name"] + " ACs", round(sum(layer["accumulates"]) * samples), accumulates / times)
        check(layer["name"] + " MACs", round(sum(layer["multiplyAccumulates"]) * samples), multiplies / times)
        check(layer["name"] + " dense, a step", layer["dense"] * samples, dense / steps)
    for sample, theirs in enumerate(by_sample):
        check(f"synaptic operations of sample {sample}", counts["perSample"][sample], theirs)
    check("membrane updates", round(counts["steps"][0]["membraneUpdates"] * samples), updates)
    check("activation sparsity, mean", counts["steps"][0]["activationSparsity"], zeros / samples, digits=9)
    if network is not None:
        wrapped = TorchModel(network)
        wrapped.register_hooks()
        batch = torch.from_numpy(images)
        with torch.no_grad():
            found = SynapticOperations()(wrapped, wrapped(batch), (batch, None))
        wrapped.cleanup_hooks()
        check("the ANN's MACs, dense", counts["ann"]["multiplyAccumulates"], found["Dense"])
        check("the ANN's MACs, effective", round(counts["ann"]["effectiveMultiplyAccumulates"] * samples), found["Effective_MACs"] * samples)
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spikelet", default=".build/release/spikelet", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--networks", default="cnn,vgg,resnet,mobile", help="bundled networks, or nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    different = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        network, onnx, calibration, data = small(folder)
        for recipe in ("rate-coding", "calibrated"):
            different += compare(
                "small", options.spikelet, onnx, calibration, data, options.samples, options.steps, folder, recipe, network)
        for name in filter(None, options.networks.split(",")):
            different += compare(
                name, options.spikelet, MODELS / name / f"{name}_dynamo.onnx", MODELS / "train_2000.npz", MODELS / "test_1000.npz",
                options.samples, options.steps, folder, "calibrated")
    print(f"\n{different} numbers differ" if different else "\nall numbers are equal")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
