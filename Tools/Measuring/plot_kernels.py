"""Draw what `spikelet kernels --measure --json` found: the cost of a 3×3 layer against the density of its spikes.

    spikelet kernels --measure --json kernels.json
    python Tools/Measuring/plot_kernels.py kernels.json kernels.svg

One panel for each layer; lines are lists and synapses together, a step, in float32 and int8. Needs nothing but Python.
"""

import argparse
import json
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP = 230, 190, 46, 34
COLOURS = {"float32": "#c2571a", "int8": "#2166ac"}


def panel(layer: str, rows: list[dict], steps: int, number: int) -> str:
    """A plot with straight axes from zero."""
    points = {
        name: [(r["density"], (r["listMicroseconds"] + r["stageMicroseconds"]) / steps) for r in rows if r["precision"] == name]
        for name in COLOURS
    }
    most = max(y for line in points.values() for _, y in line)
    right = max(x for line in points.values() for x, _ in line)
    left = LEFT + number * (WIDTH + LEFT)

    def place(x: float, y: float) -> str:
        return f"{left + x / right * WIDTH:.1f},{TOP + HEIGHT - y / most * HEIGHT:.1f}"

    parts = [f'<text x="{left}" y="{TOP - 12}" class="title">{escape(layer)}</text>']
    for share in (0, 0.5, 1):
        y = TOP + HEIGHT * (1 - share)
        parts.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="{left - 5}" y="{y + 4}" class="end">{most * share:.0f}</text>')
        parts.append(f'<text x="{left + WIDTH * share}" y="{TOP + HEIGHT + 16}" class="middle">{100 * right * share:.0f} %</text>')
    for name, line in points.items():
        parts.append(f'<polyline points="{" ".join(place(*p) for p in line)}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("svg", type=Path)
    arguments = parser.parse_args()
    found = json.loads(arguments.measured.read_text())
    layers = list(dict.fromkeys(row["layer"] for row in found["rows"]))
    panels = [
        panel(layer, [row for row in found["rows"] if row["layer"] == layer], found["steps"], number) for number, layer in enumerate(layers)
    ]
    width, height = len(layers) * (WIDTH + LEFT) + 20, TOP + HEIGHT + 62
    key = "".join(
        f'<text x="{LEFT + 90 * i}" y="{height - 10}" style="fill:{colour}" class="key">{name}</text>' for i, (name, colour) in enumerate(COLOURS.items())
    )
    title = f"Microseconds a step against the density of spikes, {found['instructionSet']}"
    style = (
        "text{font:12px sans-serif;fill:#555}.title{font-weight:bold}.end{text-anchor:end}.middle{text-anchor:middle}"
        ".key{font-weight:bold}.grid{stroke:#ccc}"
    )
    arguments.svg.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">\n'
        f'<style>{style}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(panels)
        + f'\n{key}\n<text x="{LEFT + 190}" y="{height - 10}">{title}</text>\n</svg>\n'
    )


if __name__ == "__main__":
    main()
