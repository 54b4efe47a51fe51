"""Results, as they are shown."""

import html
import json
import pickle
import re

import pytest

import spikelet
from spikelet import SpikeletError

from conftest import TEST, model


@pytest.fixture(scope="module")
def result(signed):
    return signed.evaluate(TEST, ann=model("cnn"), steps=[2, 4], limit=50)


def test_a_table_a_page_and_json(result, tmp_path):
    assert "cnn_dynamo" in str(result) and "spikes/neuron" in str(result)
    assert json.loads(result.to_json()) == result.to_dict()
    result.save(tmp_path / "result.json")
    again = spikelet.Result.load(tmp_path / "result.json")
    assert again == result == pickle.loads(pickle.dumps(result)) and str(again) == str(result)
    result.save_report(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == result.to_html()


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(result):
    shown = result._repr_html_()
    frame = re.fullmatch(r'<iframe sandbox srcdoc="([^"]*)" style="[^"]*"></iframe>', shown, re.DOTALL)
    assert frame and html.unescape(frame[1]) == result.to_html()


def test_a_report_shows_what_neurons_do(signed, tmp_path):
    plain = signed.evaluate(TEST, ann=model("cnn"), steps=[4], limit=20)
    signed.evaluate(TEST, ann=model("cnn"), steps=[4], limit=20, report=tmp_path / "report.html")
    assert len((tmp_path / "report.html").read_text()) > len(plain.to_html())


def test_results_are_compared(result, signed, tmp_path):
    other = signed.evaluate(TEST, steps=[2, 4], limit=50, precision="int8")
    comparison = spikelet.compare(result, other, names=["float", "int8"])
    assert "int8" in str(comparison) and "int8" in comparison.to_html() and len(comparison) == 2
    assert comparison._repr_html_().startswith("<iframe sandbox")
    comparison.save_report(tmp_path / "comparison.html")
    for given, names in [((result,), None), ((result, 5), None), ((result, other), ["one"])]:
        with pytest.raises(SpikeletError):
            spikelet.compare(*given, names=names)


def test_rows_for_pandas(result):
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pip install pandas"):
            result.to_dataframe()
        return
    frame = result.to_dataframe()
    assert frame["steps"].tolist() == [2, 4] and "energy.snn" in frame.columns


def test_files_that_hold_no_result_are_refused(tmp_path, result):
    (tmp_path / "a").write_text("{")
    (tmp_path / "b").write_text("[]")
    for name, code in [("a", "malformedFile"), ("b", "malformedFile"), ("c", "fileSystem")]:
        with pytest.raises(SpikeletError) as error:
            spikelet.Result.load(tmp_path / name)
        assert error.value.code == code
    with pytest.raises(SpikeletError):
        result.save_report(tmp_path / "no folder" / "report.html")
    with pytest.raises(SpikeletError):
        str(spikelet.Result({"steps": [], "network": 5}))
