"""The tables of Documentation/FromSpikingJelly.md are what the Python package measures, cell by cell, but for what another processor rounds
otherwise; Tools/Checks/check_python_door.py compares the package with the command on one machine, to the bit.

Of each table of accuracy over steps a row is measured, for as many steps as take seconds; ``SPIKELET_WHOLE_TABLES=1`` measures every cell,
which takes half an hour. What needs SpikingJelly is not run: the left halves of the cells are compared with what its run left in
Benchmarks/Results, STA's rows and all seconds with nothing.
"""

import json
import os
import re
from collections import namedtuple
from pathlib import Path

import numpy
import pytest

import spikelet
from spikelet import ann2snn

from conftest import MODELS, TEST, TRAIN

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "Documentation" / "FromSpikingJelly.md").read_text(encoding="utf-8")
WHOLE = bool(os.environ.get("SPIKELET_WHOLE_TABLES"))
# The mode, and the largest T, of the row that is measured of each table.
QUICK = {
    ("cnn", "instantaneous"): ("99.9%", 16), ("vgg", "instantaneous"): ("1/4", 4), ("resnet", "instantaneous"): ("1/3", 8),
    ("vgg", "running-maximum"): ("1/4", 4),
}
# Another processor adds up in another order, which moves a spike here and there: single images of 1,000 in single cells, by what was seen.
IMAGES = 2

Row = namedtuple("Row", "network pooling ann mode steps theirs ours difference")


def _cells(lines):
    rows = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return rows[0], rows[2:]


def _rows():
    for section in PAGE.split("\n### ")[1:]:
        title, *lines = section.splitlines()
        network, pooling, ann = re.fullmatch(r"(\w+), pooling ([\w-]+) \(ANN ([\d.]+)%\)", title).groups()
        head, body = _cells(lines)
        steps = [int(name.removeprefix("T = ")) for name in head[1:-1]]
        for mode, *cells, difference in body:
            theirs, ours = zip(*(cell.split(" / ") for cell in cells))
            yield Row(network, pooling, ann, mode, steps, theirs, ours, difference)


ROWS = list(_rows())
MEASURED = [row for row in ROWS if WHOLE or QUICK[row.network, row.pooling][0] == row.mode]


def _percent(accuracy):
    return f"{100 * accuracy:.1f}"


def test_there_are_four_tables_of_six_modes():
    assert len(ROWS) == 24 and {(row.network, row.pooling) for row in ROWS} == set(QUICK)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.network} {row.pooling} {row.mode}")
def test_the_left_halves_are_what_spikingjelly_measured(row):
    results = json.loads((ROOT / "Benchmarks" / "Results" / "spikingjelly-0.0.0.0.14.json").read_text())
    measured = results["networks"][row.network]
    assert row.steps == results["steps"] and row.ann == _percent(measured["annAccuracy"])
    assert list(row.theirs) == [_percent(accuracy) for accuracy in measured["modes"][row.mode]["accuracy"]]
    assert row.difference == f"{max(abs(float(one) - float(other)) for one, other in zip(row.theirs, row.ours)):.1f}"


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row.network} {row.pooling} {row.mode}")
def test_the_right_halves_are_what_the_package_measures(row, train):
    path = MODELS / row.network / f"{row.network}_unfused.onnx"
    mode = 1 / int(row.mode[2:]) if row.mode.startswith("1/") else row.mode
    loader = [(train[0][begin : begin + 100], train[1][begin : begin + 100]) for begin in range(0, len(train[0]), 100)]
    snn = ann2snn.Converter(mode=mode, dataloader=loader, pooling=row.pooling)(path)
    most = max(row.steps) if WHOLE else QUICK[row.network, row.pooling][1]
    steps = [step for step in row.steps if step <= most]
    result = snn.evaluate(TEST, ann=path, steps=steps)
    assert result.samples == 1000 and [step.steps for step in result.steps] == steps and _percent(result.ann.accuracy) == row.ann
    for step, shown in zip(result.steps, row.ours):
        assert step.accuracy == pytest.approx(float(shown) / 100, abs=(IMAGES + 0.5) / 1000), f"T = {step.steps}"


def _error(found, expected):
    return numpy.sqrt(((found - expected) ** 2).mean() / ((expected - expected.mean(0)) ** 2).mean())


@pytest.mark.parametrize("digits", [4, 6, 8] if WHOLE else [4])
def test_the_transformers_rows_are_what_the_package_measures(digits, images, test):
    head, body = _cells(PAGE.split("\n## Transformers\n")[1].split("\n## ")[0].splitlines())
    shown = next(dict(zip(head, row)) for row in body if row[:2] == ["Spikelet", f"K = {digits}"])
    path = MODELS / "vit" / "vit_dynamo.onnx"
    snn = spikelet.convert(path, TRAIN, recipe="radix", steps=digits, limit=512)
    expected = spikelet.load_model(path).run(images)
    answers, steps = snn.run(images), snn.run(images[:100], per_step=True)
    norms = [numpy.linalg.norm(step) for step in numpy.diff(steps, axis=0, prepend=0)]
    sizes = [float(size) for size in shown["size of the first output, of the largest later one"].split(", ")]
    # Corrected weights follow the rounding of all sums before them.
    for name, found, most in (
        ("accuracy", (answers.argmax(1) == test[1]).mean(), 0.004),
        ("agreement", (answers.argmax(1) == expected.argmax(1)).mean(), 0.004),
        ("error", _error(answers, expected), 0.004),
        ("of the first step alone", _error(steps[0], expected[:100]), 0.01),
    ):
        assert found == pytest.approx(float(shown[name].removesuffix(" %")) / 100, abs=most), name
    assert [norms[0], max(norms[1:])] == pytest.approx(sizes, rel=0.03)
