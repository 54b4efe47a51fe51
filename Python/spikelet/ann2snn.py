"""The conversion of SpikingJelly's ``ann2snn`` (0.0.0.0.14), under its names and with its numbers.

A script needs another import line::

    from spikelet import ann2snn

    snn = ann2snn.Converter(mode="99.9%", dataloader=train_loader)(model)
    out = 0.0
    for t in range(32):
        out += snn(images)
    ann2snn.functional.reset_net(snn)
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy

from . import _c, functional
from ._arrays import is_tensor, torch_module, to_numpy
from ._data import Data
from ._errors import SpikeletError, options, truth
from ._conversion import _convert, convert
from .graph import Graph
from .network import SpikingNetwork, is_cpu, no_device

__all__ = ["Converter", "VoltageHook", "VoltageScaler", "download_url", "functional"]

_RECIPE = "rate-coding"


def _mode(mode: Any) -> str:
    if isinstance(mode, numpy.generic):
        mode = mode.item()
    if isinstance(mode, bool) or not isinstance(mode, (str, int, float)):
        raise SpikeletError(
            "invalidOption", f"`mode={mode!r}` is none of the conversion modes", remedy="give 'max', a percentile such as '99.9%', or a share "
            "of the maximum above 0 and up to 1 such as 0.5",
        )
    return str(mode)


def _pass(graph: Any, name: str, given: dict[str, Any] | None = None, data: Data | None = None) -> Any:
    if not isinstance(graph, Graph):
        raise SpikeletError(
            "invalidOption", f"{type(graph).__name__} is no Graph", where="graph", remedy="spikelet.load_model() makes one of a model"
        )
    handle = None if data is None else data.handle(graph._input_names)
    result = Graph(
        _c.Handle(
            lambda out: _c.work(
                "graph_pass", (graph._handle, name.encode(), handle, _c.encode(given or {})), (out,),
                source=None if data is None else data.source,
            )
        )
    )
    return SpikingNetwork(result) if result.is_spiking else result


class Converter:
    """Converts ANNs as ``ann2snn.Converter`` does.

    Parameters
    ----------
    dataloader : iterable of (x, y) or x
        Calibrates. Batches are taken exactly as they come: thresholds are moving averages over them.
    device : optional
        None or the CPU.
    mode : str or float
        ``max``, a percentile such as ``"99.9%"``, or a share of the maximum such as 0.5.
    momentum : float
        The weight of each batch after the first in the moving average.
    fuse_flag : bool
        Whether batch normalisation is folded into the layer in front of it.
    recipe : str, optional
        Another recipe of :func:`spikelet.convert`, in place of ``rate-coding``; ``mode``, ``momentum`` and ``fuse_flag`` are not its options.
    **more
        Further parameters of :func:`spikelet.convert`: ``steps``, ``target_drop``, ``pooling``, …

    Raises
    ------
    SpikeletError
        ``invalidOption`` for a mode, a momentum or a device that there is not.

    Notes
    -----
    Max pooling is a running maximum here; ``pooling="instantaneous"`` acts on each step's spikes by itself, as in SpikingJelly.

    Examples
    --------
    >>> batches = [(images[:50], labels[:50]), (images[50:], labels[50:])]
    >>> converted = spikelet.Converter(batches, mode="99.9%")("model.onnx")
    >>> total = sum(converted(images[:3]) for step in range(32))
    >>> total.argmax(1)
    array([9, 2, 1])

    Its steps, one by one:

    >>> graph = spikelet.Converter.set_voltagehook(spikelet.Converter.fuse(spikelet.load_model("model.onnx")), mode="99.9%")
    >>> spikelet.Converter.replace_by_ifnode(spikelet.Converter.calibrate(graph, batches))
    <SpikingNetwork 'model' (rate-coding, streaming)>
    """

    def __init__(
        self, dataloader: Any, device: Any = None, mode: str | float = "max", momentum: float = 0.1, fuse_flag: bool = True, *,
        recipe: str | None = None, **more: Any,
    ) -> None:
        if not is_cpu(device):
            raise no_device(device)
        fuse_flag = truth("fuse_flag", fuse_flag)
        # What cannot be is said before any work.
        VoltageHook(momentum=momentum, mode=mode)._checked()
        if recipe is None and more.get("target_drop") is None:
            recipe = _RECIPE
        if recipe != _RECIPE and (mode != "max" or momentum != 0.1 or not fuse_flag):
            raise SpikeletError(
                "invalidOption", "`mode`, `momentum` and `fuse_flag` are options of the recipe rate-coding", remedy="leave them out"
            )
        self.dataloader = dataloader
        self.device = device
        self.mode = mode
        self.momentum = momentum
        self.fuse_flag = fuse_flag
        self.recipe = recipe
        self.more = more

    def __call__(self, model: Any) -> SpikingNetwork:
        """Converts a model.

        Parameters
        ----------
        model : torch.nn.Module, path, bytes, onnx.ModelProto, or Graph
            Stays as it is.

        Returns
        -------
        SpikingNetwork

        Raises
        ------
        SpikeletError
            As :func:`spikelet.convert`.
        """
        if self.recipe != _RECIPE:
            return convert(model, self.dataloader, self.recipe, **self.more)
        more = dict(self.more)
        given = options({
            "recipe": _RECIPE, "mode": _mode(self.mode), "momentum": self.momentum, "fuse": self.fuse_flag,
        })
        reading = {name: more.pop(name) for name in ("open_axes", "input_shape", "limit", "batch_size") if name in more}
        given.update(options(more))
        # The data are gone through once: nothing has to be kept. A search compares on them again.
        keeps = given.get("targetDrop") is not None
        return _convert(model, self.dataloader, given, keeps=keeps, **reading)

    def convert(self, model: Any) -> SpikingNetwork:
        """The same as calling it."""
        return self(model)

    @staticmethod
    def fuse(graph: Graph, fuse_flag: bool = True) -> Graph:
        """Folds batch normalisations into the layers in front of them; without ``fuse_flag`` they stay layers of their own."""
        return _pass(graph, "fuse", {"fuse": bool(fuse_flag)})

    @staticmethod
    def set_voltagehook(graph: Graph, mode: str | float = "max", momentum: float = 0.1) -> Graph:
        """Puts a hook behind every activation, which calibration tells its scale."""
        return _pass(graph, "setVoltageHook", options({"mode": _mode(mode), "momentum": momentum}))

    @staticmethod
    def calibrate(graph: Graph, dataloader: Any) -> Graph:
        """Runs the data through a graph with hooks, batch by batch as they come."""
        return _pass(graph, "calibrate", data=Data(dataloader, "dataloader", keeps=False))

    @staticmethod
    def replace_by_ifnode(graph: Graph) -> SpikingNetwork:
        """Replaces activations with hooks by integrate-and-fire neurons with their scales."""
        return _pass(graph, "replaceByIFNode")


class VoltageHook:
    """Watches the activations of a layer, and keeps the scale of the neurons that will replace it.

    The first batch sets the scale, every later one moves it: s ← (1 − m)·s + m·s_t.

    Parameters
    ----------
    scale : float
        Before the first batch.
    momentum : float
        The weight m of each batch after the first, 0…1.
    mode : str or float
        How a batch gives s_t: ``max``, a percentile such as ``"99.9%"``, or a share of the maximum such as 0.5.

    Attributes
    ----------
    scale : float
        What it has found so far, in the unit of the activations.
    samples_tracked : int
        How many samples it has seen.

    Examples
    --------
    >>> hook = spikelet.VoltageHook(mode="max")
    >>> for maximum in (4, 2):
    ...     _ = hook(numpy.array([[1, maximum]], numpy.float32))
    >>> round(hook.scale, 3), hook.samples_tracked
    (3.8, 2)
    """

    def __init__(self, scale: float = 1.0, momentum: float = 0.1, mode: str | float = "max") -> None:
        self.scale = float(scale)
        self.momentum = momentum
        self.mode = mode
        self.samples_tracked = 0

    def _checked(self) -> None:
        # Of one activation, which changes nothing here.
        self._next(numpy.ones((1, 1), numpy.float32))

    def _next(self, values: numpy.ndarray) -> dict[str, Any]:
        text = _c.Text()
        given = options({
            "mode": _mode(self.mode), "momentum": self.momentum, "scale": self.scale, "samples": self.samples_tracked,
        })
        array = _c.Arrays([values])
        _c.call("voltage_hook", array.array, _c.encode(given), text.out())
        return text.json()

    def __call__(self, x: Any) -> Any:
        """Takes a batch of activations [N, …] into the scale, and returns it unchanged.

        Raises
        ------
        SpikeletError
            ``invalidData`` for an empty batch, and for NaN or infinity.
        """
        values = to_numpy(x, "x").astype(numpy.float32, copy=False)
        state = self._next(values)
        self.scale, self.samples_tracked = state["scale"], state["samples"]
        return x

    forward = __call__

    def __repr__(self) -> str:
        return f"VoltageHook(scale={self.scale!r}, momentum={self.momentum!r}, mode={self.mode!r})"


class VoltageScaler:
    """y = scale · x.

    Parameters
    ----------
    scale : float, or sequence of float
        One for all, or one for each channel (axis 1).

    Examples
    --------
    >>> spikelet.VoltageScaler([1, 10])(numpy.ones((1, 2), numpy.float32))
    array([[ 1., 10.]], dtype=float32)
    """

    def __init__(self, scale: Any = 1.0) -> None:
        self.scale = scale

    def __call__(self, x: Any) -> Any:
        """Scales an array or a tensor [N, C, …].

        Raises
        ------
        SpikeletError
            ``invalidData`` where there are not as many channels as scales.
        """
        scales = to_numpy(self.scale, "scale").astype(numpy.float32, copy=False).reshape(-1)
        shape = tuple(x.shape)
        if scales.size > 1 and (len(shape) < 2 or shape[1] != scales.size):
            raise SpikeletError("invalidData", f"{scales.size} scales for a value of shape {shape}", remedy="give one, or one for each channel")
        if scales.size > 1:
            scales = scales.reshape(1, -1, *[1] * (len(shape) - 2))
        if is_tensor(x):
            return x * (float(scales[0]) if scales.size == 1 else torch_module().from_numpy(scales).to(x.device))
        return x * (scales[0] if scales.size == 1 else scales)

    forward = __call__

    def __repr__(self) -> str:
        return f"VoltageScaler(scale={self.scale!r})"


def download_url(url: str, dst: str | os.PathLike[str], sha256: str | None = None) -> int:
    """Downloads a file, going on with what is there of it.

    Parameters
    ----------
    url : str
        Where it is.
    dst : path
        The file it becomes.
    sha256 : str, optional
        What it has to be, in hexadecimal digits.

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    SpikeletError
        ``network`` where the transfer fails, ``invalidData`` where the file is another than ``sha256`` says.
    KeyboardInterrupt
        After Ctrl-C.
    """
    text = _c.Text()
    address = ctypes.c_char_p(url.encode())
    _c.work("download", (address, _c.path_bytes(dst), _c.encode(options({"sha256": sha256}))), (text.out(),))
    return int(text.json()["bytes"])
