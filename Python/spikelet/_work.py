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

    A Python exception cannot pass through the library, and Ctrl-C may raise one at the very first instruction of a callback, before any
    ``try``. So while the call runs, SIGINT only leaves a note; the next callback asks the library to stop, and the handler that was there
    before is called when the library has returned.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._interrupted: tuple[int, Any] | None = None
        self._previous: Any = None
        self._bar: _Bar | None = None
        self._began = time.monotonic()
        shows = _shows_progress
        if shows is None:
            shows = _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
        self._shows = shows
        self.callback = ProgressFunction(self._progress)

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._previous = previous
                _watches.append(self)
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            _watches.remove(self)
        if self._bar is not None:
            self._bar.close()

    def _note(self, number: int, frame: Any) -> None:
        self._interrupted = (number, frame)

    def _progress(self, _context: Any, title: bytes | None, unit: bytes | None, completed: int, total: int) -> int:
        try:
            if self._interrupted is not None or self.error is not None:
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

    def is_stopped(self) -> bool:
        """Whether the call is to end."""
        return self._interrupted is not None or self.error is not None

    def finish(self) -> None:
        """Raises what was left for when the library has returned."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self._interrupted is not None:
            number, frame = self._interrupted
            self._interrupted = None
            self._previous(number, frame)
            raise KeyboardInterrupt


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """Around a user's own code that a callback runs: Ctrl-C ends it at once, as it would anywhere else."""
    watch = _watches[-1] if _watches and threading.current_thread() is threading.main_thread() else None
    if watch is None:
        yield
        return
    signal.signal(signal.SIGINT, watch._previous)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, watch._note)


def interruption_is_noted() -> bool:
    """Whether Ctrl-C was pressed during the call that runs on this thread."""
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
        Where Ctrl-C was pressed meanwhile.
    """
    with Watch() as watch:
        status = call(watch.callback)
    watch.finish()
    return status
