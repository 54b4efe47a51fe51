"""What was measured."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from typing import Any

from . import _c
from ._errors import SpikeletError
from ._files import write_whole
from ._records import Record


def _text(results: Any, names: Sequence[str] | None = None) -> str:
    text = _c.Text()
    _c.call("results_text", json.dumps(results).encode(), None if names is None else json.dumps(list(names)).encode(), text.out())
    return (text.value() or "").rstrip("\n")


def _page(results: Any, names: Sequence[str] | None) -> str:
    text = _c.Text()
    _c.call("results_page", json.dumps(results).encode(), None if names is None else json.dumps(list(names)).encode(), text.out())
    return text.value() or ""


def _frame(page: str) -> str:
    # In a frame of its own, the page's styles and the notebook's leave each other alone; its sandbox runs no script.
    return f'<iframe sandbox srcdoc="{html.escape(page, quote=True)}" style="width:100%;height:640px;border:0"></iframe>'


def _frame_data(rows: list[dict[str, Any]]) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
    return pandas.DataFrame(rows)


def _rows(values: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    rows = []
    for step in values.get("steps", []):
        row: dict[str, Any] = dict(more)
        for key, value in step.items():
            if isinstance(value, dict):
                row.update({f"{key}.{inner}": number for inner, number in value.items()})
            else:
                row[key] = value
        rows.append(row)
    return rows


class Result(Record):
    """What :meth:`SpikingNetwork.evaluate` measured: the JSON of ``spikelet evaluate --json``, its keys as attributes.

    ``result.ann.accuracy`` is a fraction, ``result.steps[-1].accuracy`` that after the last of the steps asked for,
    ``result.steps[-1].spikes_per_neuron`` counts the spikes up to then, ``.synaptic_operations`` those for one sample, ``.energy.snn`` is in
    joules. What was not measured (accuracy without labels, agreement without an ANN) is left out. ``print`` shows a table, a notebook the
    report.

    Examples
    --------
    >>> result = snn.evaluate("test.npz", ann="model.onnx", steps=[4, 8])
    >>> result.save("result.json")
    >>> spikelet.Result.load("result.json") == result
    True
    >>> result.save_report("report.html")
    """

    def __str__(self) -> str:
        return _text(self._values)

    def to_json(self) -> str:
        """The JSON, as the command writes it: indented, its keys sorted."""
        return json.dumps(self._values, indent=2, sort_keys=True, ensure_ascii=False)

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each number of steps.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        return _frame_data(_rows(self._values))

    def to_html(self) -> str:
        """The report: one page that needs nothing else."""
        return _page(self._values, None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the JSON; :meth:`load` reads it."""
        write_whole(path, self.to_json() + "\n")

    def save_report(self, path: str | os.PathLike[str]) -> None:
        """Writes the report, as a page to look at."""
        write_whole(path, self.to_html())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Result":
        """Reads what :meth:`save`, or ``spikelet evaluate --json``, wrote.

        Raises
        ------
        SpikeletError
            ``fileSystem`` where there is no such file, ``malformedFile`` where it holds no result.
        """
        try:
            with open(path, encoding="utf-8") as file:
                values = json.load(file)
        except OSError as error:
            raise SpikeletError("fileSystem", error.strerror or str(error), where=os.fspath(path)) from error
        except ValueError as error:
            raise SpikeletError("malformedFile", f"it is no JSON: {error}", where=os.fspath(path)) from error
        if not isinstance(values, dict) or not isinstance(values.get("steps"), list):
            raise SpikeletError(
                "malformedFile", "it holds no result", where=os.fspath(path), remedy="give a file of 'spikelet evaluate --json', or of save()"
            )
        return cls(values)

    def _repr_html_(self) -> str:
        return _frame(self.to_html())

    def __reduce__(self) -> Any:
        return (type(self), (self._values,))


class Comparison(Sequence[Result]):
    """Several results side by side; made by :func:`compare`."""

    def __init__(self, results: Sequence[Result], names: Sequence[str] | None = None) -> None:
        self.results = list(results)
        self.names = None if names is None else [str(name) for name in names]

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    def __str__(self) -> str:
        return _text([result._values for result in self.results], self.names)

    def __repr__(self) -> str:
        return f"Comparison of {len(self.results)} results"

    def to_dict(self) -> list[dict[str, Any]]:
        """The results' JSON objects."""
        return [result.to_dict() for result in self.results]

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each result and number of steps; the first column says which result."""
        rows: list[dict[str, Any]] = []
        for index, result in enumerate(self.results):
            name = self.names[index] if self.names else f"{result.get('network')} ({result.get('recipe')})"
            rows += _rows(result._values, name=name)
        return _frame_data(rows)

    def to_html(self) -> str:
        """The report on all of them: one page that needs nothing else."""
        return _page([result._values for result in self.results], self.names)

    def save_report(self, path: str | os.PathLike[str]) -> None:
        """Writes the report, as a page to look at."""
        write_whole(path, self.to_html())

    def _repr_html_(self) -> str:
        return _frame(self.to_html())


def compare(*results: Result, names: Sequence[str] | None = None) -> Comparison:
    """Puts results side by side.

    Parameters
    ----------
    *results : Result
        Two or more, of the same data.
    names : sequence of str, optional
        What they are called; by default by their networks and recipes.

    Returns
    -------
    Comparison
        ``print`` shows a table, a notebook the report.

    Raises
    ------
    SpikeletError
        ``invalidOption`` for fewer than two, for what is no result, and for more or fewer names than results.

    Examples
    --------
    >>> results = [snn.evaluate("test.npz", steps=[4, 8], precision=precision) for precision in ("float32", "int8")]
    >>> comparison = spikelet.compare(*results, names=["float32", "int8"])
    >>> comparison
    Comparison of 2 results
    >>> comparison.save_report("both.html")
    """
    if len(results) == 1 and isinstance(results[0], (list, tuple)):
        results = tuple(results[0])
    if len(results) < 2 or not all(isinstance(result, Result) for result in results):
        raise SpikeletError("invalidOption", "a comparison is of two results and more", remedy="give what evaluate() returned, several times")
    if isinstance(names, str):
        raise SpikeletError("invalidOption", f"`names={names!r}` is one text", remedy=f"give a list of {len(results)}")
    if names is not None and len(names) != len(results):
        raise SpikeletError("invalidOption", f"{len(names)} `names` for {len(results)} results", remedy="give one for each")
    return Comparison(results, names)
