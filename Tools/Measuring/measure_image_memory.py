"""Show that the number of pictures in a folder does not matter for memory: peak memory and time of `spikelet run` on 100, 400 and 1,600
photographs of 1,600 × 1,200 pixels, baseline and progressive.

    pip install -r Tools/Measuring/requirements.txt
    python Tools/Measuring/measure_image_memory.py [--spikelet .build/release/spikelet]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Fixtures"))
from make_image_fixtures import Image, picture  # noqa: E402

# The peak of a child counts from its own start: see time_import.py.
STARTER = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(json.dumps([status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


def network(path: pathlib.Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", ["n", 3, 224, 224]), ("y", ["n", 3, 1, 1]))]
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "average", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    command = str(pathlib.Path(parser.parse_args().spikelet).resolve())
    image = Image.fromarray(picture(np.random.default_rng(5), 1200, 1600))
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        network(scratch / "average.onnx")
        for kind in ("baseline", "progressive"):
            image.save(scratch / f"{kind}.jpg", quality=90, progressive=kind == "progressive")
            folder = scratch / kind
            (folder / "class").mkdir(parents=True)
            count = 0
            for target in (100, 400, 1600):
                while count < target:
                    (folder / "class" / f"{count}.jpg").hardlink_to(scratch / f"{kind}.jpg")
                    count += 1
                arguments = [command, "run", "average.onnx", "--input", kind]
                line = [sys.executable, "-S", "-c", STARTER, *arguments]
                status, seconds, peak = json.loads(subprocess.run(line, cwd=scratch, capture_output=True, text=True, check=True).stdout)
                assert status == 0
                print(f"{kind}, {count} pictures: peak {peak / 1e6:.0f} MB, {1000 * seconds / count:.1f} ms of processor time a picture")


if __name__ == "__main__":
    main()
