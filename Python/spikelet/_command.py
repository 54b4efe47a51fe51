"""The command ``spikelet``, as the wheel brings it along."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ._errors import SpikeletError


def find() -> str:
    """Where the command is: ``SPIKELET_COMMAND``, beside the library, or on the PATH.

    Raises
    ------
    SpikeletError
        ``fileSystem`` where it is nowhere.
    """
    given = os.environ.get("SPIKELET_COMMAND")
    if given:
        if not Path(given).is_file():
            raise SpikeletError("fileSystem", "there is no such file", where=given, remedy="SPIKELET_COMMAND names it: correct it, or unset it")
        return given
    package = Path(__file__).resolve().parent
    beside = [package / "_lib" / "spikelet", package.parents[1] / ".build" / "release" / "spikelet"]
    library = os.environ.get("SPIKELET_LIBRARY")
    if library:
        beside.insert(0, Path(library).resolve().parent / "spikelet")
    for path in beside:
        if path.is_file():
            return str(path)
    # The script that the wheel installs under the same name only comes back here.
    scripts = Path(sys.executable).parent
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder and Path(folder) != scripts]
    found = shutil.which("spikelet", path=os.pathsep.join(folders))
    if found:
        return found
    raise SpikeletError(
        "fileSystem",
        "the command 'spikelet' is not there",
        remedy="install a wheel that brings it along, put it on the PATH, or name it by SPIKELET_COMMAND",
    )


def main() -> None:
    """Becomes the command."""
    try:
        command = find()
    except SpikeletError as error:
        sys.exit(f"Error: {error}")
    if not os.access(command, os.X_OK):
        # Some installers drop the mode of files that are data to them.
        os.chmod(command, os.stat(command).st_mode | 0o111)
    os.execv(command, [command, *sys.argv[1:]])
