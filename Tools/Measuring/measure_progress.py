"""Runs a command on a terminal of its own, and compares what its progress bar says is left with what then was left.

    python Tools/Measuring/measure_progress.py [--title evaluating] .build/release/spikelet evaluate snn.safetensors --data Datasets/FashionMNIST \\
        --split test --steps 32

Prints every estimate from half-way on that says seconds, and the largest error: |said − was| / was. An estimate is drawn in whole
seconds, so half a second is taken off, and the last seconds, where that alone is more than a fifth, are left out.
Python 3.9 or newer, no packages.
"""

import argparse
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time

BAR = re.compile(r"^(?P<title>\w[\w ]*?)  (?P<done>[\d,]+)/(?P<total>[\d,]+) .*?(?:(?P<hours>\d+) h )?(?:(?P<minutes>\d+) min)?"
                 r"(?: ?(?P<seconds>\d+) s)? left")


def drawings(command):
    """The program's exit status, and (time, text) of everything between two erasures of the line."""
    child, controller = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(controller, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    found, text = [], ""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece.decode("utf-8", "replace")
        *whole, text = text.split("\r\x1b[K")
        # The first part ends what was there before, and was taken note of then.
        found += [(time.monotonic(), part) for part in whole[1:] + [text]]
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--title", default="evaluating", help="the bar's title")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    status, found = drawings(options.command)
    estimates, end = [], None
    for now, text in found:
        match = BAR.match(text)
        if match and match["title"] == options.title:
            done, total = (int(match[name].replace(",", "")) for name in ("done", "total"))
            said = sum(int(match[name] or 0) * size for name, size in (("hours", 3600), ("minutes", 60), ("seconds", 1)))
            estimates.append((now, done / total, said))
        elif estimates and end is None and now > estimates[-1][0] and options.title not in text:
            # The first drawing without the bar: it was removed.
            end = now
    if status != 0 or not estimates or end is None:
        sys.exit(f"no bar was seen, or the command failed ({status})")
    worst, counted = 0, 0
    for now, share, said in estimates:
        was = end - now
        if share < 0.5 or was < 2.5:
            continue
        error = max(0, abs(said - was) - 0.5) / was
        worst, counted = max(worst, error), counted + 1
        print(f"{share:6.1%}  said {said:4d} s  was {was:6.1f} s  error {error:5.1%}")
    print(f"{counted} estimates from half-way on; the largest error is {worst:.1%}")


if __name__ == "__main__":
    main()
