"The figures of the lessons on residual networks."
from .pen import Drawing


def column(d, middle, top, layers, width=150, height=30, gap=18, first=True):
    "Boxes below each other with arrows between them; returns the y of the last one's lower edge."
    for i, layer in enumerate(layers):
        words, color = layer if isinstance(layer, tuple) else (layer, "blue")
        y = top + i * (height + gap)
        if i or first:
            d.arrow((middle, y - gap + 1), (middle, y - 1), head=7)
        d.box(middle - width / 2, y, width, height, words, color=color, size=13.5)
    return top + len(layers) * (height + gap) - gap


def residual_block():
    d = Drawing(760, 464, "A plain block and a residual block",
                "Left, two convolutions in a row: y is f of x. Right, the same two convolutions with a way around "
                "them: y is x plus f of x, and the last ReLU comes behind the sum. On the way back the gradient of "
                "the sum goes to f and, unchanged, along the way around.")
    half = [("convolution 3 × 3", "blue"), ("BatchNorm", "blue"), ("ReLU", "muted")]
    d.heading(26, 32, "Plain: y = f(x)")
    d.heading(268, 32, "Residual: y = x + f(x)")
    for middle in (120, 376):
        d.text(middle, 62, "x", size=18, style="italic", color="green")
        column(d, middle, 90, half + half[:2])
    d.arrow((120, 313), (120, 372), head=7)
    d.box(45, 374, 150, 30, "ReLU", color="muted", size=13.5)
    d.arrow((120, 405), (120, 426), head=7)
    d.text(120, 441, "y", size=18, style="italic", color="green")
    d.arrow((376, 313), (376, 327), head=7)
    d.sign(376, 342, "+")
    d.arrow((376, 356), (376, 373), head=7)
    d.box(301, 374, 150, 30, "ReLU", color="muted", size=13.5)
    d.arrow((376, 405), (376, 426), head=7)
    d.text(376, 441, "y", size=18, style="italic", color="green")
    d.line((376, 80), (540, 80), (540, 176), color="orange", width=2.4, radius=12)
    d.box(480, 178, 120, 52, "convolution 1 × 1\nBatchNorm", color="orange", size=12.5, dashed=True, share=0.08)
    d.arrow((540, 232), (540, 342), (391, 342), color="orange", width=2.4, radius=12, head=9)
    d.text(272, 200, "f", size=20, style="italic")
    d.line((290, 92), (284, 92), (284, 311), (290, 311), color="muted", radius=3)
    d.text(616, 92, "The way around", size=14, color="orange", anchor="start", weight="bold")
    d.text(616, 134, "hands x on as it is. So\nf learns only what to\nadd to it.", size=13, anchor="start")
    d.text(616, 204, "Dashed: only where\nsizes change.", size=13, anchor="start")
    d.text(616, 290, "On the way back the\ngradient of the sum\ncomes through here\nunchanged, however\n"
                     "small or wild the\ngradient of f is.", size=13, anchor="start")
    return d


def resnet_tweaks():
    d = Drawing(760, 450, "Three tweaks of the residual net: B, C and D",
                "Each panel shows the way of 2015 and the way of today. B: in a bottleneck that halves the picture, "
                "the stride of 2 moves from the first 1 by 1 convolution to the 3 by 3 one. C: in the stem, one 7 by 7 "
                "convolution becomes three of 3 by 3. D: the shortcut first averages 2 by 2 pixels, then takes a 1 by "
                "1 convolution without a stride.")
    for x in (256, 504):
        d.line((x, 26), (x, 424), color="faint")
    panels = [
        (24, "B: the stride moves", "inside a bottleneck",
         [("1 × 1, stride 2", "pink"), "3 × 3", "1 × 1"], ["1 × 1", ("3 × 3, stride 2", "orange"), "1 × 1"],
         "A 1 × 1 with stride 2 skips\nthree of four pixels; the\nkernels of a 3 × 3 overlap."),
        (272, "C: the stem", "the first layers of the net",
         [("7 × 7, stride 2", "pink")], [("3 × 3, stride 2", "orange"), ("3 × 3", "orange"), ("3 × 3", "orange")],
         "Three small kernels see more\nthan the large one, and bend\nwhat they see three times."),
        (520, "D: the shortcut", "the way around, where sizes change",
         [("1 × 1, stride 2", "pink")], [("mean of 2 × 2", "orange"), ("1 × 1", "orange")],
         "The average has looked at\nall pixels before three of\nfour are given up."),
    ]
    for x, title, where, old, new, why in panels:
        d.heading(x, 36, title)
        d.note(x, 58, where, anchor="start")
        for middle, layers, year in ((x + 52, old, "2015"), (x + 164, new, "now")):
            d.text(middle, 92, year, size=14, weight="bold", color="muted" if year == "2015" else "orange")
            d.arrow((middle, 106), (middle, 129), head=7)
            bottom = column(d, middle, 130, layers, width=104, height=36, gap=26, first=False)
            d.arrow((middle, bottom + 1), (middle, bottom + 24), head=7)
        d.text(x, 388, why, size=13, anchor="start")
    return d


def bottleneck():
    wide, narrow = [(256, 9, 256)] * 2, [(256, 1, 64), (64, 9, 64), (64, 1, 256)]
    costs = [sum(a * places * b for a, places, b in layers) for layers in (wide, narrow)]
    d = Drawing(760, 400, "A wide block and a bottleneck",
                f"Bars whose width is the number of channels. Left, two 3 by 3 convolutions on 256 channels, with "
                f"{costs[0]:,} weights. Right, the bottleneck: a 1 by 1 convolution down to 64 channels, a 3 by 3 "
                f"there, a 1 by 1 up to 256, with {costs[1]:,} weights.")
    panels = [(26, "Two convolutions on 256 channels", wide), (394, "A bottleneck: down, work, up", narrow)]
    for (x, title, layers), cost in zip(panels, costs):
        d.heading(x, 34, title)
        middle, top, step = x + 135, 62, 246 / len(layers)
        channels = [layers[0][0], *(out for _, _, out in layers)]
        for i, count in enumerate(channels):
            y, width = top + step * i, 240 * count / 256
            d.box(middle - width / 2, y, width, 22, f"{count}" if count < 100 else f"{count} channels", color="green",
                  share=0.2, size=13)
        for i, (before, places, after) in enumerate(layers):
            y, a, b = top + step * i + 22, 240 * before / 256, 240 * after / 256
            corners = [(middle - a / 2, y + 3), (middle + a / 2, y + 3), (middle + b / 2, y + step - 25),
                       (middle - b / 2, y + step - 25)]
            d.add("polygon", points=" ".join(f"{px:.1f},{py:.1f}" for px, py in corners), fill="#dcecf5")
            kernel = "3 × 3" if places == 9 else "1 × 1"
            d.text(middle, (2 * y + step - 22) / 2, kernel, size=14, color="blue", weight="bold")
            d.note(middle + 132, (2 * y + step - 22) / 2, f"{before * places * after:,}", anchor="start", color="ink")
        d.note(middle + 132, top + 12, "weights", anchor="start")
        d.text(x, 366, f"{cost:,} weights, as many multiplications a pixel", size=13, anchor="start")
    d.line((378, 26), (378, 376), color="faint")
    return d


FIGURES = {f.__name__: f for f in (residual_block, resnet_tweaks, bottleneck)}
