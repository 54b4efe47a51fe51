"""Spiking networks as PyTorch modules, to be trained, and the way back. Imports PyTorch."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from . import _torch_neurons, _torch_operators
from ._errors import SpikeletError
from ._models import _plain
from .network import _whole_number, load

# What the constants of an operator are called, by their place among its inputs.
_ROLES = {
    **dict.fromkeys(_torch_operators.WEIGHTED, {0: "weight", 1: "weight", 2: "bias"}),
    "BatchNormalization": {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"},
    "GroupNormalization": {1: "weight", 2: "bias"},
    "LayerNormalization": {1: "weight", 2: "bias"},
}
_STATISTICS = ("running_mean", "running_var")
_STATEFUL = ("Neuron", "RunningMaximumPool")
# Facts that tell of weights as they were before the training.
_OUTDATED = ("correctedWeights", "uncorrectedWeights", "correctedLayers", "correctionSamples", "targetDrop", "heldOutDrop")
# Beyond, the quotient of two thresholds is no number in float32.
_THRESHOLDS = (1e-30, 1e30)
# As in SpikingNetwork.run.
_USUAL_STEPS = 32


class _Part(nn.Module):
    """A node of the network, or what the names of several begin with."""

    label = ""

    def extra_repr(self) -> str:
        sizes = [f"{name} {'×'.join(map(str, value.shape)) or 'a number'}" for name, value in self.named_parameters(recurse=False)]
        return ", ".join([self.label, *sizes] if self.label else sizes)


def _digest(array: numpy.ndarray) -> str:
    return hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()


def _kind(node: Mapping[str, Any]) -> str:
    return node["operator"]["type"]


def _attributes(node: Mapping[str, Any]) -> dict[str, Any]:
    return node["operator"].get("attributes") or {}


def _same_channels(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return len(before["scales"]) == len(after["scales"]) and before.get("axis", 1) == after.get("axis", 1)


class TrainableNetwork(nn.Module):
    """A spiking network as a PyTorch module; :meth:`SpikingNetwork.to_torch` makes one, :func:`from_torch` leads back.

    Weights and biases are parameters, named by the layer: ``conv1.weight``, ``block1.conv1.bias``. What a spike of a layer is worth (θ, of
    digits a step of the last one, one number or one a channel) is a parameter, too, named by the activation, ``relu1.threshold``; it
    learns where ``requires_grad`` is set. Initial membranes are not trained, and no part of ``state_dict()``, nor is the number of digits: a
    state belongs into a module of the same network. ``train()`` and ``eval()`` compute the same: batch
    normalisations that were not folded keep their statistics.

    Forward it gives what :meth:`SpikingNetwork.run` gives in float32, but for the order of summation: where that decides about a spike, a
    potential lay within rounding of a threshold. Backward, spikes have stated derivatives in place of none:

    - ``RadixNeuron``, ``DigitNeuron``: the K digits make one number, n = clip(⌊u + ½⌋, 0, 2^K − 1), whose derivative by u is that of the
      clipping: 1 for −½ ≤ u < 2^K − ½, else 0; of signed digits 1 for \\|u\\| < 2^K − ½ (straight-through, as in QCFS: Bu et al., ICLR 2022;
      arXiv 2303.04347).
    - ``IFNode``, ``BurstIFNeuron``, ``SignedIFNeuron``: ∂s/∂v = 1/θ for \\|v − θ\\| < θ/2, else 0 (a rectangle of width θ, as in STBP: Wu et
      al., Frontiers in Neuroscience 2018). Bursts of up to b spikes: 1/θ for θ/2 ≤ v < (b + ½) θ. Of a spike that may be taken back,
      besides, 1/θ for \\|v\\| < θ/2. The gradient goes through the reset by subtraction, and back through all steps.

    By a threshold the gradient is what these derivatives make of θ · n(x/θ), as in LSQ (Esser et al., ICLR 2020).
    """

    def __init__(self, document: Mapping[str, Any], constants: Mapping[str, numpy.ndarray], *, learn_thresholds: bool = False) -> None:
        super().__init__()
        self._document = copy.deepcopy(dict(document))
        self._spiking = self._document["spiking"]
        self._nodes: list[dict[str, Any]] = self._document["nodes"]
        self._places: dict[str, tuple[str, ...]] = {}
        self._scales: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._offsets: dict[str, tuple[str, ...]] = {}
        self._types = {name: array.dtype.name for name, array in constants.items()}
        self._digests = {name: _digest(array) for name, array in constants.items()}
        self._makers = {value: node for node in self._nodes for value in node["outputs"]}
        self._readers: dict[str, list[dict[str, Any]]] = {}
        for node in self._nodes:
            for value in node["inputs"]:
                self._readers.setdefault(value, []).append(node)
        self._of_spikes: set[str] = set()
        for node in self._nodes:
            if _kind(node) in _STATEFUL or self._of_spikes.intersection(node["inputs"]):
                self._of_spikes.update(node["outputs"])
        self._tail = self._functions_of_outputs()
        self._refuse_others()
        self._take_neurons(learn_thresholds)
        self._take_constants(constants)
        self._shapes = self._described()

    # What there is

    @property
    def recipe(self) -> str:
        """How the network was converted."""
        return self._spiking["recipe"]

    @property
    def steps(self) -> int | None:
        """The number of time steps that it was converted for; None where the recipe has none."""
        return self._spiking.get("steps")

    @property
    def _is_digits(self) -> bool:
        return self._spiking["code"] == "radix"

    @property
    def _waits(self) -> bool:
        return self._spiking["schedule"] == "layer-synchronous"

    def _nature(self, node: Mapping[str, Any]) -> str:
        return _torch_operators.nature(_kind(node), _attributes(node), [name in self._types for name in node["inputs"]])

    def _functions_of_outputs(self) -> set[str]:
        """The nodes that act on the accumulated output: functions from which no neuron and no weight is reached, and their readers."""
        shown = {output["value"] for output in self._document["outputs"]}
        leads: set[str] = set()
        last: set[str] = set()
        for node in reversed(self._nodes):
            readers = {other["name"] for value in node["outputs"] for other in self._readers.get(value, [])}
            has_weights = _kind(node) in _torch_operators.WEIGHTED and any(name in self._types for name in node["inputs"][:2])
            if _kind(node) in _STATEFUL or has_weights or leads & readers:
                leads.add(node["name"])
            if _kind(node) in ("Softmax", "LogSoftmax", "Sigmoid", "Quantizer") and last >= readers:
                if readers or shown.intersection(node["outputs"]):
                    last.add(node["name"])

        def collected(with_maxima: bool) -> tuple[set[str], set[str]]:
            found: set[str] = set()
            made: set[str] = set()
            read: set[str] = set()
            for node in self._nodes:
                if node["name"] in leads or not self._of_spikes.intersection(node["inputs"]):
                    continue
                nature = self._nature(node)
                begins = nature == "nonlinear" or with_maxima and nature == "maximum"
                if _kind(node) == "Relu" or _kind(node) == "Clip" and _attributes(node).get("minimum") == 0:
                    begins = False
                if _kind(node) == "Quantizer":
                    begins = node["name"] in last
                if begins or made.intersection(node["inputs"]):
                    found.add(node["name"])
                    made.update(node["outputs"])
                    read.update(name for name in node["inputs"] if name not in self._types)
            return found, read - made

        found, read = collected(False)
        # What a maximum is compared with acts where the maximum does.
        return collected(True)[0] if len(read) > 1 else found

    def _refuse_others(self) -> None:
        known = _torch_neurons.DIGITS if self._is_digits else _torch_neurons.RATES if self._spiking["code"] == "rate" else ()
        found: dict[str, list[str]] = {}
        for node in self._nodes:
            attributes = _attributes(node)
            if _kind(node) == "Neuron":
                kind = attributes["kind"]
                reason = None if kind in known else f"neurons of the rule {kind}, in a {self._spiking['code']} code"
            else:
                reason = _torch_operators.obstacle(_kind(node), attributes)
                spikes = self._of_spikes.intersection(node["inputs"])
                if self._is_digits and spikes and self._nature(node) == "maximum" and node["name"] not in self._tail:
                    reason = "maxima of single digits (pooling='instantaneous')"
            if reason is not None:
                found.setdefault(reason, []).append(node["name"])
        if self._is_digits and self._spiking.get("base", 2) != 2:
            found[f"digits of base {self._spiking['base']}"] = [self._nodes[-1]["name"]]
        if found:
            raise SpikeletError(
                "unsupported", "this network has no form in PyTorch", where=f"network '{self._document['name']}' ({self.recipe})",
                details=[f"- {reason}: {len(names)} ×, such as '{names[0]}'" for reason, names in found.items()],
                remedy="convert with the recipe radix, rate-coding, calibrated, signed, burst or local-threshold-balancing, and with running "
                "maxima where max pooling stands; train the ANN where an operator is missing",
            )

    # Parameters

    def _add(self, path: Sequence[str], leaf: str, value: Tensor, *, label: str = "", keeps: bool = True) -> tuple[str, ...]:
        """Registers a parameter or a buffer; where a name is taken, with an underscore behind it."""
        part: nn.Module = self
        names: list[str] = []
        for name in path:
            while hasattr(part, name) and not isinstance(getattr(part, name), _Part):
                name += "_"
            if not hasattr(part, name):
                part.add_module(name, _Part())
            part = getattr(part, name)
            names.append(name)
        while hasattr(part, leaf):
            leaf += "_"
        if isinstance(value, nn.Parameter):
            part.register_parameter(leaf, value)
        else:
            part.register_buffer(leaf, value, persistent=keeps)
        if label and isinstance(part, _Part):
            part.label = label
        return (*names, leaf)

    @staticmethod
    def _path(name: str) -> list[str]:
        return [re.sub(r"\W", "_", part) for part in re.split(r"[./:]+", name) if part] or ["node"]

    def _take_neurons(self, learn_thresholds: bool) -> None:
        shown = {output["value"] for output in self._document["outputs"]}
        for node in self._nodes:
            if _kind(node) != "Neuron":
                continue
            attributes = _attributes(node)
            label = attributes["kind"]
            path = self._path((attributes.get("site") or {}).get("activation") or node["name"])
            before, readers = self._makers.get(node["inputs"][0]), self._readers.get(node["outputs"][0], [])
            after = readers[0] if len(readers) == 1 else None
            is_between = (
                before is not None and after is not None and _kind(before) == _kind(after) == "VoltageScaler"
                and len(self._readers[node["inputs"][0]]) == 1 and not shown & {node["inputs"][0], node["outputs"][0]}
                and _same_channels(_attributes(before), _attributes(after))
            )
            if is_between:
                worth = torch.tensor(_attributes(after)["scales"], dtype=torch.float32)
                threshold = self._add(path, "threshold", nn.Parameter(worth.clone(), requires_grad=learn_thresholds), label=label)
                scales = torch.stack([torch.tensor(_attributes(before)["scales"], dtype=torch.float32), worth])
                converted = self._add(threshold[:-1], "converted", scales, keeps=False)
                self._scales[before["name"]], self._scales[after["name"]] = ("before", threshold), ("after", threshold)
                self._scales[node["name"]] = ("converted", converted)
            if attributes.get("initialOffsets"):
                offsets = torch.tensor(attributes["initialOffsets"], dtype=torch.float32)
                self._offsets[node["name"]] = self._add(path, "offsets", offsets, label=label, keeps=False)
        for node in self._nodes:
            if _kind(node) == "VoltageScaler" and node["name"] not in self._scales:
                scales = torch.tensor(_attributes(node)["scales"], dtype=torch.float32)
                self._scales[node["name"]] = ("fixed", self._add(self._path(node["name"]), "scales", scales, keeps=False))

    def _take_constants(self, constants: Mapping[str, numpy.ndarray]) -> None:
        for node in self._nodes:
            for place, name in enumerate(node["inputs"]):
                if name in constants and name not in self._places:
                    role = _ROLES.get(_kind(node), {}).get(place)
                    path = [*self._path(node["name"]), role] if role else self._path(name.replace(".corrected.", "."))
                    self._take(name, path, constants[name], _kind(node) if role else "", role not in _STATISTICS)
        for name in constants:
            if name not in self._places:
                self._take(name, self._path(name), constants[name], "", False)

    def _take(self, name: str, path: Sequence[str], array: numpy.ndarray, label: str, learns: bool) -> None:
        tensor = torch.from_numpy(numpy.array(array))
        # One number alone belongs to a function: the root of a width, the slope of an activation.
        if learns and tensor.is_floating_point() and tensor.numel() > 1 or label and path[-1] in ("weight", "bias"):
            tensor = nn.Parameter(tensor)
        self._places[name] = self._add(path[:-1], path[-1], tensor, label=label)

    def _at(self, path: Sequence[str]) -> Tensor:
        return functools.reduce(getattr, path, self)

    def _described(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self.state_dict(keep_vars=True).items()}

    def _scale(self, node: Mapping[str, Any]) -> Tensor:
        role, path = self._scales[node["name"]]
        if role != "before":
            return self._at(path)
        before, after = self._at((*path[:-1], self._converted(node))).unbind()
        # A quotient of 1 as long as the threshold is as it was: the same numbers as in the file then.
        return before * (after / self._at(path))

    def _converted(self, scaler: Mapping[str, Any]) -> str:
        return self._scales[self._readers[scaler["outputs"][0]][0]["name"]][1][-1]

    # Simulation

    def forward(self, *x: Any, steps: int | None = None) -> Any:
        """Simulates the network from a fresh state.

        Parameters
        ----------
        *x : Tensor, [N, …]
            One for each input; or a dictionary by name. Values of uint8 become 0…1 by 1/255.
        steps : int, optional
            The number of time steps T. By default that of the conversion, else 32; of a radix code always its own.

        Returns
        -------
        Tensor, [N, …]
            What :meth:`SpikingNetwork.run` gives. Of several outputs a dictionary by name.

        Raises
        ------
        SpikeletError
            ``invalidData`` for inputs that are not the network's, ``invalidOption`` for other steps than a radix code has.
        """
        values, batch = self._inputs(x)
        steps = None if steps is None else _whole_number("steps", steps)
        if self._is_digits:
            if steps not in (None, self.steps):
                raise SpikeletError(
                    "invalidOption", f"`steps={steps}` for a radix code of {self.steps} digits", remedy="leave it out, or convert again"
                )
            self._send_numbers(values, batch)
        else:
            self._simulate(values, batch, steps or self.steps or _USUAL_STEPS)
        outputs = {output["name"]: self._value(output["value"], values) for output in self._document["outputs"]}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def _inputs(self, x: tuple[Any, ...]) -> tuple[dict[str, Any], int]:
        ports = self._document["inputs"]
        names = [port["name"] for port in ports]
        if len(x) == 1 and isinstance(x[0], Mapping):
            if set(x[0]) != set(names):
                raise SpikeletError("invalidData", f"inputs named {', '.join(map(str, x[0]))}", remedy=f"give {', '.join(names)}")
            x = tuple(x[0][name] for name in names)
        if len(x) != len(names) or not all(isinstance(value, Tensor) for value in x):
            raise SpikeletError(
                "invalidData", f"{', '.join(type(value).__name__ for value in x) or 'nothing'} for {', '.join(names)}",
                remedy="give one tensor for each input; torch.from_numpy() makes one of an array",
            )
        dtype = next((value.dtype for value in self.parameters() if value.is_floating_point()), torch.float32)
        values: dict[str, Any] = {}
        for port, value in zip(ports, x):
            sizes = port["shape"]
            wanted = [None if isinstance(size, dict) else size for size in sizes]
            if value.ndim != len(wanted) or any(size not in (None, given) for size, given in zip(wanted, value.shape)):
                shape = ", ".join("N" if size is None else str(size) for size in wanted)
                raise SpikeletError(
                    "invalidData", f"an input of shape {list(value.shape)}, the network takes [{shape}]", where=f"input '{port['name']}'",
                    remedy="give samples of the network's size",
                )
            if value.is_floating_point() and not torch.isfinite(value).all():
                # At a threshold they would be silence, and the loss a number.
                raise SpikeletError(
                    "invalidData", "it holds numbers that are not finite", where=f"input '{port['name']}'", remedy="leave out such samples"
                )
            if port["elementType"] == "float32":
                value = value.to(dtype) / 255 if value.dtype == torch.uint8 else value.to(dtype)
            values[port["name"]] = value
        return values, len(x[0]) if x and x[0].ndim else 1

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        return values[name] if name in values else self._at(self._places[name])

    def _computed(self, node: Mapping[str, Any], inputs: list[Tensor], batch: int) -> Tensor:
        if _kind(node) == "VoltageScaler":
            inputs = [*inputs, self._scale(node)]
        return _torch_operators.apply(_kind(node), _attributes(node), inputs, batch)

    def _send_numbers(self, values: dict[str, Any], batch: int) -> None:
        """Of digits, what all steps say together: all between the neurons acts on sums of them as it acts on the digits."""
        for node in self._nodes:
            inputs = [self._value(name, values) for name in node["inputs"]]
            if _kind(node) == "Neuron":
                attributes = _attributes(node)
                values[node["outputs"][0]] = _torch_neurons.digits(attributes["kind"], attributes["parameters"], inputs[0])
            else:
                values[node["outputs"][0]] = self._computed(node, inputs, batch)

    def _simulate(self, values: dict[str, Any], batch: int, steps: int) -> None:
        """Node by node, each over all steps: a value is a tensor, or where it depends on spikes a list of one a step."""
        behind = []
        for node in self._nodes:
            if node["name"] in self._tail:
                behind.append(node)
                continue
            inputs = [self._value(name, values) for name in node["inputs"]]
            result = node["outputs"][0]
            if _kind(node) in _STATEFUL:
                train = inputs[0] if isinstance(inputs[0], list) else [inputs[0]] * steps
                values[result] = self._spikes(node, train) if _kind(node) == "Neuron" else self._maxima(node, train)
            elif not any(isinstance(value, list) for value in inputs):
                values[result] = self._computed(node, inputs, batch)
            elif self._waits and self._nature(node) == "nonlinear":
                # It acts on what the steps of a layer stand for, and its result arrives as the input does.
                values[result] = self._computed(node, [self._mean(value) for value in inputs], batch)
            else:
                values[result] = [
                    self._computed(node, [value[step] if isinstance(value, list) else value for value in inputs], batch)
                    for step in range(steps)
                ]
        for name in {name for node in behind for name in node["inputs"]} | {output["value"] for output in self._document["outputs"]}:
            if name in values:
                values[name] = self._mean(values[name])
        for node in behind:
            values[node["outputs"][0]] = self._computed(node, [self._value(name, values) for name in node["inputs"]], batch)

    def _mean(self, value: Any) -> Tensor:
        """What an output is after the last step: the mean over the steps behind the readout's delay, or over all of fewer."""
        if not isinstance(value, list):
            return value
        delay = self._spiking.get("readoutDelay") or 0
        read = value[delay:] if len(value) > delay else value
        return sum(read[1:], read[0]) / len(read)

    def _spikes(self, node: Mapping[str, Any], currents: Sequence[Tensor]) -> list[Tensor]:
        attributes = _attributes(node)
        offsets = self._at(self._offsets[node["name"]]) if node["name"] in self._offsets else None
        return _torch_neurons.simulate(attributes["kind"], attributes["parameters"], offsets, currents, self._waits)

    def _maxima(self, node: Mapping[str, Any], train: Sequence[Tensor]) -> list[Tensor]:
        """y(t) = max Σ(t) − max Σ(t−1), where Σ(t) is the sum of all steps up to t."""
        total, before, result = None, None, []
        for x in train:
            total = x if total is None else total + x
            largest = self._computed(node, [total], 1)
            result.append(largest if before is None else largest - before)
            before = largest
        return result

    # The way back

    def _file(self) -> bytes:
        """The network's file with the arrays as they are now."""
        self._check_structure()
        arrays = {name: self._array(path, self._types[name]) for name, path in self._places.items()}
        thresholds = {path: self._array(path, "float32") for role, path in self._scales.values() if role == "after"}
        wrong = [
            f"- '{'.'.join(self._places[name])}' has {int((~numpy.isfinite(array)).sum())} numbers that are not finite"
            for name, array in arrays.items() if array.dtype.kind == "f" and not numpy.isfinite(array).all()
        ]
        wrong += [
            f"- '{'.'.join(path)}' has {int((~_are_thresholds(array)).sum())} thresholds that are not above 0, or no number to divide by"
            for path, array in thresholds.items() if not _are_thresholds(array).all()
        ]
        if wrong:
            raise SpikeletError(
                "invalidData", "the module's parameters make no network", where=f"network '{self._document['name']}'", details=wrong,
                remedy="train with a smaller learning rate, or clip gradients; hold thresholds above 0",
            )
        document = copy.deepcopy(self._document)
        changed = sum(_digest(array) != self._digests[name] for name, array in arrays.items())
        moved = self._set_thresholds(document, thresholds)
        if changed or moved:
            spiking = document["spiking"]
            spiking["facts"] = {name: fact for name, fact in spiking["facts"].items() if name not in _OUTDATED}
            spiking["facts"]["fineTuned"] = f"{changed} of {len(arrays)} arrays, thresholds of {moved} of {len(thresholds)} layers"
            if moved:
                spiking["facts"].pop("threshold", None)
            spiking["warnings"] = [text for text in spiking["warnings"] if "' is dead: " not in text]
        return _safetensors(document, arrays)

    def _check_structure(self) -> None:
        empty = [name for name, value in self.state_dict().items() if value.is_meta]
        if empty:
            raise SpikeletError(
                "invalidData", "the module has no values: it is on the device 'meta'", where=f"'{empty[0]}'",
                remedy="load its state_dict on the CPU first",
            )
        now = self._described()
        wrong = [f"- '{name}' is missing" for name in self._shapes if name not in now]
        wrong += [f"- '{name}' is new" for name in now if name not in self._shapes]
        wrong += [
            f"- '{name}' is {list(now[name])}, and was {list(shape)}" for name, shape in self._shapes.items() if now.get(name, shape) != shape
        ]
        for node in self._nodes:
            role, path = self._scales.get(node["name"], ("", ()))
            if role in ("fixed", "converted"):
                given = self._at(path)
                scales = _attributes(node)["scales"] if role == "fixed" else self._as_converted(node)
                if not _is_same(given, scales):
                    wrong.append(f"- '{'.'.join(path)}' has other numbers")
            if node["name"] in self._offsets:
                given = self._at(self._offsets[node["name"]])
                if not _is_same(given, _attributes(node)["initialOffsets"]):
                    wrong.append(f"- '{'.'.join(self._offsets[node['name']])}' has other numbers")
        if wrong:
            raise SpikeletError(
                "invalidData", "the module is not as to_torch() made it", where=f"network '{self._document['name']}'", details=wrong,
                remedy="only numbers of parameters may change; undo pruning (torch.nn.utils.prune.remove) and parametrisations first",
            )

    def _as_converted(self, neurons: Mapping[str, Any]) -> list[list[float]]:
        before, after = self._makers[neurons["inputs"][0]], self._readers[neurons["outputs"][0]][0]
        return [_attributes(before)["scales"], _attributes(after)["scales"]]

    def _array(self, path: Sequence[str], dtype: str) -> numpy.ndarray:
        tensor = self._at(path).detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).contiguous().numpy().astype(dtype, copy=False)

    def _set_thresholds(self, document: Mapping[str, Any], thresholds: Mapping[tuple[str, ...], numpy.ndarray]) -> int:
        """Writes the thresholds into a document: what scales currents, what scales spikes, and what a spike stands for."""
        moved = 0
        nodes = {node["name"]: node for node in document["nodes"]}
        for neurons in self._nodes:
            if self._scales.get(neurons["name"], ("",))[0] != "converted":
                continue
            before, after = self._makers[neurons["inputs"][0]], self._readers[neurons["outputs"][0]][0]
            old_before, old = (numpy.array(scales, numpy.float32) for scales in self._as_converted(neurons))
            new = thresholds[self._scales[after["name"]][1]]
            if numpy.array_equal(old, new):
                continue
            moved += 1
            _attributes(nodes[before["name"]])["scales"] = _numbers(old_before * (old / new))
            _attributes(nodes[after["name"]])["scales"] = _numbers(new)
            site = _attributes(nodes[neurons["name"]]).get("site")
            if site is not None:
                spike = numpy.array(site["spike"], numpy.float32)
                site["spike"] = _numbers(numpy.where(spike == old, new, spike * (new / old)))
        return moved


def _are_thresholds(array: numpy.ndarray) -> numpy.ndarray:
    least, most = _THRESHOLDS
    return (array >= least) & (array <= most)


def _is_same(given: Tensor, numbers: Any) -> bool:
    """Whether a buffer has the numbers that it was made with, as the precisions leave them that a module may have passed through."""
    made, given = torch.tensor(numbers, dtype=torch.float32), given.detach().cpu()
    forms = [made, *(made.to(rounded).float() for rounded in (torch.float16, torch.bfloat16))]
    return any(torch.equal(given, form.to(given.dtype)) for form in forms)


def _numbers(array: numpy.ndarray) -> list[float]:
    # Through the shortest text: JSON then has the digits that float32 needs, and no more.
    return [float(str(number)) for number in array.astype(numpy.float32)]


def _safetensors(document: Mapping[str, Any], arrays: Mapping[str, numpy.ndarray]) -> bytes:
    types = {"float32": "F32", "int64": "I64", "bool": "BOOL"}
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0].encode()))
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    header: dict[str, Any] = {"__metadata__": {"format": "spikelet", "spikelet": text}}
    position = 0
    for name, array in ordered:
        header[name] = {
            "dtype": types[array.dtype.name], "shape": list(array.shape), "data_offsets": [position, position + array.nbytes]
        }
        position += array.nbytes
    head = json.dumps(header, ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *(array.tobytes() for _, array in ordered)])


def network_of(module: Any) -> Any:
    """The spiking network of a :class:`TrainableNetwork`; see :func:`spikelet.from_torch`."""
    module = _plain(module) if isinstance(module, nn.Module) else module
    if not isinstance(module, TrainableNetwork):
        raise SpikeletError(
            "invalidOption", f"{type(module).__name__} did not come from to_torch()", where="module",
            remedy="give what snn.to_torch() made; spikelet.convert() makes a spiking network of another module",
        )
    contents = module._file()
    with tempfile.TemporaryDirectory(prefix="spikelet-") as folder:
        path = os.path.join(folder, "snn.safetensors")
        with open(path, "wb") as file:
            file.write(contents)
        return load(path)
