"""Kills `spikelet` with signal 9 while it writes a file, again and again: the file has to be the old or the new one.

    python Tools/Checks/kill_writes.py A.safetensors B.safetensors --spikelet .build/release/spikelet --count 1000

Exports A and B as plain arrays and as NIR over the same two files in turns. Each run is killed after a random part of the
time that it takes by itself; half of them within the part in which files change. Needs Python alone.
"""

import argparse
import collections
import pathlib
import random
import signal
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs=2)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    formats = {"npz": ["--format", "npz"], "nir": ["--approximate"]}

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def start(network, kind, path):
            command = [arguments.spikelet, "export", network, *formats[kind], "--output", str(path)]
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        wanted, seconds = {}, {}
        for kind in formats:
            for network in arguments.networks:
                begin = time.monotonic()
                assert start(network, kind, folder / "whole").wait() == 0
                seconds[network, kind] = time.monotonic() - begin
                wanted[network, kind] = (folder / "whole").read_bytes()
            (folder / f"out.{kind}").write_bytes(wanted[arguments.networks[0], kind])
        outcomes, left = collections.Counter(), 0
        for number in range(arguments.count):
            kind = list(formats)[number % 2]
            network = arguments.networks[number // 2 % 2]
            path = folder / f"out.{kind}"
            before = path.read_bytes()
            before_it = set(folder.glob(".spikelet-*"))
            process = start(network, kind, path)
            if generator.random() < 0.5:
                time.sleep(generator.uniform(0, 1.1 * seconds[network, kind]))
            else:
                # Until the temporary file appears, and a moment more.
                while process.poll() is None and set(folder.glob(".spikelet-*")) <= before_it:
                    pass
                time.sleep(generator.uniform(0, 0.003))
            process.send_signal(signal.SIGKILL)
            process.wait()
            after = path.read_bytes()
            assert after in (before, wanted[network, kind]), f"run {number}: the file is neither the old nor the new one"
            # The next write removes it.
            left += bool(list(folder.glob(".spikelet-*")))
            if process.returncode != -9:
                outcomes["finished before it was killed"] += 1
            elif wanted[network, kind] == before:
                outcomes["killed, old and new are the same"] += 1
            else:
                outcomes["killed, the old file" if after == before else "killed, the new file"] += 1
        assert start(arguments.networks[0], "npz", folder / "out.npz").wait() == 0
        remaining = len(list(folder.glob(".spikelet-*")))
    for outcome, count in outcomes.most_common():
        print(f"{count:6d} {outcome}")
    print(f"{left:6d} of the runs were killed while the temporary file stood there; after one more write {remaining} remained")
    assert remaining == 0


if __name__ == "__main__":
    main()
