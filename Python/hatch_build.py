"""Puts Spikelet's library and command into the wheel.

``SPIKELET_LIBRARY`` names a library that is built already, and ``SPIKELET_COMMAND`` the command; otherwise Swift builds both from the
repository that this folder lies in. ``SPIKELET_TRAITS`` says with which of the package's traits ("" for none).
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface):
    """Builds what is not there, and says which platform the wheel is for."""

    def initialize(self, version, build_data):
        if sys.platform == "win32":
            raise RuntimeError("Spikelet does not build on Windows. Use it in WSL (Windows Subsystem for Linux): wsl --install")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag()}"
        # An editable install finds the library in the repository's own build folder.
        files = self._files()
        if version != "editable":
            for file in files:
                build_data["force_include"][str(file)] = f"spikelet/_lib/{file.name}"

    def _files(self):
        given = os.environ.get("SPIKELET_LIBRARY")
        if given:
            files = [Path(given).resolve()]
            command = os.environ.get("SPIKELET_COMMAND")
            # What stands beside a library that was built by `swift build` belongs to it.
            command = Path(command).resolve() if command else files[0].parent / "spikelet"
            if command.is_file():
                files.append(command)
            if not files[0].is_file():
                raise RuntimeError(f"SPIKELET_LIBRARY names {given}, and there is no such file")
            return files
        root = Path(self.root).parent
        if not (root / "Package.swift").is_file():
            raise RuntimeError(
                "There is no Package.swift beside this folder to build the library from: install from a clone of the repository "
                "(pip install ./Python), or name a library that is built already by SPIKELET_LIBRARY."
            )
        swift = os.environ.get("SWIFT", "swift")
        if shutil.which(swift) is None:
            raise RuntimeError(
                "Building Spikelet needs Swift 6.1 or newer, which is not on the PATH (https://swift.org/install). "
                "A wheel needs no Swift: pip install spikelet-….whl"
            )
        traits = os.environ.get("SPIKELET_TRAITS", "NIR,Images")
        command = [swift, "build", "-c", "release", "--package-path", str(root)] + (["--traits", traits] if traits else [])
        for product in ("spikelet_c", "spikelet"):
            subprocess.run([*command, "--product", product], check=True)
        folder = subprocess.run([*command, "--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
        ending = "dylib" if sys.platform == "darwin" else "so"
        return [Path(folder) / f"libspikelet_c.{ending}", Path(folder) / "spikelet"]


def _platform_tag():
    if sys.platform == "darwin":
        # Package.swift's deployment target.
        return f"macosx_13_0_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
