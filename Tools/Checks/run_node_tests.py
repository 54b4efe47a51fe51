"""Run the official ONNX backend tests (of the onnx wheel) through `spikelet run`, and count.

    pip install -r Tools/Checks/requirements.txt
    python Tools/Checks/run_node_tests.py [--spikelet .build/release/spikelet] [--list] [--only NAME]

Takes every folder of `node`, `pytorch-converted` and `pytorch-operator` whose tensors are float32, int64 or bool, without
the `_expanded` variants (the same operators as function bodies). Inputs that Spikelet wants as constants (target shapes,
axes, pads, …) are made initialisers of the model first, since that is how exporters write them. Outputs are compared as
the official runner does: rtol 1e-3, atol 1e-7. Tests that are known to say otherwise than the product does are named with
their reason.
"""

import argparse
import collections
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnx.backend.test
from onnx import TensorProto, numpy_helper

DATA = pathlib.Path(onnx.backend.test.__file__).parent / "data"
KINDS = ("node", "pytorch-converted", "pytorch-operator")
TYPES = {TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL}
OPERATORS = pathlib.Path(__file__).resolve().parents[2] / "Documentation" / "Operators.md"
# For each operator, the positions of inputs that say what to do, not what to do it with.
PARAMETERS = {
    "ConstantOfShape": [0], "CumSum": [1], "Dropout": [1, 2], "Expand": [1], "OneHot": [1, 2], "Pad": [1, 2, 3], "Range": [0, 1, 2],
    "Reshape": [1], "Resize": [1, 2, 3], "ScatterND": [0, 1, 2], "Slice": [1, 2, 3, 4], "Split": [1], "Squeeze": [1], "Tile": [1], "Trilu": [1],
    "Unsqueeze": [1], "Upsample": [1],
}  # fmt: skip
PARAMETERS |= {f"Reduce{name}": [1] for name in "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split()}
# Tests whose numbers are not the product's, and why. That they differ is checked too.
ALIGN_CORNERS = (
    "places are x * (in - 1) / (out - 1) with the output's size, as in PyTorch and ONNX Runtime; ONNX's reference takes in * scale for it, "
    "no whole number here"
)
DIFFERENT = {
    "test_resize_downsample_scales_cubic_align_corners": ALIGN_CORNERS,
    "test_resize_downsample_scales_linear_align_corners": ALIGN_CORNERS,
}


def tensor(path: pathlib.Path) -> np.ndarray:
    proto = TensorProto()
    proto.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(proto)


def is_in_scope(model: onnx.ModelProto) -> bool:
    values = list(model.graph.input) + list(model.graph.output)
    return all(value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in TYPES for value in values)


def bind(model: onnx.ModelProto, given: dict) -> dict:
    """Makes parameters initialisers; returns the inputs that are left."""
    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    names = set()
    for node in model.graph.node:
        positions = PARAMETERS.get(node.op_type, [])
        if node.op_type == "GroupNormalization" and opset < 21:
            positions = [1, 2]
        names |= {node.input[position] for position in positions if position < len(node.input)}
    rest = {}
    for name, array in given.items():
        if name in names:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
            model.graph.input.remove(next(value for value in model.graph.input if value.name == name))
        else:
            rest[name] = array
    return rest


def run(folder: pathlib.Path, spikelet: str) -> str:
    """'passed', 'failed: why' or 'not run: why'."""
    model = onnx.load(folder / "model.onnx")
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in weights]
    results = set()
    for data in sorted(folder.glob("test_data_set_*")):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        paths = sorted(data.glob("input_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
        given = bind(copy, {name: tensor(path) for name, path in zip(inputs, paths)})
        expected = [tensor(data / f"output_{index}.pb") for index in range(len(model.graph.output))]
        results.add(compare(copy, given, expected, spikelet))
    return sorted(results)[0] if results else "not run: no data"


def compare(model, given, expected, spikelet) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, f"{scratch}/model.onnx")
        np.savez(f"{scratch}/x.npz", **given)
        process = subprocess.run(
            [spikelet, "run", "model.onnx", "--input", "x.npz", "--output", "y.npz"], cwd=scratch, capture_output=True, text=True
        )
        if process.returncode == 1:
            return "not run: " + reason(process.stderr)
        if process.returncode != 0:
            return f"failed: exit code {process.returncode}: {process.stderr.strip()[-200:]}"
        with np.load(f"{scratch}/y.npz") as outputs:
            for value, array in zip(model.graph.output, expected):
                actual = outputs[value.name]
                if actual.shape != array.shape:
                    return f"failed: shape {actual.shape} instead of {array.shape}"
                if actual.dtype != array.dtype:
                    return f"failed: type {actual.dtype} instead of {array.dtype}"
                if not np.allclose(actual, array, rtol=1e-3, atol=1e-7, equal_nan=True):
                    return f"failed: numbers differ by up to {np.nanmax(np.abs(actual - array)):.3g}"
    return "passed"


def judge(name: str, result: str) -> str:
    """The result, or, of a test that is known to say otherwise, 'different: why'."""
    if name not in DIFFERENT:
        return result
    if result.startswith("failed: numbers differ"):
        return f"different: {DIFFERENT[name]}"
    return f"failed: it was to differ, but: {result}"


def reason(errors: str) -> str:
    lines = [line.strip() for line in errors.strip().splitlines()]
    # Of a list of refusals, the first one's reason.
    for position, line in enumerate(lines):
        if line.startswith("- ") and position + 1 < len(lines):
            return lines[position + 1]
    return re.sub(r"^Error: ", "", lines[0]) if lines else "no message"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikelet", default=".build/release/spikelet")
    parser.add_argument("--list", action="store_true", help="name every test that did not pass")
    parser.add_argument("--only", default="", help="tests whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    spikelet = str(pathlib.Path(options.spikelet).resolve())
    known = set(re.findall(r"^\| `(\w+)`", OPERATORS.read_text(), re.MULTILINE))
    folders, left_out = [], collections.Counter()
    for kind in KINDS:
        for folder in sorted((DATA / kind).iterdir()):
            if "_expanded" in folder.name or not (folder / "model.onnx").exists() or options.only not in folder.name:
                continue
            model = onnx.load(folder / "model.onnx")
            if not is_in_scope(model):
                left_out["other tensor types"] += 1
            elif not {node.op_type for node in model.graph.node} <= known:
                left_out["operators that are not in the table"] += 1
            else:
                folders.append(folder)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda folder: judge(folder.name, run(folder, spikelet)), folders))
    totals = collections.Counter((folder.parent.name, result.split(":")[0]) for folder, result in zip(folders, results))
    for kind in KINDS:
        print(f"{kind:<20}" + "  ".join(f"{outcome} {totals[kind, outcome]}" for outcome in ("passed", "failed", "different", "not run")))
    for what, count in left_out.most_common():
        print(f"left out: {count} with {what}")
    reasons = collections.defaultdict(list)
    for folder, result in zip(folders, results):
        if result != "passed":
            reasons[result].append(folder.name)
    for result, names in sorted(reasons.items(), key=lambda item: (item[0].split(":")[0], -len(item[1]))):
        shows_names = options.list or result.startswith("different")
        print(f"{len(names):>4} {result}" + (f"\n       {', '.join(names)}" if shows_names else ""))
    sys.exit(1 if any(result.startswith("failed") for result in results) else 0)


if __name__ == "__main__":
    main()
