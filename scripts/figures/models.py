"The figures of the lessons on the AWD-LSTM and on heat maps."
from random import Random

from fastcourse.text.awdlstm import Dropouts

from .pen import COLORS, Drawing, tint


def awdlstm_model():
    d = Drawing(760, 330, "The AWD-LSTM and its five dropouts",
                "From left to right: embedding, three LSTMs, decoder. Words are dropped in the embedding, features "
                "behind it, between the LSTMs and behind the last one, and connections inside each LSTM. Embedding "
                "and decoder share one matrix.")
    p, y, width, gap = Dropouts(), 122, 92, 66
    layers = ["embedding\n400 features", "LSTM\n400 → 1150", "LSTM\n1150 → 1150", "LSTM\n1150 → 400", "decoder"]
    between = [("input", p.input), ("hidden", p.hidden), ("hidden", p.hidden), ("output", p.output)]
    d.heading(18, 32, "Blue computes, orange drops in training; the probabilities are those for Penn Treebank")

    def dropout(middle, top, name, probability, width=62):
        d.box(middle - width / 2, top, width, 40, f"{name}\n{probability:g}", color="orange", size=12, share=0.2)

    for i, words in enumerate(layers):
        x = 18 + i * (width + gap)
        d.box(x, y, width, 64, words, size=13)
        if i < len(between):
            name, probability = between[i]
            d.arrow((x + width + 2, y + 32), (x + width + gap - 2, y + 32), color="green")
            dropout(x + width + gap / 2, 58, name, probability)
            d.line((x + width + gap / 2, 99), (x + width + gap / 2, y + 30), color="orange", dashed=True)
        if 1 <= i <= 3:
            middle = x + width / 2
            d.arrow((middle + 22, y + 66), (middle + 22, y + 92), (middle - 22, y + 92), (middle - 22, y + 66),
                    color="navy")
            dropout(middle, y + 98, "W_hh", p.weight)
    dropout(18 + width / 2, 58, "words", p.embedding)
    d.line((18 + width / 2, 99), (18 + width / 2, y - 2), color="orange", dashed=True)
    last = 18 + 4 * (width + gap) + width / 2
    d.line((18 + width / 2, y + 66), (18 + width / 2, 286), (last, 286), (last, y + 66), color="blue", dashed=True)
    d.note(380, 304, "embedding and decoder share one matrix", color="blue")
    return d


def grid_of(d, x, y, size, values, high):
    "Little squares; the larger a value, the stronger its colour, blue for positive and orange for negative ones."
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            fill = tint("blue" if value >= 0 else "orange", min(1, abs(value) / high) * 0.85)
            d.add("rect", x=x + size * column, y=y + size * row, width=size, height=size, fill=fill,
                  stroke=COLORS["faint"], stroke_width=1)


def mean(values):
    return sum(map(sum, values)) / sum(map(len, values))


def activation_map():
    d = Drawing(760, 430, "A score in two orders",
                "Three channels of four by four places. Above, what the net does: each channel is averaged, and the "
                "three means are weighted and added up to the score. Below, the same in another order: the channels "
                "are weighted and added up at each place, which gives a map, and the mean of the map is the score.")
    draw, n, weights, size = Random(4), 4, (1.0, -1.0, 0.75), 17
    channels = [[[draw.choice((0, 0, 0.2, 0.4, 1.0)) * (1 + (k != 1) * (row in (1, 2)) * (column > 1))
                  for column in range(n)] for row in range(n)] for k in range(3)]
    means = [mean(channel) for channel in channels]
    heat = [[sum(w * channel[row][column] for w, channel in zip(weights, channels)) for column in range(n)]
            for row in range(n)]
    score = sum(w * m for w, m in zip(weights, means))
    assert abs(mean(heat) - score) < 1e-9
    for top, title in ((56, "What the net does: first the mean, then the weights"),
                       (262, "The same, the other way round: first the weights, then the mean")):
        d.heading(26, top - 26, title)
        for k, channel in enumerate(channels):
            grid_of(d, 40 + 110 * k, top + 6, size, channel, 2)
            d.note(40 + 110 * k + n * size / 2, top + 86, f"channel {k + 1}", size=12)
    for k, (m, w) in enumerate(zip(means, weights)):
        x = 40 + 110 * k + n * size / 2
        d.arrow((x, 152), (x, 168))
        d.text(x, 182, f"mean {m:.2f}", size=12.5, color="blue")
        d.text(x, 202, f"· {w:g}".replace("-", "−"), size=13)
    d.arrow((346, 192), (560, 192))
    d.note(450, 180, "add up")
    d.text(622, 192, f"score {score:.2f}", size=16, weight="bold")
    for k, w in enumerate(weights):
        d.text(40 + 110 * k + n * size / 2, 368, f"· {w:g}".replace("-", "−"), size=13)
    d.arrow((346, 302), (428, 302))
    d.note(386, 290, "add up")
    grid_of(d, 440, 268, size, heat, 3)
    d.text(474, 354, "the map", size=13, color="blue", weight="bold")
    d.arrow((520, 302), (560, 302))
    d.note(540, 290, "mean")
    d.text(622, 302, f"score {mean(heat):.2f}", size=16, weight="bold")
    d.note(26, 404, "Blue is positive, orange negative; strong colours are large numbers. The map tells where the "
           "score comes from.", anchor="start")
    return d


FIGURES = {f.__name__: f for f in (awdlstm_model, activation_map)}
