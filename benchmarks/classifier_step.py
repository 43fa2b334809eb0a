"""What a text classifier costs on documents of all lengths: an epoch of steps, in turns with fastai's.

The lengths are log-normal (median 120 tokens, a factor of e^0.8 around it, at most 1,400), the words random. Encoders
of 128/256/2 and 8,000 words with the same dropouts, 32 documents a batch, forward, backward and Adam with fused=True:

  ours                  TextClassifier on the batches of document_loaders: similar lengths together
  ours, random          the same on batches in random order
  fastai, sorted        fastai's classifier on the batches of its SortedDL
  fastai, random        the same on batches in random order

The batches are made before the time begins. The figure is the median over turns of the ratio within a turn, of the
processor's time with one thread, so that other programs on the machine disturb little.
"""
from functools import partial

import numpy as np
import torch
from frame import frame, make_parser, save
from peers import is_installed, peer
from torch.nn import functional as F
from turns import compare, take_turns

from fastcourse.core import seed_everything
from fastcourse.text.awdlstm import AWDLSTM, Dropouts
from fastcourse.text.batches import PaddedBatches
from fastcourse.text.classifier import TextClassifier, document_loaders

SEED, WARM_UP = 42, 1
BATCH_SIZE, VOCAB, SIZES, NUM_CLASSES = 32, 8000, (128, 256, 2), 6


def make_documents(count):
    "Documents of ids, and their labels."
    dice = torch.Generator().manual_seed(SEED)
    lengths = (120 * (0.8 * torch.randn(count, generator=dice)).exp()).round().clamp(5, 1400).long().tolist()
    return [torch.randint(9, VOCAB, (n,), generator=dice) for n in lengths], torch.randint(
        NUM_CLASSES, (count,), generator=dice)


def our_epochs(documents, labels):
    "Name -> model, a function of model and batch that returns the scores, batches of (x, y)."
    dice = torch.Generator().manual_seed(SEED)
    loaders = document_loaders((documents, labels), (documents[:2], labels[:2]), BATCH_SIZE, dice)
    order = torch.randperm(len(documents), generator=dice)
    batches = {"ours": list(loaders.train),
               "ours, random": list(PaddedBatches(documents, labels, order, BATCH_SIZE))}
    for name, found in batches.items():
        model = TextClassifier(AWDLSTM(VOCAB, *SIZES), NUM_CLASSES, dropout=0.1)
        yield name, model, lambda model, x: model(*x), found


def fastai_epochs(documents, labels):
    "The same for fastai."
    core, data, load = peer("fastai.text.models.core"), peer("fastai.text.data"), peer("fastai.data.core")
    awdlstm, p = peer("fastai.text.models.awdlstm"), Dropouts()
    config = dict(emb_sz=SIZES[0], n_hid=SIZES[1], n_layers=SIZES[2], embed_p=p.embedding, input_p=p.input,
                  weight_p=p.weight, hidden_p=p.hidden, output_p=p.output)
    np.random.seed(SEED)
    pairs = [(data.TensorText(ids), label) for ids, label in zip(documents, labels)]
    for name, make_loader in {"fastai, sorted": data.SortedDL, "fastai, random": load.TfmdDL}.items():
        loader = make_loader(pairs, bs=BATCH_SIZE, shuffle=True, num_workers=0,
                             before_batch=data.Pad_Chunk(pad_idx=1, seq_len=72))
        model = core.get_text_classifier(awdlstm.AWD_LSTM, VOCAB, NUM_CLASSES, config=config)
        yield name, model, lambda model, x: model(x)[0], [(x.as_subclass(torch.Tensor), y) for x, y in loader]


def epoch(model, scores, batches, opt):
    for x, y in batches:
        F.cross_entropy(scores(model, x), y).backward()
        opt.step()
        opt.zero_grad()


def padding(batches):
    "Share of the positions that are no token; fastai's filler is 1, which no text has, and ours is 0."
    counts = [((x.x if hasattr(x, "x") else x) < 9).float().sum() for x, _ in batches]
    return round(float(sum(counts) / sum((x.x if hasattr(x, "x") else x).numel() for x, _ in batches)), 3)


def make_epochs(count):
    "Name -> a function that makes an epoch; and its share of padding."
    documents, labels = make_documents(count)
    works, shares = {}, {}
    seed_everything(SEED)
    for make in [our_epochs, *([fastai_epochs] if is_installed("fastai") else [])]:
        for name, model, scores, batches in make(documents, labels):
            opt = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
            works[name], shares[name] = partial(epoch, model, scores, batches, opt), padding(batches)
    return works, shares, sum(map(len, documents))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--documents", type=int, default=256, help="of an epoch (default 256)")
    parser.add_argument("--turns", type=int, default=8, help="turns that are measured, at least 2 (default 8)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    works, shares, num_tokens = make_epochs(arguments.documents)
    rows = compare(take_turns(works, arguments.turns, WARM_UP), "ours")
    for name, row in rows.items():
        row |= dict(padding=shares[name], tokens_per_second=round(num_tokens / row["milliseconds"] * 1e3))
        print(f"{name:16} {row}")
    save(frame("milliseconds of an epoch of a text classifier; ratio to ours within a turn", "fastai", seed=SEED,
               turns=arguments.turns, documents=arguments.documents, tokens=num_tokens, ways=rows), arguments.output)


if __name__ == "__main__":
    main()
