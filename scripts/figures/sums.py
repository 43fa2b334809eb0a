"The figures of the lessons on normalization and on several processes: what is summed over what."
from .pen import Drawing


def norm_axes():
    d = Drawing(760, 340, "What BatchNorm and LayerNorm take their mean over",
                "Two grids of six samples by nine features. BatchNorm takes mean and deviation of one feature over "
                "all samples, a column of the grid. LayerNorm takes them of one sample over all features, a row.")
    size, rows, columns = 26, 6, 9
    places = [(row, column) for row in range(rows) for column in range(columns)]
    panels = [(84, "BatchNorm: a feature, over the batch", lambda row, column: column == 3,
               "Others decide what becomes of a sample,\nso eval relies on running values."),
              (462, "LayerNorm: a sample, over its features", lambda row, column: row == 2,
               "A sample needs no company: training\nand eval are the same.")]
    for x, title, chosen, words in panels:
        top = 82
        d.heading(x - 58, 32, title)
        for is_chosen in (False, True):
            corners = [(x + size * column, top + size * row) for row, column in places
                       if chosen(row, column) == is_chosen]
            d.cells(corners, size, "orange" if is_chosen else "blue", share=0.4 if is_chosen else 0.12)
        d.note(x + size * columns / 2, top - 14, "features →")
        d.note(x - 10, top + size / 2, "samples", anchor="end")
        d.note(x - 10, top + size * 1.2, "↓", anchor="end")
        d.text(x - 58, 296, words, size=13, anchor="start")
    d.text(84 + size * 3.5, 82 + size * rows + 20, "one mean, one deviation", size=13, color="orange")
    d.text(462 + size * 4.5, 82 + size * rows + 20, "one mean, one deviation", size=13, color="orange")
    d.line((382, 26), (382, 306), color="faint")
    return d


def ring_reduce():
    d = Drawing(760, 338, "The first half of a ring all-reduce",
                "Four processes stand in a ring, each with four pieces of its gradient. In each of three rounds every "
                "process sends one piece to the next, which adds it to its own. The numbers say how many processes "
                "are in a sum: after three rounds each process holds one piece that is complete.")
    n, size, gap = 4, 34, 44
    counts = [[1] * n for _ in range(n)]  # counts[process][piece]: how many processes are in the sum
    d.heading(26, 32, "Each sends a piece to its neighbour, all at once: three rounds for four processes")
    for k in range(n):
        left, top = 40 + k * (n * size + gap), 96
        d.text(left + n * size / 2, 66, "at the beginning" if k == 0 else f"after round {k}", weight="bold", size=13.5)
        for process in range(n):
            d.note(left + size * (process + 0.5), top - 12, "ABCD"[process], color="ink")
            for piece in range(n):
                count = counts[process][piece]
                d.cell(left + size * process, top + size * piece, size, f"{count}", "orange" if count == n else "blue",
                       share=0.45 if count == n else 0.06 + 0.13 * (count - 1))
        if k == n - 1:
            break
        for process in range(n):  # what is sent in the round that follows
            piece, y = (process - k) % n, top + size * ((process - k) % n + 0.5)
            x = left + size * (process + 0.5)
            if process < n - 1:
                d.arrow((x + 9, y), (x + size - 9, y), color="ink", head=6, width=1.4)
            else:
                d.arrow((x + 9, y), (left + size * n + 16, y), color="ink", head=6, width=1.4)
                d.arrow((left - 18, y), (left + 7, y), color="ink", head=6, width=1.4)
        sent = [counts[process][(process - k) % n] for process in range(n)]
        for process in range(n):
            counts[(process + 1) % n][(process - k) % n] += sent[process]
    d.note(40 + n * size / 2, 96 + n * size + 18, "a row for each piece", size=12)
    words = ["An arrow is what the coming round sends; from D it goes round to A. A number says how many processes",
             "are in the sum. At the end each has one complete piece, in orange. Three more rounds hand these on."]
    d.text(26, 290, "\n".join(words), size=12.5, anchor="start")
    return d


FIGURES = {f.__name__: f for f in (norm_axes, ring_reduce)}
