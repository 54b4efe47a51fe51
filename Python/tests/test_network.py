"""A spiking network in a program's hands."""

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest

import spikelet
from spikelet import SpikeletError, _c

from conftest import TEST, TRAIN, model


def test_it_says_what_it_is(radix, signed):
    assert (radix.recipe, radix.steps, radix.schedule) == ("radix", 4, "layer-synchronous")
    assert (signed.recipe, signed.steps, signed.schedule) == ("signed", 8, "streaming")
    assert radix.inputs[0].shape == (None, 1, 28, 28) and radix.outputs[0].shape == (None, 10)
    assert "snn tailor.0.1" in str(radix) and "radix" in repr(radix) and radix.facts["calibrationSamples"] == "100"
    assert radix.search is None and isinstance(radix.warnings, list)


def test_inputs_go_in_without_a_copy(signed, images, monkeypatch):
    x = images[:4].copy()
    addresses = []
    real = _c.library().spikelet_simulation_run

    class Library:
        def __getattr__(self, name):
            return getattr(_c._library, name)

        @staticmethod
        def spikelet_simulation_run(simulation, arrays, *others):
            addresses.append(arrays[0].values)
            return real(simulation, arrays, *others)

    monkeypatch.setattr(_c, "library", Library)
    signed.run(x)
    assert addresses == [x.ctypes.data]


def test_outputs_outlive_what_gave_them(images):
    snn = spikelet.convert(model("cnn"), TRAIN, limit=20)
    outputs = snn.run(images[:4])
    copied, weights = outputs.copy(), snn.graph.constants
    first = next(iter(weights.values()))
    before = first.copy()
    snn.close()
    del snn, weights
    assert numpy.array_equal(outputs, copied) and outputs.flags.writeable
    assert numpy.array_equal(first, before) and not first.flags.writeable


def test_steps_add_up_to_a_run(signed, images):
    x = images[:4]
    signed.reset()
    total = sum(signed(x).astype(numpy.float64) for _ in range(8))
    signed.reset()
    assert numpy.allclose(total / 8, signed.run(x, 8), atol=1e-5)
    assert signed.run(x, 8, per_step=True).shape == (8, 4, 10)
    assert numpy.array_equal(signed.run(x, 8, per_step=True)[-1], signed.run(x, 8))


def test_a_run_does_not_end_what_steps_have_begun(signed, images):
    x = images[:4]
    signed.reset()
    plain = [signed(x) for _ in range(4)]
    signed.reset()
    mixed = []
    for _ in range(4):
        mixed.append(signed(x))
        signed.run(x, 2)
    assert all(numpy.array_equal(one, other) for one, other in zip(plain, mixed))


def test_another_batch_between_steps_is_refused(signed, images):
    signed.reset()
    signed(images[:4])
    with pytest.raises(SpikeletError, match="reset"):
        signed(images[:3])
    spikelet.functional.reset_net(signed)
    assert signed(images[:3]).shape == (3, 10)
    signed.reset()


def test_a_layer_synchronous_network_takes_all_steps_at_once(radix, images):
    assert numpy.array_equal(radix(images[:4]), radix.run(images[:4]))


def test_spikes_are_told_by_layer(signed, images):
    x = images[:3]
    spikes, counts = signed.spikes(x, 5), signed.spike_counts(x, 5)
    assert list(spikes) == [layer.name for layer in signed.layers if layer.threshold is not None]
    for name, train in spikes.items():
        assert train.dtype == numpy.int64 and train.shape[:2] == (5, 3)
        assert numpy.array_equal(abs(train).sum(0), counts[name])


def test_executors_and_precisions(signed, images):
    x = images[:2]
    assert numpy.allclose(signed.run(x, 4), signed.run(x, 4, reference=True), atol=1e-4)
    assert signed.run(x, 4, precision="int8").shape == (2, 10)
    with pytest.raises(SpikeletError, match="float32 alone"):
        signed.run(x, precision="int8", reference=True)
    with pytest.raises(SpikeletError):
        signed.run(x, precision="float64")


def test_each_step_may_have_its_own_input(signed, images):
    frames = numpy.stack([images[:3]] * 4)
    assert numpy.array_equal(signed.run(frames, 4, time_varying=True), signed.run(images[:3], 4))


def test_time_varying_data_are_evaluated(signed, images, test):
    frames = numpy.stack([images[:50]] * 4)
    whole = signed.evaluate((frames, test[1][:50]), steps=[4], time_varying=True)
    parts = signed.evaluate([(frames[:, :20], test[1][:20]), (frames[:, 20:], test[1][20:50])], steps=[4], time_varying=True)
    assert whole.steps[-1].accuracy == parts.steps[-1].accuracy == signed.evaluate((images[:50], test[1][:50]), steps=[4]).steps[-1].accuracy


def test_time_varying_bytes_are_counts(signed):
    frames = numpy.random.default_rng(1).integers(0, 3, (8, 6, 1, 28, 28)).astype(numpy.uint8)
    numbers, labels = frames.astype(numpy.float32), numpy.arange(6)
    assert numpy.array_equal(signed.run(frames, time_varying=True), signed.run(numbers, time_varying=True))
    for one, other in zip(signed.spikes(frames, time_varying=True).values(), signed.spikes(numbers, time_varying=True).values()):
        assert numpy.array_equal(one, other)
    results = [signed.evaluate((x, labels), steps=[8], time_varying=True) for x in (frames, numbers)]
    assert results[0].steps == results[1].steps


def test_time_varying_batches_lie_either_way_and_end_at_the_limit(signed):
    frames = numpy.random.default_rng(2).random((8, 6, 1, 28, 28), numpy.float32)
    labels = numpy.arange(6)
    wanted = signed.evaluate((frames[:, :5], labels[:5]), steps=[8], time_varying=True).steps
    batches = [(frames[:, begin : begin + 2], labels[begin : begin + 2]) for begin in (0, 2, 4)]
    for given in (batches, [(x.swapaxes(0, 1), y) for x, y in batches]):
        assert signed.evaluate(given, steps=[8], time_varying=True, limit=5).steps == wanted
        assert signed.evaluate(iter(given), steps=[8], time_varying=True, limit=5).steps == wanted
    mixed = [batches[0], (batches[1][0].swapaxes(0, 1), batches[1][1])]
    with pytest.raises(SpikeletError, match="of others"):
        signed.evaluate(mixed, steps=[8], time_varying=True)


def test_all_steps_of_a_time_varying_input_are_shown(signed, images):
    frames = numpy.stack([images[:2]] * 11)
    assert numpy.array_equal(signed.run(frames, time_varying=True), signed.run(images[:2], 11))
    with pytest.warns(spikelet.SpikeletWarning, match="the first 3 were simulated"):
        assert numpy.array_equal(signed.run(frames, 3, time_varying=True), signed.run(images[:2], 3))


def test_steps_leave_functions_behind_the_last_weights_to_the_caller(images):
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="signed", steps=8, limit=50, readout_delay=2)
    outputs = [snn(images[:4]) for _ in range(8)]
    assert numpy.allclose(sum(outputs[2:]) / 6, snn.run(images[:4]), atol=1e-5)


def test_layers_are_arrays(signed, radix):
    for snn in (signed, radix):
        first, last = snn.layers[0], snn.layers[-1]
        assert first.activation == "relu1" and first.weight.shape == (32, 1, 3, 3) and first.bias.shape == (32,)
        assert first.threshold.shape == (32,) and (first.threshold > 0).all()
        assert last.threshold is None and last.weight.shape == (10, 288)
    assert numpy.allclose(signed.layers[0].initial_membrane, signed.layers[0].threshold / 2, rtol=1e-5)


@pytest.mark.parametrize(
    "x",
    [numpy.zeros((2, 1, 20, 20), numpy.float32), numpy.zeros((0, 1, 28, 28), numpy.float32), numpy.zeros(5, numpy.float32), "x", None,
     [[1, 2], [3]], numpy.full((1, 1, 28, 28), numpy.nan, numpy.float32), numpy.float32(3)],
)
def test_inputs_that_are_not_the_networks_are_refused(x, signed):
    try:
        signed.run(x)
    except SpikeletError as error:
        assert error.what
    else:
        assert len(x) == 0


@pytest.mark.parametrize("steps", [0, -1, True, 1.5, 10**9])
def test_steps_are_a_number(steps, signed, images):
    with pytest.raises(SpikeletError):
        signed.run(images[:1], steps)


def test_data_without_labels_need_the_ann(signed, images):
    with pytest.raises(SpikeletError, match="no labels"):
        signed.evaluate(images[:20], steps=[2])
    result = signed.evaluate(images[:20], ann=model("cnn"), steps=[2])
    assert "agreement" in result.steps[-1] and "accuracy" not in result.steps[-1]
    with pytest.raises(SpikeletError, match="no samples"):
        signed.evaluate([], steps=[2])
    with pytest.raises(SpikeletError, match="`steps` is empty"):
        signed.evaluate(images[:2], ann=model("cnn"), steps=[])


def test_it_behaves_as_scripts_for_torch_expect(signed):
    assert signed.eval() is signed and signed.train(False) is signed and signed.to("cpu") is signed and list(signed.modules()) == [signed]
    for attempt in (lambda: signed.train(), lambda: signed.to("cuda:0"), lambda: signed.to(device="mps")):
        with pytest.raises(SpikeletError) as error:
            attempt()
        assert error.value.remedy


def test_closing_twice_is_closing_once(images):
    with spikelet.convert(model("cnn"), TRAIN, limit=20) as snn:
        snn.run(images[:1])
        snn.close()
    snn.close()
    assert "closed" in repr(snn)
    for attempt in (lambda: snn.run(images[:1]), lambda: snn(images[:1]), snn.reset, lambda: snn.save("x"), lambda: snn.layers):
        with pytest.raises(SpikeletError) as error:
            attempt()
        assert error.value.code == "closed"


def test_two_threads_may_use_it_and_a_third_may_close_it(images):
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="signed", steps=8, limit=20)
    wanted, failures = snn.run(images[:16]), []

    def work():
        try:
            while True:
                assert numpy.array_equal(snn.run(images[:16]), wanted)
        except SpikeletError as error:
            if error.code != "closed":
                failures.append(error)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    snn.close()
    for thread in threads:
        thread.join(30)
    assert not failures and not any(thread.is_alive() for thread in threads)


def test_other_threads_run_while_it_works(signed, images):
    ticks, done = 0, threading.Event()

    def work():
        signed.run(images[:400], 16)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.005):
        ticks += 1
    thread.join()
    assert ticks > 2


def _run_in_child(snn, x, queue):
    queue.put(snn.run(x))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_goes_to_other_processes(method, signed, images):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    x = images[:2]
    wanted = signed.run(x)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_run_in_child, args=(signed, x, queue))
    child.start()
    try:
        assert numpy.array_equal(queue.get(timeout=60), wanted)
    finally:
        child.join(10)
        if child.is_alive():
            child.kill()
    assert child.exitcode == 0


def _convert_and_evaluate(number):
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="radix", steps=number, limit=200)
    return snn.steps, snn.evaluate(TEST, limit=200).samples


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
def test_forked_processes_convert_and_evaluate():
    # What the parent did before must not leave threads that a child waits for.
    assert _convert_and_evaluate(4) == (4, 200)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_convert_and_evaluate, [3, 5]).get(timeout=120) == [(3, 200), (5, 200)]


class _Late(Exception):
    pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
@pytest.mark.parametrize("inside", [False, True])
def test_handlers_of_signals_are_called_meanwhile_and_what_they_raise_is_raised(inside, signed, images):
    calls = []

    def note(number, frame):
        calls.append(number)

    def late(number, frame):
        raise _Late

    def batches():
        while True:
            if inside and calls:
                time.sleep(0.02)
            yield images[:50], numpy.zeros(50, int)

    before = signal.signal(signal.SIGALRM, note)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        outputs = signed.run(images, 32)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(calls) > 1 and numpy.array_equal(outputs[:50], signed.run(images[:50], 32))
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(_Late):
            signed.evaluate(batches(), steps=[32])
        assert signal.getsignal(signal.SIGALRM) == late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_second_ctrl_c_finds_the_handler_that_the_first_has_put_there(signed, test):
    before = signal.signal(signal.SIGINT, lambda number, frame: signal.signal(signal.SIGINT, signal.default_int_handler))
    timers = [threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)) for delay in (0.1, 0.3)]
    try:
        for timer in timers:
            timer.start()
        with pytest.raises(KeyboardInterrupt):
            signed.evaluate(test, steps=[256])
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        for timer in timers:
            timer.join()
        signal.signal(signal.SIGINT, before)


def test_it_is_pickled_copied_saved_and_loaded(signed, images, tmp_path):
    x, wanted = images[:2], signed.run(images[:2])
    signed.save(tmp_path / "snn.safetensors")
    for other in (pickle.loads(pickle.dumps(signed)), copy.deepcopy(signed), copy.copy(signed), spikelet.load(tmp_path / "snn.safetensors")):
        assert numpy.array_equal(other.run(x), wanted) and other.recipe == "signed"
    with pytest.raises(SpikeletError):
        signed.save(tmp_path / "no folder" / "snn.safetensors")


INTERRUPTED = """
import numpy, signal, sys, spikelet
# What is started in a shell's background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
spikelet.set_threads({threads})
snn = spikelet.load(sys.argv[1])
x = numpy.random.default_rng(0).random((20000, 1, 28, 28), numpy.float32)
print("ready", flush=True)
try:
    {work}
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(snn.run(x[:1], 2).shape, flush=True)
"""


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize(
    "work", ["snn.run(x, 256)", "snn.evaluate((x, numpy.zeros(len(x), int)), steps=[256])", "snn.evaluate(((x[:100], numpy.zeros(100, int)) for _ in iter(int, 1)), steps=[64])"]
)
def test_ctrl_c_ends_it_within_a_second(work, threads, signed, tmp_path):
    signed.save(tmp_path / "snn.safetensors")
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(work=work, threads=threads), str(tmp_path / "snn.safetensors")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    limit = threading.Timer(60, child.kill)
    limit.start()
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.7)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n", child.stderr.read()
        assert time.monotonic() - began < 2, "one second, and one for a busy machine"
        rest, errors = child.stdout.read(), child.stderr.read()
        child.wait(timeout=30)
        assert child.returncode == 0 and rest == "(1, 10)\n" and "ignored" not in errors
    finally:
        limit.cancel()
        if child.poll() is None:
            child.kill()
            child.communicate()


def test_explore_serves_a_page(signed, test, command):
    with signed.explore((test[0][:10], test[1][:10]), ann=model("cnn"), steps=4) as page:
        assert page.url.startswith("http://127.0.0.1:") and page.url in page._repr_html_()
    page.stop()
    with pytest.raises(SpikeletError):
        signed.explore("nowhere.npz")


def test_memory_comes_back(images):
    resource = pytest.importorskip("resource")
    snn = spikelet.convert(model("cnn"), TRAIN, limit=20)

    def rounds(count):
        for _ in range(count):
            snn.run(images[:8], spikelet and None)
            spikelet.load_model(model("cnn"))

    rounds(10)
    before = _resident()
    rounds(60)
    assert _resident() - before < 30e6, resource.getrusage(resource.RUSAGE_SELF)


def _resident():
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("reads /proc")
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
