"""The library's C interface (spikelet.h), by ctypes."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy

from . import _work
from ._errors import SpikeletError, of_library, snake

# SPIKELET_INTERFACE of the header that this was written after.
INTERFACE = 1
OK, FAILED, STOPPED = 0, 1, 2

TYPES = {0: numpy.dtype(numpy.float32), 1: numpy.dtype(numpy.uint8), 2: numpy.dtype(numpy.int64), 3: numpy.dtype(numpy.bool_)}
NUMBERS = {dtype: number for number, dtype in TYPES.items()}


class Array(ctypes.Structure):
    """spikelet_array."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("values", ctypes.c_void_p),
    ]


class Batch(ctypes.Structure):
    """spikelet_batch."""

    _fields_ = [
        ("inputs", ctypes.POINTER(Array)),
        ("input_count", ctypes.c_int32),
        ("labels", ctypes.POINTER(Array)),
        ("targets", ctypes.POINTER(Array)),
    ]


NextBatch = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(Batch))

_text, _handle, _context = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p
_handle_out = ctypes.POINTER(ctypes.c_void_p)
# A text that is given back by spikelet_free_text: as c_char_p, ctypes would copy it and lose the address.
_text_out = ctypes.POINTER(ctypes.c_void_p)
_arrays_in, _count = ctypes.POINTER(Array), ctypes.c_int32
_progress = [_work.ProgressFunction, _context]

_SIGNATURES: dict[str, list[Any]] = {
    "set_threads": [ctypes.c_int32],
    "model_read": [_text, _text, _handle_out],
    "model_from_bytes": [ctypes.c_void_p, ctypes.c_int64, _text, _text, _handle_out],
    "network_read": [_text, _text, _handle_out],
    "network_write": [_handle, _text],
    "network_export": [_handle, _text, _handle, _text, *_progress, _text_out],
    "graph_describe": [_handle, _text_out],
    "graph_arrays": [_handle, _handle_out],
    "graph_run": [_handle, _arrays_in, _count, *_progress, _handle_out],
    "graph_pass": [_handle, _text, _handle, _text, *_progress, _handle_out],
    "data_open": [_text, _text, _handle_out],
    "data_from_arrays": [ctypes.POINTER(Batch), _text, _handle_out],
    "data_from_batches": [NextBatch, _context, _text, _handle_out],
    "convert": [_handle, _handle, _text, *_progress, _handle_out, _text_out],
    "simulation_make": [_handle, _text, _handle_out],
    "simulation_run": [_handle, _arrays_in, _count, _text, *_progress, _handle_out, _text_out],
    "simulation_step": [_handle, _arrays_in, _count, _handle_out],
    "simulation_reset": [_handle],
    "evaluate": [_handle, _handle, _handle, _text, *_progress, _text_out],
    "results_text": [_text, _text, _text_out],
    "results_page": [_text, _text, _text_out],
    "arrays_at": [_handle, ctypes.c_int64, ctypes.POINTER(Array)],
    "voltage_hook": [ctypes.POINTER(Array), _text, _text_out],
    "download": [_text, _text, _text, *_progress, _text_out],
}

_library: ctypes.CDLL | None = None
_loading = threading.Lock()


def _path() -> str:
    if sys.platform == "win32":
        raise SpikeletError(
            "library", "Spikelet does not run on Windows", remedy="use it in WSL (Windows Subsystem for Linux): wsl --install"
        )
    given = os.environ.get("SPIKELET_LIBRARY")
    if given:
        if not Path(given).is_file():
            raise SpikeletError("library", "there is no such file", where=given, remedy="SPIKELET_LIBRARY names it: correct it, or unset it")
        return given
    name = "libspikelet_c.dylib" if sys.platform == "darwin" else "libspikelet_c.so"
    package = Path(__file__).resolve().parent
    places = [package / "_lib" / name, package.parents[1] / ".build" / "release" / name]
    for path in places:
        if path.is_file():
            return str(path)
    raise SpikeletError(
        "library",
        f"Spikelet's library {name} is not there; looked for at:",
        details=[f"- {place}" for place in places],
        remedy="install the package anew (pip install ./Python in a clone of the repository builds it), "
        "build it there with 'swift build -c release --product spikelet_c', or name it by SPIKELET_LIBRARY",
    )


def library() -> ctypes.CDLL:
    """The library, loaded when it is first needed.

    Raises
    ------
    SpikeletError
        ``library`` where it is nowhere, cannot be loaded, or has another interface.
    """
    global _library
    if _library is not None:
        return _library
    with _loading:
        if _library is None:
            _library = _load(_path())
    return _library


def _load(path: str) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(path)
        version = loaded.spikelet_version
    except (OSError, AttributeError) as error:
        raise SpikeletError(
            "library", f"the library cannot be loaded: {error}", where=path,
            remedy="it has to be built for this machine; install the package anew, or build it here",
        ) from error
    version.argtypes, version.restype = [], ctypes.c_char_p
    number = version().decode().rpartition("/")[2]
    if number != str(INTERFACE):
        raise SpikeletError(
            "library", f"the library has interface {number}, this package needs {INTERFACE}", where=path,
            remedy="the package and the library are of different versions: install both from the same one",
        )
    for name, arguments in _SIGNATURES.items():
        function = getattr(loaded, f"spikelet_{name}")
        function.argtypes, function.restype = arguments, ctypes.c_int
    for name, arguments, result in [
        ("last_error", [], ctypes.c_char_p),
        ("release", [ctypes.c_void_p], None),
        ("free_text", [ctypes.c_void_p], None),
        ("arrays_count", [_handle], ctypes.c_int64),
    ]:
        function = getattr(loaded, f"spikelet_{name}")
        function.argtypes, function.restype = arguments, result
    return loaded


def version() -> str:
    """The library's own version.

    Examples
    --------
    >>> spikelet.library_version() == spikelet.__version__
    True
    """
    return library().spikelet_version().decode().rpartition("/")[0]


def check(status: int) -> None:
    """Raises what the library says was wrong.

    Raises
    ------
    SpikeletError
        For any status but success.
    """
    if status == OK:
        return
    if status == STOPPED:
        raise SpikeletError("interrupted", "the work was broken off")
    text = library().spikelet_last_error()
    try:
        fields = json.loads(text) if text else {}
    except ValueError:
        fields = {"what": text.decode(errors="replace")}
    raise of_library(fields)


def call(name: str, *arguments: Any) -> None:
    """Calls a function that returns a status."""
    check(getattr(library(), f"spikelet_{name}")(*arguments))


def work(name: str, before: tuple[Any, ...], after: tuple[Any, ...], *, source: Any = None) -> None:
    """Calls a function that tells its progress; ``before`` and ``after`` are the arguments on either side of the callback.

    An exception of ``source``, the data that the call reads, is raised as it was.
    """
    function = getattr(library(), f"spikelet_{name}")
    status = _work.watched(lambda progress: function(*before, progress, None, *after))
    error = source.take_error() if source is not None else None
    if error is not None:
        raise error
    check(status)


def encode(options: Mapping[str, Any]) -> bytes:
    """Options as the library takes them; NumPy's numbers are as good as Python's.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for what is no number, text or list of them, and for numbers that are not finite.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, (numpy.generic, numpy.ndarray)):
            return value.tolist()
        raise TypeError(type(value).__name__)

    def refused(name: str, value: Any) -> SpikeletError:
        return SpikeletError(
            "invalidOption", f"`{snake(name)}={value!r}` cannot be", remedy="give a finite number, a text, True or False, or leave it out"
        )

    for name, value in options.items():
        try:
            json.dumps(value, allow_nan=False, default=plain)
        except (TypeError, ValueError) as error:
            raise refused(name, value) from error
    return json.dumps(options, default=plain).encode()


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    """A path as the library takes it.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for one with a NUL in it, which would end it early.
    """
    try:
        name = os.fspath(path)
    except TypeError as error:
        raise SpikeletError("invalidOption", f"{path!r} is no path", remedy="give a text or a pathlib.Path") from error
    if not name:
        raise SpikeletError("invalidOption", "a path is empty", remedy="give that of a file")
    text = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    if b"\0" in text:
        raise SpikeletError("invalidOption", "a path holds a NUL character", where=repr(path))
    return text


class Text:
    """Room for a text that the library writes; ``value`` gives it back to it."""

    def __init__(self) -> None:
        self._address = ctypes.c_void_p()

    def out(self) -> Any:
        return ctypes.byref(self._address)

    def value(self) -> str | None:
        """The text; None where none was written."""
        if not self._address:
            return None
        try:
            return ctypes.string_at(self._address.value or 0).decode()
        finally:
            library().spikelet_free_text(self._address)
            self._address = ctypes.c_void_p()

    def json(self) -> Any:
        """What the text says; an empty dictionary where none was written."""
        text = self.value()
        return json.loads(text) if text else {}

    def __del__(self) -> None:
        if self._address and _library is not None:
            _library.spikelet_free_text(self._address)


def _release(address: int, process: int, keep: Any) -> None:
    # After a fork, a handle's threads are the parent's: releasing it in the child could wait for them for ever.
    if _library is not None and os.getpid() == process:
        _library.spikelet_release(address)


class Handle:
    """A handle of the library's, given back when nothing refers to it any more.

    A call holds a reference as long as it runs, so that closing a network in one thread takes nothing away from another.
    """

    def __init__(self, make: Callable[[Any], None], keep: Any = None) -> None:
        address = ctypes.c_void_p()
        make(ctypes.byref(address))
        # ctypes passes this in place of the object.
        self._as_parameter_ = address
        self._finalizer = weakref.finalize(self, _release, address.value or 0, os.getpid(), keep)
        # At the end of the process its memory goes anyway, and arrays may still be looked at.
        self._finalizer.atexit = False


class _Memory:
    """What a NumPy array of the library's memory keeps alive."""

    def __init__(self, owner: Handle, array: Array, writeable: bool) -> None:
        self.owner = owner
        shape = tuple(array.shape[axis] for axis in range(array.rank))
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": TYPES[array.type].str, "data": (array.values or 0, not writeable),
        }


def arrays(handle: Handle, *, writeable: bool = True) -> list[tuple[str, numpy.ndarray]]:
    """The arrays of a handle with their names, without copies: each keeps the handle."""
    found = []
    for index in range(library().spikelet_arrays_count(handle)):
        array = Array()
        call("arrays_at", handle, index, ctypes.byref(array))
        name = (array.name or b"").decode()
        if any(array.shape[axis] == 0 for axis in range(array.rank)):
            shape = [array.shape[axis] for axis in range(array.rank)]
            found.append((name, numpy.empty(shape, TYPES[array.type])))
        else:
            found.append((name, numpy.asarray(_Memory(handle, array, writeable))))
    return found


class Arrays:
    """NumPy arrays as the library takes them: by their own addresses.

    Parameters
    ----------
    values : list of numpy.ndarray
        C-contiguous, of a type that the library knows.
    names : list of str or None, optional
        What each is of.
    """

    def __init__(self, values: list[numpy.ndarray], names: list[str | None] | None = None) -> None:
        self.values = values
        self.count = len(values)
        self._shapes = [(ctypes.c_int64 * max(1, value.ndim))(*value.shape) for value in values]
        self.array = (Array * max(1, self.count))()
        for index, value in enumerate(values):
            name = names[index] if names else None
            self.array[index] = Array(
                name.encode() if name is not None else None, NUMBERS[value.dtype], value.ndim, self._shapes[index], value.ctypes.data
            )


def set_threads(threads: int) -> None:
    """How many threads a call may work with.

    Parameters
    ----------
    threads : int
        0: as many as the machine has cores. Applies to calls from then on, and to networks that are simulated from then on. No result
        depends on it.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for a negative number.

    Examples
    --------
    >>> spikelet.set_threads(1)
    >>> spikelet.set_threads(0)
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or not 0 <= threads < 2**31:
        raise SpikeletError("invalidOption", f"`threads={threads!r}` is no number of threads", remedy="give 0 for all cores, or 1 and more")
    call("set_threads", threads)
