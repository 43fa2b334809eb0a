"The figures of the lessons on recurrent networks and their texts."
from random import Random

from .pen import Drawing


def unrolled_network():
    d = Drawing(760, 316, "A recurrent network, and the same network unrolled",
                "Left, a cell whose state h comes back to it. Right, the same cell four times in a row: it reads "
                "three, thousand, nine, hundred, hands its state on, and says which word comes next. Gradients come "
                "back along the states, until detach cuts them off between the second and the third step.")
    d.heading(26, 30, "The loop")
    d.box(70, 120, 84, 54, "cell", size=15)
    d.arrow((112, 246), (112, 176), color="green")
    d.arrow((112, 118), (112, 76), color="green")
    d.text(112, 262, "a word", color="green")
    d.text(112, 62, "scores for the next one", size=13, color="green")
    d.arrow((154, 132), (190, 132), (190, 162), (156, 162), color="orange", radius=12)
    d.text(204, 147, "h", color="orange", size=16, style="italic")
    d.line((226, 20), (226, 296), color="faint")
    d.heading(246, 30, "The same, unrolled: one set of weights, used at every step")
    words = ["three", "thousand", "nine", "hundred", "ninety"]
    for i, (word, following) in enumerate(zip(words, words[1:])):
        x = 290 + 116 * i
        d.box(x, 120, 72, 54, "cell", size=15)
        d.arrow((x + 36, 246), (x + 36, 176), color="green")
        d.arrow((x + 36, 118), (x + 36, 76), color="green")
        d.text(x + 36, 262, word, color="green")
        d.text(x + 36, 62, following, color="green")
        d.arrow((x - 44 if i else 256, 136), (x - 2, 136), color="orange")
        d.text(x - 22 if i else 264, 121, f"h{'₀₁₂₃'[i]}", color="orange", style="italic")
    d.arrow((710, 136), (744, 136), color="orange")
    d.text(728, 121, "h₄", color="orange", style="italic")
    for start, end in ((404, 364), (636, 596)):
        d.arrow((start, 160), (end, 160), color="muted", dashed=True)
    d.line((500, 130), (500, 204), color="ink", dashed=True, width=2)
    d.arrow((520, 160), (503, 160), color="muted", dashed=True)
    d.text(500, 218, "detach", size=13, weight="bold")
    d.note(246, 292, "Solid orange: the state goes on. Dashed grey: the gradient comes back, as far as the cut.",
           anchor="start")
    return d


def lstm_cell():
    d = Drawing(760, 430, "An LSTM cell",
                "The memory c runs along the top. The forget gate f multiplies it, the product of input gate i and "
                "candidate g is added to it, and c prime leaves. Its tanh, multiplied by the output gate o, is the "
                "output h prime. All four gates look at the input x and the old output h.")
    d.frame(96, 56, 568, 300, fill="#fbfbfb")
    d.heading(112, 36, "c′ = f · c + i · g", size=16)
    d.heading(300, 36, "h′ = o · tanh(c′)", size=16)
    top, gates, bottom = 100, 246, 322
    d.line((30, top), (197, top), color="orange", width=3)
    d.line((223, top), (357, top), color="orange", width=3)
    d.arrow((383, top), (732, top), color="orange", width=3, head=11)
    d.text(50, top - 20, "c", color="orange", size=18, style="italic")
    d.text(714, top - 20, "c′", color="orange", size=18, style="italic")
    d.sign(210, top, "×")
    d.sign(370, top, "+")
    d.sign(370, 178, "×")
    d.sign(560, 265, "×")
    columns = [(210, "σ", "keep"), (310, "σ", "take in"), (400, "tanh", "news"), (490, "σ", "show")]
    for x, curve, meaning in columns:
        d.box(x - 32, gates, 64, 38, curve, size=15)
        d.arrow((x, bottom), (x, gates + 40), color="green")
        d.note(x, bottom + 18, meaning)
    d.arrow((210, gates - 2), (210, top + 15))
    d.text(198, 178, "f", size=17, style="italic", anchor="end")
    d.arrow((310, gates - 2), (310, 178), (355, 178))
    d.text(298, 196, "i", size=17, style="italic", anchor="end")
    d.arrow((400, gates - 2), (400, 216), (370, 216), (370, 193))
    d.text(412, 216, "g", size=17, style="italic", anchor="start")
    d.arrow((370, 163), (370, top + 15))
    d.arrow((522, gates + 19), (545, gates + 19))
    d.text(534, gates + 2, "o", size=17, style="italic")
    d.arrow((560, top), (560, 150), color="orange")
    d.box(528, 152, 64, 34, "tanh", color="muted", size=15)
    d.arrow((560, 188), (560, 250), color="orange")
    d.arrow((575, 265), (732, 265), color="orange", width=2.2, head=10)
    d.text(714, 245, "h′", color="orange", size=18, style="italic")
    d.line((30, bottom), (490, bottom), color="green")
    d.text(50, bottom - 18, "h, x", color="green", size=18, style="italic")
    d.note(56, bottom + 34, "old output\nand input,\njoined", color="green")
    d.box(112, 382, 26, 20)
    d.note(146, 392, "a layer with weights", anchor="start")
    d.sign(306, 392, "×", radius=10)
    d.note(324, 392, "unit by unit, no weights", anchor="start")
    d.line((492, 392), (522, 392), color="orange", width=3)
    d.note(530, 392, "what goes to the next step", anchor="start")
    return d


def bptt_batches():
    d = Drawing(760, 472, "A stream in rows and batches",
                "The letters a to z are cut into three rows of eight letters, which are read side by side. The first "
                "batch takes five columns of all rows, the second the other three. The targets are the same letters, "
                "moved on by one. From batch to batch the state is kept, and the gradient is cut off. The letter z "
                "is left over.")
    letters = "abcdefghijklmnopqrstuvwxyz"
    colors, size, columns = ("blue", "orange", "green"), 26, 8
    d.heading(26, 30, "One stream …")
    for i, letter in enumerate(letters):
        row = i // columns
        d.cell(42 + size * i, 50, size, letter, colors[row] if row < 3 else "muted", share=0.2 if row < 3 else 0)
    d.note(42 + size * 26, 92, "y: answer only, z: left over", anchor="end", size=12)
    d.heading(26, 124, "… cut into three rows, and read side by side")
    starts = [90, 90 + 5 * size + 70]
    parts = [(0, 5), (5, 8)]
    for n, (left, (first, last)) in enumerate(zip(starts, parts)):
        width = size * (last - first)
        d.text(left + width / 2, 156, f"batch {n + 1}", weight="bold")
        for shift, y in ((0, 176), (1, 310)):
            for row in range(3):
                for column in range(first, last):
                    place = row * columns + column + shift
                    color = colors[min(place // columns, 2)] if place < 24 else "muted"
                    d.cell(left + size * (column - first), y + size * row, size, letters[place], color,
                           share=0.2 if place < 24 else 0)
        d.arrow((left + width / 2, 262), (left + width / 2, 302))
        d.note(left + width / 2 + 10, 282, "predict", anchor="start")
    for row in range(3):
        y = 176 + size * (row + 0.5)
        d.arrow((starts[0] + 5 * size + 6, y), (starts[1] - 6, y), color="orange", width=2)
    middle = starts[0] + 5 * size + 35
    d.line((middle, 164), (middle, 398), dashed=True, width=2)
    d.text(58, 215, "x", size=18, style="italic")
    d.text(58, 349, "y", size=18, style="italic")
    x = 424
    d.heading(x, 176, "x: what is read", color="blue", size=14)
    d.text(x, 210, "A row goes on where it ended, batch by batch,\nso the state is kept (orange arrows).", size=13,
           anchor="start")
    d.text(x, 258, "The gradient stops at the dashed line: the\nstate is handed on without its history.", size=13,
           anchor="start")
    d.heading(x, 312, "y: the next token", color="blue", size=14)
    d.text(x, 346, "The same rows, moved on by one. The answer\nto h is i, though i begins the next row.", size=13,
           anchor="start")
    d.note(26, 434, "26 letters, so 25 questions; three equal rows of 8 columns hold 24 of them. The colour of a "
           "letter says which\nrow of x it belongs to: at the end of a row of y stands the first letter of the next "
           "row.", anchor="start")
    return d


def grid(d, x, y, size, dropped, rows, columns, color="blue"):
    "Cells, crossed out where `dropped(row, column)` says so."
    places = [(row, column) for row in range(rows) for column in range(columns)]
    for crossed in (False, True):
        chosen = [(row, column) for row, column in places if bool(dropped(row, column)) == crossed]
        d.cells([(x + size * column, y + size * row) for row, column in chosen], size, color, crossed)


def dropout_masks():
    d = Drawing(760, 446, "Four kinds of dropout masks",
                "Two sentences of five words, six features each. Plain dropout crosses out numbers at random. RNN "
                "dropout crosses out the same features for all words of a sentence, and others in the next sentence. "
                "Weight dropout crosses out single connections of the matrix from state to state, one mask for the "
                "whole batch. Embedding dropout crosses out whole words, at every place where they stand.")
    sentences = ["the graph has the edge".split(), "each path of the graph".split()]
    size, features, draw = 19, 6, Random(1)
    numbers = {(i, row, column) for i in range(2) for row in range(5) for column in range(features)
               if draw.random() < 0.4}
    columns = {(0, 1), (0, 4), (1, 0), (1, 3), (1, 4)}
    masks = [(26, 32, "Plain dropout", "each number for itself", lambda i, row, column: (i, row, column) in numbers),
             (400, 32, "RNN dropout", "a feature, for all words of a sentence",
              lambda i, row, column: (i, column) in columns),
             (400, 236, "Embedding dropout", "a word, wherever it stands",
              lambda i, row, column: sentences[i][row] == "the")]
    for x, y, title, what, dropped in masks:
        d.heading(x, y, title, color="blue")
        d.note(x, y + 21, what, anchor="start")
        for i, words in enumerate(sentences):
            left, top = x + 52 + 166 * i, y + 42
            for row, word in enumerate(words):
                d.text(left - 8, top + size * (row + 0.5), word, size=13, anchor="end")
            grid(d, left, top, size, lambda row, column, i=i, dropped=dropped: dropped(i, row, column), 5, features)
            d.note(left + size * features / 2, top + size * 5 + 14, "features →", size=12)
    d.line((26, 206), (734, 206), color="faint")
    d.line((382, 24), (382, 388), color="faint")
    d.heading(26, 236, "Weight dropout", color="blue")
    d.note(26, 257, "connections from state to state", anchor="start")
    cut = {(row, column) for row in range(6) for column in range(6) if draw.random() < 0.4}
    grid(d, 90, 276, size, lambda row, column: (row, column) in cut, 6, 6, color="orange")
    d.text(80, 276 + 3 * size, "W_hh", size=14, anchor="end", style="italic")
    d.text(222, 276 + 3 * size, "one mask for\nall words and\nall sentences\nof a batch", size=13, anchor="start")
    for x, crossed, words in ((26, False, "kept, and multiplied by 1 / (1 − p)"), (270, True, "zero")):
        d.cells([(x, 412)], 16, "blue", crossed)
        d.note(x + 24, 420, words, anchor="start")
    return d


FIGURES = {f.__name__: f for f in (unrolled_network, lstm_cell, bptt_batches, dropout_masks)}
