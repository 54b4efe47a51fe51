"""Arrays and tensors on their way in and out."""

from __future__ import annotations

import sys
from typing import Any

import numpy

from ._errors import SpikeletError


def torch_module() -> Any:
    """PyTorch where the program has imported it, else None: who hands over a tensor has."""
    return sys.modules.get("torch")


def is_tensor(value: Any) -> bool:
    """Whether it is a PyTorch tensor."""
    torch = torch_module()
    return torch is not None and hasattr(torch, "Tensor") and isinstance(value, torch.Tensor)


def is_array(value: Any) -> bool:
    """Whether it is an array or a tensor, or says how to become one."""
    return isinstance(value, (numpy.ndarray, numpy.generic)) or is_tensor(value) or hasattr(value, "__array__")


def invalid(what: str, where: str, remedy: str | None = None) -> SpikeletError:
    return SpikeletError("invalidData", what, where=where, remedy=remedy)


def _of_tensor(tensor: Any, where: str) -> numpy.ndarray:
    torch = torch_module()
    tensor = tensor.detach()
    try:
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        if tensor.layout != torch.strided:
            tensor = tensor.to_dense()
        if tensor.device.type != "cpu":
            tensor = tensor.cpu()
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            tensor = tensor.float()
        return tensor.resolve_conj().resolve_neg().contiguous().numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()
        raise invalid(
            f"a tensor on '{tensor.device}' of {tensor.dtype} cannot be read: {reason[0] if reason else type(error).__name__}",
            where, "move it to the CPU, as float32: x.cpu().float()",
        ) from error


def to_numpy(value: Any, where: str) -> numpy.ndarray:
    """A C-contiguous array of a type that the library knows; the array itself where it is one already.

    Parameters
    ----------
    value : array, tensor, or nested sequence of numbers
        Floating point of another width becomes float32, whole numbers but uint8 become int64.
    where : str
        What it is, for messages.

    Raises
    ------
    SpikeletError
        ``invalidData`` for what is no array of numbers.
    """
    if isinstance(value, numpy.ma.MaskedArray) and numpy.ma.is_masked(value):
        raise invalid("some of its numbers are masked", where, "say what they are: x.filled(0)")
    if is_tensor(value):
        array = _of_tensor(value, where)
    else:
        try:
            array = numpy.asarray(value)
        except (ValueError, TypeError, RuntimeError) as error:
            raise invalid(f"{type(value).__name__} is no array: {error}", where, "give arrays whose rows are of one shape") from error
    kind, dtype = array.dtype.kind, array.dtype
    if kind == "f" or dtype.name == "bfloat16":
        wanted: Any = numpy.float32
    elif kind == "b" or dtype == numpy.uint8:
        wanted = dtype
    elif kind in "iu":
        wanted = numpy.int64
    else:
        raise invalid(
            f"an array of {dtype} holds no numbers that a network takes", where,
            "give float32, uint8 (0…1 by 1/255), int64 or bool" + ("; rows of different lengths make no array" if kind == "O" else ""),
        )
    # Not ascontiguousarray, which would give a scalar an axis.
    return numpy.require(array, dtype=wanted, requirements="C") if array.ndim else array.astype(wanted)


def to_labels(value: Any, where: str) -> numpy.ndarray:
    """Labels as int64; numbers with fractions are targets, and stay float32."""
    array = to_numpy(value, where)
    return array if array.dtype == numpy.float32 else array.astype(numpy.int64, copy=False)


def like(given: Any, array: numpy.ndarray) -> Any:
    """A tensor where ``given`` holds one, in the array's memory; else the array."""
    if isinstance(given, dict):
        given = list(given.values())
    values = given if isinstance(given, (list, tuple)) else [given]
    if not any(is_tensor(value) for value in values):
        return array
    return torch_module().from_numpy(array)
