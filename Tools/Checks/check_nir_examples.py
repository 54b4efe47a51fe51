"""Runs NIR files of others here and where they come from, on the same random spikes, and compares all outputs.

    python Tools/Checks/check_nir_examples.py --sinabs scnn_mnist.nir --norse lif_norse.nir --recurrent braille.nir

The networks of the NIR paper (Pedersen et al., Nature Communications 2024) lie in source packages on PyPI:
`pip download --no-deps --no-binary :all: sinabs==3.1.3 nirtorch==2.6` brings `docs/tutorials/scnn_mnist.nir` (the
convolutional network), `tests/lif_norse.nir` and `tests/braille.nir` (the recurrent one). sinabs and Norse run theirs; the
recurrent one is run by the equations in ten lines of numpy. Wants Tools/Checks/requirements.txt.
"""

import argparse
import pathlib
import subprocess
import tempfile

import nir
import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run_sinabs(path, spikes):
    import sinabs.nir

    steps, samples = spikes.shape[:2]
    network = sinabs.nir.from_nir(nir.read(path), num_timesteps=steps, batch_size=samples)
    output = network(torch.from_numpy(spikes).transpose(0, 1).flatten(0, 1))
    output = output[0] if isinstance(output, tuple) else output
    return output.reshape(samples, steps, -1).transpose(0, 1).numpy()


def run_exactly(path, spikes):
    """What sinabs does, in float64 and node after node of a chain: ⌊v / θ⌋ spikes, which v loses; v ≥ −θ."""
    from torch.nn import functional

    graph, outputs, membranes = nir.read(path), [], {}
    after = dict(graph.edges)
    tensor = lambda array: torch.from_numpy(np.asarray(array, np.float64))  # noqa: E731
    for step in torch.from_numpy(spikes).double():
        name, value = after["input"], step
        while name != "output":
            node = graph.nodes[name]
            if isinstance(node, nir.Conv2d):
                value = functional.conv2d(value, tensor(node.weight), tensor(node.bias), tuple(node.stride), tuple(node.padding))
            elif isinstance(node, nir.SumPool2d):
                kernel = tuple(map(int, node.kernel_size))
                value = functional.avg_pool2d(value, kernel, tuple(map(int, node.stride)), divisor_override=1)
            elif isinstance(node, nir.Flatten):
                value = value.flatten(1)
            elif isinstance(node, nir.Affine):
                value = functional.linear(value, tensor(node.weight), tensor(node.bias))
            elif isinstance(node, nir.IF):
                threshold = tensor(node.v_threshold)
                v = membranes.get(name, 0) + value
                value = (v / threshold).floor().clamp(min=0)
                membranes[name] = torch.maximum(v - value * threshold, -threshold)
            else:
                raise NotImplementedError(type(node))
            name = after[name]
        outputs.append(value)
    return torch.stack(outputs).numpy()


def run_norse(path, spikes):
    import norse.torch

    network, state, outputs = norse.torch.from_nir(nir.read(path)), None, []
    for step in torch.from_numpy(spikes):
        output, state = network(step, state)
        outputs.append(output)
    return torch.stack(outputs).numpy()


def run_recurrent(path, spikes, dt=1e-4):
    """CubaLIF layers by Euler's rule, in float64; the first reads itself. A spike where v > θ, v ← v_reset."""
    nodes = nir.read(path).nodes

    class Layer:
        def __init__(self, node):
            self.node, self.i, self.v = node, 0.0, 0.0

        def __call__(self, x):
            n = self.node
            self.i = self.i + dt / n.tau_syn * (n.w_in * x - self.i)
            self.v = self.v + dt / n.tau_mem * (n.v_leak - self.v + n.r * self.i)
            spikes = (self.v > n.v_threshold).astype(float)
            self.v = np.where(spikes > 0, n.v_reset, self.v)
            return spikes

    def affine(name, x):
        return x @ nodes[name].weight.T.astype(float) + nodes[name].bias

    first, second, outputs = Layer(nodes["lif1.lif"]), Layer(nodes["lif2"]), []
    echo = np.zeros((spikes.shape[1], len(nodes["lif1.lif"].r)))
    for step in spikes.astype(float):
        echo = first(affine("fc1", step) + affine("lif1.w_rec", echo))
        outputs.append(second(affine("fc2", echo)))
    return np.stack(outputs).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"))
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--samples", type=int, default=8)
    runs = {
        "sinabs": ([run_sinabs, run_exactly], ["--as", "sinabs"]), "norse": ([run_norse], ["--as", "norse"]),
        "recurrent": ([run_recurrent], ["--as", "snntorch"])}
    for name in runs:
        parser.add_argument(f"--{name}", nargs="*", default=[], metavar="FILE")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        folder = pathlib.Path(name)
        for kind, (others, options) in runs.items():
            for path in getattr(arguments, kind):
                shape = next(node for node in nir.read(path).nodes.values() if isinstance(node, nir.Input)).input_type["input"]
                spikes = (generator.random((arguments.steps, arguments.samples, *map(int, shape))) < 0.2).astype(np.float32)
                np.save(folder / "x.npy", spikes)
                subprocess.run(
                    [arguments.spikelet, "simulate", path, *options, "--input", str(folder / "x.npy"), "--time-varying", "--steps",
                     str(arguments.steps), "--per-step", "--output", str(folder / "y.npy")], check=True, stdout=subprocess.DEVNULL)
                # Outputs up to each step, divided by the number of steps: back to the sums.
                counts = np.arange(1, arguments.steps + 1).reshape(-1, 1, 1)
                found = np.load(folder / "y.npy") * counts
                for run in others:
                    expected = np.cumsum(run(path, spikes), 0)
                    differing = int((np.abs(found - expected) > 1e-3).sum())
                    print(f"{pathlib.Path(path).name}, {run.__name__}: {expected[-1].sum():.0f} output spikes; of {expected.size} counts "
                          f"after each step {differing} differ, by {np.abs(found - expected).max():.2g} at most")


if __name__ == "__main__":
    main()
