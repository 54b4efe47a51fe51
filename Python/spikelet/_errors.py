"""What is raised, and how the library's words are put into Python's spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy


class SpikeletError(Exception):
    """What went wrong, where, and what to do about it.

    Attributes
    ----------
    code : str
        The class of the failure: ``malformedFile``, ``fileSystem``, ``invalidModel``, ``unsupported``, ``notConvertible``,
        ``invalidData``, ``invalidOption``, ``network``, ``illegalGraph``, ``interrupted``; of this package also ``export`` (PyTorch
        could not export a module), ``library`` (the library cannot be loaded) and ``closed`` (a network was used after ``close()``).
    what : str
        What is wrong.
    where : str or None
        A file, a layer, a parameter.
    remedy : str or None
        What can be done.
    details : list of str
        Lines that belong below ``what``.
    search : Record or None
        What a search for ``target_drop`` tried, where it found nothing good enough.

    Examples
    --------
    >>> try:
    ...     snn.run(images[:3], steps=0)
    ... except spikelet.SpikeletError as error:
    ...     print(error.code)
    ...     print(error)
    invalidOption
    `steps=0` is no number of time steps
      → give a whole number from 1 on
    """

    def __init__(
        self, code: str, what: str, *, where: str | None = None, remedy: str | None = None, details: Sequence[str] = ()
    ) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what
        self.where = where
        self.remedy = remedy
        self.details = list(details)
        self.search: Any = None

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {detail}" for detail in self.details]
        if self.remedy:
            lines.append(f"  → {self.remedy}")
        return "\n".join(lines)

    def __reduce__(self) -> Any:
        return (_error, (self.code, self.what, self.where, self.remedy, self.details))


class SpikeletWarning(UserWarning):
    """What should be known of a result: layers that never spike, approximations."""


def _error(code: str, what: str, where: str | None, remedy: str | None, details: Sequence[str]) -> SpikeletError:
    return SpikeletError(code, what, where=where, remedy=remedy, details=details)


def camel(name: str) -> str:
    """``target_drop`` → ``targetDrop``."""
    first, *others = name.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def snake(name: str) -> str:
    """``targetDrop`` → ``target_drop``, ``stepsToANN`` → ``steps_to_ann``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def truth(name: str, value: Any) -> bool:
    """True or False, NumPy's too.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for anything else: "no" would count as True.
    """
    if isinstance(value, (bool, numpy.bool_)):
        return bool(value)
    raise SpikeletError("invalidOption", f"`{name}={value!r}` is neither True nor False", remedy="give one of them")


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the library names them, without those that are None."""
    return {camel(name): value for name, value in given.items() if value is not None}


# The library's names that differ here from what `snake` makes of them.
_NAMES = {"setVoltageHook": "set_voltagehook"}
# What the command's subcommands are here.
_COMMAND = re.compile(r"'spikelet (convert|run|simulate|evaluate)'|\bspikelet (convert|run)(?: \S+ --calibration .*)?$")
_CALLS = {
    "convert": "spikelet.convert(model, calibration)", "run": "spikelet.load_model(path).run(x)", "simulate": "snn.run(x)",
    "evaluate": "snn.evaluate(data)",
}
_PARAMETER = re.compile(r"`([a-z][A-Za-z]*)(?:: ([^`]*))?`")


def in_python(text: str) -> str:
    """The library's text as Python spells it: ```weightCorrection: true``` → ```weight_correction=True```, 'spikelet simulate' → snn.run(x)."""

    def spelled(match: re.Match[str]) -> str:
        name = _NAMES.get(match[1], snake(match[1]))
        value = match[2]
        if value is None:
            return f"`{name}`"
        words = {"true": "True", "false": "False", "none": "None", "null": "None"}
        if value in words:
            value = words[value]
        elif re.fullmatch(r"[a-z][a-z-]*", value):
            value = f'"{value}"'
        return f"`{name}={value}`"

    return _COMMAND.sub(lambda match: _CALLS[match[1] or match[2]], _PARAMETER.sub(spelled, text))


def of_library(fields: Mapping[str, Any]) -> SpikeletError:
    """The error that the library's JSON tells."""

    def text(name: str) -> str | None:
        value = fields.get(name)
        return None if value is None else in_python(str(value))

    return SpikeletError(
        str(fields.get("code", "unknown")),
        text("what") or "the library gave no reason",
        where=text("where"),
        remedy=text("remedy"),
        details=[in_python(str(detail)) for detail in fields.get("details") or []],
    )
