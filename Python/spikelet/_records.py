"""JSON objects whose keys are attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ._errors import camel, snake


class Record:
    """A JSON object: ``record.spikesPerNeuron``, ``record.spikes_per_neuron`` and ``record["spikesPerNeuron"]`` are the same.

    Objects inside it are records too. What was not measured is not there: ``in`` and ``get`` tell.

    Examples
    --------
    >>> result = snn.evaluate("test.npz", steps=[8])
    >>> last = result.steps[-1]
    >>> last.spikes_per_neuron == last["spikesPerNeuron"]
    True
    >>> "accuracy" in last, "agreement" in last, last.get("agreement")
    (True, False, None)
    """

    def __init__(self, values: dict[str, Any], text: str | None = None) -> None:
        self._values = values
        self._text = text

    def _key(self, name: str) -> str | None:
        if name in self._values:
            return name
        key = camel(name)
        if key in self._values:
            return key
        return next((key for key in self._values if snake(key) == name), None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        key = self._key(name)
        if key is None:
            there = ", ".join(snake(key) for key in self._values)
            raise AttributeError(f"there is no '{name}' here (what was not measured is left out); there is {there}")
        return _wrapped(self._values[key])

    def __getitem__(self, name: str) -> Any:
        key = self._key(name)
        if key is None:
            raise KeyError(name)
        return _wrapped(self._values[key])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._key(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for key in self._values for name in {key, snake(key)} if name.isidentifier())]

    def keys(self) -> list[str]:
        """The keys, as the JSON has them."""
        return list(self._values)

    def get(self, name: str, default: Any = None) -> Any:
        """What stands under a key, or ``default`` where nothing does."""
        key = self._key(name)
        return default if key is None else _wrapped(self._values[key])

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, as a copy."""
        return copy.deepcopy(self._values)

    def __str__(self) -> str:
        return repr(self) if self._text is None else self._text.rstrip("\n")

    def __reduce__(self) -> Any:
        return (type(self), (self._values, self._text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._values)})"


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Record(value)
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [_wrapped(item) for item in value]
    return value
