"The figures of the lessons on training."
from fastcourse.training.schedule import one_cycle

from .pen import Drawing, tint


def learner_loop():
    d = Drawing(760, 520, "The learner's phases and events",
                "Boxes in boxes: a fit holds epochs; an epoch holds a training and a validation pass; a pass holds "
                "batches; a batch predicts and gets the loss; in training it goes on with the backward pass and the "
                "step. Each phase begins with an event named before and ends with one named after. A cancel "
                "exception leaves the phase that it names, through its after event.")

    def phase(x, y, width, height, name, note="", share=0.05, color="blue"):
        d.box(x, y, width, height, color=color, share=share, radius=9)
        d.text(x + 12, y + 17, f"before_{name}", size=13, color=color, anchor="start", weight="bold")
        d.text(x + 12, y + height - 16, f"after_{name}", size=13, color=color, anchor="start", weight="bold")
        if note:
            d.note(x + width - 12, y + 17, note, anchor="end", color="ink")

    d.heading(26, 30, "Phases in phases, with an event before and after each")
    phase(26, 50, 560, 444, "fit", "fit: once")
    phase(44, 84, 524, 376, "epoch", "for each epoch", 0.07)
    phase(62, 118, 324, 308, "train", "model.train()", 0.07)
    phase(78, 150, 292, 244, "batch", "for each batch", 0.07)
    steps = [("predict", "after_predict"), ("get_loss", "after_loss")]
    for i, (step, event) in enumerate(steps):
        y = 182 + 34 * i
        d.box(92, y, 112, 26, step, color="green", share=0.2, size=13.5)
        d.text(216, y + 13, event, size=13, color="blue", anchor="start", weight="bold")
    for i, (name, step) in enumerate((("backward", "backward"), ("step", "step, then zero_grad"))):
        y = 252 + 58 * i
        d.text(222, y + 13, f"before_{name}", size=13, color="blue", anchor="start", weight="bold")
        d.text(222, y + 35, f"after_{name}", size=13, color="blue", anchor="start", weight="bold")
        d.box(92, y + 4, 118, 40, step.replace(", ", ",\n"), color="green", share=0.2, size=13.5)
    phase(400, 118, 154, 308, "valid", "", 0.07)
    d.note(477, 160, "model.eval(), no gradients", color="ink", size=11.5)
    phase(412, 178, 130, 150, "batch", "", 0.07)
    for i, step in enumerate(("predict", "get_loss")):
        d.box(424, 212 + 36 * i, 106, 26, step, color="green", share=0.2, size=13.5)
    d.note(477, 352, "the same two steps\nand their two events", color="ink", size=12)
    d.heading(606, 66, "Who raises …", color="orange", size=14)
    for y, name, words in ((106, "CancelStep", "keeps the gradients,\nskips the step"),
                           (196, "CancelBatch", "goes on with the\nnext batch"),
                           (286, "CancelEpoch", "goes on with the\nnext epoch"),
                           (376, "CancelFit", "ends the training")):
        d.text(606, y, name, size=13.5, color="orange", anchor="start", weight="bold")
        d.text(606, y + (28 if "\n" in words else 20), words, size=12.5, anchor="start")
    d.note(606, 440, "The after_… of every\nphase that was begun\nis called all the same.", anchor="start")
    return d


def mixed_precision():
    d = Drawing(760, 440, "One batch in mixed precision",
                "A loop. Master weights in single precision are rounded to a copy in half precision. Forward pass "
                "with the copy, loss in single precision, times the scale, backward pass in half precision, "
                "gradients in single precision. If they overflow, the step is left out and the scale is halved. If "
                "not, they are divided by the scale, and the step moves the masters.")
    single, half = "blue", "orange"

    def stage(x, y, words, color, width=150, height=58):
        d.box(x, y, width, height, words, color=color, share=0.16)

    stage(40, 70, "master weights", single)
    stage(300, 70, "rounded copy", half)
    stage(560, 70, "forward pass", half)
    stage(560, 190, "loss", single)
    stage(560, 300, "loss × scale", single)
    stage(300, 300, "backward pass", half)
    stage(40, 300, "gradients", single)
    stage(40, 190, "gradients ÷ scale", single)
    stage(300, 190, "no step,\nscale halved", "pink")
    d.arrow((192, 99), (298, 99))
    d.note(245, 84, "p.half()")
    d.arrow((452, 99), (558, 99))
    d.arrow((635, 34), (635, 68), color="green")
    d.text(645, 44, "x, rounded", size=13, color="green", anchor="start")
    d.arrow((635, 130), (635, 188))
    d.note(645, 158, "preds.float()", anchor="start")
    d.arrow((635, 250), (635, 298))
    d.arrow((558, 329), (452, 329))
    d.arrow((298, 329), (192, 329))
    d.note(245, 314, "to single")
    d.arrow((115, 298), (115, 250))
    d.note(106, 274, "finite", anchor="end")
    d.arrow((160, 298), (160, 274), (245, 274), (245, 219), (298, 219), color="pink")
    d.note(256, 270, "inf or NaN", anchor="start")
    d.arrow((115, 188), (115, 130))
    d.note(125, 158, "opt.step()", anchor="start")
    d.heading(26, 32, "The masters stay in single precision")
    for x, color, words in ((40, single, "32 bits: what is kept, and what adds up many numbers"),
                            (430, half, "16 bits: where the work is")):
        d.box(x, 392, 26, 20, color=color, share=0.16)
        d.note(x + 34, 402, words, anchor="start", color="ink")
    return d


def curve(d, left, bottom, width, height, values, color, low, high):
    "A curve over the progress 0 to 1, as straight pieces."
    points = [(left + width * i / (len(values) - 1), bottom - height * (value - low) / (high - low))
              for i, value in enumerate(values)]
    d.line(*points, color=color, width=2.6, radius=0)
    return points


def one_cycle_rates():
    d = Drawing(760, 330, "One cycle: the rate goes up and down, the momentum down and up",
                "Two curves over the progress of a training, from 0 to 1. The learning rate rises from a 25th of the "
                "peak to the peak in the first quarter, and falls to almost nothing in the rest. The momentum falls "
                "from 0.95 to 0.85 and rises again.")
    num_points, rate, warm_up = 80, one_cycle(1.0, warm_up=0.25), 0.25
    progress = [i / num_points for i in range(num_points + 1)]
    rates = [rate(p) for p in progress]
    # The momentum is the same curve upside down: 0.95 at both ends, 0.85 at the peak.
    momentum = one_cycle(1.0, warm_up=warm_up, ratio=1e9, final_ratio=1e9)
    panels = [(74, "learning rate", "orange", rates, 0.0, 1.0),
              (444, "momentum", "blue", [0.95 - 0.1 * momentum(p) for p in progress], 0.83, 0.97)]
    bottom, height, width = 268, 196, 280
    for left, name, color, values, low, high in panels:
        peak = left + width * warm_up
        d.add("rect", x=left, y=bottom - height, width=peak - left, height=height, fill=tint("green", 0.1))
        d.line((left, bottom - height), (left, bottom), (left + width, bottom), color="muted", width=1.2, radius=0)
        curve(d, left, bottom, width, height, values, color, low, high)
        d.heading(left, 38, name, color=color)
        for at, words in ((0, "0"), (warm_up, "0.25"), (1, "1")):
            d.note(left + width * at, bottom + 16, words)
        d.note(left + width / 2 + 20, bottom + 36, "progress of the training", color="ink")
        d.note(peak, bottom - height - 12, "warm-up", color="green", anchor="end")
    d.note(66, bottom - height, "peak", anchor="end")
    d.note(66, bottom - 14, "peak / 25", anchor="end")
    d.note(66, bottom + 2, "0", anchor="end")
    d.note(360, bottom - 8, "almost 0", anchor="start")
    for value in (0.95, 0.85):
        d.note(436, bottom - height * (value - 0.83) / 0.14, f"{value}", anchor="end")
    d.text(236, 104, "long steps first,\nthen shorter and shorter", size=13, anchor="start")
    d.text(620, 256, "a high rate wants less momentum", size=13)
    return d


FIGURES = {f.__name__: f for f in (learner_loop, mixed_precision, one_cycle_rates)}
