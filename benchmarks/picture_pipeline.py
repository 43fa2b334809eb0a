"""How fast pictures come out of files, and what share of its time a training waits for them.

As many pictures as Imagenette has to learn from, 9,469 of 128 x 128 in ten folders, are made of the course's scenes and
written as JPEG to a temporary folder. Then:

  pictures/s  of the pipeline alone, by number of worker processes: files are read, decoded, squared, put into batches
  waiting     share of a training's time between two batches (WaitMeter): fetching, moving, augmenting. The net is an
              xresnet, its pictures are streamed with each number of workers, or decoded once and kept in memory

A CPU that computes and decodes has no core to spare, so its figures say little about a card's. There the share is the
most that the card can have waited: it may have worked on while the loop fetched.
"""
import gc
import io
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from frame import frame, make_parser, save
from PIL import Image
from torch.nn import functional as F

from fastcourse.core import default_device
from fastcourse.data.readers import Pictures
from fastcourse.data.scenes import scenes
from fastcourse.training.events import CancelEpoch, CancelWhen
from fastcourse.vision.augment import WaitMeter
from fastcourse.vision.pictures import read_folder
from fastcourse.vision.train import RunSettings, make_learner, make_loaders

SEED, NUM_CLASSES, BASE = 42, 10, 400


def write_pictures(folder, num_pictures):
    "Each is four scenes in a square; of 400 scenes there are enough such squares. Returns the bytes written."
    x = scenes(BASE, seed=SEED).x
    dice, total = torch.Generator().manual_seed(SEED), 0
    for i in range(num_pictures):
        a, b, c, d = x[torch.randint(BASE, (4,), generator=dice)]
        square = torch.cat([torch.cat([a, b], 2), torch.cat([c, d], 2)], 1)
        file = io.BytesIO()
        Image.fromarray(square.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=85)
        path = folder / f"class_{i % NUM_CLASSES}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
        total += len(file.getvalue())
    return total


def decoding_speed(split, settings, num_batches):
    "Pictures per second of the loader alone, from its second batch on: the start of the processes is not counted."
    loader = make_loaders(split, settings, torch.device("cpu")).train
    batches = iter(loader)
    next(batches)
    start, count = time.perf_counter(), 0
    for x, _ in islice(batches, num_batches):
        count += len(x)
    speed = round(count / (time.perf_counter() - start), 1)
    del batches, loader
    gc.collect()  # processes that are started later would inherit what is left of these
    return speed


def waiting(split, settings, num_batches, device):
    "Share of the time between batches, and pictures per second, after two batches that are not counted."
    dls, meter = make_loaders(split, settings, device), WaitMeter()

    def begin(learn):
        if learn.batch_index == 1:
            meter.waiting_seconds = meter.total_seconds = meter.num_pictures = 0
        return learn.batch_index >= num_batches + 1

    stop = CancelWhen("after_batch", CancelEpoch, begin)
    stop.order = 2000  # after the meter, which must have seen the batch
    learn = make_learner(dls, NUM_CLASSES, settings, device, [meter, stop])
    learn.dls = dls._replace(valid=list(islice(dls.valid, 1)))
    learn.loss_func = F.cross_entropy
    learn.fit(1)
    del learn, dls
    gc.collect()
    return dict(share_waiting=round(meter.share, 4), pictures_per_second=round(meter.pictures_per_second, 1))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=9469, help="that are written (default 9469)")
    parser.add_argument("--size", type=int, default=128, help="that the net sees (default 128)")
    parser.add_argument("--model", default="xresnet18", help="the net of the training (default xresnet18)")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures of a step (default 64)")
    parser.add_argument("--batches", type=int, default=20, help="that are measured in each case (default 20)")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2], help="numbers of workers (default 0 1 2)")
    parser.add_argument("--precision", default="fp32", help="of the training (default fp32)")
    parser.add_argument("--threads", type=int, default=1, help="of torch on a CPU (default 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = default_device()
    settings = dict(size=arguments.size, stored_size=128, model=arguments.model, batch_size=arguments.batch_size,
                    precision=arguments.precision, seed=SEED, channels_last=device.type == "cuda")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        size = write_pictures(Path(folder), arguments.pictures)
        print(f"{arguments.pictures} pictures, {size / 1e6:.1f} MB, written in {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        split, _ = read_folder(Path(folder), valid_share=0.05, num_workers=max(arguments.workers, default=0))
        inspected = round(arguments.pictures / (time.perf_counter() - start), 1)
        print(f"inspected: {inspected} pictures/s", flush=True)
        split = split._replace(valid=Pictures(split.valid.sources[:64], split.valid.labels[:64],
                                              split.valid.names[:64], split.valid.classes))
        streams, trainings = {}, {}
        for num in arguments.workers:
            case = RunSettings(folder, stream=True, workers=num, **settings)
            streams[num] = decoding_speed(split, case, arguments.batches)
            trainings[f"streamed, workers: {num}"] = waiting(split, case, arguments.batches, device)
            print(f"workers {num}: {streams[num]} pictures/s alone; training: {trainings[f'streamed, workers: {num}']}",
                  flush=True)
        start = time.perf_counter()
        case = RunSettings(folder, workers=max(arguments.workers, default=0), **settings)
        trainings["in memory"] = waiting(split, case, arguments.batches, device)
        print("in memory", trainings["in memory"], f"{time.perf_counter() - start:.0f} s with decoding")
    result = frame(
        "pictures per second from files, and the share of a training's time between batches", "pillow",
        device=device.type, seed=SEED, settings=settings,
        batches=arguments.batches, pictures=arguments.pictures, megabytes=round(size / 1e6, 1),
        inspected_per_second=inspected, decoded_per_second=streams, trainings=trainings)
    save(result, arguments.output)


if __name__ == "__main__":
    main()
