"""The course's drawings in one visual language: boxes, arrows, circles and words on a rounded sheet of paper.

The colours are those of `fastcourse.plots`. Blue is what computes, green is data, orange is what flows from step to
step, grey is what is said about them. A figure brings its own paper with it, so it can be read on a dark page, too.
"""
from math import hypot
from xml.etree import ElementTree

from fastcourse.plots import theme_colors

THEME = theme_colors("light")
COLORS = dict(zip(["blue", "orange", "green", "pink", "brown", "navy"], THEME["lines"]),
              **{name: THEME[name] for name in ("paper", "ink", "muted", "faint")})
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def tint(color, share=0.14):
    "A colour of the palette as a pale wash: `share` of it, the rest white."
    parts = [int(COLORS[color][i:i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - share * (255 - part)):02x}" for part in parts)


def number(value):
    "A coordinate in as few digits as a screen can show: the same on every machine."
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


class Drawing:
    "An svg in the making. Every method draws one thing; coordinates are pixels from the top left."
    def __init__(self, width, height, title, description):
        self.root = ElementTree.Element("svg", {
            "xmlns": "http://www.w3.org/2000/svg", "width": str(width), "height": str(height),
            "viewBox": f"0 0 {width} {height}", "role": "img", "aria-labelledby": "title description",
            "font-family": FONT})
        ElementTree.SubElement(self.root, "title", id="title").text = title
        ElementTree.SubElement(self.root, "desc", id="description").text = description
        self.add("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10,
                 fill=COLORS["paper"], stroke=COLORS["faint"])

    def add(self, tag, **attributes):
        "An element; an underscore in a name becomes a hyphen, a number is rounded."
        values = {name.replace("_", "-"): number(value) if isinstance(value, (int, float)) else value
                  for name, value in attributes.items() if value is not None}
        return ElementTree.SubElement(self.root, tag, values)

    def text(self, x, y, words, size=14, color="ink", anchor="middle", weight=None, style=None):
        "Words whose middle is at the height y; a line break begins a new line."
        lines = words.split("\n")
        for i, line in enumerate(lines):
            middle = y + (i - (len(lines) - 1) / 2) * size * 1.3
            self.add("text", x=x, y=middle + size * 0.35, font_size=size, fill=COLORS[color], text_anchor=anchor,
                     font_weight=weight, font_style=style).text = line

    def heading(self, x, y, words, color="ink", anchor="start", size=15):
        self.text(x, y, words, size=size, color=color, anchor=anchor, weight="bold")

    def note(self, x, y, words, color="muted", anchor="middle", size=12.5):
        self.text(x, y, words, size=size, color=color, anchor=anchor)

    def box(self, x, y, width, height, words="", color="blue", size=14, dashed=False, share=0.14, radius=6, ink="ink"):
        "A rounded box with words in its middle."
        self.add("rect", x=x, y=y, width=width, height=height, rx=radius, fill=tint(color, share),
                 stroke=COLORS[color], stroke_width=1.5, stroke_dasharray="5 4" if dashed else None)
        if words:
            self.text(x + width / 2, y + height / 2, words, size=size, color=ink)

    def frame(self, x, y, width, height, color="muted", dashed=False, fill="none"):
        "An outline that holds other things."
        self.add("rect", x=x, y=y, width=width, height=height, rx=8, fill=fill, stroke=COLORS[color], stroke_width=1.2,
                 stroke_dasharray="5 4" if dashed else None)

    def sign(self, x, y, words, color="ink", radius=13, fill="paper"):
        "A circle with the sign of an operation."
        self.add("circle", cx=x, cy=y, r=radius, fill=COLORS[fill], stroke=COLORS[color], stroke_width=1.5)
        self.text(x, y, words, size=radius * 1.25, color=color)

    def line(self, *points, color="ink", dashed=False, width=1.6, radius=8):
        "A line through the points, with rounded corners."
        start, end = points[0], points[-1]
        path = [f"M{number(start[0])} {number(start[1])}"]
        for before, corner, after in zip(points, points[1:], points[2:]):
            first, second = towards(corner, before, radius), towards(corner, after, radius)
            path.append(f"L{number(first[0])} {number(first[1])}"
                        f"Q{number(corner[0])} {number(corner[1])} {number(second[0])} {number(second[1])}")
        path.append(f"L{number(end[0])} {number(end[1])}")
        self.add("path", d="".join(path), fill="none", stroke=COLORS[color], stroke_width=width,
                 stroke_dasharray="5 4" if dashed else None, stroke_linecap="round" if not dashed else None)

    def arrow(self, *points, color="ink", dashed=False, width=1.6, radius=8, head=8):
        "A line through the points that ends in an arrow's head."
        tip, before = points[-1], points[-2]
        neck = towards(tip, before, head)
        self.line(*points[:-1], neck, color=color, dashed=dashed, width=width, radius=radius)
        across = ((neck[1] - tip[1]) * 0.45, (tip[0] - neck[0]) * 0.45)
        corners = [tip, (neck[0] + across[0], neck[1] + across[1]), (neck[0] - across[0], neck[1] - across[1])]
        self.add("polygon", points=" ".join(f"{number(x)},{number(y)}" for x, y in corners), fill=COLORS[color])

    def cell(self, x, y, size, words="", color="blue", share=0.14):
        "A little square with a letter: one number of a tensor."
        self.add("rect", x=x, y=y, width=size, height=size, fill=tint(color, share), stroke=COLORS[color],
                 stroke_width=1)
        self.text(x + size / 2, y + size / 2, words, size=13)

    def cells(self, corners, size, color="blue", crossed=False, share=0.22):
        "Little squares at these corners; crossed out, they are zero."
        squares = "".join(f"M{number(x)} {number(y)}h{size}v{size}h-{size}z" for x, y in corners)
        self.add("path", d=squares, fill=COLORS["paper"] if crossed else tint(color, share),
                 stroke=COLORS["muted" if crossed else color], stroke_width=1)
        if crossed:
            inset, inside = size * 0.28, number(size * 0.44)
            crosses = (f"M{number(x + inset)} {number(y + inset)}l{inside} {inside}m0 -{inside}l-{inside} {inside}"
                       for x, y in corners)
            self.add("path", d="".join(crosses), fill="none", stroke=COLORS["muted"], stroke_width=1.2)

    def svg(self):
        "The text of the file."
        ElementTree.indent(self.root, space=" ")
        return ElementTree.tostring(self.root, encoding="unicode") + "\n"


def towards(start, end, distance):
    "The point at a distance from `start` on the way to `end`, and no further than half of the way."
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx, dy)
    share = min(distance, length / 2) / length if length else 0
    return start[0] + dx * share, start[1] + dy * share
