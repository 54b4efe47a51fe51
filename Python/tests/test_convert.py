"""The package's answers are the command's."""

import json

import numpy
import pytest

import spikelet

from conftest import TEST, TRAIN, model

LIMIT = 40
RECIPES = ["radix", "calibrated", "signed", "burst", "latency", "two-spike", "local-threshold-balancing", "rate-coding"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_gives_the_commands_network_outputs_and_spikes(recipe, command, tmp_path, images):
    x = images[:4]
    numpy.save(tmp_path / "x.npy", x)
    theirs = tmp_path / "theirs.safetensors"
    command("convert", model("cnn"), "--calibration", TRAIN, "--limit", LIMIT, "--recipe", recipe, "--output", theirs)
    snn = spikelet.convert(model("cnn"), TRAIN, recipe=recipe, limit=LIMIT)
    ours = tmp_path / "ours.safetensors"
    snn.save(ours)
    assert ours.read_bytes() == theirs.read_bytes()
    command("simulate", theirs, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--spike-counts", tmp_path / "counts.npz")
    assert numpy.array_equal(snn.run(x), numpy.load(tmp_path / "y.npy"))
    counts = snn.spike_counts(x)
    with numpy.load(tmp_path / "counts.npz") as archive:
        assert set(counts) == set(archive.files)
        for name, array in counts.items():
            assert array.dtype == numpy.int64 and numpy.array_equal(array, archive[name])


@pytest.mark.parametrize("name", ["resnet", "vgg", "mobile"])
def test_other_networks_too(name, command, tmp_path, images):
    x = images[:2]
    numpy.save(tmp_path / "x.npy", x)
    command("convert", model(name), "--calibration", TRAIN, "--limit", 10, "--recipe", "radix", "--output", tmp_path / "snn.safetensors")
    command("simulate", tmp_path / "snn.safetensors", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    snn = spikelet.convert(model(name), TRAIN, limit=10)
    assert snn.recipe == "radix" and numpy.array_equal(snn.run(x), numpy.load(tmp_path / "y.npy"))


def test_data_in_memory_give_what_a_file_gives(train, tmp_path):
    x, y = train[0][:LIMIT], train[1][:LIMIT]
    forms = [
        (TRAIN, {"limit": LIMIT}), ((x, y), {}), (x, {}), (train, {"limit": LIMIT}), ([(x[:30], y[:30]), (x[30:], y[30:])], {}),
        (((part, None) for part in (x[:10], x[10:])), {}), ({"images": x, "labels": y}, {}),
    ]
    files = []
    for index, (data, options) in enumerate(forms):
        spikelet.convert(model("cnn"), data, recipe="signed", steps=4, **options).save(tmp_path / f"{index}")
        files.append((tmp_path / f"{index}").read_bytes())
    assert all(file == files[0] for file in files)


def test_bytes_and_graphs_are_models_too(radix, images):
    path = model("cnn")
    graph = spikelet.load_model(path)
    assert not graph.is_spiking and graph.inputs[0].shape == (None, 1, 28, 28)
    for given in (path.read_bytes(), graph, str(path)):
        snn = spikelet.convert(given, TRAIN, steps=4, limit=100)
        assert numpy.array_equal(snn.run(images[:3]), radix.run(images[:3]))


def test_an_ann_runs(images):
    logits = spikelet.load_model(model("cnn")).run(images[:5])
    assert logits.shape == (5, 10) and logits.dtype == numpy.float32


def _comparable(values):
    # Times are another each run; settings are digests of the command's files.
    return {key: value for key, value in values.items() if key not in ("seconds", "timing", "settings")}


def test_evaluate_gives_the_commands_json(signed, command, tmp_path, test):
    signed.save(tmp_path / "snn.safetensors")
    command(
        "evaluate", tmp_path / "snn.safetensors", "--data", TEST, "--limit", 30, "--ann", model("cnn"), "--steps", "2,8", "--json",
        tmp_path / "result.json",
    )
    theirs = json.loads((tmp_path / "result.json").read_text())
    for data in (TEST, test, [(test[0][:30], test[1][:30])]):
        ours = signed.evaluate(data, ann=model("cnn"), steps=[2, 8], limit=30)
        assert _comparable(ours.to_dict()) == _comparable(theirs)
    assert ours.ann.accuracy == theirs["ann"]["accuracy"] and ours.steps[-1].accuracy == theirs["steps"][-1]["accuracy"]
    assert spikelet.Result.load(tmp_path / "result.json").steps[0].steps == 2


def test_a_search_tells_what_it_tried(train):
    snn = spikelet.convert(model("cnn"), train, target_drop=5, recipe="radix", limit=200)
    assert snn.search is not None and str(snn.search)
    with pytest.raises(spikelet.SpikeletError) as error:
        spikelet.convert(model("cnn"), train, target_drop=4, recipe="rate-coding", mode=0.01, limit=200)
    assert error.value.code == "notConvertible" and error.value.search is not None


def test_plain_arrays_are_exported(signed, tmp_path):
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="calibrated", steps=8, limit=50)
    outcome = snn.export(tmp_path / "arrays.npz", approximate=True)
    with numpy.load(tmp_path / "arrays.npz") as archive:
        assert any(name.endswith(".weight") for name in archive.files)
    assert "notes" in outcome
    with pytest.raises(spikelet.SpikeletError, match="nobody"):
        snn.export(tmp_path / "arrays.npz", target="norse")
