"""Damages valid files at random, and has `spikelet` read each: an error is fine, a crash is not.

    python Tools/Checks/mutate.py --spikelet .build/release/spikelet --files Tests/Fixtures/NIR/image.nir --count 10000
    python Tools/Checks/mutate.py --spikelet .build/release/spikelet --files snn.safetensors --count 10000

NIR files go through `spikelet import`, others through `spikelet inspect`. The seed decides everything. What ends in another
way than with exit code 0 or 1 is kept, and named; `--keep FOLDER` also keeps what libhdf5 broke down over, which Spikelet
survives because libhdf5 reads in a process of its own. Needs Python alone.
"""

import argparse
import collections
import concurrent.futures
import pathlib
import random
import re
import subprocess
import tempfile


def damaged(whole, generator):
    data = bytearray(whole)
    for _ in range(generator.choice([1, 1, 1, 2, 3, 4, 8])):
        place = generator.randrange(len(data))
        kind = generator.randrange(7)
        if kind == 0:
            data[place] ^= 1 << generator.randrange(8)
        elif kind == 1:
            data[place] = generator.randrange(256)
        elif kind == 2:
            width = generator.choice([1, 2, 4, 8])
            number = generator.choice([0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 2 ** (8 * width - 1) - 1, len(data)])
            data[place:place + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")[: len(data) - place]
        elif kind == 3:
            data[place:place + 16] = data[place:place + 16][::-1]
        elif kind == 4:
            source = generator.randrange(len(data))
            data[place:place + 8] = data[source:source + 8]
        elif kind == 5:
            del data[place:place + generator.randrange(1, 9)]
        else:
            data = data[: max(1, place)] if generator.random() < 0.3 else data
    return bytes(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--files", nargs="+", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("."), help="a folder for files that did harm")
    arguments = parser.parse_args()
    wholes = [(pathlib.Path(file).suffix, pathlib.Path(file).read_bytes()) for file in arguments.files]
    keeps_contained = arguments.keep != pathlib.Path(".")
    arguments.keep.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory() as folder:
        def attempt(number):
            generator = random.Random(f"{arguments.seed}/{number}")
            suffix, whole = wholes[number % len(wholes)]
            path = pathlib.Path(folder) / f"{number}{suffix}"
            path.write_bytes(damaged(whole, generator))
            output = path.with_suffix(".out")
            command = ["import", path, "--output", output] if suffix == ".nir" else ["inspect", path]
            try:
                run = subprocess.run([arguments.spikelet, *map(str, command)], capture_output=True, text=True, timeout=300)
                code, text = run.returncode, run.stderr
            except subprocess.TimeoutExpired:
                code, text = "time out", ""
            output.unlink(missing_ok=True)
            contained = re.search(r"libhdf5 (broke down over this file \(signal \d+\)|came to no end)", text)
            if code not in (0, 1) or contained and keeps_contained:
                kept = arguments.keep / f"damaged-{arguments.seed}-{number}{suffix}"
                kept.write_bytes(path.read_bytes())
                print(f"{kept}: exit {code}: {text[:200]}", flush=True)
            path.unlink()
            if number % 1000 == 999:
                print(f"{number + 1} of {arguments.count}", flush=True)
            return {0: "read as a network", 1: "refused"}.get(code, f"CRASH {code}"), contained and contained.group(0)

        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = list(pool.map(attempt, range(arguments.count)))
    for outcome, count in collections.Counter(outcome for outcome, _ in results).most_common():
        print(f"{count:6d} {outcome}")
    for reason, count in collections.Counter(reason for _, reason in results if reason).most_common():
        print(f"{count:6d} of the refused: {reason}")
    if any(outcome.startswith("CRASH") for outcome, _ in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
