"The figure of the lessons on transfer between texts."
from .pen import Drawing


def ulmfit_stages():
    d = Drawing(760, 504, "ULMFiT's three stages",
                "Three networks side by side. First, a language model is trained on much general text: embedding, "
                "three recurrent layers, decoder. Second, the same layers move to the words of the task's texts and "
                "are fine-tuned, with rates that differ and a slanted triangle. Third, embedding and recurrent layers "
                "go into a classifier with a new head, whose layers thaw one by one.")
    width, stages = 200, [26, 280, 534]
    titles = ["1  Pretrain", "2  Fine-tune", "3  Classify"]
    texts = ["much text about anything", "your texts, no labels", "your texts with labels"]
    asks = ["the next word", "the next word", "the label"]
    heads = ["decoder", "decoder", "pooling, new head"]
    notes = ["Expensive, but done once:\nsomebody else's model\nwill do.",
             "Words move by name; early\nlayers move least (÷ 2.6 each);\nthe rate is a slanted triangle.",
             "The head comes first, then\nthe layers thaw one by one,\nfrom the top."]
    layers = ["recurrent layer 3", "recurrent layer 2", "recurrent layer 1", "embedding"]
    for i, x in enumerate(stages):
        middle = x + width / 2
        d.heading(x, 32, titles[i], size=17)
        d.text(middle, 70, asks[i], size=14, color="green")
        d.arrow((middle, 110), (middle, 84), color="green")
        d.box(x, 112, width, 36, heads[i], color="blue" if i == 1 else "orange", share=0.16)
        for j, layer in enumerate(layers):
            y = 162 + 44 * j
            d.box(x, y, width, 34, layer, color="blue" if i else "orange", share=0.16)
        d.arrow((middle, 368), (middle, 334), color="green")
        d.text(middle, 382, texts[i], size=14, color="green")
        d.note(middle, 430, notes[i], color="ink")
    for left, right in zip(stages, stages[1:]):
        for j in range(len(layers)):
            y = 162 + 44 * j + 17
            d.arrow((left + width + 4, y), (right - 4, y), color="muted")
    d.arrow((stages[0] + width + 4, 130), (stages[1] - 4, 130), color="muted")
    d.note((stages[0] + width + stages[1]) / 2, 100, "weights", size=12)
    d.note((stages[1] + width + stages[2]) / 2, 146, "weights", size=12)
    for x, color, words in ((stages[0], "orange", "begins with random numbers"),
                            (stages[1], "blue", "goes on from the stage before")):
        d.box(x, 470, 26, 18, color=color, share=0.16)
        d.note(x + 34, 479, words, anchor="start")
    return d


FIGURES = {ulmfit_stages.__name__: ulmfit_stages}
