"""What is raised, and its words."""

import os
import pickle
import subprocess
import sys

import numpy
import pytest

import spikelet
from spikelet import SpikeletError
from spikelet._errors import camel, in_python, of_library, snake
from spikelet._records import Record

from conftest import TRAIN, model


def test_names_go_both_ways():
    assert camel("target_drop") == "targetDrop" and snake("targetDrop") == "target_drop"
    assert snake("stepsToANN") == "steps_to_ann" and camel("steps") == "steps"


def test_parameters_are_spelled_as_python_has_them():
    assert in_python("`targetDrop` chooses") == "`target_drop` chooses"
    assert in_python("leave out `weightCorrection: true`") == "leave out `weight_correction=True`"
    assert in_python("`fuse: false`, `calibration: none`, `calibration: DATA`") == "`fuse=False`, `calibration=None`, `calibration=DATA`"
    assert in_python("add `recipe: radix`; `steps: 0`") == 'add `recipe="radix"`; `steps=0`'
    assert in_python("layer `Conv_3`") == "layer `Conv_3`"


def test_an_error_says_what_where_and_what_to_do():
    error = of_library({"code": "notConvertible", "what": "it cannot:", "where": "m.onnx", "details": ["- a", "- b"], "remedy": "do so"})
    assert str(error) == "m.onnx: it cannot:\n  - a\n  - b\n  → do so"
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, str(again)) == ("notConvertible", str(error))


def test_records_have_keys_as_attributes():
    record = Record({"spikesPerNeuron": 0.5, "ann": {"accuracy": 1}, "steps": [{"steps": 4}], "stepsToANN": 1})
    assert record.spikes_per_neuron == record.spikesPerNeuron == record["spikesPerNeuron"] == 0.5
    assert record.ann.accuracy == 1 and record.steps[-1].steps == 4 and record.steps_to_ann == 1
    assert "accuracy" not in record and record.get("accuracy") is None and "spikes_per_neuron" in dir(record)
    with pytest.raises(AttributeError, match="what was not measured is left out"):
        record.accuracy
    assert pickle.loads(pickle.dumps(record)) == record


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        ({"recipe": "magic"}, "invalidOption", "there is no recipe 'magic'"),
        ({"steps": 0}, "invalidOption", "steps=0"),
        ({"steps": 10**6}, "invalidOption", "1000000"),
        ({"steps": True}, "invalidOption", "steps=True"),
        ({"target_drop": 1, "steps": 4}, "invalidOption", "`target_drop` chooses the steps itself"),
        ({"prefer": "steps"}, "invalidOption", "`prefer`"),
        ({"mode": "max"}, "invalidOption", "`mode`"),
        ({"recipe": "rate-coding", "mode": "150%"}, "invalidOption", "mode '150%'"),
        ({"recipe": "quantised", "weight_correction": True}, "invalidOption", "corrects no weights"),
        ({"prefer": "magic", "target_drop": 1}, "invalidOption", None),
    ],
)
def test_options_that_cannot_be_are_refused(options, code, what):
    with pytest.raises(SpikeletError) as error:
        spikelet.convert(model("cnn"), TRAIN, limit=20, **options)
    assert error.value.code == code and (what is None or what in str(error.value))


def test_calibration_data_are_asked_for():
    with pytest.raises(SpikeletError) as error:
        spikelet.convert(model("cnn"), recipe="signed")
    assert error.value.code in ("invalidOption", "notConvertible", "invalidData")


@pytest.mark.parametrize("given", ["nowhere.onnx", b"no model", b"", 5, "a\0b.onnx"])
def test_models_that_are_none_are_refused(given):
    with pytest.raises(SpikeletError) as error:
        spikelet.load_model(given)
    assert error.value.what


def test_a_spiking_network_that_is_none_is_refused(tmp_path):
    with pytest.raises(SpikeletError) as error:
        spikelet.load(tmp_path / "nowhere.safetensors")
    assert error.value.code == "fileSystem" and error.value.where
    with pytest.raises(SpikeletError):
        spikelet.load(model("cnn"))


def test_calibration_data_of_another_shape_are_refused(train):
    with pytest.raises(SpikeletError) as error:
        spikelet.convert(model("cnn"), train[0][:20, :, :20])
    assert error.value.code == "invalidData"


def test_an_error_in_a_users_own_loader_comes_back_as_it_was():
    def broken():
        yield numpy_batch()
        raise ZeroDivisionError("the loader's own")

    def numpy_batch():
        import numpy

        return numpy.zeros((4, 1, 28, 28), numpy.float32)

    with pytest.raises(ZeroDivisionError, match="the loader's own"):
        spikelet.convert(model("cnn"), broken())


@pytest.mark.parametrize("threads", [-1, 1.5, True, None])
def test_threads_are_a_number(threads):
    with pytest.raises(SpikeletError):
        spikelet.set_threads(threads)


@pytest.mark.parametrize("library", ["/nowhere/libspikelet_c.so", __file__])
def test_a_library_that_cannot_be_loaded_says_what_to_do(library):
    code = "import spikelet\ntry:\n    spikelet.library_version()\nexcept spikelet.SpikeletError as error:\n    print(error.code, error.remedy)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "SPIKELET_LIBRARY": library}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("library ") and len(done.stdout) > 20


@pytest.mark.parametrize(
    "given, text",
    [
        ({"target_drop": "x"}, "`target_drop` is not a number"), ({"weight_correction": 1}, "`weight_correction` is not true or false"),
        ({"thresholds": "per_channel"}, "they are per-channel, per-layer"), ({"pooling": "max"}, "they are running-maximum, instantaneous"),
        ({"schedule": "layers"}, "they are streaming, layer-synchronous"), ({"target_drop": float("nan")}, "`target_drop=nan` cannot be"),
        ({"recipe": "rate-coding", "momentum": float("inf")}, "`momentum=inf` cannot be"), ({"open_axes": 5}, "`open_axes=5` is no mapping"),
        ({"input_shape": 5}, "`input_shape=5` is no shape"), ({"input_shape": (1, 27, 28)}, "the model's inputs are [[1, 28, 28]]"),
        ({"recipe": "rate-coding", "fuse": "no"}, "neither True nor False"), ({"steps": 2**70}, "`steps`"),
    ],
)  # fmt: skip
def test_options_of_another_kind_are_named(given, text):
    with pytest.raises(spikelet.SpikeletError) as error:
        spikelet.convert(model("cnn"), TRAIN, limit=10, **given)
    assert text in str(error.value)


def test_numbers_of_numpy_are_numbers():
    one = spikelet.convert(model("cnn"), TRAIN, limit=numpy.int64(10), recipe="radix", mean_steps=numpy.float32(3))
    assert one.recipe == "radix"
    assert spikelet.Converter([numpy.zeros((2, 1, 28, 28), numpy.float32)], mode=numpy.float32(0.5), momentum=numpy.float32(0.1))


@pytest.mark.parametrize("path", ["", None, 5])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(spikelet.SpikeletError, match="path"):
        spikelet.load(path)


def test_a_report_that_cannot_be_written_is_told_before_the_work(signed, tmp_path):
    with pytest.raises(spikelet.SpikeletError, match="there is no folder"):
        signed.evaluate(TRAIN, report=tmp_path / "no" / "r.html", limit=2000)


def test_the_commands_words_are_pythons(signed, tmp_path):
    with pytest.raises(spikelet.SpikeletError, match=r"spikelet\.convert\(model, calibration\)"):
        spikelet.load(model("cnn"))
    with pytest.raises(spikelet.SpikeletError, match="spiking network already"):
        spikelet.convert(signed.graph, TRAIN, limit=10)
