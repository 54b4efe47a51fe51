"""The command's lines, said in Python: whatever the one writes, the other gives."""

import json

import numpy
import pytest

import spikelet

from conftest import TEST, TRAIN, model

NUMBERS = {"steps", "limit", "batch_size"}


def _keywords(line: str) -> dict:
    """What the options of a command's line are called in Python."""
    found, words = {}, line.split()
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        value = words.pop(0) if words and not words[0].startswith("--") else True
        if name in ("per_channel", "per_layer"):
            found["thresholds"] = name.replace("_", "-")
        elif name.startswith("no_"):
            found[name.removeprefix("no_")] = False
        elif isinstance(value, str) and name in NUMBERS:
            numbers = [int(number) for number in value.split(",")]
            found[name] = numbers[0] if len(numbers) == 1 else numbers
        elif isinstance(value, str) and name in ("mean", "std"):
            found[name] = [float(number) for number in value.split(",")]
        else:
            try:
                found[name] = float(value) if value is not True and name != "readout_delay" else value
            except ValueError:
                found[name] = value
    return found


def _data(path, found: dict):
    """The data and what of the options is theirs."""
    own = {name: found.pop(name) for name in ("mean", "std") if name in found}
    return spikelet.Files(path, **own) if own else path


CONVERSIONS = [
    "--recipe radix --steps 2", "--recipe radix --steps 8 --no-weight-correction", "--recipe radix --mean-steps 3",
    "--recipe radix --steps 4 --per-layer", "--recipe radix --steps 4 --batch-size 7 --limit 23",
    "--recipe radix --steps 4 --mean 0.3 --std 0.25", "--recipe calibrated --steps 16", "--recipe calibrated --steps 16 --weight-correction",
    "--recipe calibrated --steps 16 --readout-delay auto", "--recipe calibrated --steps 16 --readout-delay 3",
    "--recipe calibrated --steps 16 --schedule layer-synchronous", "--recipe calibrated --steps 16 --pooling instantaneous",
    "--recipe signed --steps 4 --per-layer", "--recipe signed --steps 4 --no-weight-correction", "--recipe burst --steps 2",
    "--recipe latency --steps 16 --base 1.3", "--recipe two-spike --steps 8", "--recipe two-spike --steps 8 --base 1.6",
    "--recipe local-threshold-balancing --steps 8", "--recipe rate-coding --mode max", "--recipe rate-coding --mode 99.9%",
    "--recipe rate-coding --mode 0.5 --momentum 0.3 --batch-size 16", "--recipe rate-coding --no-fuse", "--recipe rate-coding --per-channel",
    "--recipe quantised --steps 8 --allow-analog", "--target-drop 4 --limit 100 --recipe radix --prefer spikes",
]  # fmt: skip


@pytest.mark.parametrize("line", CONVERSIONS)
def test_convert(line, command, tmp_path):
    line = line if "--limit" in line else f"{line} --limit 40"
    network = model("cnn")
    try:
        command("convert", network, "--calibration", TRAIN, "--output", tmp_path / "theirs", *line.split())
    except AssertionError as refusal:
        # What the command refuses, the package refuses for the same reason.
        found = _keywords(line)
        with pytest.raises(spikelet.SpikeletError) as error:
            spikelet.convert(network, _data(TRAIN, found), **found)
        assert error.value.what.split("`")[0].split("'")[0].strip() in str(refusal)
        return
    found = _keywords(line)
    spikelet.convert(network, _data(TRAIN, found), **found).save(tmp_path / "ours")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


SIMULATIONS = [
    ("radix", ""), ("radix", "--precision int8"), ("radix", "--reference"), ("radix", "--per-step"), ("signed", "--steps 3"),
    ("signed", "--steps 70"), ("signed", "--per-step --steps 5"), ("signed", "--precision int8"), ("signed", "--reference --steps 4"),
]  # fmt: skip


@pytest.mark.parametrize("name, line", SIMULATIONS)
def test_simulate(name, line, command, tmp_path, images, request):
    snn, x = request.getfixturevalue(name), images[:5]
    snn.save(tmp_path / "snn.safetensors")
    numpy.save(tmp_path / "x.npy", x)
    command(
        "simulate", tmp_path / "snn.safetensors", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--spike-counts",
        tmp_path / "counts.npz", *line.split(),
    )
    found = _keywords(line)
    assert numpy.array_equal(snn.run(x, **found), numpy.load(tmp_path / "y.npy"))
    found.pop("per_step", None)
    counts = snn.spike_counts(x, **found)
    with numpy.load(tmp_path / "counts.npz") as archive:
        assert all(numpy.array_equal(counts[layer], archive[layer]) for layer in archive.files) and len(counts) == len(archive.files)
    spikes = snn.spikes(x, **found)
    assert all(numpy.array_equal(abs(spikes[layer]).sum(0), counts[layer]) for layer in counts)


@pytest.mark.parametrize("line", ["", "--steps 2"])
def test_simulate_with_an_input_for_each_step(line, signed, command, tmp_path, images):
    frames = numpy.ascontiguousarray(numpy.stack([images[:3] * scale for scale in (1, 0.5, 0.25, 0)]).astype(numpy.float32))
    signed.save(tmp_path / "snn.safetensors")
    numpy.save(tmp_path / "x.npy", frames)
    command(
        "simulate", tmp_path / "snn.safetensors", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--time-varying",
        *line.split(),
    )
    found = _keywords(line)
    if 0 < found.get("steps", 0) < len(frames):
        with pytest.warns(spikelet.SpikeletWarning, match="the first 2 were simulated"):
            ours = signed.run(frames, time_varying=True, **found)
    else:
        ours = signed.run(frames, time_varying=True, **found)
    assert numpy.array_equal(ours, numpy.load(tmp_path / "y.npy"))


EVALUATIONS = [
    ("radix", ""), ("radix", "--reference --limit 10"), ("radix", "--precision int8"), ("signed", "--steps 1,4,9"),
    ("signed", "--batch-size 7 --steps 4"), ("signed", "--exit-confidence 0.8 --steps 4"), ("signed", "--exit-loss 4 --limit 24 --steps 4"),
    ("signed", "--steps 4 --mean 0.3 --std 0.5"), ("signed", "--layers --steps 4 --precision int8"),
]  # fmt: skip


def _lasting(values):
    # Times are another each run; settings are digests of the command's files.
    return {key: value for key, value in values.items() if key not in ("seconds", "timing", "settings")}


@pytest.mark.parametrize("name, line", EVALUATIONS)
@pytest.mark.parametrize("ann", [True, False])
def test_evaluate(name, line, ann, command, tmp_path, request):
    snn = request.getfixturevalue(name)
    if "--layers" in line and not ann:
        pytest.skip("layers are compared with the ANN's")
    line = line if "--limit" in line else f"{line} --limit 30"
    snn.save(tmp_path / "snn.safetensors")
    network = ["--ann", model("cnn")] if ann else []
    command("evaluate", tmp_path / "snn.safetensors", "--data", TEST, "--json", tmp_path / "r.json", *network, *line.split())
    found = _keywords(line)
    data = _data(TEST, found)
    ours = snn.evaluate(data, ann=model("cnn") if ann else None, **found)
    assert _lasting(ours.to_dict()) == _lasting(json.loads((tmp_path / "r.json").read_text()))


def test_evaluate_data_with_an_input_for_each_step(signed, command, tmp_path, test):
    x = test[0][:12].astype(numpy.float32) / 255
    frames = numpy.ascontiguousarray(numpy.stack([x * scale for scale in (1, 0.5, 0.25, 0, 1)], axis=1).astype(numpy.float32))
    numpy.savez(tmp_path / "frames.npz", x=frames, y=test[1][:12])
    signed.save(tmp_path / "snn.safetensors")
    command(
        "evaluate", tmp_path / "snn.safetensors", "--data", tmp_path / "frames.npz", "--time-varying", "--steps", "2,5", "--json",
        tmp_path / "r.json",
    )
    theirs = _lasting(json.loads((tmp_path / "r.json").read_text()))
    for data in ((frames, test[1][:12]), tmp_path / "frames.npz"):
        assert _lasting(signed.evaluate(data, steps=[2, 5], time_varying=True).to_dict()) == theirs


@pytest.mark.parametrize("line", ["--target generic", "--target sinabs --approximate", "--target norse --approximate", "--target snntorch --approximate"])
def test_export(line, command, tmp_path):
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="rate-coding", limit=40)
    snn.save(tmp_path / "snn.safetensors")
    try:
        command("export", tmp_path / "snn.safetensors", "--output", tmp_path / "theirs.nir", *line.split())
    except AssertionError as refusal:
        with pytest.raises(spikelet.SpikeletError) as error:
            snn.export(tmp_path / "ours.nir", **_keywords(line))
        assert error.value.what in str(refusal) or "built without" in str(refusal)
        assert not (tmp_path / "ours.nir").exists()
        return
    snn.export(tmp_path / "ours.nir", **_keywords(line))
    reader = line.split()[1]
    read = {} if reader == "generic" else {"reader": reader}
    command(
        "simulate", tmp_path / "theirs.nir", "--input", TEST, "--steps", 3, "--output", tmp_path / "y.npy",
        *([] if reader == "generic" else ["--as", reader]),
    )
    with numpy.load(TEST) as archive:
        x = archive["images"]
    assert numpy.array_equal(spikelet.load(tmp_path / "ours.nir", **read).run(x, 3), numpy.load(tmp_path / "y.npy"))
