"""Writes the NIR files in Tests/Fixtures/NIR: some that NIR's own package makes, and some that nobody should make.

    python Tools/Fixtures/make_nir_fixtures.py   # wants Tools/Fixtures/requirements.txt
"""

import argparse
import pathlib

import h5py
import nir
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "NIR"


def array(*shape, start=0.25, step=0.125):
    return (start + step * np.arange(np.prod(shape, dtype=int))).astype(np.float32).reshape(shape)


def chain(*pairs, **options):
    nodes = dict(pairs)
    return nir.NIRGraph(nodes, list(zip(list(nodes), list(nodes)[1:])), **options)


def neurons(size):
    """Every kind of neuron in a row."""
    ones = np.ones(size, np.float32)
    return chain(
        ("input", nir.Input({"input": np.array([size])})),
        ("affine", nir.Affine(array(size, size, step=0.03125), array(size))),
        ("if", nir.IF(r=ones, v_threshold=ones * 0.5, v_reset=ones * 0)),
        ("linear", nir.Linear(array(size, size, start=0.5))),
        ("lif", nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones, v_reset=ones * 0.25)),
        ("scale", nir.Scale(array(size, start=1.0))),
        ("cubalif", nir.CubaLIF(
            tau_syn=ones * 2e-4, tau_mem=ones * 4e-4, r=ones * 4, v_leak=ones * 0, v_threshold=ones, v_reset=ones * 0, w_in=ones * 2)),
        ("delay", nir.Delay(ones * 2e-4)),
        ("li", nir.LI(tau=ones * 2e-4, r=ones, v_leak=ones * 0.5)),
        ("threshold", nir.Threshold(ones * 0.125)),
        ("i", nir.I(r=ones)),
        ("cubali", nir.CubaLI(tau_syn=ones * 2e-4, tau_mem=ones * 2e-4, r=ones, v_leak=ones * 0, w_in=ones)),
        ("output", nir.Output({"output": np.array([size])})))


def image():
    """Convolutions, pools and a graph inside a graph."""
    inner = chain(
        ("input", nir.Input({"input": np.array([4, 6, 6])})),
        ("spikes", nir.IF(r=np.ones((4, 6, 6), np.float32), v_threshold=np.ones((4, 6, 6), np.float32))),
        ("output", nir.Output({"output": np.array([4, 6, 6])})))
    return chain(
        ("input", nir.Input({"input": np.array([2, 6, 6])})),
        ("conv", nir.Conv2d((6, 6), array(4, 2, 3, 3, start=-0.5, step=0.015625), (1, 1), (1, 1), (1, 1), 1, array(4, start=0.0))),
        ("inner", inner),
        ("sum", nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
        ("mean", nir.AvgPool2d(np.array([3, 3]), np.array([3, 3]), np.array([0, 0]))),
        ("flatten", nir.Flatten({"input": np.array([4, 1, 1])}, 0, -1)),
        ("affine", nir.Affine(array(3, 4), array(3))),
        ("output", nir.Output({"output": np.array([3])})), metadata={"author": "a person", "numbers": np.arange(3)})


def recurrent():
    ones = np.ones(2, np.float32)
    nodes = {
        "input": nir.Input({"input": np.array([2])}), "if": nir.IF(r=ones, v_threshold=ones),
        "back": nir.Affine(np.eye(2, dtype=np.float32), ones * 0), "output": nir.Output({"output": np.array([2])})}
    return nir.NIRGraph(nodes, [("input", "if"), ("if", "back"), ("back", "if"), ("if", "output")])


def small(name):
    """A file that is well formed but for what is done to it next."""
    path = FOLDER / name
    nir.write(path, chain(
        ("input", nir.Input({"input": np.array([2])})), ("affine", nir.Affine(array(2, 2), array(2))),
        ("output", nir.Output({"output": np.array([2])}))))
    return h5py.File(path, "r+")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    nir.write(FOLDER / "neurons.nir", neurons(3))
    nir.write(FOLDER / "image.nir", image())
    nir.write(FOLDER / "recurrent.nir", recurrent())
    with small("cycle.nir") as file:
        file["node/nodes/again"] = file["node"]
    with small("soft-link.nir") as file:
        file["node/nodes/elsewhere"] = h5py.SoftLink("/node")
    with small("external-link.nir") as file:
        file["node/nodes/elsewhere"] = h5py.ExternalLink("neurons.nir", "/node")
    with small("external-values.nir") as file:
        file["node/nodes/affine"].create_dataset("secret", (16,), "u1", external=[("/etc/hostname", 0, 16)])
    with small("huge.nir") as file:
        del file["node/nodes/affine/weight"]
        file["node/nodes/affine"].create_dataset("weight", (1 << 40, 1 << 20), "f4", chunks=(1, 1024))
    with small("deep.nir") as file:
        group = file["node"]
        for _ in range(60):
            group = group.create_group("g")
    with small("missing-node.nir") as file:
        del file["node/nodes/affine"]
    with small("no-edges.nir") as file:
        del file["node/edges"]
    with small("wrong-type.nir") as file:
        del file["node/nodes/affine/weight"]
        file["node/nodes/affine/weight"] = "text"
    with small("unknown-node.nir") as file:
        del file["node/nodes/affine/type"]
        file["node/nodes/affine/type"] = "Transformer"
    with small("complex.nir") as file:
        del file["node/nodes/affine/weight"]
        file["node/nodes/affine/weight"] = np.ones((2, 2), np.complex64)
    for path in sorted(FOLDER.iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
