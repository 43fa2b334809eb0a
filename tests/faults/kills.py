"SIGKILL at random moments: of training, tokenising, downloading, unpacking and saving."
import csv
import hashlib
import io
import os
import random
import shutil
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace

import torch
from server import serve
from subjects import NAIVE, SUBJECTS
from torch import nn
from torch.nn import functional as F
from tries import RIGHT, Row, Worker, check, names_in, run_alone, run_timed, told

from fastcourse.core import DataLoaders, TensorLoader, fingerprint, seed_everything
from fastcourse.data import catalog
from fastcourse.data.archives import File
from fastcourse.text.classifier import load_classifier
from fastcourse.text.files import made_up_reviews
from fastcourse.text.runs import ClassifySettings
from fastcourse.text.store import TokenStore, write_tokens
from fastcourse.text.tokenizer import Tokenizer
from fastcourse.text.verdicts import train_classifier
from fastcourse.text.vocabulary import count_tokens, load_vocab, make_vocab, save_vocab, stream_texts, tokenize_texts
from fastcourse.training.callbacks import AccumulateGradients, Checkpoint, ClipGradients, Recorder
from fastcourse.training.learner import Learner
from fastcourse.training.state import own_weights, read_state
from fastcourse.vision.pictures import unpacked

SAVING_SECONDS = 0.25  # a process that saves one version after the other is killed within this time


def kill_within(rng, seconds, start):
    "A worker that was killed before it came to its end; `start` begins one, in a state as before."
    while True:
        worker = start().begin()
        if worker.kill(rng.uniform(0, seconds)):
            return worker
        seconds *= 0.9


def kill_in_new_folder(rng, seconds, folder, start):
    "The same, where each worker begins in a new folder below `folder`: the folder of the one that was killed."
    places = []

    def begin():
        places.append(folder / f"home{len(places)}")
        return start(places[-1])
    kill_within(rng, seconds, begin)
    return places[-1]


# Saving


def save_on_and_on(line, write, folder, version):
    while True:
        write(folder, version)
        line.send(("step", version))
        version += 1


def save_some(line, write, folder, versions):
    for version in versions:
        write(folder, version)


def saving(subject):
    @contextmanager
    def prepare(base):
        def one_try(rng, folder):
            subject.write(folder, 1)
            worker = kill_within(rng, SAVING_SECONDS, lambda: Worker(save_on_and_on, subject.write, folder, 2))
            done = max([1, *worker.steps])
            found = subject.read(folder)
            check(done <= found <= done + 1, f"version {done} was written, {found} was there after the kill")
            run_alone(save_some, subject.write, folder, [found + 1, found + 2])
            check(subject.read(folder) == found + 2, "the next process could not write")
            return RIGHT
        yield one_try
    return prepare


# Training


def train(line, path, cbs=()):
    "Train from the checkpoint at `path`, or from the beginning; the fingerprint of all that comes out."
    seed_everything(3)
    x = torch.randn(160, 20)
    order = torch.Generator().manual_seed(1)
    loader = TensorLoader(x, x[:, :3].argmax(1), batch_size=16, shuffle=True, generator=order)
    model = nn.Sequential(nn.Linear(20, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 3))
    recorder = Recorder()
    own = [recorder, ClipGradients(max_norm=1), AccumulateGradients(2), Checkpoint(path, every=1), *cbs]
    learn = Learner(model, DataLoaders(loader, loader), F.cross_entropy, lr=1e-2, cbs=own)
    learn.fit(2, resume=path if path.exists() else None)
    history = torch.tensor([list(row.values()) for row in learn.history], dtype=torch.float64)
    return fingerprint([model.state_dict(), history, recorder.losses])


@contextmanager
def training(base):
    alone, seconds = run_timed(train, base / "alone.safetensors")

    def one_try(rng, folder):
        path = folder / "training.safetensors"

        def begin():
            path.unlink(missing_ok=True)
            return Worker(train, path)
        kill_within(rng, seconds, begin)
        if path.exists():
            read_state(path)
        check(run_alone(train, path) == alone, "another result")
        return RIGHT
    yield one_try


def classify(line, settings):
    return train_classifier(settings, resume=True)


def classifier_weights(folder):
    return fingerprint(own_weights(load_classifier(folder).model))


def told_of_a_model(place, settings, weights):
    "Killed between model and result: the model is whole, and whoever goes on is told that it is there."
    check(classifier_weights(place) == weights, "another model")
    try:
        classify(None, settings)
    except ValueError as error:
        return told(error, [place.name])
    return RIGHT


@contextmanager
def text_run(base):
    with open(base / "reviews.csv", "w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([("text", "label"), *(review[:2] for review in made_up_reviews(30))])
    whole = ClassifySettings(str(base / "reviews.csv"), str(base / "whole"), start="none", embed_size=8, hidden_size=8,
                             num_layers=1, threads=1, device="cpu", epochs=2, keep_every=1, batch_size=4)
    alone, seconds = run_timed(classify, whole)
    weights = classifier_weights(base / "whole")

    def one_try(rng, folder):
        place = kill_in_new_folder(rng, seconds, folder,
                                   lambda place: Worker(classify, replace(whole, output=str(place))))
        try:
            check(classifier_weights(place) == weights, "another model")
        except (OSError, ValueError) as error:
            told(error, [place.name])
        if (place / "config.json").exists() and not (place / "result.json").exists():
            return told_of_a_model(place, replace(whole, output=str(place)), weights)
        result = run_alone(classify, replace(whole, output=str(place)))
        check(result["epochs"] == alone["epochs"] and classifier_weights(place) == weights, "another result")
        return RIGHT
    yield one_try


# Tokenising


def tokenise(line, source, folder):
    joined = list(tokenize_texts(stream_texts(source), Tokenizer()))
    vocab = make_vocab(count_tokens(joined), min_freq=1)
    save_vocab(vocab, folder / "vocab.json")
    store = write_tokens(folder / "store", (vocab.encode(text) for text in joined), vocab)
    return fingerprint(torch.from_numpy(store.tokens.astype("int64")))


@contextmanager
def tokenising(base):
    for seed, name in enumerate(["old", "new"]):
        texts = [review.text for review in made_up_reviews(60 + 10 * seed, seed)]
        (base / f"{name}.txt").write_text("\n".join(texts) + "\n", encoding="utf8")
        (base / name).mkdir()
    prints = {name: run_alone(tokenise, base / f"{name}.txt", base / name) for name in ("old", "new")}
    (base / "timed").mkdir()
    _, seconds = run_timed(tokenise, base / "new.txt", base / "timed")

    def one_try(rng, folder):
        shutil.copytree(base / "old", folder, dirs_exist_ok=True)
        kill_within(rng, seconds, lambda: Worker(tokenise, base / "new.txt", folder))
        store = TokenStore(folder / "store")
        check(fingerprint(torch.from_numpy(store.tokens.astype("int64"))) in prints.values(), "neither old nor new")
        verdict = RIGHT
        try:
            store.check_vocab(load_vocab(folder / "vocab.json"))
        except ValueError as error:
            verdict = told(error, names_in(folder))
        check(run_alone(tokenise, base / "new.txt", folder) == prints["new"], "another result")
        TokenStore(folder / "store").check_vocab(load_vocab(folder / "vocab.json"))
        return verdict
    yield one_try


# Downloading, unpacking


def entry_of(name, data, url, file_name, contents=()):
    file = File(file_name, (url,), len(data), hashlib.sha256(data).hexdigest())
    return catalog.Entry(name, name, (catalog.Form("original", (file,), contents=contents),))


def be_at(home):
    "This process keeps its data there, and asks no proxy."
    os.environ.update(FASTCOURSE_HOME=str(home), FASTCOURSE_MIRRORS="", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")


def fetch(line, home, entry):
    be_at(home)
    return catalog.fetch(entry, progress=False).folder


@contextmanager
def serving(data):
    server = serve(data)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def downloading(base):
    body = random.Random(0).randbytes(150_000)
    with serving(body) as server:
        be_at(base)
        earlier = entry_of("earlier", body, f"{server.url}/good/body.bin", "body.bin")
        entry = entry_of("films", body, f"{server.url}/slow/body.bin", "body.bin")

        def one_try(rng, folder):
            fetch(None, folder, earlier)
            data = kill_in_new_folder(rng, 0.4, folder, lambda home: Worker(fetch, home, entry)) / "data"
            found, part = catalog.find_copy(data / "films"), data / ".films.work" / "body.bin.part"
            check(found is None or (found.folder / "body.bin").read_bytes() == body, "half a data set")
            have = part.stat().st_size if part.exists() else 0
            server.asked.clear()
            again = run_alone(fetch, data.parent, entry)
            check((again / "body.bin").read_bytes() == body, "another result")
            asked = [start for _, start in server.asked]
            check(found or (data / ".films.work").exists() is False and asked[:1] in ([have], []), "not taken up again")
            check(catalog.find_copy(folder / "data" / "earlier"), "the earlier data set is gone")
            return RIGHT
        yield one_try


def archive_of(ending, num_files, top="films"):
    "The bytes of an archive, and what is in it."
    contents = {f"{top}/{i % 3}/{i}.txt": b"film %d " % i * 30 for i in range(num_files)}
    made = io.BytesIO()
    if ending == ".zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in contents.items():
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    else:
        with tarfile.open(fileobj=made, mode=f"w:{ending[5:]}") as archive:
            for name, data in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return made.getvalue(), contents


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name != "fastcourse.json"}


def unpacking(ending, num_files=300):
    @contextmanager
    def prepare(base):
        data, contents = archive_of(ending, num_files)
        with serving(data) as server:
            be_at(base)
            entry = entry_of("films", data, f"{server.url}/good/films{ending}", f"films{ending}")
            _, seconds = run_timed(fetch, base / "alone", entry)

            def one_try(rng, folder):
                home = kill_in_new_folder(rng, seconds, folder, lambda home: Worker(fetch, home, entry))
                found = catalog.find_copy(home / "data" / "films")
                check(found is None or files_below(found.folder) == contents, "half a data set")
                check(found or not (home / "data" / "films").exists(), "half a data set")
                check(files_below(run_alone(fetch, home, entry)) == contents, "another result")
                return RIGHT
            yield one_try
    return prepare


def unpack_own(line, home, path):
    be_at(home)
    return unpacked(path)


@contextmanager
def unpacking_own(base):
    data, contents = archive_of(".tar.gz", 300, "pictures")
    path = base / "pictures.tar.gz"
    path.write_bytes(data)
    _, seconds = run_timed(unpack_own, base / "alone", path)

    def one_try(rng, folder):
        home = kill_in_new_folder(rng, seconds, folder, lambda home: Worker(unpack_own, home, path))
        check(files_below(run_alone(unpack_own, home, path)) == contents, "another result")
        return RIGHT
    yield one_try


KILLED = "killed (SIGKILL)"
ROWS = [
    Row(KILLED, "training, with a checkpoint after every batch", training),
    Row(KILLED, "`fastcourse text classify`, resumed", text_run),
    Row(KILLED, "tokenising: texts to vocabulary and token store", tokenising),
    Row(KILLED, "downloading", downloading),
    *(Row(KILLED, f"downloading and unpacking ({ending})", unpacking(ending)) for ending in (".tar.gz", ".zip")),
    Row(KILLED, "unpacking one's own pictures", unpacking_own),
    *(Row(KILLED, f"saving: {subject.name}", saving(subject)) for subject in SUBJECTS),
]
NAIVE_ROW = Row(KILLED, NAIVE.name, saving(NAIVE))
