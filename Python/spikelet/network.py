"""Spiking networks: simulated, measured, saved."""

from __future__ import annotations

import os
import tempfile
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy

from . import _c, _models
from ._arrays import like
from ._data import Data
from ._data import inputs as as_inputs
from ._errors import SpikeletError, SpikeletWarning, options
from ._explorer import Explorer
from ._files import check_writable
from ._records import Record
from .graph import Graph, Port, graph_of, is_path, values_of
from .layers import Layer, layers
from .result import Result


class _Simulation:
    """A simulation, and the lock that lets one thread at a time at it."""

    def __init__(self, graph: _c.Handle, precision: str, reference: bool) -> None:
        given = options({"precision": precision, "reference": reference or None})
        self.handle = _c.Handle(lambda out: _c.call("simulation_make", graph, _c.encode(given), out))
        self.lock = threading.RLock()


_networks: weakref.WeakSet["SpikingNetwork"] = weakref.WeakSet()


def _forget_simulations() -> None:
    # Threads stay behind in the parent: what needs them is made anew when it is next used.
    for network in list(_networks):
        network._simulations = {}
        network._making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_simulations)


def _whole_number(name: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, numpy.integer)) or value < least:
        raise SpikeletError("invalidOption", f"`{name}={value!r}` is no number of time steps", remedy=f"give a whole number from {least} on")
    return int(value)


def warn(texts: Any, depth: int = 3) -> None:
    """Python's warnings, of what the library notes, at the line that called into the package."""
    for text in texts or []:
        warnings.warn(str(text), SpikeletWarning, stacklevel=depth)


def is_cpu(device: Any) -> bool:
    """Whether a device, in PyTorch's words or as None, is the CPU."""
    return device is None or str(device).partition(":")[0] == "cpu"


def no_device(device: Any) -> SpikeletError:
    return SpikeletError(
        "invalidOption", f"there is no device '{device}' here: spiking networks are simulated on the CPU", where="device",
        remedy="give 'cpu', or leave it out; set_threads() says how many cores are used",
    )


class SpikingNetwork:
    """A spiking network, made by :func:`convert` or read by :func:`load`.

    ``print(snn)`` shows the table of its layers. Arrays in give arrays out, tensors give tensors; contiguous float32 arrays are read where
    they are. Several threads may use one network: calls that simulate wait for each other. After a fork the child makes its simulations
    anew; between processes a network travels by pickling.

    Examples
    --------
    >>> snn.recipe, snn.steps, snn.schedule
    ('signed', 8, 'streaming')
    >>> print(snn)
    spiking network (signed, streaming) 'model': 17 nodes, 21706 parameters
    ...
    """

    def __init__(self, graph: Graph, *, search: Record | None = None) -> None:
        if not graph.is_spiking:
            raise SpikeletError(
                "invalidOption", f"'{graph.name}' has no spiking neurons", remedy="make a spiking network of it by spikelet.convert()"
            )
        self._graph: Graph | None = graph
        self._search = search
        self._simulations: dict[tuple[str, bool, bool], _Simulation] = {}
        self._making = threading.Lock()
        _networks.add(self)

    # What it is

    @property
    def graph(self) -> Graph:
        """The network as a graph."""
        graph = self._graph
        if graph is None:
            raise SpikeletError("closed", "the network was closed", remedy="load it again, or close it later")
        return graph

    @property
    def name(self) -> str:
        """The model's name."""
        return self.graph.name

    @property
    def recipe(self) -> str:
        """How it was converted."""
        return self.graph._description.get("recipe", "")

    @property
    def steps(self) -> int | None:
        """The number of time steps that it was converted for; None where the recipe has none."""
        return self.graph._description.get("steps")

    @property
    def schedule(self) -> str:
        """``streaming``: every layer advances in every step; ``layer-synchronous``: a layer waits for all steps of its input."""
        return self.graph._description.get("schedule", "streaming")

    @property
    def steps_end_to_end(self) -> int | None:
        """The number of steps from the input to the output, all layers together."""
        return self.graph._description.get("stepsEndToEnd")

    @property
    def facts(self) -> dict[str, str]:
        """The recipe's options and what calibration found, for people."""
        return dict(self.graph._description.get("facts") or {})

    @property
    def warnings(self) -> list[str]:
        """What should be known of it: layers that never spike, approximations."""
        return list(self.graph._description.get("warnings") or [])

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What goes in."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What comes out."""
        return self.graph.outputs

    @property
    def search(self) -> Record | None:
        """What the search for ``target_drop`` tried, as a table with ``print``; None where there was none."""
        return self._search

    @property
    def layers(self) -> list[Layer]:
        """Weights, thresholds and initial membranes, layer by layer.

        Examples
        --------
        >>> for layer in snn.layers:
        ...     print(layer.name, layer.kind, layer.weight.shape)
        snn tailor.0.1 SignedIFNeuron (32, 1, 3, 3)
        snn tailor.1.1 SignedIFNeuron (32, 32, 3, 3)
        snn tailor.2.1 SignedIFNeuron (32, 32, 3, 3)
        linear1 Gemm (10, 288)
        """
        graph = self.graph
        return layers(graph._description.get("document") or {}, graph.constants)

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        if self._graph is None:
            return "<SpikingNetwork, closed>"
        steps = f", {self.steps} steps" if self.steps else ""
        return f"<SpikingNetwork '{self.name}' ({self.recipe}{steps}, {self.schedule})>"

    # As PyTorch's scripts use a network

    def eval(self) -> "SpikingNetwork":
        """Returns the network, which has no other mode."""
        return self

    def train(self, mode: bool = True) -> "SpikingNetwork":
        """Returns the network for ``train(False)``.

        Raises
        ------
        SpikeletError
            ``invalidOption`` for ``train(True)``: a network learns as a module, which :meth:`to_torch` makes.
        """
        if mode:
            raise SpikeletError(
                "invalidOption", "a converted network does not learn", remedy="train snn.to_torch(), and hand it to spikelet.from_torch(); or "
                "train the ANN, and convert it again",
            )
        return self

    def to(self, *device: Any, **more: Any) -> "SpikingNetwork":
        """Returns the network for ``to('cpu')``.

        Raises
        ------
        SpikeletError
            ``invalidOption`` for any other device.
        """
        for given in [*device, *more.values()]:
            if str(given) != "torch.float32" and not isinstance(given, bool) and not is_cpu(given):
                raise no_device(given)
        return self

    def cpu(self) -> "SpikingNetwork":
        """Returns the network, which is there already."""
        return self

    def modules(self) -> Iterator["SpikingNetwork"]:
        """The network alone: it resets all its neurons together."""
        yield self

    def __call__(self, *x: Any) -> Any:
        """One time step of a streaming network; all K steps of a layer-synchronous one.

        Parameters
        ----------
        *x : array or tensor, [N, …]
            One for each input; or a tuple of them, or a dictionary by name.

        Returns
        -------
        array or tensor, [N, …]
            Streaming: what this step adds to the sum of the outputs; the sum of T steps divided by T is what :meth:`run` gives, and
            :meth:`reset` begins anew. Functions behind the last weights, such as a softmax, are left to the caller: they are of that
            quotient, and :meth:`run` applies them. With a readout delay of D steps :meth:`run` leaves out the first D, and divides by
            T − D. Layer-synchronous: the output itself, each time from a fresh state. Of several outputs a dictionary by name.

        Raises
        ------
        SpikeletError
            ``invalidData`` where N is another than in the step before, without a :meth:`reset`.

        Examples
        --------
        >>> snn.reset()
        >>> total = sum(snn(images[:3]) for step in range(8))
        >>> bool(numpy.allclose(total / 8, snn.run(images[:3], 8), atol=1e-4))
        True
        """
        given = x[0] if len(x) == 1 else x
        if self.schedule != "streaming":
            return self.run(given)
        arrays = self._arrays(given)
        simulation = self._simulation("float32", False, streams=True)
        with simulation.lock:
            outputs = _c.Handle(lambda out: _c.call("simulation_step", simulation.handle, arrays.array, arrays.count, out))
        return values_of(_c.arrays(outputs), given)

    forward = __call__

    def reset(self) -> None:
        """Sets all membranes back, so that the next ``snn(x)`` is the first step."""
        self.graph
        simulation = self._simulations.get(("float32", False, True))
        if simulation is not None:
            with simulation.lock:
                _c.call("simulation_reset", simulation.handle)

    # Simulation

    def _simulation(self, precision: str, reference: bool, *, streams: bool = False) -> _Simulation:
        # A run begins from a fresh state, which is not to end what snn(x) has begun.
        key = (precision, reference, streams)
        graph = self.graph
        with self._making:
            simulation = self._simulations.get(key)
            if simulation is None:
                simulation = self._simulations[key] = _Simulation(graph._handle, precision, reference)
            return simulation

    def _arrays(self, x: Any) -> _c.Arrays:
        names = self.graph._input_names
        return _c.Arrays(as_inputs(x, names), list(names))

    def _run(
        self, x: Any, steps: int | None, precision: str, reference: bool, time_varying: bool, **wanted: bool
    ) -> tuple[list[tuple[str, numpy.ndarray]], dict[str, Any]]:
        arrays = self._arrays(x)
        given = options({
            "steps": None if steps is None else _whole_number("steps", steps),
            "time_varying": time_varying or None,
            **{name: True for name, is_wanted in wanted.items() if is_wanted},
        })
        simulation = self._simulation(precision, reference)
        text = _c.Text()
        with simulation.lock:
            results = _c.Handle(
                lambda out: _c.work(
                    "simulation_run", (simulation.handle, arrays.array, arrays.count, _c.encode(given)), (out, text.out())
                )
            )
        facts = text.json()
        warn(facts.get("warnings"), depth=4)
        return _c.arrays(results), facts

    def run(
        self, x: Any, steps: int | None = None, *, per_step: bool = False, time_varying: bool = False, precision: str = "float32",
        reference: bool = False,
    ) -> Any:
        """Simulates the network from a fresh state.

        Parameters
        ----------
        x : array or tensor, [N, …]
            Shown in every time step. Values of uint8 become 0…1 by 1/255, others are taken as they are. Several inputs: a tuple, or a
            dictionary by name.
        steps : int, optional
            The number of time steps T. By default that of the conversion, else 32, and with ``time_varying`` all that ``x`` has; of a
            radix or latency code always its own.
        per_step : bool
            Return the output so far after each step.
        time_varying : bool
            ``x`` is [T, N, …]: another input in every step. Bytes, too, are taken as they are then. Streaming recipes only.
        precision : {"float32", "int8"}
            Numbers of the engine.
        reference : bool
            Simulate with the slow reference executor.

        Returns
        -------
        array or tensor, [N, …]
            The sum over all steps divided by their number; of a radix or latency code the weighted sum. A tensor where a tensor went in. Of
            several outputs a dictionary by name. With ``per_step`` the first output after each step, [T, N, …].

        Raises
        ------
        SpikeletError
            ``invalidData`` for inputs that are not the network's, ``invalidOption`` for options that do not go together.
        KeyboardInterrupt
            After Ctrl-C.

        Examples
        --------
        >>> snn.run(images[:3]).argmax(1), labels[:3]
        (array([9, 2, 1]), array([9, 2, 1], dtype=uint8))
        >>> snn.run(images[:3], 16, per_step=True).shape
        (16, 3, 10)
        """
        # Asked before: another thread may close the network meanwhile.
        outputs = {port.name for port in self.outputs}
        named, _ = self._run(x, steps, precision, reference, time_varying, per_step=per_step)
        if per_step:
            return like(x, dict(named)["step outputs"])
        return values_of([(name, array) for name, array in named if name in outputs] or named, x)

    def _of_layers(self, prefix: str, named: Sequence[tuple[str, numpy.ndarray]], x: Any) -> dict[str, Any]:
        return {name[len(prefix):]: like(x, array) for name, array in named if name.startswith(prefix)}

    def spikes(
        self, x: Any, steps: int | None = None, *, time_varying: bool = False, precision: str = "float32", reference: bool = False
    ) -> dict[str, Any]:
        """What every neuron sends in every step.

        Parameters
        ----------
        x, steps, time_varying, precision, reference
            As for :meth:`run`.

        Returns
        -------
        dict of str to array or tensor
            int64 [T, N, …] for each layer, by its name: how many spikes; negative where spikes are taken back.

        Examples
        --------
        >>> {name: spikes.shape for name, spikes in snn.spikes(images[:3], 5).items()}
        {'snn tailor.0.1': (5, 3, 32, 28, 28), 'snn tailor.1.1': (5, 3, 32, 14, 14), 'snn tailor.2.1': (5, 3, 32, 7, 7)}
        """
        named, _ = self._run(x, steps, precision, reference, time_varying, spikes=True)
        return self._of_layers("spikes/", named, x)

    def spike_counts(
        self, x: Any, steps: int | None = None, *, time_varying: bool = False, precision: str = "float32", reference: bool = False
    ) -> dict[str, Any]:
        """How often every neuron spikes in all steps together.

        Parameters
        ----------
        x, steps, time_varying, precision, reference
            As for :meth:`run`.

        Returns
        -------
        dict of str to array or tensor
            int64 [N, …] for each layer, by its name.

        Examples
        --------
        >>> counts = snn.spike_counts(images[:3], 5)
        >>> counts["snn tailor.2.1"].shape
        (3, 32, 7, 7)
        """
        named, _ = self._run(x, steps, precision, reference, time_varying, spike_counts=True)
        return self._of_layers("counts/", named, x)

    # Measuring

    def evaluate(
        self, data: Any, ann: Any = None, steps: Sequence[int] | int | None = None, *, layers: bool = False, precision: str = "float32",
        reference: bool = False, time_varying: bool = False, exit_confidence: float | None = None, exit_loss: float | None = None,
        report: str | os.PathLike[str] | None = None, batch_size: int | None = None, limit: int | None = None,
    ) -> Result:
        """Measures accuracy, spikes, synaptic operations and energy on labelled data.

        Parameters
        ----------
        data : DataLoader, (x, y), iterable of (x, y), path, or Files
            Whole numbers ``y`` are classes, numbers with fractions the targets of a regression. Without labels ``ann`` is needed.
        ann : torch.nn.Module, Graph, path, bytes or onnx.ModelProto, optional
            The ANN it was made from: adds its accuracy, and how often the two agree.
        steps : int or sequence of int, optional
            The numbers of time steps to report; by default 1, 2, 4, 8, 16 and 32. Of a radix or latency code always its own.
        layers : bool
            Take the difference from the ANN apart, layer by layer; needs ``ann``.
        precision, reference, time_varying
            As for :meth:`run`.
        exit_confidence : float, optional
            Also let each sample stop as soon as one class has this probability. Streaming recipes only.
        exit_loss : float, optional
            The same with the probability that loses at most so many points of accuracy.
        report : path, optional
            Where to write the report, with what single neurons do.
        batch_size, limit : int, optional
            Samples a batch, of data that come in none; and samples in all.

        Returns
        -------
        Result
            ``result.ann.accuracy``, ``result.steps[-1].accuracy``, …: the keys of ``spikelet evaluate --json``.

        Raises
        ------
        SpikeletError
            ``invalidData`` for data that do not fit, ``invalidOption`` for options that do not go together, ``export`` for an ANN that
            PyTorch cannot export.
        KeyboardInterrupt
            After Ctrl-C.

        Examples
        --------
        >>> result = snn.evaluate("test.npz", ann="model.onnx", steps=[4, 8])
        >>> [step.steps for step in result.steps], result.samples
        ([4, 8], 100)
        >>> abs(result.steps[-1].accuracy - result.ann.accuracy) < 0.05
        True
        >>> print(result)
        'model' (signed), 100 samples, ANN accuracy ...
        """
        graph = self.graph
        samples = Data(data, "data", batch_size=batch_size, limit=limit, time_varying=time_varying)
        if report is not None:
            check_writable(report)
        if ann is None:
            samples.require_labels("give (x, y); or the ANN (`ann`), whose answers are compared with then")
        if steps is not None:
            steps = [_whole_number("steps", step) for step in (steps if isinstance(steps, (list, tuple, range, numpy.ndarray)) else [steps])]
            if not steps:
                raise SpikeletError("invalidOption", "`steps` is empty", remedy="give one number of time steps or more, such as [4, 8, 16]")
        model = None if ann is None else graph_of(ann, samples)
        given = options({
            "steps": steps, "layers": layers or None, "activity": True if report is not None else None, "precision": precision,
            "reference": reference or None, "exit_confidence": exit_confidence, "exit_loss": exit_loss,
        })
        text = _c.Text()
        handle = samples.handle(graph._input_names)
        _c.work(
            "evaluate", (graph._handle, None if model is None else model._handle, handle, _c.encode(given)), (text.out(),),
            source=samples.source,
        )
        result = Result(text.json())
        warn(result.get("warnings"))
        if report is not None:
            result.save_report(report)
        return result

    # Training

    def to_torch(self, *, learn_thresholds: bool = False) -> Any:
        """The network as a PyTorch module with the same neurons, to be trained; :func:`from_torch` leads back.

        Parameters
        ----------
        learn_thresholds : bool
            Whether the thresholds learn, too; they are parameters, with ``requires_grad`` as it says.

        Returns
        -------
        TrainableNetwork
            A ``torch.nn.Module`` on the CPU in float32. Its output is that of :meth:`run`, but for the order of summation. Spikes have
            surrogate gradients: of the K digits of a number 1 within their range (straight-through, as in QCFS: Bu et al., ICLR 2022);
            of an integrate-and-fire neuron ∂s/∂v = 1/θ for |v − θ| < θ/2 (a rectangle, as in STBP: Wu et al., 2018). ``help(module)``
            has them in full.

        Raises
        ------
        SpikeletError
            ``unsupported`` with all that has no form in PyTorch; ``library`` where PyTorch is not installed.

        Examples
        --------
        >>> import torch
        >>> module = snn.to_torch()
        >>> [name for name, value in module.named_parameters() if value.requires_grad][:2]
        ['conv1.weight', 'conv1.bias']
        >>> module(torch.tensor(images[:5])).shape
        torch.Size([5, 10])
        """
        trainable = _trainable()
        return trainable.TrainableNetwork(
            self.graph._description["document"], self.graph.constants, learn_thresholds=learn_thresholds
        )

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the network to a file (.safetensors), as a whole or not at all; :func:`load` and the command read it.

        Raises
        ------
        SpikeletError
            ``fileSystem`` where it cannot be written.

        Examples
        --------
        >>> snn.save("snn.safetensors")
        >>> spikelet.load("snn.safetensors")
        <SpikingNetwork 'model' (signed, 8 steps, streaming)>
        """
        _c.call("network_write", self.graph._handle, _c.path_bytes(path))

    def export(
        self, path: str | os.PathLike[str], target: str = "generic", *, format: str | None = None, approximate: bool = False, check: Any = None,
        steps: int | None = None, batch_size: int | None = None, limit: int | None = None,
    ) -> Record:
        """Writes the network for others.

        Parameters
        ----------
        path : path
            The file, ``.nir`` or ``.npz``.
        target : str
            Who is to read the NIR file: ``generic``, ``norse``, ``sinabs``, …; an unknown one is answered with the list.
        format : {"nir", "npz"}, optional
            By default as the path ends.
        approximate : bool
            Replace what the format or the target cannot say, and say by what.
        check : data, optional
            As for :meth:`evaluate`: simulate the written file as its reader will, and measure what that costs.
        steps : int, optional
            The number of time steps it will be run for.
        batch_size, limit : int, optional
            Of ``check``.

        Returns
        -------
        Record
            ``replaced``, ``notes``, and of a check ``check``; ``print`` shows them.

        Raises
        ------
        SpikeletError
            ``unsupported`` with all that the target cannot say, ``fileSystem`` where the file cannot be written.

        Examples
        --------
        >>> outcome = snn.export("snn.npz", approximate=True)
        >>> for note in outcome.notes:
        ...     print(note)
        run it with reset by subtraction (v ← v − θ)
        ...
        """
        graph = self.graph
        if format is None:
            format = "npz" if os.fspath(path).lower().endswith(".npz") else "nir"
        samples = None if check is None else Data(check, "check", batch_size=batch_size, limit=limit)
        given = options({
            "format": format,
            # Plain arrays are for nobody in particular.
            "target": None if format == "npz" and target == "generic" else target,
            "approximate": approximate or None,
            "steps": None if steps is None else _whole_number("steps", steps),
        })
        text = _c.Text()
        handle = None if samples is None else samples.handle(graph._input_names)
        _c.work(
            "network_export", (graph._handle, _c.path_bytes(path), handle, _c.encode(given)), (text.out(),),
            source=None if samples is None else samples.source,
        )
        outcome = text.json()
        lines = [f"replaced: {each}" for each in outcome.get("replaced") or []] + [f"note: {each}" for each in outcome.get("notes") or []]
        return Record(outcome, "\n".join([*lines, *filter(None, [outcome.get("checkText")])]) or f"written to {os.fspath(path)}")

    def explore(self, data: Any, ann: Any = None, *, steps: int | None = None, port: int = 0, limit: int = 200) -> Explorer:
        """Opens a live page: pick a sample, drag the time step, watch the spikes.

        Parameters
        ----------
        data : path, Files, or data in memory as for :meth:`evaluate`
            The samples to choose from; of data in memory the first ``limit``.
        ann : torch.nn.Module, path, bytes or onnx.ModelProto, optional
            The ANN: its prediction stands beside.
        steps : int, optional
            The time steps to show.
        port : int
            0: any free one.
        limit : int
            The number of samples to choose from.

        Returns
        -------
        Explorer
            With the address as ``url``; ``stop()`` ends it, as the end of the program does.

        Raises
        ------
        SpikeletError
            Where the command is not there, or says what is wrong.
        """
        folder = tempfile.TemporaryDirectory(prefix="spikelet-")
        try:
            network = os.path.join(folder.name, "snn.safetensors")
            self.save(network)
            samples = Data(data, "data", limit=limit)
            arguments = ["explore", network, *_data_arguments(samples, folder.name, self.graph._input_names, limit)]
            if ann is not None:
                contents = _models.contents_of(ann, samples)
                if contents is None and not is_path(ann):
                    raise SpikeletError(
                        "invalidOption", f"{type(ann).__name__} is no ANN that lies in a file", where="ann",
                        remedy="give a torch.nn.Module, a path, bytes or an onnx.ModelProto",
                    )
                path = os.path.join(folder.name, "ann.onnx") if contents is not None else os.fspath(ann)
                if contents is not None:
                    with open(path, "wb") as file:
                        file.write(contents)
                arguments += ["--ann", path]
            if steps is not None:
                arguments += ["--steps", str(_whole_number("steps", steps))]
            return Explorer([*arguments, "--port", str(port)], folder)
        except BaseException:
            folder.cleanup()
            raise

    # Its life

    def close(self) -> None:
        """Gives its memory back when no call uses it any more. A second time does nothing."""
        self._simulations = {}
        self._graph = None

    def __enter__(self) -> "SpikingNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        with tempfile.TemporaryDirectory(prefix="spikelet-") as folder:
            path = os.path.join(folder, "snn.safetensors")
            self.save(path)
            with open(path, "rb") as file:
                contents = file.read()
        return (_unpickled, (contents, self._search))

    def __copy__(self) -> "SpikingNetwork":
        return SpikingNetwork(self.graph, search=self._search)

    def __deepcopy__(self, _memory: Any) -> "SpikingNetwork":
        # Graphs never change: a copy needs simulations of its own, and nothing else.
        return self.__copy__()


def _unpickled(contents: bytes, search: Record | None) -> SpikingNetwork:
    with tempfile.TemporaryDirectory(prefix="spikelet-") as folder:
        path = os.path.join(folder, "snn.safetensors")
        with open(path, "wb") as file:
            file.write(contents)
        network = load(path)
    network._search = search
    return network


def _data_arguments(samples: Data, folder: str, names: Sequence[str], limit: int) -> list[str]:
    """The command's options for data, which are written to a file where they lie in memory."""
    if samples.files is not None:
        arguments = ["--data", os.fspath(samples.files.path), "--limit", str(limit)]
        for name, value in samples.files.options().items():
            if value is True:
                arguments.append(f"--{name}")
            elif value is not False:
                arguments += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
        return arguments
    batches = []
    if samples.whole is not None:
        batches = [samples.whole.limited(limit)]
    elif samples.source is not None:
        samples.source.first()
        index = 0
        while (batch := samples.source._batch(0, index)) is not None:
            batches.append(batch)
            index += 1
    keys = ["images"] if len(names) == 1 else list(names)
    arrays = {key: numpy.concatenate([batch.inputs[index] for batch in batches]) for index, key in enumerate(keys)}
    if batches[0].labels is not None:
        key = "targets" if batches[0].labels.dtype == numpy.float32 else "labels"
        arrays[key] = numpy.concatenate([batch.labels for batch in batches])
    path = os.path.join(folder, "data.npz")
    numpy.savez(path, **arrays)
    return ["--data", path]


def load(
    path: str | os.PathLike[str], *, input_shape: Sequence[Any] | None = None, reader: str | None = None, reset: str | None = None,
    time_step: float | None = None,
) -> SpikingNetwork:
    """Reads a spiking network.

    Parameters
    ----------
    path : path
        A file of :meth:`SpikingNetwork.save`, of the command's ``convert``, or a NIR file.
    input_shape : sequence of int, or for several inputs a sequence of such, optional
        The shape of one sample, where the network takes several sizes.
    reader, reset, time_step : str, str, float, optional
        Of a NIR file: whose neurons it means (``norse``, ``sinabs``, …), how they reset, and the seconds of a time step.

    Returns
    -------
    SpikingNetwork

    Raises
    ------
    SpikeletError
        ``fileSystem`` where there is no such file, ``malformedFile`` where it is damaged, ``unsupported`` where it cannot be read.

    Examples
    --------
    >>> snn.save("snn.safetensors")
    >>> again = spikelet.load("snn.safetensors")
    >>> bool((again.run(images[:3]) == snn.run(images[:3])).all())
    True
    """
    given = options({"data": _models._shapes(input_shape), "reader": reader, "reset": reset, "time_step": time_step})
    name = _c.path_bytes(path)
    return SpikingNetwork(Graph(_c.Handle(lambda out: _c.call("network_read", name, _c.encode(given), out))))


def _trainable() -> Any:
    try:
        from . import trainable
    except ImportError as error:
        raise SpikeletError("library", f"PyTorch cannot be imported: {error}", remedy="pip install torch") from error
    return trainable


def from_torch(module: Any) -> SpikingNetwork:
    """The spiking network of a module that :meth:`SpikingNetwork.to_torch` made, with its weights and thresholds as they are now.

    Parameters
    ----------
    module : torch.nn.Module
        On any device; other precisions than float32 are cast.

    Returns
    -------
    SpikingNetwork
        With the module's answers. Of untouched parameters it is the network that the module was made of, to the bit. Otherwise what
        calibration said of the weights before is left out of ``facts``, and ``fineTuned`` says how many arrays are others.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for a module that did not come from ``to_torch()``; ``invalidData`` for parameters that are not finite,
        thresholds that are not above 0, and other shapes or names than it was made with; ``library`` where PyTorch is not installed.

    Examples
    --------
    >>> import torch
    >>> module = snn.to_torch()
    >>> optimiser = torch.optim.Adam(module.parameters(), lr=1e-4)
    >>> loss = torch.nn.functional.cross_entropy(module(torch.tensor(images[:20])), torch.tensor(labels[:20]))
    >>> loss.backward()
    >>> optimiser.step()
    >>> spikelet.from_torch(module)
    <SpikingNetwork 'model' (signed, 8 steps, streaming)>
    """
    return _trainable().network_of(module)
