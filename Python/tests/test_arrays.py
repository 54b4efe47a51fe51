"""Arrays on their way in."""

import numpy
import pytest

from spikelet import SpikeletError
from spikelet import _c
from spikelet._arrays import to_labels, to_numpy
from spikelet._data import Data, Source, inputs, samples


def test_a_contiguous_float32_array_is_passed_by_its_own_address():
    x = numpy.ones((3, 2), numpy.float32)
    assert to_numpy(x, "x") is x
    arrays = _c.Arrays([to_numpy(x, "x")])
    assert arrays.array[0].values == x.ctypes.data
    assert [arrays.array[0].shape[axis] for axis in range(arrays.array[0].rank)] == [3, 2]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("float64", "float32"), ("float16", "float32"), (">f4", "float32"), ("uint8", "uint8"), ("int8", "int64"), ("int32", "int64"),
     ("int64", "int64"), ("uint16", "int64"), ("bool", "bool")],
)
def test_other_types_become_those_the_library_knows(given, wanted):
    made = to_numpy(numpy.ones((2, 3), given), "x")
    assert made.dtype == numpy.dtype(wanted) and made.dtype.isnative and (made == 1).all()


def test_what_is_not_contiguous_is_made_so():
    x = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    for view in (x.T, x[:, ::2], x[::-1]):
        made = to_numpy(view, "x")
        assert made.flags.c_contiguous and (made == view).all()


@pytest.mark.parametrize("given", [[[1, 2], [3]], "text", numpy.array(["a"]), object(), numpy.ones(2, complex), None])
def test_what_is_no_array_of_numbers_is_refused(given):
    with pytest.raises(SpikeletError) as error:
        to_numpy(given, "x")
    assert error.value.code == "invalidData" and error.value.where == "x"


def test_whole_numbers_are_labels_and_others_targets():
    assert to_labels(numpy.zeros(2, numpy.uint8), "y").dtype == numpy.int64
    assert to_labels(numpy.zeros(2), "y").dtype == numpy.float32


X, Y = numpy.zeros((4, 2), numpy.float32), numpy.arange(4)


@pytest.mark.parametrize("batch", [(X, Y), [X, Y], {"x": X, "labels": Y}, ((X,), Y), (X, Y.tolist())])
def test_a_batch_has_many_forms(batch):
    made = samples(batch, "data")
    assert made.count == 4 and len(made.inputs) == 1 and made.labels.tolist() == [0, 1, 2, 3]


def test_several_inputs_come_in_the_networks_order():
    made = samples({"b": X, "a": X + 1, "y": Y}, "data").ordered(["a", "b"], "data")
    assert made.names == ["a", "b"] and made.inputs[0][0, 0] == 1
    with pytest.raises(SpikeletError, match="the network has 'a', 'c'"):
        samples({"b": X, "a": X}, "data").ordered(["a", "c"], "data")
    assert [array[0, 0] for array in inputs({"b": X, "a": X + 1}, ["a", "b"])] == [1, 0]
    with pytest.raises(SpikeletError, match="has 2 inputs"):
        inputs(X, ["a", "b"])


@pytest.mark.parametrize(
    ("batch", "what"),
    [((X, Y[:3]), "4 samples, and 3 labels"), (((X, X[:2]), None), "inputs of 4 and of 2 samples"), ((X, Y, Y), "a batch of 3 parts"),
     ({"y": Y}, "without inputs"), (numpy.float32(1), "single number")],
)
def test_batches_that_do_not_fit_are_refused(batch, what):
    with pytest.raises(SpikeletError, match=what):
        samples(batch, "data")


def _labels(source, number):
    found, index = [], 0
    while (batch := source._batch(number, index)) is not None:
        found += batch.labels.tolist()
        index += 1
    return found


def _generator():
    yield X, Y
    yield X[:2], Y[:2]


def test_a_generator_is_kept_for_later_passes():
    source = Source(_generator(), "data")
    assert source.first().count == 4
    assert _labels(source, 0) == _labels(source, 1) == [0, 1, 2, 3, 0, 1]


def test_a_generator_that_is_not_kept_is_gone_through_once():
    source = Source(_generator(), "data", keeps=False)
    source.first()
    assert _labels(source, 0) == [0, 1, 2, 3, 0, 1]
    with pytest.raises(SpikeletError, match="once only"):
        _labels(source, 1)


def test_data_may_begin_anew_after_the_first_batch():
    for source in (Source(_generator(), "data"), Source(_generator(), "data", keeps=False), Source(list(_generator()), "data")):
        source.first()
        source._batch(0, 0)
        assert _labels(source, 1) == [0, 1, 2, 3, 0, 1]
        assert source._batch(1, 2) is None, "the end may be asked for again"


def test_a_limit_ends_the_data():
    assert _labels(Source(_generator(), "data", limit=5), 0) == [0, 1, 2, 3, 0]
    assert _labels(Source(_generator(), "data", limit=4), 0) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("batches", "what"),
    [([], "no samples"), ([(X[:0], Y[:0])], "no samples"), ([X, X[:, :1]], r"samples of shape \(1,\)"), ([(X, Y), X], "some batches have labels"),
     ([X, (X, X)], None)],
)
def test_batches_that_differ_are_refused(batches, what):
    source = Source(batches, "data")
    if what is None:
        return
    with pytest.raises(SpikeletError, match=what):
        source.first()
        source._batch(0, 0)
        source._batch(0, 1)


@pytest.mark.parametrize("given", [3, object(), b"bytes"])
def test_what_is_no_data_is_refused(given):
    with pytest.raises(SpikeletError, match="is no data"):
        Data(given, "data")


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": True}, {"batch_size": -1}, {"batch_size": 2.5}])
def test_numbers_of_samples_are_whole_and_positive(options):
    with pytest.raises(SpikeletError, match="is no number of samples"):
        Data(X, "data", **options)


def test_time_varying_batches_are_put_together_along_the_samples():
    frames = numpy.zeros((5, 4, 2), numpy.float32)
    data = Data([(frames, Y), (frames[:, :2], Y[:2])], "data", time_varying=True)
    assert data.whole.inputs[0].shape == (5, 6, 2) and data.whole.labels.tolist() == [0, 1, 2, 3, 0, 1]
    assert data.shapes() == [[2]]


def test_a_data_set_of_single_samples_is_put_into_batches():
    class Samples:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return numpy.full(2, index, numpy.float32), index

    data = Data(Samples(), "data", batch_size=2)
    assert [data.source._batch(0, index).count for index in range(3)] == [2, 2, 1]
    assert _labels(data.source, 1) == [0, 1, 2, 3, 4]
