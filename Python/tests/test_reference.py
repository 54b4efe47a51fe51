"""Documentation/Python.md has every public name, and is what the docstrings say."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import spikelet

PAGE = Path(__file__).resolve().parents[2] / "Documentation" / "Python.md"


@pytest.fixture(scope="module")
def reference():
    path = Path(__file__).resolve().parents[1] / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_docstrings_say(reference):
    assert PAGE.read_text(encoding="utf-8") == reference.page(), "the docstrings have changed: make reference"


def test_every_public_name_is_on_it():
    text = PAGE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^#{3,4} `?([\w.]+)`?$", text, re.MULTILINE))
    names = {name for name in spikelet.__all__ if not inspect.ismodule(getattr(spikelet, name))}
    names |= {f"functional.{name}" for name in vars(spikelet.functional) if inspect.isfunction(getattr(spikelet.functional, name))}
    assert names <= headings
    assert {name for name in spikelet.ann2snn.__all__ if name != "functional"} <= headings


def test_its_links_lead_to_its_headings():
    text = PAGE.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w-]", "", title.lower()) for title in re.findall(r"^#{3,4} (.+)$", text, re.MULTILINE)}
    assert {link for link in re.findall(r"\]\(#([\w-]+)\)", text)} <= anchors


def test_every_argument_has_its_words(reference):
    for name in (name for names in reference.PARTS.values() for name in names):
        value = reference.resolved(name)
        functions = [(name, value, inspect.getdoc(value) or "")]
        if inspect.isclass(value):
            functions = [(f"{name}.{member}", function, doc) for member, doc, function in reference.members(name, value) if function]
        for title, function, doc in functions:
            found = reference.items(reference.sections(doc).get("Parameters", []))
            if not found:
                continue
            said = {argument.lstrip("*") for names, _, text in found for argument in names.split(", ") if text}
            assert said == {parameter for parameter in inspect.signature(function).parameters if parameter != "self"}, title
