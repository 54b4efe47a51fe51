"""What is done with a generated point, and what judges it."""

import collections
import functools
import json
import math
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import traceback

import arrays
import networks
import numpy as np
import onnx
import onnxruntime
from operators import NotWritten
from simulate import Network, simulate

KINDS = [
    "run",
    "convert",
    "engine",
    "reference",
    "int8",
    "batch",
    "isa",
    "evaluate",
    "export",
    "import",
    "arrays",
    "converges",
    "varying",
    "inspect",
    "refusal",
    "judge",
    "crash",
]
"""What a failure can be of."""
EXTRAS = ["int8", "batch", "isa", "evaluate", "export", "arrays", "converges", "varying", "inspect"]
"""Ways on from a conversion, which a point takes or does not."""
EXTRA_OF = {"import": "export"}
SECONDS = 60
"""The processor time after which a command counts as one that comes to no end; it may wait ten times as long for the processor."""

# Outputs are float32 here, float64 there: they are alike within this share of the largest.
ROUNDING = 2e-5

onnxruntime.set_default_logger_severity(4)
Failure = collections.namedtuple("Failure", "kind text")


class Tally:
    """Counts over all points."""

    def __init__(self):
        self.kinds = collections.defaultdict(collections.Counter)
        self.refusals, self.unjudged, self.warnings = collections.Counter(), collections.Counter(), collections.Counter()

    def add(self, point: "Point") -> None:
        for kind, outcome in point.outcomes:
            self.kinds[kind][outcome] += 1
        self.refusals.update(point.refusals)
        self.unjudged.update(point.unjudged)
        self.warnings.update(point.warnings)


@functools.cache
def instruction_sets(spikelet: str) -> list:
    """Those of this machine."""
    said = subprocess.run([spikelet, "kernels"], capture_output=True, text=True, check=True).stdout
    return re.search(r"machine: (.*?);", said).group(1).split(", ")


def onnx_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A model in ONNX Runtime, as it stands: its optimiser gives quantised layers other numbers than the standard's."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Stop(Exception):
    """Nothing more can be done with this point."""


def message_kind(text: str) -> str:
    """A message without names and numbers, so that those of one kind are counted together."""
    line = next((line for line in text.splitlines() if line.startswith("Error")), text[:80])
    reasons = re.findall(r"^  - (.*)", text, re.M)
    line = " | ".join([line, *sorted({re.sub(r"\(.*?\)", "", reason).split(":")[0] for reason in reasons})])
    return re.sub(r"\d+(\.\d+)?", "n", re.sub(r"'[^']*'|\S+\.(safetensors|onnx|nir|npz|npy)", "…", line))[:200]


def alike(found: np.ndarray, expected: np.ndarray, largest: float | None = None) -> np.ndarray:
    """For each number whether the two are the same within rounding; NaN is like NaN."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    scale = largest if largest is not None else (finite.max() if finite.size else 0)
    with np.errstate(invalid="ignore"):
        return (np.abs(found - expected) <= ROUNDING * (scale + 1e-3)) | (np.isnan(found) & np.isnan(expected)) | (found == expected)


def off_by(found: np.ndarray, expected: np.ndarray) -> float:
    """The root mean square difference over the deviation of what is expected, each channel about its mean; NaN where it does not vary."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    axes = tuple(axis for axis in range(expected.ndim) if axis != 1)
    variance = ((expected - expected.mean(axes, keepdims=True)) ** 2).mean()
    if not variance > 1e-10 * (expected**2).mean() or variance == 0:
        return math.nan
    return math.sqrt(((found - expected) ** 2).mean() / variance)


class Point:
    """One network with its options: run, convert, simulate, and the ways on."""

    def __init__(self, spec: dict, chosen: dict, spikelet: str, folder, only: str | None = None):
        self.spec, self.chosen, self.spikelet, self.folder, self.only = spec, chosen, spikelet, pathlib.Path(folder), only
        self.failures, self.outcomes, self.refusals, self.unjudged, self.warnings = [], [], [], [], []
        self.commands = []

    # ------------------------------------------------------------------------------------------------------- commands

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *words, environment: dict | None = None) -> subprocess.CompletedProcess:
        """A command, in the point's folder. A crash, a hang or a message without advice is a failure of its own."""
        words = [str(word) for word in words]
        settings = "".join(f"{key}={value} " for key, value in (environment or {}).items())
        self.commands.append(f"{settings}spikelet {shlex.join(words)}")
        try:
            result = subprocess.run(
                [self.spikelet, *words],
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=10 * SECONDS,
                env=os.environ | (environment or {}),
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5)),
            )
            ended = result.returncode != -signal.SIGXCPU
        except subprocess.TimeoutExpired:
            ended = False
        if not ended:
            self.fail("crash", f"no end within {SECONDS} s of processor time: {self.commands[-1]}")
            raise Stop
        if result.returncode not in (0, 1, 64) or "Fatal error" in result.stderr:
            self.fail("crash", f"exit {result.returncode}: {self.commands[-1]}: {result.stderr[-300:]}")
            raise Stop
        # Wrong usage is told with the usage.
        advice = "Usage: " if result.returncode == 64 else "→"
        if result.returncode and not (result.stderr.startswith("Error: ") and advice in result.stderr):
            self.fail("refusal", f"without advice: {self.commands[-1]}: {result.stderr[:300].strip()}")
        return result

    def done(self, *words, environment: dict | None = None) -> bool:
        """Whether a command did its work; else its refusal is counted."""
        result = self.run(*words, environment=environment)
        if result.returncode:
            self.refusals.append(f"{words[0]}: {message_kind(result.stderr)}")
        self.said = result.stderr + result.stdout
        return result.returncode == 0

    def fail(self, kind: str, text: str) -> None:
        self.failures.append(Failure(kind, text))
        self.outcomes.append((kind, "failed"))

    def simulated(self, name: str, snn: str = "snn.safetensors", source: str = "x.npy", words=(), environment: dict | None = None):
        """Outputs after each step and spike counts of a simulation; `None` where it was refused."""
        steps = ["--steps", self.steps] if self.steps is not None else []
        shown = [output["name"] for output in self.network.outputs]
        # The outputs after each step are written of one output only.
        output = [f"{name}.npz"] if len(shown) > 1 else [f"{name}.npy", "--per-step"]
        if not self.done(
            "simulate",
            snn,
            "--input",
            source,
            *steps,
            "--output",
            *output,
            "--spike-counts",
            f"{name}-counts.npz",
            *words,
            environment=environment,
        ):
            return None
        with np.load(self.path(f"{name}-counts.npz")) as counts:
            counts = dict(counts)
        if len(shown) == 1:
            return {shown[0]: np.load(self.path(f"{name}.npy"))}, counts
        with np.load(self.path(f"{name}.npz")) as outputs:
            return {each: outputs[each][None] for each in outputs}, counts

    # --------------------------------------------------------------------------------------------------------- judges

    def judge(self) -> "Point":
        try:
            self._judge()
        except Stop:
            pass
        except NotWritten as reason:
            self.unjudged.append(f"not written in simulate.py: {reason}")
            self.outcomes.append(("engine", "unjudged"))
        except Exception:  # noqa: BLE001: a judge's own fault must not end the run, nor be passed over
            self.fail("judge", traceback.format_exc()[-600:])
        return self

    def _judge(self):
        chosen = self.chosen
        model = networks.build(self.spec)
        onnx.save(model, self.path("model.onnx"))
        self.x = networks.samples(self.spec, chosen["samples"], 1)
        try:
            session = onnx_session(model)
            session.run(None, {"x": self.x[:1]})
        except Exception as reason:  # noqa: BLE001: what ONNX Runtime does not take says nothing about us
            self.unjudged.append(f"ONNX Runtime: {str(reason).splitlines()[0][:100]}")
            self.outcomes.append(("run", "unjudged"))
            return
        calibration = networks.samples(self.spec, max(1, chosen["calibration"]), 2)
        np.save(self.path("x.npy"), self.x)
        np.savez(self.path("calibration.npz"), x=calibration)
        self.session, self.names = session, [output.name for output in session.get_outputs()]
        self._judge_ann(session)
        recipe = chosen["recipe"]
        data = [] if recipe == "quantised" else ["--calibration", "calibration.npz" if chosen["calibration"] else "none"]
        if not self.done("convert", "model.onnx", *data, "--recipe", recipe, *chosen["words"], "--output", "snn.safetensors"):
            self.outcomes.append(("convert", "unjudged"))
            return
        self.outcomes.append(("convert", "alike"))
        self.network = Network.read(self.path("snn.safetensors"))
        self.own_steps = self.network.spiking.get("steps")
        self.steps = chosen["simulate"] if not self.network.radix else None
        found = self.simulated("engine")
        if found is None:
            return
        self.count = self.steps or self.own_steps or 32
        self.expected = simulate(self.network, {self.network.inputs[0]["name"]: self.x}, self.count)
        self.compare("engine", found, self.expected)
        slow = self.simulated("reference", words=["--reference"])
        if slow:
            self.compare("reference", slow, self.expected)
        self.found = found
        for extra in EXTRAS:
            if extra in chosen["extras"]:
                getattr(self, f"_{extra}")()

    def _judge_ann(self, session):
        expected = session.run(None, {"x": self.x})
        if not self.done("run", "model.onnx", "--input", "x.npy", "--output", "run.npz"):
            self.outcomes.append(("run", "unjudged"))
            raise Stop
        with np.load(self.path("run.npz")) as file:
            found = dict(file)
        moved = None
        for place, (name, output) in enumerate(zip(self.names, expected)):
            if name not in found or found[name].shape != output.shape:
                return self.fail("run", f"output '{name}' is {found.get(name, np.zeros(0)).shape}, ONNX Runtime's {output.shape}")
            rows = lambda flags: flags.reshape(len(flags), -1).all(1)  # noqa: E731
            wrong = ~rows(alike(found[name], output))
            if not wrong.any():
                continue
            # A step function (a quantiser, an arg-max) may fall to either side: ONNX Runtime's own output then does, too.
            moved = moved or self._shaken()
            steady = np.logical_and.reduce([rows(alike(other[place], output)) for other in moved])
            if (wrong & steady).any():
                worst = np.nanmax(np.abs(found[name].astype(np.float64) - output))
                return self.fail("run", f"'{name}' is off by {worst:.3g} of {np.abs(output).max():.3g} from ONNX Runtime's")
            self.outcomes.append(("run", "near"))
            return None
        self.outcomes.append(("run", "alike"))
        return None

    def _shaken(self) -> list:
        """ONNX Runtime's outputs with weights and input off by as much as rounding."""
        rng, results = np.random.default_rng(0), []
        for _ in range(6):
            model = onnx.load(self.path("model.onnx"))
            for weight in model.graph.initializer:
                array = onnx.numpy_helper.to_array(weight)
                if array.dtype == np.float32 and array.ndim:
                    array = array * (1 + rng.uniform(-1e-6, 1e-6, array.shape)).astype(np.float32)
                    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
            x = self.x * (1 + rng.uniform(-1e-6, 1e-6, self.x.shape)).astype(np.float32)
            results.append(onnx_session(model).run(None, {"x": x}))
        return results

    def compare(self, kind: str, found: tuple, expected) -> bool:
        """A simulation with the NumPy program: spikes exactly, outputs within rounding; but for samples with a neuron near a threshold."""
        outputs, counts = found
        if set(counts) != set(expected.counts):
            self.fail(kind, f"layers of neurons {sorted(counts)}, expected {sorted(expected.counts)}")
            return False
        samples = self.batch_of(expected)
        differs, near, reasons = np.zeros(samples, bool), np.zeros(samples, bool), {}
        for name in expected.counts:
            flat = lambda array: array.reshape(samples, -1)  # noqa: E731
            near |= flat(expected.near[name]).any(1)
            wrong = (flat(counts[name]) != flat(expected.counts[name])).any(1)
            for sample in np.flatnonzero(wrong & ~near):
                reasons.setdefault(
                    sample,
                    f"sample {sample}: '{name}' sends {int(flat(counts[name])[sample].sum())} spikes, expected "
                    f"{int(flat(expected.counts[name])[sample].sum())}",
                )
            differs |= wrong
        for name, steps in expected.steps.items():
            wanted = np.stack(steps if len(expected.steps) == 1 else steps[-1:])
            if name not in outputs or outputs[name].shape != wanted.shape:
                self.fail(kind, f"output '{name}' is {outputs.get(name, np.zeros(0)).shape}, expected {wanted.shape}")
                return False
            # Where layers wait, only a whole run says what the network does.
            first = len(wanted) - 1 if self.network.waits else 0
            same = np.ones(samples, bool)
            for step in range(first, len(wanted)):
                same &= alike(outputs[name][step], wanted[step], expected.largest.get(name)).reshape(samples, -1).all(1)
            steady = np.ones(samples, bool)
            for moved, exact in zip(expected.moved[name][first - len(wanted) :], wanted[first:]):
                steady &= alike(moved, exact).reshape(samples, -1).all(1)
            for sample in np.flatnonzero(~same & ~near & ~differs & steady):
                worst = np.nanmax(np.abs(outputs[name][first:, sample].astype(np.float64) - wanted[first:, sample]))
                reasons.setdefault(sample, f"sample {sample}: '{name}' is off by {worst:.3g} of {np.abs(wanted).max():.3g}")
            differs |= ~same
        if reasons:
            self.fail(kind, f"{next(iter(reasons.values()))} ({len(reasons)} of {samples} samples differ, no neuron near a threshold)")
            return False
        self.outcomes.append((kind, "near" if differs.any() else "alike"))
        return True

    def batch_of(self, expected) -> int:
        return len(next(iter(expected.steps.values()))[-1])

    def _int8(self):
        """Whether int8 is as far from float32 as the documentation says it may be without a warning."""
        found = self.simulated("int8", words=["--precision", "int8"])
        if found is None:
            return
        warned = "use float32 for this network" in self.said
        if warned:
            self.warnings.append(f"{self.chosen['recipe']}, head {self.spec['head']}")
        name = self.network.outputs[0]["name"]
        few = slice(0, 16)
        small, exact = found[0][name][-1][few], self.found[0][name][-1][few]
        if exact.dtype.kind != "f":
            return self.outcomes.append(("int8", "unjudged"))
        far = off_by(small, exact)
        # As `evaluate` judges: classes by the largest, one score behind a sigmoid by a half, all else by its values.
        kinds = [node["operator"]["type"] for node in self.network.nodes]
        classes = exact.ndim >= 2 and exact.shape[1] >= 2 or "Sigmoid" in kinds[-1:]
        predictions = [array.argmax(1) if array.ndim >= 2 and array.shape[1] >= 2 else array > 0.5 for array in (small, exact)]
        agreement = (predictions[0] == predictions[1]).mean() if classes else 1
        if not warned and agreement < 0.97:
            return self.fail("int8", f"predicts as float32 does on {100 * agreement:.0f} % of {len(exact)} samples, without a warning")
        if not warned and not classes and exact.ndim <= 2 and far > 0.1 * (1 + 1e-3):
            return self.fail("int8", f"off by {100 * far:.0f} % of the deviation, without a warning")
        if not np.isfinite(small).all() and np.isfinite(exact).all():
            return self.fail("int8", "outputs that are no numbers")
        # What hardly varies, against its own size, is beneath what eight bits can say: Engine.md promises 2.85 % of the range.
        error = math.sqrt(((small - exact).astype(np.float64) ** 2).mean() / max(1e-300, (exact.astype(np.float64) ** 2).mean()))
        # A network that is read before the steps that it was made for answers by few spikes, and one that moves is much.
        words = self.chosen["words"]
        is_early = "--steps" in words and self.count < int(words[words.index("--steps") + 1])
        if not warned and far > 1 and error > 0.03 and not is_early:
            return self.fail("int8", f"off by {100 * far:.0f} % of the deviation, though the largest are the same")
        return self.outcomes.append(("int8", "near" if warned else "alike"))

    def same(self, kind: str, what: str, found: tuple, expected: tuple) -> None:
        """Outputs and counts that have to be the same to the bit."""
        for part, wanted in zip(found, expected):
            for name in wanted:
                if name not in part or not np.array_equal(part[name], wanted[name], equal_nan=wanted[name].dtype.kind == "f"):
                    return self.fail(kind, f"{what}: '{name}' is not the same to the bit")
        return self.outcomes.append((kind, "alike"))

    def _batch(self):
        """A sample's result does not depend on those beside it."""
        if len(self.x) < 2:
            return
        precision = random_choice(self, ["float32", "int8"])
        whole = self.found if precision == "float32" else self.simulated("whole", words=["--precision", precision])
        cut = 1 + self.spec["seed"] % (len(self.x) - 1)
        parts = []
        for name, rows in (("head", slice(0, cut)), ("tail", slice(cut, None))):
            np.save(self.path(f"{name}-x.npy"), self.x[rows])
            parts.append(self.simulated(name, source=f"{name}-x.npy", words=["--precision", precision]))
        if whole is None or None in parts:
            return
        joined = [
            {name: np.concatenate([part[index][name] for part in parts], axis) for name in whole[index]} for index, axis in ((0, 1), (1, 0))
        ]
        self.same("batch", f"{precision}, {cut} and {len(self.x) - cut} samples", tuple(joined), whole)

    def _isa(self):
        """Other kernels give the same, as far as a sum's order does not matter; those of whole numbers that are chosen between exactly."""
        sets = instruction_sets(self.spikelet)
        environment = {"SPIKELET_ISA": sets[self.chosen["isa"] % len(sets)]}
        other = self.simulated("isa", environment=environment)
        if other:
            self.compare("isa", other, self.expected)
        whole = self.simulated("int8", words=["--precision", "int8"])
        for crossovers in ("0,0,0,0", "1000,1000,1000,1000"):
            forced = self.simulated("forced", words=["--precision", "int8"], environment={"SPIKELET_CROSSOVERS": crossovers})
            if whole and forced:
                self.same("isa", f"int8, crossovers {crossovers}", forced, whole)

    def _sure(self, scores: np.ndarray) -> np.ndarray:
        """The samples whose largest score is that by more than rounding."""
        ordered = np.sort(scores, 1)
        with np.errstate(invalid="ignore"):
            return ordered[:, -1] - ordered[:, -2] > ROUNDING * np.abs(scores).max()

    def _inspect(self):
        """What shows a network has to come to an end."""
        self.done("inspect", "model.onnx")
        for precision in ("float32", "int8"):
            self.done("inspect", "snn.safetensors", "--program", "--precision", precision)
        self.done("inspect", "snn.safetensors", "--device", ("speck2f", "loihi2", "spinnaker2", "xylo")[self.spec["seed"] % 4])
        self.outcomes.append(("inspect", "alike"))

    def _evaluate(self):
        """Accuracy, spikes and operations, counted again."""
        name = self.network.outputs[0]["name"]
        shape = self.expected.outputs[name].shape
        if len(shape) != 2 or shape[1] < 2 or self.expected.outputs[name].dtype.kind != "f":
            return
        labels = np.random.default_rng(self.spec["seed"]).integers(0, shape[1], shape[0])
        np.savez(self.path("test.npz"), x=self.x, y=labels)
        steps = [self.count] if self.network.radix else sorted({1, max(1, self.count // 2), self.count})
        words = ["evaluate", "snn.safetensors", "--data", "test.npz", "--ann", "model.onnx", "--steps", ",".join(map(str, steps))]
        if self.spec["seed"] % 3 == 0:
            words += ["--layers", "--report", "report.html"]
        results = []
        for threads, batch in ((1, 3), (2, 100)):
            if not self.done(*words, "--threads", threads, "--batch-size", batch, "--json", f"evaluate{threads}.json"):
                return
            results.append(json.loads((self.folder / f"evaluate{threads}.json").read_text()))
        for key in ("steps", "curve", "counts", "confusion"):
            # How long a step takes is another thing.
            if json.dumps(results[0].get(key)) != json.dumps(results[1].get(key)):
                return self.fail("evaluate", f"'{key}' depends on threads and batches")
        counts = results[0]["counts"]
        near = False
        scores = self.session.run(None, {"x": self.x})[0]
        sure = self._sure(scores)
        right = (scores.argmax(1) == labels).sum()
        if abs(results[0]["ann"]["accuracy"] * len(self.x) - right) > (~sure).sum() + 1e-6:
            return self.fail("evaluate", f"the ANN's accuracy is {results[0]['ann']['accuracy']}, {right} of {len(self.x)} are right")
        for entry in results[0]["steps"]:
            count = entry["steps"]
            run = simulate(self.network, {self.network.inputs[0]["name"]: self.x}, count, counts_operations=True)
            near_samples = np.zeros(len(self.x), bool)
            for marks in run.near.values():
                near_samples |= marks.reshape(len(self.x), -1).any(1)
            output = run.outputs[name]
            tied = ~self._sure(output)
            right = (output.argmax(1) == labels).sum()
            if abs(entry["accuracy"] * len(self.x) - right) > (near_samples | tied).sum() + 1e-6:
                return self.fail("evaluate", f"accuracy {entry['accuracy']} at {count} steps, {right} of {len(self.x)} are right")
            agree = (output.argmax(1) == scores.argmax(1)).sum()
            if abs(entry["agreement"] * len(self.x) - agree) > (near_samples | tied | ~sure).sum() + 1e-6:
                return self.fail("evaluate", f"agreement {entry['agreement']} at {count} steps, {agree} of {len(self.x)} agree")
            if near_samples.any():
                near = True
                continue
            if count != self.count:
                continue
            found = next(each for each in counts["steps"] if each["steps"] == count)
            spikes = sum(array.sum() for array in run.counts.values()) / len(self.x)
            if abs(found["spikes"] - spikes) > 1e-6 * (1 + spikes):
                return self.fail("evaluate", f"{found['spikes']} spikes a sample, {spikes} are sent")
            by_layer = {layer["name"]: layer for layer in counts["layers"]}
            for layer, operations in run.operations.items():
                if layer not in by_layer:
                    return self.fail("evaluate", f"layer '{layer}' reads spikes and is not counted")
                given = np.array(by_layer[layer]["accumulates"]) + np.array(by_layer[layer]["multiplyAccumulates"])
                unsure = (operations - run.sure_operations[layer]).mean(1).sum()
                if abs(given.sum() - operations.mean(1).sum()) > 1e-6 * (1 + given.sum()) + unsure:
                    return self.fail(
                        "evaluate", f"'{layer}': {given.sum():.6g} synaptic operations, {operations.mean(1).sum():.6g} are done"
                    )
        return self.outcomes.append(("evaluate", "near" if near else "alike"))

    def _export(self):
        """To NIR and back: what is read there is simulated as it says, and is what it was, as far as the documentation promises."""
        target, approximate = self.chosen["target"], self.chosen["approximate"]
        is_rate = not self.network.waits
        steps = 128 if approximate and is_rate else self.count
        words = ["export", "snn.safetensors", "--target", target, "--output", "network.nir"]
        if not self.network.radix:
            words += ["--steps", steps]
        if not self.done(*words, *(["--approximate"] if approximate else [])):
            return
        replaced = "replaced:" in self.said
        if not self.done("import", "network.nir", "--output", "back.safetensors"):
            return self.fail("import", f"what was exported for {target} is not read: {self.said[:200]}")
        back = Network.read(self.path("back.safetensors"))
        before, self.steps = self.steps, steps
        expected = simulate(back, {back.inputs[0]["name"]: self.x}, steps)
        held, self.network = self.network, back
        found = self.simulated("back", snn="network.nir")
        if found:
            self.compare("import", found, expected)
        self.network, self.steps = held, before
        if found is None:
            return None
        here = simulate(self.network, {self.network.inputs[0]["name"]: self.x}, steps) if is_rate else self.expected
        if len(here.sums) != 1:
            return self.outcomes.append(("export", "unjudged"))
        # What acts on the accumulated output is left to the reader.
        exact, there = next(iter(here.sums.values())), next(iter(found[0].values()))[-1]
        # Norse and snnTorch get convolutions in the place of a flatten: sizes of 1 are left at the end.
        if there.shape[exact.ndim :] != (1,) * (there.ndim - exact.ndim) or there.size != exact.size:
            return self.fail("export", f"{target}: outputs {there.shape}, {exact.shape} before")
        there = there.reshape(exact.shape)
        if not replaced and target in ("generic", "spinnaker2", "spikelet") and is_rate:
            near = np.zeros(len(self.x), bool)
            for marks in here.near.values():
                near |= marks.reshape(len(self.x), -1).any(1)
            wrong = ~alike(there, exact).reshape(len(self.x), -1).all(1)
            if (wrong & ~near).any():
                return self.fail(
                    "export",
                    f"{target}, nothing replaced: outputs are off by {np.abs(there - exact).max():.3g} of {np.abs(exact).max():.3g}",
                )
            return self.outcomes.append(("export", "near" if wrong.any() else "alike"))
        if target in ("generic", "spinnaker2", "spikelet") and is_rate and self.network.spiking.get("readoutDelay") is None:
            far = off_by(there, exact)
            # What stays is to fall as 1/T: of eight times the steps a half is generous.
            later = self._exported(target, 8 * steps) if far > 0.3 else 0
            if later > far / 2:
                return self.fail(
                    "export",
                    f"{target}: off by {100 * far:.0f} % of the deviation after {steps} steps, {100 * later:.0f} % after {8 * steps}",
                )
            return self.outcomes.append(("export", "unjudged" if math.isnan(far) else "alike"))
        return self.outcomes.append(("export", "unjudged"))

    def _exported(self, target: str, steps: int) -> float:
        """How far what is exported for so many steps is from the network itself."""
        if not self.done("export", "snn.safetensors", "--target", target, "--output", "long.nir", "--steps", steps, "--approximate"):
            return math.nan
        if not self.done("simulate", "long.nir", "--input", "x.npy", "--steps", steps, "--output", "long.npy"):
            return math.nan
        exact = next(iter(simulate(self.network, {self.network.inputs[0]["name"]: self.x}, steps).sums.values()))
        return off_by(np.load(self.path("long.npy")).reshape(exact.shape), exact)

    def _arrays(self):
        """Plain arrays, run as the documentation says they are to be run."""
        if not self.done("export", "snn.safetensors", "--format", "npz", "--output", "arrays.npz"):
            return
        try:
            outputs, near = arrays.run(self.network, self.path("arrays.npz"), self.x, self.count)
        except arrays.Unwired as reason:
            self.unjudged.append(f"arrays: {reason}")
            return self.outcomes.append(("arrays", "unjudged"))
        exact = next(iter(self.expected.outputs.values()))
        for marks in self.expected.near.values():
            near |= marks.reshape(len(self.x), -1).any(1)
        wrong = ~alike(outputs, exact).reshape(len(self.x), -1).all(1)
        if (wrong & ~near).any():
            return self.fail("arrays", f"outputs are off by {np.abs(outputs - exact).max():.3g} of {np.abs(exact).max():.3g}")
        return self.outcomes.append(("arrays", "near" if wrong.any() else "alike"))

    def _converges(self):
        """With many levels the spiking network is the ANN: on the data that its thresholds come from."""
        data = networks.samples(self.spec, 100, 2)
        np.savez(self.path("many.npz"), x=data)
        np.save(self.path("many.npy"), data)
        if self.spec.get("gain", 1) != 1 or self.spec.get("bias", 0.3) > 0.3:
            # Levels are a share of a layer's range: of small differences between large numbers they say little.
            return self.outcomes.append(("converges", "unjudged"))
        if self.spec["head"] in ("norm", "norm-by-hand") and self.spec["classes"] == 1:
            # A number over its own length is its sign, which jumps.
            return self.outcomes.append(("converges", "unjudged"))
        if self.spec["quantised"]:
            words, bound = ["--recipe", "quantised"], 1e-3
        elif self.spec["seed"] % 2:
            words, bound = ["--calibration", "many.npz", "--recipe", "radix", "--steps", 10], 0.05
        else:
            words, bound = ["--calibration", "many.npz", "--recipe", "calibrated", "--steps", 256], 0.2
        if not self.done("convert", "model.onnx", *words, "--output", "many.safetensors"):
            return None
        if not self.done("simulate", "many.safetensors", "--input", "many.npy", "--output", "many-y.npz"):
            return None
        with np.load(self.path("many-y.npz")) as file:
            found = dict(file)
        expected = self.session.run(None, {"x": data})
        for name, exact in zip(self.names, expected):
            if exact.dtype.kind != "f":
                self.unjudged.append("converges: whole numbers")
                continue
            far = off_by(found[name], exact)
            # Of differences that are small beside the values, a share of the range says little: off_by of zeros is values over deviation.
            if off_by(np.zeros_like(exact), exact) > 50:
                self.unjudged.append("converges: outputs that vary by less than a fiftieth of their size")
                continue
            if self.spec["quantised"] and far > bound:
                # A step function: samples may fall to either side.
                run = simulate(
                    Network.read(self.path("many.safetensors")),
                    {"x": data},
                    Network.read(self.path("many.safetensors")).spiking.get("steps") or 32,
                )
                marks = np.zeros(len(data), bool)
                for near in run.near.values():
                    marks |= near.reshape(len(data), -1).any(1)
                far = off_by(found[name][~marks], exact[~marks]) if not marks.all() else math.nan
            if far > bound:
                return self.fail("converges", f"{' '.join(map(str, words[-4:]))}: '{name}' is off by {100 * far:.1f} % of the deviation")
        return self.outcomes.append(("converges", "alike"))

    def _varying(self):
        """Another input in every step."""
        if self.network.waits:
            return
        steps = min(self.count, 7)
        rng = np.random.default_rng(self.spec["seed"])
        x = (rng.random((steps, *self.x[:5].shape)) < 0.3).astype(np.float32)
        np.save(self.path("events.npy"), x)
        before, self.steps = self.steps, steps
        found = self.simulated("varying", source="events.npy", words=["--time-varying"])
        self.steps = before
        if found:
            self.compare("varying", found, simulate(self.network, {self.network.inputs[0]["name"]: x}, steps, varying=True))


def random_choice(point: Point, choices: list):
    return choices[point.spec["seed"] // 7 % len(choices)]
