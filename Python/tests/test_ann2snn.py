"""SpikingJelly's own lines."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy
import pytest

import spikelet
from spikelet import SpikeletError, ann2snn

from conftest import TRAIN, model


def _batches(train, size=20, count=3):
    for index in range(count):
        yield train[0][index * size : (index + 1) * size], train[1][index * size : (index + 1) * size]


def test_its_batches_are_taken_as_they_come(train, tmp_path, command):
    command(
        "convert", model("cnn"), "--calibration", TRAIN, "--limit", 60, "--batch-size", 20, "--recipe", "rate-coding", "--mode", "99.9%",
        "--output", tmp_path / "theirs",
    )
    ann2snn.Converter(_batches(train), mode="99.9%")(model("cnn")).save(tmp_path / "ours")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_its_steps_are_the_whole(train, images):
    mode = 0.5
    whole = spikelet.Converter(list(_batches(train)), mode=mode).convert(model("cnn"))
    graph = spikelet.Converter.fuse(spikelet.load_model(model("cnn")))
    graph = spikelet.Converter.set_voltagehook(graph, mode=mode)
    graph = spikelet.Converter.calibrate(graph, _batches(train))
    snn = spikelet.Converter.replace_by_ifnode(graph)
    assert isinstance(snn, spikelet.SpikingNetwork)
    assert numpy.array_equal(snn.run(images[:4], 8), whole.run(images[:4], 8))


def test_it_takes_our_recipes_too(train, images):
    snn = spikelet.Converter(list(_batches(train)), recipe="radix", steps=3)(model("cnn"))
    assert (snn.recipe, snn.steps) == ("radix", 3)
    with pytest.raises(SpikeletError, match="rate-coding"):
        spikelet.Converter([], mode="99.9%", recipe="radix")


@pytest.mark.parametrize("options", [{"mode": "150%"}, {"mode": 2.0}, {"mode": None}, {"momentum": 3}, {"device": "cuda"}])
def test_what_cannot_be_is_said_at_once(options):
    with pytest.raises(SpikeletError):
        ann2snn.Converter([], **options)


def test_empty_data_are_an_error():
    with pytest.raises(SpikeletError, match="no samples"):
        ann2snn.Converter([])(model("cnn"))


def test_a_hook_follows_the_activations():
    hook = ann2snn.VoltageHook(momentum=0.1, mode="max")
    x = numpy.array([[1, 4]], numpy.float32)
    assert hook(x) is x and hook.scale == 4
    hook(numpy.array([[2, 2]], numpy.float32))
    assert hook.scale == pytest.approx(0.9 * 4 + 0.1 * 2) and hook.samples_tracked == 2
    for bad in (numpy.zeros((0, 2)), numpy.array([[numpy.nan]])):
        with pytest.raises(SpikeletError):
            hook(bad)


def test_a_scaler_scales():
    x = numpy.ones((2, 3, 4), numpy.float32)
    assert (ann2snn.VoltageScaler(2.0)(x) == 2).all()
    assert ann2snn.VoltageScaler([1, 2, 3])(x)[0, :, 0].tolist() == [1, 2, 3]
    with pytest.raises(SpikeletError):
        ann2snn.VoltageScaler([1, 2])(x)


def test_a_download(tmp_path):
    (tmp_path / "file").write_bytes(b"weights")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/file"
        assert ann2snn.download_url(address, tmp_path / "copy") == 7 and (tmp_path / "copy").read_bytes() == b"weights"
        with pytest.raises(SpikeletError):
            ann2snn.download_url(address, tmp_path / "other", sha256="0" * 64)
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
