"""Documentation/Notebook.ipynb runs, and shows what is stored in it, but for what another processor rounds otherwise.

``SPIKELET_WRITE_NOTEBOOK=1`` stores what it shows anew: without times, progress bars, and the report, which is large.
"""

import os
import re
from pathlib import Path

import pytest

for name in ("torch", "nbclient", "ipykernel", "pandas", "matplotlib", "tqdm"):
    pytest.importorskip(name, reason=f"the notebook needs {name}, which is not installed")

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

import spikelet  # noqa: E402

from conftest import MODELS, TRAIN, model  # noqa: E402

NOTEBOOK = Path(__file__).resolve().parents[2] / "Documentation" / "Notebook.ipynb"


def _kept(output):
    """Whether an output is stored: prints and values are, bars and the report are not."""
    if output.output_type == "stream":
        return output.name == "stdout"
    data = output.get("data", {})
    return "text/plain" in data and "<iframe" not in data.get("text/html", "") and not any("widget" in kind for kind in data)


def _executed(notebook, folder):
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    package = str(Path(spikelet.__file__).resolve().parents[1])
    client.execute(env=os.environ | {"PYTHONPATH": package, "IPYTHONDIR": str(folder / "ipython")})
    return notebook


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    # It lies where it does in the repository, but what it writes goes elsewhere.
    folder = tmp_path_factory.mktemp("repository")
    (folder / "Models").symlink_to(MODELS.parent)
    (folder / "Documentation").mkdir()
    notebook = _executed(nbformat.read(NOTEBOOK, as_version=4), folder / "Documentation")
    if os.environ.get("SPIKELET_WRITE_NOTEBOOK"):
        _write(notebook)
    return notebook


def _write(executed):
    stored = nbformat.from_dict(executed)
    stored.metadata.pop("widgets", None)
    stored.metadata.language_info = {"name": "python"}
    for cell in stored.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _kept(output)]
    nbformat.write(stored, NOTEBOOK)


def _text(cell):
    shown = [output for output in cell.outputs if _kept(output)]
    return "".join(output.text if output.output_type == "stream" else output.data["text/plain"] for output in shown)


_NUMBER = r"[−-]?\d+(?:[.,]\d+)*"


def _words(text):
    # Spaces depend on pandas, and addresses of figures on the run.
    return re.sub(_NUMBER, "#", re.sub(r"<[^>]*>", "", text)).split()


def _numbers(text):
    """Each number, and how far another processor's may be off: of accuracies a sample of 200."""
    found = re.findall(rf"({_NUMBER})( %| points)?", re.sub(r"<[^>]*>", "", text))
    values = [(float(number.replace("−", "-").replace(",", "")), unit) for number, unit in found if number.count(".") < 2]
    return [(value, 0.51 if unit else 0.002 + 0.01 * abs(value)) for value, unit in values]


def test_it_shows_what_is_stored(executed):
    stored = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.source for cell in stored.cells] == [cell.source for cell in executed.cells]
    code = [(one, other) for one, other in zip(stored.cells, executed.cells) if one.cell_type == "code"]
    for one, other in code:
        assert _words(_text(one)) == _words(_text(other)), one.source
        # Sums in another order move a spike here and there, and with it a sample of a thousand.
        for (number, most), (found, _) in zip(_numbers(_text(one)), _numbers(_text(other)), strict=True):
            assert found == pytest.approx(number, abs=most), one.source
    assert sum(bool(_text(one)) for one, _ in code) >= 7


def test_results_are_shown_as_pages_tables_and_pictures(executed):
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any(page.startswith("<iframe sandbox srcdoc=") for page in pages) and any("<table" in page for page in pages)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    assert not any(output.output_type == "error" for output in outputs)


def test_long_work_shows_a_bar(tmp_path):
    source = f"""
import spikelet
from spikelet import _work

_work._PATIENCE = 0
snn = spikelet.convert({str(model("cnn"))!r}, {str(TRAIN)!r}, recipe="signed", steps=8, limit=100)
"""
    cell = _executed(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path).cells[0]
    # Text, or with ipywidgets a widget, which says the same as text.
    shown = "".join(output.text if output.output_type == "stream" else output.data["text/plain"] for output in cell.outputs)
    assert "observing activations:   0%" in shown


def test_nothing_of_the_machine_is_stored():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 200_000
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.metadata
    for word in ("/home/", "/root/", "/tmp/", "/Users/", "execution\": {", "Traceback"):
        assert word not in text, word
