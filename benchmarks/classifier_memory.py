"""How much memory a training step of the text classifier takes, by the length of the documents (Linux only).

One batch of eight documents, forward and backward, with a 128/256/2 AWD-LSTM and 8,000 words, in a fresh process for
each length and way. Reported is how far the peak of the process is above what it held before the step.

    at once      the encoder reads a document in one call, as a language model reads a batch
    in pieces    the classifier reads pieces of 70 steps, with gradients through the last 1,400
"""
import os
import time

import torch
from frame import frame, make_parser, save
from tokenizing_memory import in_fresh_process, peak_mib

from fastcourse.core import seed_everything
from fastcourse.text.awdlstm import AWDLSTM, Dropouts
from fastcourse.text.classifier import TextClassifier

WAYS = ["at once", "in pieces"]


def step(way, num_tokens, batch_size):
    torch.set_num_threads(1)
    seed_everything(0)
    encoder = AWDLSTM(8000, 128, 256, 2, Dropouts().scaled(0.2))
    x, lengths = torch.randint(9, 8000, (batch_size, num_tokens)), torch.full((batch_size,), num_tokens)
    if way == "at once":
        return lambda: encoder(x).mean().backward()
    model = TextClassifier(encoder, 6)
    return lambda: model(x, lengths).logsumexp(1).sum().backward()


def measure(way, num_tokens, batch_size):
    step(way, 20, 2)()  # whatever is loaded by the first step of all is no cost of this one
    run, before, start = step(way, num_tokens, batch_size), peak_mib(os.getpid()), time.process_time()
    run()
    return dict(mib=round(peak_mib(os.getpid()) - before), seconds=round(time.process_time() - start, 1))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--tokens", type=int, nargs="*", default=[500, 2000, 10_000], help="default 500 2000 10000")
    parser.add_argument("--batch-size", type=int, default=8, help="documents (default 8)")
    arguments = parser.parse_args()
    ways = {way: {str(n): in_fresh_process(measure, way, n, arguments.batch_size) for n in arguments.tokens}
            for way in WAYS}
    for way, rows in ways.items():
        for n, row in rows.items():
            print(f"{way:10} {int(n):7,} tokens: {row['mib']:6,} MiB, {row['seconds']} s")
    result = frame(
        "growth of the peak of a process by one training step of eight documents", ways=ways, threads=1,
        seed=0, batch_size=arguments.batch_size)
    save(result, arguments.output)


if __name__ == "__main__":
    main()
