"""Generate networks and options at random, run Spikelet on them, and judge what comes of it by programs that share no code with it.

    python Tools/Generate/generate.py --seconds 600                     # from a new seed; `make generate` does this
    python Tools/Generate/generate.py --seed 7 --first 123 --count 1    # one point again, with all that it says
    python Tools/Generate/generate.py --fixtures                        # the sample in Tests/Fixtures/generated.npz

A point is a network (networks.py), a recipe with its options, and some of the ways on from there. Judges: ONNX Runtime for the ANN;
simulate.py, a NumPy program that reads the SNN file, for spikes, outputs, accuracy and operations; Spikelet itself where the
documentation promises the same twice (batches, portions, threads, coming back from NIR). A refusal is no failure, if it says what
and what to do; the summary counts them by what they say. A crash or a hang always is.

A failure is shrunk while it stays the same kind of failure, and kept in a folder with the commands that show it. Ends with 1
where something differs.
"""

import argparse
import collections
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

import judges
import networks
from judges import KINDS, Point

ROOT = pathlib.Path(__file__).resolve().parents[2]


def options(dice: random.Random, spec: dict) -> dict:
    """A recipe, and where it goes from there."""
    recipes = (
        ["calibrated"] * 4 + ["radix"] * 4 + ["signed"] * 2 + ["burst"] * 2 + ["local-threshold-balancing", "rate-coding", "rate-coding"]
    )
    recipe = dice.choice(["quantised"] * 3 + ["calibrated", "radix", "rate-coding"] if spec["quantised"] else recipes)
    words = []
    steps = (
        dice.choice([1, 2, 3, 4, 4, 5, 6, 7, 8, 10, 12, 16, 17])
        if recipe == "radix"
        else dice.choice([1, 2, 3, 4, 4, 8, 8, 13, 16, 20, 32, 65])
    )
    if recipe not in ("quantised", "rate-coding") or dice.random() < 0.2:
        words += ["--steps", steps]
    if dice.random() < 0.2:
        words += [dice.choice(["--per-channel", "--per-layer"])]
    if dice.random() < 0.1:
        words += ["--pooling", "instantaneous"]
    if recipe == "rate-coding":
        words += dice.choice([[], ["--mode", "99.9%"], ["--mode", "0.7"], ["--no-fuse"], ["--momentum", "0.3", "--batch-size", "7"]])
    elif dice.random() < 0.12:
        words += ["--schedule", dice.choice(["streaming", "layer-synchronous"])]
    if recipe in ("calibrated", "signed", "burst") and dice.random() < 0.15:
        words += ["--readout-delay", dice.choice(["auto", 1, 2, 5])]
    if dice.random() < 0.4:
        words += ["--allow-analog"]
    extras = [
        kind for kind in ("int8", "batch", "isa", "evaluate", "export", "arrays", "converges", "varying", "inspect") if dice.random() < 0.2
    ]
    return {
        "recipe": recipe,
        "words": words,
        "calibration": dice.choice([1, 2, 10, 40, 40, 120]) if dice.random() < 0.96 else 0,
        "samples": dice.choice([1, 2, 5, 9, 17, 33]),
        "simulate": dice.choice([None, None, None, 1, 3, 7, 12, 40]),
        "extras": extras,
        "isa": dice.randrange(12),
        "target": dice.choice(["generic", "generic", "sinabs", "norse", "snntorch", "spinnaker2", "lava", "spikelet", "spikelet"]),
        "approximate": dice.random() < 0.7,
    }


def point(seed: str) -> tuple:
    dice = random.Random(seed)
    spec = networks.specification(dice)
    chosen = options(dice, spec)
    while dice.random() < 0.1 and spec["blocks"]:
        spec = networks.with_choice(dice, spec)
    if dice.random() < 0.2 and not spec.get("limit") and not spec["quantised"]:
        spec = networks.with_functions(dice, spec)
        if dice.random() < 0.8:
            chosen |= {"recipe": "radix", "words": ["--steps", dice.choice([1, 2, 3, 4, 6, 8, 10, 12])]}
    if spec.get("limit"):
        # What is wide is neither long nor many.
        words = chosen["words"]
        if "--steps" in words:
            place = words.index("--steps") + 1
            words[place] = min(words[place], 4)
        chosen |= {
            "samples": 1 + chosen["samples"] % 2,
            "calibration": min(chosen["calibration"], 2),
            "simulate": 3,
            "extras": [extra for extra in chosen["extras"] if extra in ("int8", "isa", "evaluate", "batch")],
        }
    return spec, chosen


# ------------------------------------------------------------------------------------------------------------- shrinking


def smaller_blocks(blocks: list):
    """The list without a block, with what a block holds in its place, and with plainer blocks."""
    for index, block in enumerate(blocks):
        rest = lambda *put, index=index: blocks[:index] + list(put) + blocks[index + 1 :]  # noqa: E731
        yield rest()
        for inner in ([block["blocks"]] if "blocks" in block else []) + block.get("branches", []):
            yield rest(*inner)
        if "blocks" in block:
            for less in smaller_blocks(block["blocks"]):
                yield rest(block | {"blocks": less})
        for place, branch in enumerate(block.get("branches", [])):
            for less in smaller_blocks(branch):
                yield rest(block | {"branches": block["branches"][:place] + [less] + block["branches"][place + 1 :]})
        plain = {
            "norm": False,
            "act": None,
            "groups": 1,
            "dilation": 1,
            "stride": 1,
            "kernel": 1,
            "pad": "none",
            "bias": False,
            "sparse": False,
            "flat": False,
            "transposed": False,
            "ceil": False,
            "counts_padding": False,
            "keep_size": False,
            "scaled": False,
            "spelling": "Relu",
        }
        for key, value in plain.items():
            if (
                key in block
                and block[key] != value
                and not (key == "pad" and block["kind"] != "conv")
                and block["kind"] in ("conv", "pool", "act", "residual")
            ):
                yield rest(block | {key: value})
        if block.get("act") not in (None, "Relu"):
            yield rest(block | {"act": "Relu"})
        if block.get("out", 1) > 1:
            yield rest(block | {"out": block["out"] // 2})
        if block["kind"] == "pool" and block["pad"]:
            yield rest(block | {"pad": 0})


def smaller(spec: dict, chosen: dict):
    """Points that are a little less than this one."""
    for blocks in smaller_blocks(spec["blocks"]):
        yield spec | {"blocks": blocks}, chosen
    for change in (
        {"head": "none"},
        {"dense": []},
        {"classes": 2},
        {"classes": 1},
        {"channels": 1},
        {"channels_last": False},
        {"opset": 17},
        {"matmul": False},
        {"gain": 1},
        {"bias": 0.3},
        {"dead": False},
        {"flatten": "mean"},
        {"pixels": "signed"},
    ):
        if any(spec.get(key, value) != value for key, value in change.items()):
            yield spec | change, chosen
    for axis, size in enumerate(spec["size"]):
        for less in (size // 2, size - 1):
            if less >= 1:
                yield spec | {"size": spec["size"][:axis] + [less] + spec["size"][axis + 1 :]}, chosen
    for key in ("samples", "calibration"):
        if chosen[key] > 1:
            yield spec, chosen | {key: 1}
            yield spec, chosen | {key: chosen[key] // 2}
    if chosen["simulate"]:
        yield spec, chosen | {"simulate": None}
    words = chosen["words"]
    for index, word in enumerate(words):
        if str(word).startswith("--"):
            end = index + (2 if index + 1 < len(words) and not str(words[index + 1]).startswith("--") else 1)
            yield spec, chosen | {"words": words[:index] + words[end:]}
            if word == "--steps" and words[index + 1] > 1:
                yield spec, chosen | {"words": words[: index + 1] + [words[index + 1] // 2] + words[index + 2 :]}


def shrink(spec: dict, chosen: dict, kind: str, spikelet: str, seconds: float) -> tuple:
    """The smallest point found that still fails in this way."""
    end = time.time() + seconds
    chosen = chosen | {"extras": [extra for extra in chosen["extras"] if extra == judges.EXTRA_OF.get(kind, kind)]}
    found = True
    while found and time.time() < end:
        found = False
        for candidate in smaller(spec, chosen):
            if time.time() > end:
                break
            try:
                with tempfile.TemporaryDirectory() as folder:
                    failures = Point(*candidate, spikelet, folder).judge().failures
            except Exception:  # noqa: BLE001: a candidate that cannot be built is none
                continue
            if any(failure.kind == kind for failure in failures):
                (spec, chosen), found = candidate, True
                break
    return spec, chosen


def keep(spec: dict, chosen: dict, kind: str, seed: str, spikelet: str, folder: pathlib.Path) -> list:
    """Writes a point with the commands that show its failure, and returns its failures."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result = Point(spec, chosen, spikelet, folder).judge()
    failures = [failure for failure in result.failures if failure.kind == kind]
    (folder / "point.json").write_text(json.dumps({"seed": seed, "network": spec, "options": chosen}, indent=1))
    (folder / "commands.sh").write_text(
        "#!/bin/sh\n# In this folder, with spikelet on the path.\n" + "".join(f"{line}\n" for line in result.commands)
    )
    (folder / "failure.txt").write_text("".join(f"{failure.kind}: {failure.text}\n" for failure in result.failures))
    return failures


# ------------------------------------------------------------------------------------------------------------------- main


class Bar:
    """One line that says how far it is, where a person looks on."""

    def __init__(self):
        self.start, self.shown, self.text = time.time(), sys.stderr.isatty(), ""

    def show(self, points: int, failures: int) -> None:
        if self.shown:
            elapsed = int(time.time() - self.start)
            self.text = f"{elapsed // 60}:{elapsed % 60:02d}  {points} points, {failures} failures"
            print(f"\r\033[K{self.text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def summary(tally: judges.Tally, failures: collections.Counter) -> str:
    lines = [f"{'judged':22}{'points':>8}{'alike':>8}{'near':>8}{'not judged':>12}{'failed':>8}"]
    for kind in KINDS:
        row = tally.kinds[kind]
        if sum(row.values()):
            lines.append(f"{kind:22}{sum(row.values()):8}{row['alike']:8}{row['near']:8}{row['unjudged']:12}{row['failed']:8}")
    lines += [
        "near: samples differ, and a neuron came as near to its threshold, or a function to a jump, as float32 may err",
        "      (of int8: it warned that it is off)",
        "",
    ]
    for title, counts in (("refused", tally.refusals), ("not judged", tally.unjudged), ("int8 warned", tally.warnings)):
        lines += [f"{title}:"] + [f"{count:6} {text}" for text, count in counts.most_common()] if counts else []
    lines.append(f"{sum(failures.values())} failures" + "".join(f"; {kind}: {count}" for kind, count in failures.most_common()))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=str(ROOT / ".build/release/spikelet"), help="the command (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--count", type=int, help="stop after so many points (default: 100, without --seconds)")
    parser.add_argument("--seed", type=int, help="what decides everything; default: a new one")
    parser.add_argument("--first", type=int, default=0, help="the number of the first point (default: 0)")
    parser.add_argument("--only", choices=KINDS, help="judge only this")
    parser.add_argument(
        "--keep", type=pathlib.Path, default=pathlib.Path("generated-failures"), help="where failures are kept (default: %(default)s)"
    )
    parser.add_argument("--shrink-seconds", type=float, default=60, help="how long a failure is shrunk at most (default: %(default)s)")
    parser.add_argument("--fixtures", action="store_true", help="write Tests/Fixtures/generated.npz instead")
    arguments = parser.parse_args()
    # Commands run in folders of their own.
    if pathlib.Path(arguments.spikelet).exists():
        arguments.spikelet = str(pathlib.Path(arguments.spikelet).resolve())
    if arguments.fixtures:
        import fixtures

        fixtures.write(arguments.spikelet, ROOT / "Tests/Fixtures/generated.npz", arguments.seed or 1)
        return
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    count = arguments.count or (100 if arguments.seconds is None else None)
    print(f"seed {seed}", flush=True)
    bar, tally, failures = Bar(), judges.Tally(), collections.Counter()
    end = time.time() + arguments.seconds if arguments.seconds is not None else float("inf")
    number = arguments.first
    while time.time() < end and (count is None or number < arguments.first + count):
        name = f"{seed}/{number}"
        spec, chosen = point(name)
        if arguments.only in judges.EXTRAS:
            chosen["extras"] = [arguments.only]
        with tempfile.TemporaryDirectory() as folder:
            result = Point(spec, chosen, arguments.spikelet, folder, arguments.only).judge()
        tally.add(result)
        for kind in dict.fromkeys(failure.kind for failure in result.failures):
            if arguments.only and kind not in (arguments.only, "run", "engine", "reference", "judge", "crash"):
                continue
            bar.clear()
            failures[kind] += 1
            text = next(failure.text for failure in result.failures if failure.kind == kind)
            print(f"{name} {kind}: {text}\n  again: --seed {seed} --first {number} --count 1", flush=True)
            small = (spec, chosen)
            # Of one kind of failure a few are enough.
            if failures[kind] <= 5:
                small = shrink(spec, chosen, kind, arguments.spikelet, min(arguments.shrink_seconds, max(5, end - time.time())))
            place = arguments.keep / f"{kind}-{seed}-{number}"
            again = keep(*small, kind, name, arguments.spikelet, place)
            print(f"  small: {place}{': ' + again[0].text if again else ' (did not fail again)'}", flush=True)
        number += 1
        bar.show(number - arguments.first, sum(failures.values()))
    bar.clear()
    print(f"{number - arguments.first} points in {time.time() - bar.start:.0f} s\n{summary(tally, failures)}")
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
