"""Networks in all the forms that they are handed over in, and PyTorch's export."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import importlib.util
import inspect
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from . import _c
from ._arrays import torch_module
from ._data import Data
from ._errors import SpikeletError, SpikeletWarning, options

_OPSET = 17


def is_module(model: Any) -> bool:
    """Whether it is a PyTorch module."""
    torch = torch_module()
    return torch is not None and hasattr(torch, "nn") and isinstance(model, torch.nn.Module)


def handle_of(
    model: Any, *, data: Data | None = None, input_shape: Sequence[Any] | None = None, open_axes: Mapping[str, int] | None = None
) -> _c.Handle:
    """The graph of a module, a path, bytes, or an ``onnx.ModelProto``.

    Parameters
    ----------
    data : Data, optional
        Whose first batch says what goes into the network.
    input_shape : sequence of int, or of such sequences, optional
        The shape of one sample, where there is no data.
    open_axes : mapping of str to int, optional
        Sizes that an ONNX model leaves open besides the batch.

    Raises
    ------
    SpikeletError
        ``export`` where PyTorch cannot export a module, with its reason; else what the library says of the model.
    """
    shapes = _shapes(input_shape)
    if is_module(model):
        contents, name = export(model, data, shapes), type(model).__name__
    elif isinstance(model, (str, os.PathLike)):
        given = _model_options(open_axes, shapes or (data.shapes() if data is not None else None))
        path = _c.path_bytes(model)
        return _checked(_c.Handle(lambda out: _c.call("model_read", path, given, out)), shapes)
    elif isinstance(model, (bytes, bytearray, memoryview)):
        contents, name = bytes(model), "model"
    elif callable(getattr(model, "SerializeToString", None)):
        contents = model.SerializeToString()
        name = getattr(getattr(model, "graph", None), "name", "") or "model"
    else:
        raise SpikeletError(
            "invalidOption", f"{type(model).__name__} is no network", where="model",
            remedy="give a torch.nn.Module, the path or the bytes of an ONNX model, or an onnx.ModelProto",
        )
    if not contents:
        raise SpikeletError("malformedFile", "there are no bytes in it", where="model")
    given = _model_options(open_axes, None if is_module(model) else shapes or (data.shapes() if data is not None else None))
    # Read before the call returns.
    address = ctypes.cast(ctypes.c_char_p(contents), ctypes.c_void_p)
    return _checked(_c.Handle(lambda out: _c.call("model_from_bytes", address, len(contents), name.encode(), given, out)), shapes)


def _checked(graph: _c.Handle, shapes: list[list[int]] | None) -> _c.Handle:
    """The graph, if its inputs are of the shapes that were asked for."""
    if shapes is None:
        return graph
    text = _c.Text()
    _c.call("graph_describe", graph, text.out())
    found = [list(port.get("shape") or [])[1:] for port in text.json().get("inputs") or []]
    if found != shapes:
        raise SpikeletError(
            "invalidOption", f"`input_shape` says {shapes}, the model's inputs are {found}", where="model",
            remedy="leave it out: it is for modules, and for what a model leaves open",
        )
    return graph


def _model_options(open_axes: Mapping[str, int] | None, shapes: Any) -> bytes:
    if open_axes is not None and not isinstance(open_axes, Mapping):
        raise SpikeletError(
            "invalidOption", f"`open_axes={open_axes!r}` is no mapping", remedy="give sizes by the names of axes, such as {'height': 224}"
        )
    return _c.encode(options({"open_axes": {str(name): size for name, size in open_axes.items()} if open_axes else None, "data": shapes}))


def _shapes(given: Sequence[Any] | None) -> list[list[int]] | None:
    if given is None:
        return None
    try:
        shapes = list(given)
        if not any(isinstance(size, (list, tuple)) for size in shapes):
            return [[int(size) for size in shapes]]
        return [[int(size) for size in shape] for shape in shapes]
    except (TypeError, ValueError) as error:
        raise SpikeletError(
            "invalidOption", f"`input_shape={given!r}` is no shape", remedy="give that of one sample, such as (3, 32, 32)"
        ) from error


def contents_of(model: Any, data: Data | None = None) -> bytes | None:
    """The bytes of a model that lies in no file; None where it does."""
    if is_module(model):
        return export(model, data, None)
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if callable(getattr(model, "SerializeToString", None)):
        return model.SerializeToString()
    return None


# MARK: The export


def _example(data: Data | None, shapes: list[list[int]] | None) -> tuple[list[Any], list[str | None]]:
    """Two samples as the module sees them. Of one sample, an exporter may take the batch's size for a constant."""
    torch = torch_module()
    if shapes is not None:
        return [torch.zeros(2, *shape) for shape in shapes], [None] * len(shapes)
    first = data.first() if data is not None else None
    if first is None:
        raise SpikeletError(
            "export", "the shape of the network's input is not known", where="model",
            remedy="give `input_shape`, that of one sample, such as (3, 32, 32)",
        )
    tensors = []
    for value in first.inputs:
        if data is not None and data.is_time_varying:
            # What one time step shows.
            value = value[0]
        two = numpy.concatenate([value[:2], value[:1]])[:2]
        if two.dtype == numpy.uint8:
            # The library hands them on as 0…1, too.
            two = two.astype(numpy.float32) / 255
        tensors.append(torch.from_numpy(numpy.array(two)))
    return tensors, first.names


def _plain(model: Any) -> Any:
    """The module inside the wrappers that an exporter stumbles over."""
    torch = torch_module()
    while True:
        if isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            model = model.module
        elif hasattr(model, "_orig_mod"):
            model = model._orig_mod
        else:
            return model


def _on_cpu(model: Any) -> Any:
    """The module itself, or a copy on the CPU in float32 where it is neither."""
    torch = torch_module()
    tensors = [*model.parameters(), *model.buffers()]
    if all(t.device.type == "cpu" and (not t.is_floating_point() or t.dtype == torch.float32) for t in tensors):
        return model
    if any(t.device.type == "meta" for t in tensors):
        raise SpikeletError("export", "its weights are on the device 'meta', without values", where="model", remedy="load its weights first")
    try:
        return copy.deepcopy(model).cpu().float()
    except (RuntimeError, TypeError) as error:
        raise SpikeletError(
            "export", f"the module cannot be copied to the CPU: {_reason(error)}", where="model", remedy="move it yourself: model.cpu().float()"
        ) from error


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    # An operator of its own, which no exporter knows, in place of the layers of a transformer.
    mha = getattr(torch_module().backends, "mha", None)
    is_fast = mha is not None and mha.get_fastpath_enabled()
    if is_fast:
        mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        if is_fast:
            mha.set_fastpath_enabled(True)
        # Not train(mode): a submodule may have had another mode than the module around it.
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def _silent() -> Iterator[list[warnings.WarningMessage]]:
    roots = ("torch", "onnxscript", "onnx_ir")
    known = [name for name in list(logging.root.manager.loggerDict) if name.split(".")[0] in roots]
    loggers = [logging.getLogger(name) for name in {*roots, *known}]
    levels = [logger.level for logger in loggers]
    sink = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            warnings.simplefilter("always")
            yield caught
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # The newer exporter wraps the reason into a report of its own.
    cause = error.__cause__
    if cause is not None and type(error).__module__.startswith("torch.onnx"):
        return _reason(cause)
    return lines[0] if lines else type(error).__name__


def _input_names(model: Any, names: list[str | None], tensors: list[Any]) -> tuple[list[str], list[Any]]:
    """The inputs' names, and the tensors in the order of the module's parameters."""
    try:
        parameters = [
            parameter.name
            for parameter in inspect.signature(model.forward).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        parameters = []
    if all(name is not None for name in names):
        by_name = dict(zip((str(name) for name in names), tensors))
        if len(by_name) > 1 or next(iter(by_name)) in parameters:
            unknown = [name for name in by_name if name not in parameters]
            if unknown:
                raise SpikeletError(
                    "export", f"the module's forward has no parameter '{unknown[0]}'; it has {', '.join(parameters)}", where="model",
                    remedy="name the inputs in the data as forward does",
                )
            ordered = [name for name in parameters if name in by_name]
            return ordered, [by_name[name] for name in ordered]
        return [str(name) for name in names], tensors
    if len(parameters) >= len(tensors):
        return parameters[: len(tensors)], tensors
    return [f"input{index}" for index in range(len(tensors))], tensors


def _output_names(outputs: Any, taken: list[str]) -> list[str] | None:
    """What a module's outputs are called: a dictionary's by its keys. None where they lie deeper."""
    torch = torch_module()
    if isinstance(outputs, torch.Tensor):
        names = ["output"]
    elif isinstance(outputs, dict) and all(isinstance(value, torch.Tensor) for value in outputs.values()):
        names = [str(name) for name in outputs]
    elif isinstance(outputs, (tuple, list)) and all(isinstance(value, torch.Tensor) for value in outputs):
        fields = getattr(outputs, "_fields", None)
        names = [str(name) for name in fields] if fields else [f"output{index}" for index in range(len(outputs))]
    else:
        return None
    return [f"{name}_output" if name in taken else name for name in names]


def _refuse_spiking(model: Any) -> None:
    # What has not been imported has made no module.
    trainable = sys.modules.get(f"{__package__}.trainable")
    if trainable is not None and isinstance(model, trainable.TrainableNetwork):
        raise SpikeletError(
            "export", "the module is a spiking network, and no ANN", where=f"model {type(model).__name__}",
            remedy="spikelet.from_torch() makes a SpikingNetwork of it; as the ANN give the model that was converted",
        )


def export(model: Any, data: Data | None, shapes: list[list[int]] | None) -> bytes:
    """A PyTorch module as an ONNX model with an open batch.

    The module is exported in ``eval()``; every submodule's ``training`` is as before afterwards, and so are its device and its precision.

    Raises
    ------
    SpikeletError
        ``export``, with both exporters' reasons.
    """
    torch = torch_module()
    tensors, names = _example(data, shapes)
    model = _plain(model)
    _refuse_spiking(model)
    model = _on_cpu(model)
    names_in_order, tensors = _input_names(model, names, tensors)
    reasons: list[str] = []
    traced: bytes | None = None
    doubts: list[str] = []
    with _evaluating(model), torch.no_grad():
        outputs = _output_names(_forward(model, tensors), names_in_order)
        try:
            traced, doubts = _export_by_tracing(model, tensors, names_in_order, outputs)
        except Exception as error:  # noqa: BLE001 - an exporter raises whatever the module raises
            reasons.append(_reason(error))
        if traced is not None and not doubts:
            return traced
        missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
        if not missing:
            try:
                return _export_by_dynamo(model, tensors, names_in_order, outputs)
            except Exception as error:  # noqa: BLE001
                reasons.append(_reason(error))
    if traced is not None:
        more = len(doubts) - 1
        warnings.warn(
            f"model {type(model).__name__}: its forward looks at values, and the network is what it did with the first batch: {doubts[0]}"
            + (f" (and {more} more like it)" if more > 0 else ""), SpikeletWarning, stacklevel=_caller(),
        )
        return traced
    remedy = "export it yourself (torch.onnx.export), and give the file's path"
    if missing:
        remedy = f"install what PyTorch's exporters need: pip install {' '.join(missing)}"
    raise SpikeletError(
        "export", f"PyTorch cannot export the module: {reasons[0]}", where=f"model {type(model).__name__}",
        details=[f"- the newer exporter: {reason}" for reason in reasons[1:]], remedy=remedy,
    )


def _caller() -> int:
    """The depth of the line that called into the package, from where this is called."""
    depth, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        depth, frame = depth + 1, frame.f_back
    return depth - 1


def _forward(model: Any, tensors: list[Any]) -> Any:
    """What the module makes of the samples.

    Raises
    ------
    SpikeletError
        ``export`` with what the module raises, and what it was given.
    """
    try:
        with _silent():
            return model(*tensors)
    except Exception as error:  # noqa: BLE001
        given = ", ".join(f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}" for tensor in tensors)
        raise SpikeletError(
            "export", f"the module does not take such samples: {_reason(error)}", where=f"model {type(model).__name__}",
            details=[f"it was given {given}, two samples"],
            remedy="give data as the module's forward takes them: x, or (x, y) with the samples in front",
        ) from error


def _export_by_tracing(model: Any, tensors: list[Any], names: list[str], outputs: list[str] | None) -> tuple[bytes, list[str]]:
    """The model, and what tracing saw of steps that depend on the values."""
    torch = torch_module()
    buffer = io.BytesIO()
    with _silent() as caught:
        torch.onnx.export(
            model, tuple(tensors), buffer, dynamo=False, opset_version=_OPSET, input_names=names, output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in names},
        )
    tracer = getattr(torch.jit, "TracerWarning", ())
    doubts = [str(w.message).splitlines()[0] for w in caught if isinstance(w.message, tracer) or tracer and issubclass(w.category, tracer)]
    return buffer.getvalue(), doubts


def _export_by_dynamo(model: Any, tensors: list[Any], names: list[str], outputs: list[str] | None) -> bytes:
    torch = torch_module()
    with _silent():
        program = torch.onnx.export(
            model, tuple(tensors), dynamo=True, input_names=names, output_names=outputs,
            dynamic_shapes=tuple({0: "batch"} for _ in tensors), verbose=False,
        )
        return program.model_proto.SerializeToString()
