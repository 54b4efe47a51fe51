"""Files, written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile

from ._errors import SpikeletError


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises before long work what :func:`write_whole` would raise after it.

    Raises
    ------
    SpikeletError
        ``fileSystem`` where there is no such folder, or nothing may be written to it.
    """
    name = os.fspath(path)
    folder = os.path.dirname(name) or "."
    if os.path.isdir(name):
        raise SpikeletError("fileSystem", "it is a folder", where=name, remedy="name a file in it")
    if not os.path.isdir(folder):
        raise SpikeletError("fileSystem", f"there is no folder '{folder}'", where=name, remedy="make it, or choose another path")
    if not os.access(folder, os.W_OK):
        raise SpikeletError("fileSystem", f"nothing may be written to '{folder}'", where=name, remedy="choose another path")


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text.

    Raises
    ------
    SpikeletError
        ``fileSystem`` where it cannot be written.
    """
    check_writable(path)
    name = os.fspath(path)
    try:
        descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(name) or ".", prefix=".spikelet-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(beside, 0o666 & ~umask)
            os.replace(beside, name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        raise SpikeletError("fileSystem", error.strerror or str(error), where=name, remedy="choose another path, or make room") from error
