"""Calls that take long: their progress, and Ctrl-C while they run."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

ProgressFunction = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64
)

# Work that is done before this many seconds have passed shows no bar.
_PATIENCE = 0.5
_shows_progress: bool | None = None
_watches: list["Watch"] = []
# Of faults of the program itself nothing is left to be called.
_SIGNALS = sorted(
    signal.valid_signals()
    - {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT")}
)


def set_progress(shown: bool | None) -> None:
    """Whether long work shows a progress bar.

    Parameters
    ----------
    shown : bool or None
        None, as at the start: in a notebook, and where standard error is a terminal.

    Examples
    --------
    >>> spikelet.set_progress(False)
    """
    global _shows_progress
    _shows_progress = shown


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class _Bar:
    """tqdm's bar where it is installed, else a line on standard error."""

    def __init__(self, title: str, unit: str, total: int) -> None:
        self.title, self.unit, self.total = title, unit, total
        self._bar: Any = None
        self._width = 0
        if importlib.util.find_spec("tqdm") is not None:
            with warnings.catch_warnings():
                # Of notebooks without widgets, where tqdm writes text.
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm

                self._bar = tqdm(desc=title, unit=f" {unit}", total=total if total >= 0 else None, leave=False)

    def show(self, completed: int) -> None:
        if self._bar is not None:
            self._bar.update(max(0, completed - self._bar.n))
            return
        of = f" of {self.total}" if self.total >= 0 else ""
        text = f"{self.title}: {completed}{of} {self.unit}"
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()


class Watch:
    """Looks after one call of the library.

    A Python exception cannot pass through the library, and a signal's handler, such as that of Ctrl-C, may raise one at the very first
    instruction of a callback, before any ``try``. So while the call runs, a signal only leaves a note; the next callback calls the handler
    that was there before, and asks the library to stop where it raises.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._noted: list[tuple[Any, int, Any]] = []
        self._handlers: dict[int, Any] = {}
        self._bar: _Bar | None = None
        self._began = time.monotonic()
        shows = _shows_progress
        if shows is None:
            shows = _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
        self._shows = shows
        self.callback = ProgressFunction(self._progress)

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():
            _watches.append(self)
            self._note_signals()
        return self

    def __exit__(self, *_: object) -> None:
        if self in _watches:
            _watches.remove(self)
            self._pass_on_signals()
        if self._bar is not None:
            self._bar.close()

    def _note_signals(self) -> None:
        # What is ignored, or left to the system, is not callable.
        self._handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
        for number in self._handlers:
            signal.signal(number, self._note)

    def _pass_on_signals(self) -> None:
        raised: BaseException | None = None
        for number, handler in self._handlers.items():
            try:
                signal.signal(number, handler)
            except BaseException as error:  # noqa: BLE001 - of a handler that is back already
                raised = error
        if raised is not None:
            raise raised

    def _note(self, number: int, frame: Any) -> None:
        self._noted.append((self._handlers[number], number, frame))

    def _handle_noted(self) -> None:
        while self._noted:
            handler, number, frame = self._noted.pop(0)
            # As anywhere else it may put another handler in its place, call the library, or be interrupted.
            self._pass_on_signals()
            try:
                handler(number, frame)
            finally:
                self._note_signals()

    def is_stopped(self) -> bool:
        """Calls the handlers of what came meanwhile; whether the call is to end."""
        if self.error is None:
            try:
                self._handle_noted()
            except BaseException as error:  # noqa: BLE001
                self.error = error
        return self.error is not None

    def _progress(self, _context: Any, title: bytes | None, unit: bytes | None, completed: int, total: int) -> int:
        try:
            if self.is_stopped():
                return 1
            if self._shows and title is not None and time.monotonic() - self._began > _PATIENCE:
                self._show(title.decode(), (unit or b"").decode(), completed, total)
            return 0
        except BaseException as error:  # noqa: BLE001
            self.error = error
            return 1

    def _show(self, title: str, unit: str, completed: int, total: int) -> None:
        if self._bar is None or self._bar.title != title:
            if self._bar is not None:
                self._bar.close()
            self._bar = _Bar(title, unit, total)
        self._bar.show(completed)

    def finish(self) -> None:
        """Raises what was left for when the library has returned."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        while self._noted:
            handler, number, frame = self._noted.pop(0)
            handler(number, frame)


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """Around a user's own code that a callback runs: signals reach their handlers at once, as they would anywhere else."""
    watch = _watches[-1] if _watches and threading.current_thread() is threading.main_thread() else None
    if watch is None:
        yield
        return
    watch._pass_on_signals()
    try:
        yield
    finally:
        watch._note_signals()


def is_interrupted() -> bool:
    """Whether Ctrl-C, or what else raises, came during the call that runs on this thread."""
    return (
        bool(_watches)
        and threading.current_thread() is threading.main_thread()
        and _watches[-1].is_stopped()
    )


def watched(call: Callable[[Any], int]) -> int:
    """Runs ``call`` with a progress callback, and gives its status.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C was pressed meanwhile; and whatever the handlers of other signals raised.
    """
    with Watch() as watch:
        status = call(watch.callback)
    watch.finish()
    return status
