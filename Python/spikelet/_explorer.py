"""The live page, which the command serves."""

from __future__ import annotations

import html
import os
import subprocess
import tempfile
import threading
import weakref
from typing import Any

from . import _command
from ._errors import SpikeletError

# What `explore` may take to read the network and its data.
_PATIENCE = 120


def _end(process: Any, folder: Any) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
    folder.cleanup()


class Explorer:
    """A live page that is being served; made by :meth:`SpikingNetwork.explore`.

    Attributes
    ----------
    url : str
        The address for a browser on this machine.
    """

    def __init__(self, arguments: list[str], folder: "tempfile.TemporaryDirectory[str]") -> None:
        errors_path = os.path.join(folder.name, "stderr")
        with open(errors_path, "wb") as errors:
            process = subprocess.Popen(
                [_command.find(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._stop = weakref.finalize(self, _end, process, folder)
        # A command that never answers is ended, which ends the wait.
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
        except BaseException:
            self.stop()
            raise
        finally:
            timer.cancel()
        if not line:
            process.wait()
            with open(errors_path, encoding="utf-8", errors="replace") as file:
                said = [text.rstrip() for text in file if text.strip()]
            self.stop()
            reason = said[0].removeprefix("Error: ") if said else f"the command ended with {process.returncode}"
            raise SpikeletError("interrupted", f"the page could not be opened: {reason}", details=[text.strip() for text in said[1:]])
        self.url = line

    def stop(self) -> None:
        """Ends it. A second time does nothing."""
        self._stop()

    def __enter__(self) -> "Explorer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Explorer at {self.url}>" if self._stop.alive else "<Explorer, stopped>"

    def _repr_html_(self) -> str:
        address = html.escape(self.url, quote=True)
        return f'<a href="{address}" target="_blank" rel="noopener">{address}</a>'
