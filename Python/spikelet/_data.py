"""Samples in all the forms that they are handed over in."""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from . import _c, _work
from ._arrays import invalid, is_array, is_tensor, to_labels, to_numpy, torch_module
from ._errors import SpikeletError, SpikeletWarning, options

_LABEL_KEYS = ("labels", "label", "targets", "target", "y")
_FILE_KEYS = ("images", "x")
# Batches of a data set whose samples come one by one.
_USUAL_BATCH = 100


@dataclass(frozen=True)
class Files:
    """Data in a file or a folder, with how it is to be read; as the command's DATA and its options.

    Parameters
    ----------
    path : str or path
        An .npz file (arrays ``images`` or ``x``, and ``labels`` or ``y``, or ``targets``), an .npy file, a folder of IDX files, or of pictures.
    split : {"train", "test"}, optional
        Which part of a folder of IDX files.
    labels : str or path, optional
        Of pictures: a text file with their classes, instead of one folder a class.
    mean, std : sequence of float, optional
        Are taken off and divided by, for each channel, in the unit 0…1.
    resize, crop : int or str, optional
        Of pictures: the shorter side after resizing (224), both (``"192x256"``), or ``"none"``; and the middle that is kept, likewise.
    interpolation : str, optional
        Of pictures: how they are resized.
    grey : bool, optional
        Of pictures: one channel.

    Examples
    --------
    >>> snn.evaluate(spikelet.Files("test.npz"), steps=[8]).samples
    100
    >>> photographs = spikelet.Files("photographs", resize=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    """

    path: str | os.PathLike[str]
    split: str | None = None
    labels: str | os.PathLike[str] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    resize: int | str | None = None
    crop: int | str | None = None
    interpolation: str | None = None
    grey: bool | None = None

    def options(self) -> dict[str, Any]:
        """As the library names them."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "path"}
        if given["labels"] is not None:
            given["labels"] = os.fspath(given["labels"])
        for name in ("resize", "crop"):
            if given[name] is not None:
                given[name] = str(given[name])
        for name in ("mean", "std"):
            if given[name] is not None:
                try:
                    given[name] = [float(value) for value in given[name]]
                except (TypeError, ValueError) as error:
                    raise SpikeletError(
                        "invalidOption", f"`{name}={given[name]!r}` are no numbers", remedy="give one for each channel, such as [0.5]"
                    ) from error
        return options(given)


@dataclass
class Samples:
    """A batch: an array [N, …] for each input, and labels or targets [N, …]."""

    inputs: list[numpy.ndarray]
    names: list[str | None]
    labels: numpy.ndarray | None
    count: int

    def limited(self, count: int) -> "Samples":
        return Samples(
            [value[:count] for value in self.inputs], self.names, None if self.labels is None else self.labels[:count], min(count, self.count)
        )

    def ordered(self, order: Sequence[str], where: str) -> "Samples":
        """With the inputs in a network's order, where they were given by name."""
        if len(self.inputs) < 2 or None in self.names or self.names == list(order):
            return self
        if set(self.names) != set(order):
            raise invalid(
                f"inputs {', '.join(repr(name) for name in self.names)}; the network has {', '.join(map(repr, order))}", where,
                "give an array for each of the network's inputs, under its name",
            )
        by_name = dict(zip(self.names, self.inputs))
        return Samples([by_name[name] for name in order], list(order), self.labels, self.count)

    def structure(self) -> tuple[_c.Batch, list[Any]]:
        """As the library takes it, and what has to stay as long."""
        arrays = _c.Arrays(self.inputs, self.names)
        batch = _c.Batch(arrays.array, arrays.count, None, None)
        keep: list[Any] = [arrays]
        if self.labels is not None:
            answers = _c.Arrays([self.labels])
            keep.append(answers)
            if self.labels.dtype == numpy.float32:
                batch.targets = answers.array
            else:
                batch.labels = answers.array
        return batch, keep


def _is_pair(value: Any) -> bool:
    """Whether a tuple is (x, y), and not several batches."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    x, y = value
    several = isinstance(x, Mapping) or isinstance(x, (tuple, list)) and len(x) > 0 and all(is_array(part) for part in x)
    return (is_array(x) or several) and (y is None or is_array(y))


def samples(batch: Any, where: str, *, time_varying: bool = False) -> Samples:
    """A batch in any of its forms: x, (x,), (x, y), {"x": x, "labels": y}; x an array, or a tuple or a dictionary of several.

    Raises
    ------
    SpikeletError
        ``invalidData`` for what is none of them.
    """
    x, y = batch, None
    if isinstance(batch, Mapping):
        key = next((key for key in _LABEL_KEYS if key in batch), None)
        x = {name: value for name, value in batch.items() if name != key}
        y = batch[key] if key else None
    elif isinstance(batch, (tuple, list)):
        if len(batch) == 1:
            x = batch[0]
        elif len(batch) == 2:
            x, y = batch
        else:
            raise invalid(
                f"a batch of {len(batch)} parts", where, "give x or (x, y); where a network has several inputs ((x1, x2), y), or a dictionary"
            )
    names: list[str | None]
    if isinstance(x, Mapping):
        names, parts = [str(name) for name in x], list(x.values())
    elif isinstance(x, (tuple, list)) and len(x) > 0 and all(is_array(part) for part in x):
        names, parts = [None] * len(x), list(x)
    else:
        names, parts = [None], [x]
    if not parts:
        raise invalid("a batch without inputs", where)
    inputs = [to_numpy(part, f"{where}, input {name or index}") for index, (name, part) in enumerate(zip(names, parts))]
    for value in inputs:
        if value.ndim == 0:
            raise invalid("a single number is no batch", where, "give arrays [N, …], with the samples along the first axis")
    labels = None if y is None else to_labels(y, f"{where}, labels")
    if labels is not None and labels.ndim == 0:
        labels = labels.reshape(1)
    count = inputs[0].shape[0]
    if not time_varying:
        for value in inputs[1:]:
            if value.shape[0] != count:
                raise invalid(f"inputs of {count} and of {value.shape[0]} samples", where, "give as many of each")
        if labels is not None and labels.shape[0] != count:
            raise invalid(f"{count} samples, and {labels.shape[0]} labels", where, "give a label for each sample")
        return Samples(inputs, names, labels, count)
    shape = inputs[0].shape
    if labels is not None and labels.shape[0] not in shape[:2]:
        raise invalid(f"an input of shape {shape}, and {labels.shape[0]} labels", where, "time-varying inputs are [T, N, …]")
    return Samples(inputs, names, labels, shape[1] if labels is None and len(shape) > 1 else len(labels) if labels is not None else 0)


class Source:
    """Batches for the library, the same in every pass.

    A loader that shuffles gives other batches in each pass, and a generator none: what they gave first is kept. A loader that does not shuffle
    is gone through again, and a list lies in memory anyway.

    Parameters
    ----------
    batches : iterable
    where : str
        What it is, for messages.
    limit : int, optional
        The number of samples after which it ends.
    keeps : bool
        False: nothing is kept, for work that goes through the data once.
    """

    def __init__(
        self, batches: Iterable[Any], where: str, *, limit: int | None = None, keeps: bool = True, time_varying: bool = False
    ) -> None:
        self.where = where
        self._batches = batches
        self._limit = limit
        self._time_varying = time_varying
        self._again = _gives_the_same_again(batches)
        self._keeps = keeps and not self._again
        self._kept: list[Samples] = []
        self._iterator: Iterator[Samples] | None = None
        self._pass, self._next = -1, 0
        self._pending: Samples | None = None
        self._first: Samples | None = None
        self._current: Any = None
        self._error: BaseException | None = None
        self.order: Sequence[str] = ()
        self.callback = _c.NextBatch(self._give)

    def first(self) -> Samples:
        """The first batch, which the first pass begins with all the same."""
        if self._first is None:
            batch = self._batch(0, 0)
            if batch is None:
                raise invalid("there are no samples in it", self.where, "give at least one batch; check the loader's data set and its filters")
            self._first = batch
            if not self._keeps:
                # The loader is not asked again, so that a random order is the one a program without this look ahead sees.
                self._pending = batch
        return self._first

    def _checked(self) -> Iterator[Samples]:
        left = self._limit
        first: Samples | None = None
        for index, batch in enumerate(self._batches):
            if left is not None and left <= 0:
                return
            made = samples(batch, f"{self.where}, batch {index}", time_varying=self._time_varying)
            if made.count == 0:
                continue
            if first is not None and None not in first.names and set(made.names) == set(first.names):
                made = made.ordered([str(name) for name in first.names], self.where)
            if left is not None:
                made = made if made.count <= left else made.limited(left)
                left -= made.count
            if first is None:
                first = made
            else:
                self._compare(made, first, index)
            yield made
            if left is not None and left <= 0:
                return

    def _compare(self, batch: Samples, first: Samples, index: int) -> None:
        where = f"{self.where}, batch {index}"
        axes = 2 if self._time_varying else 1
        if len(batch.inputs) != len(first.inputs) or batch.names != first.names:
            raise invalid(
                f"inputs {_listed(batch.names)}, the first batch has {_listed(first.names)}", where, "give the same inputs in each batch"
            )
        for one, other in zip(batch.inputs, first.inputs):
            if one.shape[axes:] != other.shape[axes:]:
                raise invalid(
                    f"samples of shape {one.shape[axes:]}, those of the first batch have {other.shape[axes:]}", where,
                    "bring all samples to one shape",
                )
        if (batch.labels is None) != (first.labels is None):
            raise invalid("some batches have labels, others have none", where, "give all of them labels, or none")
        if batch.labels is not None and first.labels is not None and batch.labels.dtype != first.labels.dtype:
            raise invalid(
                f"labels of {batch.labels.dtype}, those of the first batch are {first.labels.dtype}", where,
                "give whole numbers as classes, or float32 targets, in all batches",
            )

    def _batch(self, number: int, index: int) -> Samples | None:
        if self._keeps:
            if self._iterator is None:
                self._iterator = self._checked()
            while len(self._kept) <= index:
                batch = next(self._iterator, None)
                if batch is None:
                    return None
                self._kept.append(batch)
            return self._kept[index]
        if number != self._pass or index != self._next:
            if self._pass >= 0 and self._next == 1 and index == 0 and self._pending is not None:
                # Only the first batch was looked at.
                self._pass = number
                return self._pending
            if self._pass >= 0 and not self._can_begin_again():
                raise SpikeletError(
                    "invalidData", "these batches can be gone through once only", where=self.where, remedy="give a list or a DataLoader"
                )
            if index != 0:
                raise SpikeletError("invalidData", f"batch {index} was asked for out of turn", where=self.where)
            self._iterator, self._pass, self._next = self._checked(), number, 0
            self._pending = None
        assert self._iterator is not None
        if index > 0:
            self._pending = None
        batch = next(self._iterator, None)
        # After the last batch, it may be asked for once more.
        self._next = index if batch is None else index + 1
        return batch

    def _can_begin_again(self) -> bool:
        return self._again or not isinstance(self._batches, Iterator)

    def _give(self, _context: Any, number: int, index: int, out: Any) -> int:
        try:
            if _work.is_interrupted():
                return -1
            with _work.user_code():
                batch = self._batch(number, index)
                if batch is None and index == 0:
                    self.first()
            if batch is None:
                return 0
            structure, keep = batch.ordered(self.order, self.where).structure()
            # The arrays stay until the next call.
            self._current = (structure, keep, batch)
            ctypes.memmove(out, ctypes.byref(structure), ctypes.sizeof(structure))
            return 1
        except BaseException as error:  # noqa: BLE001
            self._error = error
            return -1

    def take_error(self) -> BaseException | None:
        """What went wrong in the batches, once."""
        error, self._error = self._error, None
        return error


def _listed(names: Sequence[str | None]) -> str:
    return ", ".join(f"'{index if name is None else name}'" for index, name in enumerate(names))


def _gives_the_same_again(batches: Any) -> bool:
    if isinstance(batches, (list, tuple)):
        return True
    torch = torch_module()
    if torch is None or not isinstance(batches, torch.utils.data.DataLoader):
        return False
    return isinstance(getattr(batches, "sampler", None), torch.utils.data.SequentialSampler)


class _Stacked:
    """Batches of a data set whose samples come one by one."""

    def __init__(self, dataset: Any, size: int, where: str) -> None:
        self._dataset, self._size, self._where = dataset, size, where

    def __iter__(self) -> Iterator[Any]:
        for begin in range(0, len(self._dataset), self._size):
            items = [self._dataset[index] for index in range(begin, min(begin + self._size, len(self._dataset)))]
            try:
                yield self._stack(items)
            except ValueError as error:
                raise invalid(f"its samples differ in shape: {error}", self._where, "bring all samples to one shape") from error

    def _stack(self, items: list[Any]) -> Any:
        """Of samples that are tuples or dictionaries, a tuple or a dictionary."""
        first = items[0]
        if isinstance(first, Mapping):
            return {name: self._stack([item[name] for item in items]) for name in first}
        if isinstance(first, (tuple, list)):
            return tuple(self._stack(list(parts)) for parts in zip(*items))
        return numpy.stack([to_numpy(item, self._where) for item in items])


class Data:
    """Samples as a call of the library takes them.

    Parameters
    ----------
    given : path, Files, array, (x, y), mapping, DataLoader, data set, or iterable of batches
    where : str
        What it is for, in messages.
    batch_size, limit : int, optional
        Samples a batch, where the data do not come in batches; and samples in all.
    keeps : bool
        False for work that goes through the data once.
    """

    def __init__(
        self, given: Any, where: str, *, batch_size: int | None = None, limit: int | None = None, keeps: bool = True,
        time_varying: bool = False,
    ) -> None:
        for name, number in (("batch_size", batch_size), ("limit", limit)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, (int, numpy.integer)) or number < 1):
                raise SpikeletError("invalidOption", f"`{name}={number!r}` is no number of samples", remedy="give a whole number from 1 on")
        self.where = where
        self.is_time_varying = time_varying
        self._batch_size = None if batch_size is None else int(batch_size)
        self._limit = None if limit is None else int(limit)
        self.files: Files | None = None
        self.whole: Samples | None = None
        self.source: Source | None = None
        torch = torch_module()
        if isinstance(given, (str, os.PathLike)):
            self.files = Files(given)
        elif isinstance(given, Files):
            self.files = given
        elif isinstance(given, Mapping) or is_array(given) or _is_pair(given):
            self.whole = samples(given, where, time_varying=time_varying)
            if self.whole.count == 0:
                raise invalid("there are no samples in it", where, "give at least one")
        elif isinstance(given, Iterable) and not isinstance(given, (bytes, bytearray)):
            self.source = Source(given, where, limit=None if time_varying else self._limit, keeps=keeps, time_varying=time_varying)
        elif torch is not None and isinstance(given, torch.utils.data.Dataset) or hasattr(given, "__getitem__") and hasattr(given, "__len__"):
            if isinstance(given, (bytes, bytearray)):
                raise self._unknown(given)
            stacked = _Stacked(given, self._batch_size or _USUAL_BATCH, where)
            self.source = Source(stacked, where, limit=None if time_varying else self._limit, keeps=keeps, time_varying=time_varying)
        else:
            raise self._unknown(given)
        if torch is not None and isinstance(given, torch.nn.Module):
            raise self._unknown(given)
        if time_varying and self.source is not None:
            self.whole, self.source = self._joined(self.source), None

    def _joined(self, source: Source) -> Samples:
        """All batches as one, [T, N, …]. Batches may be [N, T, …], too: there are as many labels as samples."""
        batches, found = [], 0
        source.first()
        while (self._limit is None or found < self._limit) and (batch := source._batch(0, len(batches))) is not None:
            batches.append(batch)
            found += batch.count
        labels = [batch.labels for batch in batches if batch.labels is not None]
        shapes = [batch.inputs[0].shape for batch in batches]
        is_samples_first = [shape[1] != len(answers) for shape, answers in zip(shapes, labels)]
        is_time_first = [shape[0] != len(answers) for shape, answers in zip(shapes, labels)]
        if any(is_samples_first) and any(is_time_first):
            raise invalid("the labels say [T, N, …] of some batches and [N, T, …] of others", self.where, "give [T, N, …] in all")
        if labels and not any(is_samples_first) and not any(is_time_first):
            warnings.warn(
                f"{self.where}: time steps and samples of each batch are as many: they are taken as [T, N, …]", SpikeletWarning, stacklevel=5
            )
        first = batches[0]
        try:
            inputs = [
                numpy.concatenate(
                    [batch.inputs[index].swapaxes(0, 1) if any(is_samples_first) else batch.inputs[index] for batch in batches], axis=1
                )[:, : self._limit]
                for index in range(len(first.inputs))
            ]
        except ValueError as error:
            raise invalid(f"the batches differ in their time steps: {error}", self.where, "give as many steps in each: [T, N, …]") from error
        inputs = [numpy.ascontiguousarray(value) for value in inputs]
        return Samples(inputs, first.names, numpy.concatenate(labels)[: self._limit] if labels else None, inputs[0].shape[1])

    def _unknown(self, given: Any) -> SpikeletError:
        return invalid(
            f"{type(given).__name__} is no data", self.where, "give arrays or tensors (x, y), a DataLoader, an iterable of such batches, or a path"
        )

    def first(self) -> Samples | None:
        """The first samples; None where they lie in a file whose format only the library reads."""
        if self.whole is not None:
            return self.whole
        if self.source is not None:
            return self.source.first()
        assert self.files is not None
        if not os.path.exists(_c.path_bytes(self.files.path)):
            raise SpikeletError(
                "fileSystem", "cannot read: it, or a folder on the way to it, does not exist", where=os.fspath(self.files.path),
                remedy="check the path",
            )
        if self.files.options():
            return None
        return _peek(self.files.path)

    def shapes(self) -> list[list[int]] | None:
        """The shapes of one sample of the inputs, where they are known."""
        first = self.first()
        return None if first is None else [list(value.shape[2 if self.is_time_varying else 1:]) for value in first.inputs]

    def require_labels(self, why: str) -> None:
        """Raises where data in memory have neither labels nor targets."""
        if self.files is None:
            first = self.first()
            if first is not None and first.labels is None:
                raise invalid("there are no labels in it", self.where, why)

    def handle(self, names: Sequence[str]) -> _c.Handle:
        """The data for a network with inputs of these names."""
        given = options({"batch_size": self._batch_size, "limit": self._limit, "time_varying": self.is_time_varying or None})
        if self.files is not None:
            given = self.files.options() | given
            path = _c.path_bytes(self.files.path)
            return _c.Handle(lambda out: _c.call("data_open", path, _c.encode(given), out))
        if self.whole is not None:
            structure, keep = self.whole.ordered(names, self.where).structure()
            return _c.Handle(
                lambda out: _c.call("data_from_arrays", ctypes.byref(structure), _c.encode(given), out), keep=(structure, keep)
            )
        source = self.source
        assert source is not None
        source.first()
        source.order = names
        return _c.Handle(lambda out: _c.call("data_from_batches", source.callback, None, b"{}", out), keep=source)


def _peek(path: str | os.PathLike[str]) -> Samples | None:
    ending = Path(path).suffix.lower()
    try:
        if ending == ".npy":
            return samples(numpy.load(path, mmap_mode="r", allow_pickle=False)[:2], os.fspath(path))
        if ending == ".npz":
            with numpy.load(path, allow_pickle=False) as archive:
                for key in _FILE_KEYS:
                    if key in archive:
                        return samples(archive[key][:2], os.fspath(path))
    except (OSError, ValueError, EOFError, KeyError):
        # The library says what is wrong with the file.
        return None
    return None


def inputs(given: Any, names: Sequence[str], where: str = "x") -> list[numpy.ndarray]:
    """The arrays for a network's inputs, in its order.

    Parameters
    ----------
    given : array, tensor, or for several inputs a tuple, a list, or a dictionary of them by name
    names : sequence of str
        The network's inputs.

    Raises
    ------
    SpikeletError
        ``invalidData`` where they are not the network's.
    """
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise invalid(
                f"inputs {', '.join(repr(str(name)) for name in given)}; the network has {', '.join(map(repr, names))}", where,
                "give an array for each of the network's inputs, under its name",
            )
        return [to_numpy(given[name], f"{where}[{name!r}]") for name in names]
    if isinstance(given, (tuple, list)) and given and all(is_array(part) or is_tensor(part) for part in given) and (
        len(names) > 1 or len(given) == 1
    ):
        if len(given) != len(names):
            raise invalid(f"{len(given)} inputs; the network has {len(names)}: {', '.join(map(repr, names))}", where)
        return [to_numpy(part, f"{where}[{index}]") for index, part in enumerate(given)]
    if len(names) > 1:
        raise invalid(
            f"one array; the network has {len(names)} inputs: {', '.join(map(repr, names))}", where, "give a tuple, or a dictionary by name"
        )
    return [to_numpy(given, where)]
