"""Makes Documentation/Python.md of the package's docstrings, as `make reference` calls it: python Python/reference.py"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import spikelet

PAGE = Path(__file__).resolve().parents[1] / "Documentation" / "Python.md"

WIDTH = 140

PARTS = {
    "Convert and load": ["convert", "load", "load_model", "from_torch"],
    "Spiking networks": ["SpikingNetwork", "Layer", "Explorer"],
    "Data": ["Files"],
    "Results": ["Result", "Comparison", "compare", "Record"],
    "Networks as they are read": ["Graph", "Port"],
    "Under SpikingJelly's names": ["Converter", "VoltageHook", "VoltageScaler", "functional.reset_net", "download_url"],
    "Errors and warnings": ["SpikeletError", "SpikeletWarning"],
    "Settings": ["set_threads", "set_progress", "library_version"],
}
# How an object is named where it is called itself.
CALLS = {"SpikingNetwork": "snn", "Converter": "converter", "VoltageHook": "hook", "VoltageScaler": "scaler"}
OPENING = """\
# Python, name by name

Made of the package's docstrings by `make reference`; edit those instead. What it is for, and how it is installed: [Spikelet for
Python](../Python/README.md); a whole way through it: [a notebook](Notebook.ipynb).

Names are those of `import spikelet`. `ann2snn` and `functional` are its modules for scripts of SpikingJelly ([coming from
SpikingJelly](FromSpikingJelly.md)). Errors are `SpikeletError` with the code that is named here. A type that says *optional* may be left out; N are
samples, T time steps, K digits of a radix code, C channels.
"""


def sections(text: str) -> dict[str, list[str]]:
    """A docstring's lines by the title of their section; those before the first under an empty one."""
    found: dict[str, list[str]] = {"": []}
    title = ""
    lines = inspect.cleandoc(text).splitlines()
    for line, following in zip(lines, [*lines[1:], ""]):
        if line and following and set(following) == {"-"}:
            title = line
            found[title] = []
        elif not (line and set(line) == {"-"}):
            found[title].append(line)
    return found


def items(lines: list[str]) -> list[tuple[str, str, str]]:
    """Names, types and descriptions of a section."""
    found: list[list[str]] = []
    for line in lines:
        if line and not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            found.append([name, kind, ""])
        elif found:
            found[-1][2] += " " + line.strip()
    return [(name, kind, text.strip()) for name, kind, text in found]


def anchor(title: str) -> str:
    return "#" + re.sub(r"[^\w-]", "", title.lower())


def markdown(text: str, owner: str = "") -> str:
    """A docstring's text with its roles as links, and its code as Markdown has it."""

    def link(match: re.Match[str]) -> str:
        name = match[2].removeprefix("spikelet.")
        if match[1] in ("meth", "attr") and "." not in name:
            name = f"{owner}.{name}"
        # Properties, and methods that need no more than a line, have no heading.
        heading = name if name in TITLES else name.partition(".")[0]
        return f"[`{name}`]({anchor(heading)})"

    text = re.sub(r":(func|meth|attr|class):`([^`]+)`", link, text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def paragraphs(lines: list[str], owner: str) -> str:
    blocks = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(textwrap.fill(markdown(" ".join(b.split()), owner), WIDTH, break_long_words=False, break_on_hyphens=False) for b in blocks)


def written(value: Any) -> str:
    """A default as it stands in a program."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def signature(call: str, function: Any) -> str:
    """How it is called, without types, which the table has."""
    parameters, is_keyword = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind == parameter.KEYWORD_ONLY and not is_keyword:
            is_keyword = True
            parameters.append("*")
        is_keyword = is_keyword or parameter.kind == parameter.VAR_POSITIONAL
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={written(parameter.default)}"
        parameters.append(f"{star}{parameter.name}{default}")
    line = f"{call}({', '.join(parameters)})"
    return line if len(line) <= WIDTH else f"{call}(\n" + textwrap.fill(", ".join(parameters), WIDTH, initial_indent="    ", subsequent_indent="    ") + "\n)"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")


def described(doc: str, owner: str, function: Any = None) -> list[str]:
    """What a docstring says: its text, its tables, its examples."""
    found = sections(doc)
    parts = [paragraphs(found[""], owner)]
    defaults = {} if function is None else {p.name: p.default for p in inspect.signature(function).parameters.values()}
    for title, head in (("Parameters", ["argument", "type; default", "what it is"]), ("Attributes", ["attribute", "type", "what it is"])):
        rows = []
        for names, kind, text in items(found.get(title, [])):
            default = defaults.get(names) if title == "Parameters" else None
            if default is not None and default is not inspect.Parameter.empty:
                kind = f"{kind}; `{written(default)}`"
            rows.append([", ".join(f"`{name}`" for name in names.split(", ")), markdown(kind, owner), markdown(text, owner)])
        if rows:
            parts.append(table(head, rows))
    said = []
    for title in ("Returns", "Raises"):
        for kind, _, text in items(found.get(title, [])):
            kind = f"[`{kind}`]({anchor(kind)})" if kind in TITLES else kind if " " in kind or title == "Returns" else f"`{kind}`"
            said.append(f"- **{title}** {kind}: {markdown(text, owner)}" if text else f"- **{title}** {kind}")
    if said:
        parts.append("\n".join(said))
    if "Notes" in found:
        parts.append(paragraphs(found["Notes"], owner))
    if "Examples" in found:
        examples = "\n".join(found["Examples"]).strip()
        # Prose between examples stays between them.
        for block in examples.split("\n\n"):
            is_code = block.startswith(">>>")
            parts.append(f"<!-- not run: Python/tests/test_examples.py runs it -->\n```python\n{block}\n```" if is_code else markdown(block, owner))
    return parts


def members(name: str, kind: type) -> list[tuple[str, str, Any]]:
    """The public members of a class: their names, their docstrings, and the functions of methods."""
    found, seen = [], []
    for member, value in vars(kind).items():
        if member.startswith("_") and member != "__call__":
            continue
        if isinstance(value, (property, functools.cached_property)):
            found.append((member, (value.fget if isinstance(value, property) else value.func).__doc__ or "", None))
        elif isinstance(value, (staticmethod, classmethod)) or inspect.isfunction(value):
            function = getattr(kind, member)
            # `forward` is `__call__` by another name.
            if value not in seen:
                found.append((member, function.__doc__ or "", function))
            seen.append(value)
    return found


def resolved(name: str) -> Any:
    value: Any = spikelet
    for part in name.split("."):
        value = getattr(value, part)
    return value


def has_heading(doc: str) -> bool:
    """Whether a member needs more room than a line of a table."""
    return len(sections(doc)) > 1


def titles() -> set[str]:
    found = {name for names in PARTS.values() for name in names}
    for name in list(found):
        value = resolved(name)
        if inspect.isclass(value):
            found |= {f"{name}.{member}" for member, doc, _ in members(name, value) if has_heading(doc)}
    return found


TITLES = titles()


def entry(name: str) -> list[str]:
    """The part of the page about one public name."""
    value = resolved(name)
    doc = inspect.getdoc(value) or ""
    parts = [f"### {name}"]
    if not inspect.isclass(value):
        return [*parts, f"```text\n{signature(f'spikelet.{name}', value)}\n```", *described(doc, "", value)]
    is_made = "Parameters" in sections(doc)
    if is_made:
        parts.append(f"```text\n{signature(f'spikelet.{name}', value)}\n```")
    bases = [base.__name__ for base in value.__bases__ if base.__name__ in TITLES]
    parts += described(doc, name, value if is_made else None)
    if bases:
        parts.append(f"It has what [`{bases[0]}`]({anchor(bases[0])}) has, too.")
    all_members = members(name, value)
    rows = []
    for member, text, function in all_members:
        title = f"{name}.{member}"
        call = CALLS[name] if member == "__call__" else member
        called = call if function is None else f"{call}(…)" if title in TITLES else signature(call, function)
        first = inspect.cleandoc(text).partition("\n\n")[0].replace("\n", " ")
        rows.append([f"[`{called}`]({anchor(title)})" if title in TITLES else f"`{called}`", markdown(first, name)])
    if rows:
        parts.append(table(["member", "what it is"], rows))
    for member, text, function in all_members:
        title = f"{name}.{member}"
        if title in TITLES:
            parts.append(f"#### `{title}`" if "__" in title else f"#### {title}")
            if function is not None:
                call = CALLS[name] if member == "__call__" else member
                parts.append(f"```text\n{signature(call, function)}\n```")
            parts += described(text, name, function)
    return parts


def page() -> str:
    """The whole page."""
    parts = [OPENING.strip()]
    rows = []
    for names in PARTS.values():
        for name in names:
            first = sections(inspect.getdoc(resolved(name)) or "")[""]
            rows.append([f"[`{name}`]({anchor(name)})", markdown(" ".join("\n".join(first).partition("\n\n")[0].split()))])
    parts.append(table(["name", "what it is"], rows))
    for title, names in PARTS.items():
        parts.append(f"## {title}")
        for name in names:
            parts += entry(name)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
