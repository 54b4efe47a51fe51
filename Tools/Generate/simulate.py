"""Simulate an SNN file in NumPy, without a line of Spikelet's: what its simulators are judged by.

    python Tools/Generate/simulate.py snn.safetensors --input x.npy --steps 8 --output y.npy --spike-counts counts.npz

Every value of the network is either still (it does not depend on spikes) or a train, one array a step. Nodes are computed one
after the other, each over all steps: since a graph has no cycles that is the streaming schedule too, and a layer-synchronous
neuron takes up all steps before it sends the first. All is float64. Where a membrane comes as near to a threshold as float32 may
err, the neuron is marked: from there on another order of summation may send other spikes.
"""

import argparse
import json
import pathlib

import numpy as np
from operators import WEIGHTED, NotWritten, apply, channels, linearity, round_level, windows

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "BOOL": np.bool_, "U8": np.uint8}
STATEFUL = {"Neuron", "RunningMaximumPool"}
# What float32 may err by at a threshold: in thresholds, and in the largest current of the layer.
NEAR_THRESHOLD, NEAR_CURRENT = 1e-5, 2e-6


class Network:
    """An SNN file: its constants, its nodes and how it runs."""

    def __init__(self, data: bytes):
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        graph = json.loads(header.pop("__metadata__")["spikelet"])
        self.constants = {}
        for name, entry in header.items():
            start, end = (8 + length + place for place in entry["data_offsets"])
            array = np.frombuffer(data[start:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
            self.constants[name] = array.astype(np.float64) if array.dtype.kind == "f" else array
        self.nodes, self.inputs, self.outputs = graph["nodes"], graph["inputs"], graph["outputs"]
        self.spiking = graph["spiking"]
        self.radix = self.spiking["code"] == "radix"
        self.waits = self.spiking["schedule"] == "layer-synchronous"
        self.growth = self.spiking.get("base", 2) if self.radix else 1
        self.delay = self.spiking.get("readoutDelay") or 0
        self.spiking_values = set()
        for node in self.nodes:
            if node["operator"]["type"] in STATEFUL or self.spiking_values.intersection(node["inputs"]):
                self.spiking_values.update(node["outputs"])
        self.tail = self._tail()

    @classmethod
    def read(cls, path) -> "Network":
        return cls(pathlib.Path(path).read_bytes())

    def linearity(self, node: dict) -> tuple:
        operator = node["operator"]
        return linearity(operator["type"], operator["attributes"], [name in self.constants for name in node["inputs"]])

    def has_weights(self, node: dict) -> bool:
        return node["operator"]["type"] in WEIGHTED and any(name in self.constants for name in node["inputs"][:2])

    def _tail(self) -> set:
        """The nodes that act on the accumulated output: functions from which no neuron and no weight is reached, and their readers."""
        shown = {output["value"] for output in self.outputs}
        leads, last = set(), set()
        for node in reversed(self.nodes):
            readers = [other["name"] for other in self.nodes if set(node["outputs"]) & set(other["inputs"])]
            kind = node["operator"]["type"]
            if kind in STATEFUL or self.has_weights(node) or leads.intersection(readers):
                leads.add(node["name"])
            # A quantiser is part of it where nothing but such functions follows.
            if kind in ("Softmax", "LogSoftmax", "Sigmoid", "Quantizer") and last.issuperset(readers):
                if readers or shown.intersection(node["outputs"]):
                    last.add(node["name"])

        def collect(with_maxima: bool) -> tuple:
            tail, made, read = set(), set(), set()
            for node in self.nodes:
                if node["name"] in leads or not self.spiking_values.intersection(node["inputs"]):
                    continue
                kind, a = node["operator"]["type"], node["operator"]["attributes"]
                nature = self.linearity(node)[0]
                begins = nature == "nonlinear" or with_maxima and nature == "maximum"
                if kind == "Relu" or kind == "Clip" and a.get("minimum") == 0:
                    begins = False
                if kind == "Quantizer":
                    begins = node["name"] in last
                if begins or made.intersection(node["inputs"]):
                    tail.add(node["name"])
                    made.update(node["outputs"])
                    read.update(name for name in node["inputs"] if name not in self.constants)
            return tail, read - made

        tail, read = collect(False)
        # What a maximum is compared with acts where the maximum does.
        return collect(True)[0] if len(read) > 1 else tail


class Layer:
    """A layer of neurons: `integrate` takes up a current, `emit` sends. `near` marks those that float32 may decide otherwise."""

    def __init__(self, attributes: dict, shape: tuple, steps: int):
        self.kind, self.p, self.shape, self.steps = attributes["kind"], attributes["parameters"], shape, steps
        self.near = np.zeros(shape, bool)
        self.largest = np.zeros((shape[0], *[1] * (len(shape) - 1)))
        self.v = np.full(shape, float(self.p.get("initialMembrane", 0)))
        if attributes.get("initialOffsets"):
            self.v = self.v + channels(attributes["initialOffsets"], self.v)
        self.memory = np.zeros(shape)
        self.past = []
        if self.kind == "RecurrentNeuron":
            self.inner = Layer(self.p["neuron"], shape, steps)
            self.weight = np.array(self.p["weight"], np.float64).reshape(len(self.p["bias"]), -1)

    def number(self, name: str, default=None):
        """A parameter: one number, or one a neuron; `default` where it is absent."""
        value = self.p.get(name, default)
        if value is None:
            return None
        value = np.asarray(value, np.float64)
        return value if value.ndim == 0 else value.reshape(self.shape[1:])

    def mark(self, distance, threshold) -> None:
        self.near |= np.abs(distance) <= NEAR_THRESHOLD * threshold + NEAR_CURRENT * self.largest

    def integrate(self, current: np.ndarray, step: int) -> None:
        self.largest = np.maximum(self.largest, np.abs(current).max(tuple(range(1, current.ndim)), keepdims=True, initial=0))
        match self.kind:
            case "IFNode" | "SignedIFNeuron" | "BurstIFNeuron" | "MultiSpikeIFNeuron":
                self.v = self.v + current
            case "RadixNeuron" | "DigitNeuron":
                self.v = 2 * self.v + current
            case "QuantizerNeuron":
                self.v = (1 if self.p.get("digits") is None else 2) * self.v + current
            case "LIFNeuron" | "LINeuron":
                self.v = self.number("decay") * self.v + self.number("gain") * current + self.number("drive")
            case "CubaLIFNeuron":
                self.memory = self.number("synapticDecay") * self.memory + self.number("synapticGain") * current
                self.v = self.number("decay") * self.v + self.number("gain") * self.memory + self.number("drive")
            case "ThresholdNeuron":
                self.v = current
            case "DelayNeuron":
                self.past.append(current)
            case "FixedPointIFNeuron":
                most, units = 2.0 ** (self.p["bits"] - 1), (self.v + current) / self.p["quantum"]
                self.mark(np.abs(units - np.floor(units)) - 0.5, 1)
                self.v = np.clip(np.sign(units) * np.floor(np.abs(units) + 0.5), -most, most - 1) * self.p["quantum"]
            case "RecurrentNeuron":
                echo = self.memory.reshape(len(self.memory), -1) @ self.weight.T + np.array(self.p["bias"], np.float64)
                self.inner.integrate(current + echo.reshape(self.shape), step)
            case _:
                raise NotWritten(self.kind)

    def emit(self, step: int) -> np.ndarray:
        match self.kind:
            case "IFNode":
                threshold = self.p["threshold"]
                self.mark(self.v - threshold, threshold)
                spikes = (self.v >= threshold).astype(np.float64)
                reset = self.p["reset"]
                self.v = np.where(spikes > 0, reset["to"]["_0"], self.v) if "to" in reset else self.v - threshold * spikes
                return spikes
            case "SignedIFNeuron":
                threshold, most = self.p["threshold"], self.p.get("maximumCount") or np.inf
                can_send, can_take = self.memory < most, self.memory > 0
                self.near |= can_send & (np.abs(self.v - threshold) <= NEAR_THRESHOLD * threshold + NEAR_CURRENT * self.largest)
                self.near |= can_take & (np.abs(self.v) <= NEAR_THRESHOLD * threshold + NEAR_CURRENT * self.largest)
                spikes = ((self.v >= threshold) & can_send).astype(np.float64) - ((self.v < 0) & can_take)
                self.v, self.memory = self.v - threshold * spikes, self.memory + spikes
                return spikes
            case "BurstIFNeuron" | "MultiSpikeIFNeuron":
                threshold = self.number("threshold")
                units = self.v / threshold
                most = self.p.get("maximumBurst", np.inf)
                within = (np.rint(units) >= 1) & (np.rint(units) <= most)
                self.near |= within & (
                    np.abs(units - np.rint(units)) * threshold <= NEAR_THRESHOLD * threshold + NEAR_CURRENT * self.largest
                )
                spikes = np.minimum(most, np.maximum(0, np.floor(units)))
                self.v = self.v - threshold * spikes
                if self.kind == "MultiSpikeIFNeuron":
                    self.v = np.maximum(self.v, -threshold)
                return spikes
            case "RadixNeuron":
                self.v = self.v + (0.5 if step == 0 else 0)
                weight = 2.0 ** (self.p["digits"] - 1 - step)
                self.mark(self.v - weight, 1)
                spikes = (self.v >= weight).astype(np.float64)
                self.v = self.v - weight * spikes
                return spikes
            case "DigitNeuron":
                # ⌊|u| + ½⌋ with u's sign, digit by digit.
                if step == 0:
                    magnitude = np.minimum(np.floor(np.abs(self.v) + 0.5), 2.0 ** self.p["digits"] - 1)
                    middle = np.abs(np.abs(self.v) + 0.5 - np.rint(np.abs(self.v) + 0.5))
                    self.near |= (middle <= NEAR_THRESHOLD + NEAR_CURRENT * self.largest) & (np.abs(self.v) < 2.0 ** self.p["digits"])
                    self.v = np.sign(self.v) * magnitude
                weight = 2.0 ** (self.p["digits"] - 1 - step)
                spikes = np.sign(self.v) * (np.abs(self.v) >= weight)
                self.v = self.v - weight * spikes
                return spikes
            case "QuantizerNeuron":
                return self._quantise(step)
            case "LIFNeuron" | "CubaLIFNeuron" if self.p.get("threshold") is not None:
                threshold = self.number("threshold")
                self.mark(self.v - threshold, threshold)
                spikes = (self.v > threshold if self.p["isStrict"] else self.v >= threshold).astype(np.float64)
                reset = self.number("resetValue")
                self.v = self.v - threshold * spikes if reset is None else np.where(spikes > 0, reset, self.v)
                return spikes
            case "LINeuron" | "CubaLIFNeuron":
                return self.v
            case "ThresholdNeuron":
                self.mark(self.v - self.number("threshold"), self.number("threshold"))
                return (self.v > self.number("threshold")).astype(np.float64)
            case "DelayNeuron":
                return self.past[step - self.p["steps"]] if step >= self.p["steps"] else np.zeros(self.shape)
            case "FixedPointIFNeuron":
                threshold = self.p["threshold"]
                units = np.floor(self.v / threshold + 1e-9)
                spikes = np.maximum(0, units if self.p["isMultiSpike"] else np.minimum(units, 1))
                self.v = np.where(spikes > 0, 0, self.v) if self.p["resetsToZero"] else self.v - threshold * spikes
                return spikes
            case "RecurrentNeuron":
                self.memory = self.inner.emit(step)
                self.near = self.inner.near
                return self.memory
        raise NotWritten(self.kind)

    def _quantise(self, step: int) -> np.ndarray:
        """The count is found before the first step, then sent: unary, or digit by digit."""
        digits, threshold = self.p.get("digits"), self.p["threshold"]
        if step == 0:
            # Unary spikes in other steps than the network was made for keep the same bound of the rate.
            share = 1 if digits is not None else self.steps / threshold
            least, most = (float(np.trunc(self.p[name] * share)) for name in ("lowest", "levels"))
            units, divisor = self.v / threshold, self.p.get("divisor")
            rounding = self.p["rounding"]
            if divisor:
                exact = np.rint(units * divisor)
                distance = np.abs(np.abs(units * divisor - exact) - 0.5) / divisor
            else:
                shifted = units if rounding == "down" else units + 0.5
                distance = np.abs(shifted - np.rint(shifted))
            inside = (units > least - 1) & (units < most + 1)
            self.near |= inside & (distance <= NEAR_THRESHOLD + NEAR_CURRENT * self.largest / threshold)
            self.v = np.minimum(most, np.maximum(least, round_level(units, rounding, divisor)))
        weight = 1.0 if digits is None else 2.0 ** (digits - 1 - step)
        spikes = np.sign(self.v) * (np.abs(self.v) >= weight)
        self.v = self.v - weight * spikes
        return spikes


class Run:
    """What came of a simulation."""

    def __init__(self):
        self.outputs = {}
        """After the last step, by name."""
        self.steps = {}
        """After each step, by name: [T, …]."""
        self.sums = {}
        """What the outputs are made of: the values that were accumulated, after the last step."""
        self.moved = {}
        """The outputs after each step if what they are functions of were off by rounding; empty lists without such functions."""
        self.counts = {}
        """For each node of neurons the spikes of each neuron, [N, …]; those that are taken back count too."""
        self.spikes = {}
        """The spikes of each step: [T, N, …]."""
        self.largest = {}
        """For each output that is a sum, the largest number that is added up behind the last neurons: what rounding is a share of."""
        self.near = {}
        """The neurons that were as near to a threshold as float32 may err."""
        self.operations, self.sure_operations = {}, {}
        """For each layer that reads spikes, its synaptic operations: [T, N]; and those of values that rounding alone cannot have made."""


class Simulator:
    """Runs a network. `varying`: the input is [T, N, …]."""

    def __init__(self, network: Network, steps: int, counts_operations: bool = False):
        self.network, self.steps, self.counts_operations = network, steps, counts_operations

    def arrives(self, step: int) -> bool:
        """Whether what does not depend on spikes arrives in a step: of a radix code with the last one alone, where nothing doubles it."""
        return not self.network.radix or step == self.steps - 1

    def accumulated(self, train: list) -> list:
        """After each step, the sum that an output is made of: over the steps behind the readout's delay, or over all until then."""
        network, everything, behind, result = self.network, 0, 0, []
        for step, value in enumerate(train):
            everything = network.growth * everything + value
            if step >= network.delay:
                behind = network.growth * behind + value
            total, count = (behind, step + 1 - network.delay) if step >= network.delay else (everything, step + 1)
            result.append(total if network.radix else total / count)
        return result

    def run(self, inputs: dict, varying: bool = False) -> Run:
        network, run = self.network, Run()
        self.batch = next(iter(inputs.values())).shape[1 if varying else 0]
        still, trains, pulses = dict(network.constants), {}, {}
        for name, array in inputs.items():
            array = array.astype(np.float64) if array.dtype.kind == "f" else array
            if varying:
                trains[name] = pulses[name] = list(array)
            else:
                still[name] = array
        behind = []
        for node in network.nodes:
            if node["name"] in network.tail:
                behind.append(node)
                continue
            self._compute(node, still, trains, pulses, run)
        read = {name for node in behind for name in node["inputs"]} | {output["value"] for output in network.outputs}
        sums = {name: self.accumulated(train) for name, train in trains.items() if name in read}
        run.sums = {name: steps[-1] for name, steps in sums.items()}
        for output in network.outputs:
            run.steps[output["name"]] = []
        # A function of a sum that has cancelled, or of two that are equal, shows more than rounding of what rounding does to it.
        rounding = {name: NEAR_CURRENT * self._largest(name, still, trains) for name in sums} if behind else {}
        for output in network.outputs:
            run.moved[output["name"]] = []
        for step in range(self.steps):
            values = {name: train[step] for name, train in sums.items()} | still
            self._read_out(behind, values)
            for output in network.outputs:
                run.steps[output["name"]].append(values[output["value"]])
            if behind:
                # The sign changes from place to place, and is always the same.
                moved = {
                    name: train[step] + size * np.cos(np.arange(train[step].size)).reshape(train[step].shape)
                    for (name, train), size in zip(sums.items(), rounding.values())
                } | still
                self._read_out(behind, moved)
                for output in network.outputs:
                    run.moved[output["name"]].append(moved[output["value"]])
        for output in network.outputs:
            if output["value"] not in {name for node in behind for name in node["outputs"]}:
                run.largest[output["name"]] = self._largest(output["value"], still, trains)
        run.outputs = {name: steps[-1] for name, steps in run.steps.items()}
        return run

    def _read_out(self, behind: list, values: dict) -> None:
        """The tail, which acts on what was accumulated."""
        for node in behind:
            kind, a = node["operator"]["type"], node["operator"]["attributes"]
            values[node["outputs"][0]] = apply(kind, a, [values[name] for name in node["inputs"]], self.batch)

    def _largest(self, value: str, still: dict, trains: dict) -> float:
        makers = {name: node for node in self.network.nodes for name in node["outputs"]}
        found, waiting, seen = 0.0, [value], set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            arrays = trains.get(name, [still[name]] if name in still and name not in self.network.constants else [])
            # Digits of a radix code are added up first.
            arrays = self.accumulated(arrays)[-1:] if name in trains and self.network.radix else arrays
            found = max([found, *(float(np.abs(array).max(initial=0)) for array in arrays)])
            if name in makers and makers[name]["operator"]["type"] not in STATEFUL:
                waiting += makers[name]["inputs"]
        return found

    def _compute(self, node, still, trains, pulses, run):
        network, names = self.network, node["inputs"]
        kind, a, result = node["operator"]["type"], node["operator"]["attributes"], node["outputs"][0]
        if kind in STATEFUL:
            read = names[0]
            current = trains.get(read) or [still[read] if self.arrives(step) else np.zeros_like(still[read]) for step in range(self.steps)]
            trains[result] = pulses[result] = self._neurons(node, a, current, run) if kind == "Neuron" else self._maxima(a, current)
            if kind != "Neuron" and self.counts_operations and read in pulses:
                # One constant for all places of a channel is in every maximum, and so behind the pool what it was before it.
                places = tuple(range(2, current[0].ndim))
                if all(np.ptp(x - pulse, axis=places).max(initial=0) < 1e-9 for x, pulse in zip(current, pulses[read])):
                    pulses[result] = self._maxima(a, pulses[read])
            return
        if not any(name in trains for name in names):
            still[result] = apply(kind, a, [still[name] for name in names], self.batch)
            return
        nature, additive = network.linearity(node)
        if nature == "nonlinear" and network.waits and result in network.spiking_values:
            # It acts on what the steps of a layer stand for, and its result arrives as the input does.
            whole = [self.accumulated(trains[name])[-1] if name in trains else still[name] for name in names]
            still[result] = apply(kind, a, whole, self.batch)
            return

        def step_inputs(step: int, values: dict, with_constants: bool) -> list:
            found = []
            for position, name in enumerate(names):
                is_constant = name in network.constants
                arrives = self.arrives(step) and (with_constants or not is_constant) or is_constant and position not in additive
                if name in values:
                    found.append(values[name][step])
                else:
                    found.append(still[name] if arrives or nature == "nonlinear" else np.zeros_like(still[name]))
            return found

        trains[result] = [apply(kind, a, step_inputs(step, trains, True), self.batch) for step in range(self.steps)]
        if self.counts_operations:
            # A constant among the spikes is known beforehand: it is a bias behind the weights, and no operation.
            # Through what is not linear it cannot be told apart.
            pulses[result] = (
                trains[result]
                if nature == "nonlinear"
                else [apply(kind, a, step_inputs(step, pulses, False), self.batch) for step in range(self.steps)]
            )
            if network.has_weights(node):
                factors = [step_inputs(step, pulses, False)[:2] for step in range(self.steps)]
                run.operations[node["name"]] = np.stack([self._operations(kind, a, pair) for pair in factors])
                # What a difference leaves of two equal numbers may be rounding, which no two programs do alike.
                largest = [max(np.abs(pair[place]).max(initial=0) for pair in factors) for place in range(2)]
                clear = [[np.where(np.abs(f) > 1e-6 * most, f, 0) for f, most in zip(pair, largest)] for pair in factors]
                run.sure_operations[node["name"]] = np.stack([self._operations(kind, a, pair) for pair in clear])

    def _operations(self, kind, a, factors) -> np.ndarray:
        """NeuroBench's synaptic operations: for every input that is not zero the weights that are not."""
        a = dict(a, alpha=1) if kind == "Gemm" else a
        products = apply(kind, a, [(np.abs(factor) > 0).astype(np.float64) for factor in factors], self.batch)
        return products.reshape(len(products), -1).sum(1)

    def _neurons(self, node, a, current, run) -> list:
        layer = Layer(a, current[0].shape, self.steps)
        if self.network.waits:
            for step in range(self.steps):
                layer.integrate(current[step], step)
            # A layer of fewer digits than others sends its first where theirs are worth as much.
            late = self.steps - layer.p["digits"] if self.network.radix and layer.p.get("digits") else 0
            spikes = [layer.emit(step - late) if step >= late else np.zeros(layer.shape) for step in range(self.steps)]
        else:
            spikes = []
            for step in range(self.steps):
                layer.integrate(current[step], step)
                spikes.append(layer.emit(step))
        run.spikes[node["name"]] = np.stack(spikes)
        run.counts[node["name"]] = np.abs(run.spikes[node["name"]]).sum(0)
        run.near[node["name"]] = layer.near
        return spikes

    def _maxima(self, a, current) -> list:
        """y(t) = max Σ(t) − g · max Σ(t−1), where Σ(t) = g · Σ(t−1) + x(t); g is 1, of a radix code its base."""
        rank = len(a["window"]["kernel"])
        total, before, result = np.zeros_like(current[0]), 0, []
        for x in current:
            total = self.network.growth * total + x
            most = windows(total, a["window"], -np.inf).max(tuple(range(2 + rank, 2 + 2 * rank)))
            result.append(most - self.network.growth * before)
            before = most
        return result


def simulate(network: Network, inputs: dict, steps: int, varying: bool = False, counts_operations: bool = False) -> Run:
    """Runs a network for some steps. `inputs`: an array for each input, by name."""
    with np.errstate(all="ignore"):
        return Simulator(network, steps, counts_operations).run(inputs, varying)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snn", help="a spiking network (.safetensors)")
    parser.add_argument("--input", required=True, help="the input, [N, …] (.npy), or all inputs by name (.npz)")
    parser.add_argument("--steps", type=int, help="the number of steps; default: what the network was converted for, else 32")
    parser.add_argument("--time-varying", action="store_true", help="the input is [T, N, …]")
    parser.add_argument("--output", help="where to write the first output (.npy)")
    parser.add_argument("--spike-counts", help="where to write how often each neuron fired (.npz)")
    arguments = parser.parse_args()
    network = Network.read(arguments.snn)
    data = np.load(arguments.input)
    inputs = dict(data) if arguments.input.endswith(".npz") else {network.inputs[0]["name"]: data}
    run = simulate(network, inputs, arguments.steps or network.spiking.get("steps") or 32, arguments.time_varying)
    for name, array in run.outputs.items():
        print(f"{name} {list(array.shape)}: largest {np.abs(array).max():.6g}")
    for name, array in run.counts.items():
        print(f"{name} {list(array.shape)}: {int(array.sum())} spikes, {int(run.near[name].sum())} neurons near a threshold")
    if arguments.output:
        np.save(arguments.output, next(iter(run.outputs.values())).astype(np.float32))
    if arguments.spike_counts:
        np.savez(arguments.spike_counts, **{name: array.astype(np.int64) for name, array in run.counts.items()})


if __name__ == "__main__":
    main()
