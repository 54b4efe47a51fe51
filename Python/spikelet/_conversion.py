"""From a trained network to a spiking one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from . import _c, _models
from ._data import Data
from ._errors import SpikeletError, options, truth
from ._records import Record
from .graph import Graph
from .network import SpikingNetwork, _whole_number, warn

# The recipe where neither a recipe nor a target is named.
_USUAL = "radix"


def convert(
    model: Any, calibration: Any = None, recipe: str | None = None, steps: int | None = None, *, target_drop: float | None = None,
    prefer: str | None = None, mean_steps: float | None = None, base: float | None = None, mode: str | float | None = None,
    momentum: float | None = None, fuse: bool | None = None, thresholds: str | None = None, pooling: str | None = None,
    schedule: str | None = None, readout_delay: int | str | None = None, weight_correction: bool | None = None, allow_analog: bool = False,
    open_axes: Mapping[str, int] | None = None, input_shape: Sequence[Any] | None = None, limit: int | None = None,
    batch_size: int | None = None,
) -> SpikingNetwork:
    """Converts a trained network into a spiking one.

    Parameters
    ----------
    model : torch.nn.Module, path, bytes, onnx.ModelProto, or Graph
        A module is exported to ONNX inside; its ``training`` flags, device and precision are as before afterwards.
    calibration : DataLoader, array or tensor, (x, y), iterable of batches, path, or Files, optional
        A few hundred samples like those the network was trained on; thresholds are chosen by them. Without any, thresholds come from bounded
        ReLUs and from batch normalisations, with the recipes that can do so.
    recipe : str, optional
        ``radix`` by default; ``calibrated``, ``signed``, ``burst``, ``latency``, ``two-spike``, ``local-threshold-balancing``,
        ``quantised``, or ``rate-coding``, which is SpikingJelly's. With ``target_drop`` the cheapest that will do.
    steps : int, optional
        The number of time steps T the thresholds are chosen for, of ``radix`` the digits K. By default the recipe's own.
    target_drop : float, optional
        Search for the recipe and the fewest steps that lose less than this: points of accuracy on calibration data held out, or of agreement
        with the ANN where they have no labels.
    prefer : {"balance", "steps", "spikes", "time"}, optional
        What the search keeps small; by default steps × spikes per neuron.
    mean_steps : float, optional
        Of ``radix``: so many digits in the mean over all layers, of which each gets as many as it needs.
    base : float, optional
        Of ``latency`` and ``two-spike``: what a spike is worth against one a step later.
    mode : str or float, optional
        Of ``rate-coding``: ``max``, a percentile such as ``"99.9%"``, or a share of the maximum such as 0.5.
    momentum : float, optional
        Of ``rate-coding``: the weight of each batch after the first in the moving average of thresholds.
    fuse : bool, optional
        Of ``rate-coding``: False leaves batch normalisation as a layer of its own.
    thresholds : {"per-channel", "per-layer"}, optional
        One threshold for each channel of a layer, or one for all; by default as the recipe does.
    pooling : {"running-maximum", "instantaneous"}, optional
        How max pooling treats spikes.
    schedule : {"streaming", "layer-synchronous"}, optional
        When a layer passes its spikes on; by default as the recipe says.
    readout_delay : int or "auto", optional
        Leave so many first steps out of the output.
    weight_correction : bool, optional
        Give layers the weights that make up for what the layers in front of them lose.
    allow_analog : bool
        Leave activations that cannot become neurons real-valued.
    open_axes : mapping of str to int, optional
        Sizes that an ONNX model leaves open besides the batch.
    input_shape : sequence of int, or of such sequences, optional
        The shape of one sample, of a module that is converted without data.
    limit, batch_size : int, optional
        Use only the first so many samples; and so many a batch, of data that come in none.

    Returns
    -------
    SpikingNetwork
        With ``warnings``, and after a search with what it tried (``search``).

    Raises
    ------
    SpikeletError
        ``notConvertible`` with all of the network that cannot spike, or where no search found a network; ``export`` where PyTorch cannot
        export the module; ``invalidData`` and ``invalidOption`` for data and options that do not fit.
    KeyboardInterrupt
        After Ctrl-C.

    Examples
    --------
    >>> snn = spikelet.convert("model.onnx", "train.npz", recipe="radix", steps=4)
    >>> snn
    <SpikingNetwork 'model' (radix, 4 steps, layer-synchronous)>

    A search for what loses less than ten points:

    >>> found = spikelet.convert("model.onnx", "train.npz", recipe="signed", target_drop=10)
    >>> print(found.search)
    search for a drop of at most 10.00 points of accuracy
    ...

    A PyTorch module, and any iterable of batches:

    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    >>> spikelet.convert(module, [(images[:50], labels[:50]), (images[50:], labels[50:])], recipe="signed")
    <SpikingNetwork 'Sequential' (signed, ... steps, streaming)>
    """
    if recipe is None and target_drop is None:
        recipe = _USUAL
    given = options({
        "recipe": recipe, "steps": None if steps is None else _whole_number("steps", steps), "target_drop": target_drop, "prefer": prefer,
        "mean_steps": mean_steps, "base": base, "mode": None if mode is None else str(mode.item() if isinstance(mode, numpy.generic) else mode), "momentum": momentum,
        # Only False is an option; True is what every recipe does.
        "fuse": False if fuse is not None and not truth("fuse", fuse) else None,
        "thresholds": thresholds, "pooling": pooling, "schedule": schedule,
        "readout_delay": None if readout_delay is None else str(readout_delay), "weight_correction": weight_correction,
        "allow_analog": allow_analog or None,
    })
    return _convert(model, calibration, given, open_axes=open_axes, input_shape=input_shape, limit=limit, batch_size=batch_size)


def _convert(
    model: Any, calibration: Any, given: dict[str, Any], *, open_axes: Mapping[str, int] | None = None,
    input_shape: Sequence[Any] | None = None, limit: int | None = None, batch_size: int | None = None, keeps: bool = True,
) -> SpikingNetwork:
    samples = None
    if calibration is not None:
        samples = Data(calibration, "calibration", batch_size=batch_size, limit=limit, keeps=keeps)
    if isinstance(model, Graph):
        graph = model
    else:
        graph = Graph(_models.handle_of(model, data=samples, input_shape=input_shape, open_axes=open_axes))
    text = _c.Text()
    data = None if samples is None else samples.handle(graph._input_names)
    try:
        result = _c.Handle(
            lambda out: _c.work(
                "convert", (graph._handle, data, _c.encode(given)), (out, text.out()), source=None if samples is None else samples.source
            )
        )
    except SpikeletError as error:
        error.search = _search(text.json())
        raise
    facts = text.json()
    warn(facts.get("warnings"), depth=4)
    return SpikingNetwork(Graph(result), search=_search(facts))


def _search(facts: Mapping[str, Any]) -> Record | None:
    values = facts.get("search")
    return None if values is None else Record(values, facts.get("searchText"))
