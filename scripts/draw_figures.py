"""Draw the figures of images/: `python scripts/draw_figures.py [folder]`, or `make figures`.

Each is a function in scripts/figures that draws with `figures.pen`, and the same on every machine.
"""
import sys
from pathlib import Path

from figures import models, recurrent, sums, training, transfer, vision

ROOT = Path(__file__).resolve().parent.parent
MODULES = (models, recurrent, sums, training, transfer, vision)
FIGURES = {name: draw for module in MODULES for name, draw in module.FIGURES.items()}


def draw_all(folder):
    "Write every figure into a folder; those that are right already are left alone."
    for name, draw in FIGURES.items():
        path, svg = folder / f"{name}.svg", draw().svg()
        if not path.exists() or path.read_text(encoding="utf8") != svg:
            path.write_text(svg, encoding="utf8", newline="\n")
            print(f"drawn {path.name}")


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "images")
