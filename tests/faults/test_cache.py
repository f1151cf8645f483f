"""Faults D11 and D12: jobs that want the same features at once, and features that only look like those wanted."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from qaexp.data import cache_folder
from qaexp.data.cache import features_key
from qaexp.data.files import streams
from qaexp.data.ondisk import examples, reading
from qaexp.data.question_files import read_squad_file
from tests.faults.conftest import Commands
from tests.fixtures import drill, tiny_run

WORDS = (*tiny_run.MODEL, "data.train_size=30", "data.dev_size=10", "trainer.epochs=1", "threads=1")


def logs(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.rglob("train.log")))


def stored(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "features").glob("*.safetensors"))


@pytest.mark.fault("D11")
def test_features_are_built_once_and_damage_is_built_again(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = ("hydra.launcher.jobs=8", "seeds.order=0,1,2,3,4,5,6,7")
    done = tiny_run.call(qaexp.folder, "train", "-m", "name=eight", *WORDS, *at_once)
    assert done.code == 0, done.err
    said = logs(qaexp.folder / "multirun_outputs" / "eight")
    assert said.count("built of") == 2  # train and dev
    assert said.count("from the cache") == 14
    files = stored(qaexp.folder)
    assert len(files) == 2
    reference = next((qaexp.folder / "multirun_outputs" / "eight").glob("seeds.order=0-*"))
    harm = {
        "flipped": lambda file: file.write_bytes(file.read_bytes()[:-9] + b"X" + file.read_bytes()[-8:]),
        "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        "empty": lambda file: file.write_bytes(b""),
        "swapped": lambda file: file.write_bytes(files[file == files[0]].read_bytes()),
    }
    for name, do in harm.items():
        cache_folder.warn_once.cache_clear()
        whole = {file: file.read_bytes() for file in files}
        do(files[0])
        run = tiny_run.train(qaexp.folder, name, *WORDS)
        assert "damaged" in logs(run), name
        assert drill.fingerprints(run) == drill.fingerprints(reference), name
        assert {file: file.read_bytes() for file in files} == whole, name
    # A folder that cannot be written costs the time to build, and nothing else.
    (qaexp.folder / "cache").rename(qaexp.folder / "old")
    (qaexp.folder / "cache").write_text("a file stands here")
    cache_folder.warn_once.cache_clear()
    run = tiny_run.train(qaexp.folder, "unwritable", *WORDS)
    assert "cannot be written" in logs(run)
    assert drill.fingerprints(run) == drill.fingerprints(reference)


def changed_text(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text))
    return text[:place] + draw.choice([letter for letter in "abcdefgh" if letter != text[place]]) + text[place + 1 :]


@pytest.mark.thorough
@pytest.mark.fault("D12")
def test_no_stale_features(qaexp: Commands) -> None:
    train, dev = (tiny_run.write_squad(qaexp.folder / name, 8, 4) for name in ("train.json", "dev.json"))
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), "trainer.epochs=0")
    assert "built of" in logs(tiny_run.train(qaexp.folder, "first", *words))
    assert "built of" not in logs(tiny_run.train(qaexp.folder, "again", *words, "optimizer.lr=1e-4"))
    # 50 edits that keep size and time of the file: 50 times other features.
    draw, before = random.Random(0), train.stat()
    tokenizer = AutoTokenizer.from_pretrained(qaexp.folder / "outputs" / "first" / "model")
    keys = set()
    for number in range(50):
        data = json.loads(train.read_text())
        question = data["data"][number % 3]["paragraphs"][number % 4]["qas"][0]
        question["question"] = changed_text(question["question"], draw)
        rewrite(train, json.dumps(data).encode())
        keys.add(features_key(read_squad_file(train).examples, tokenizer, max_length=64, doc_stride=16))
    assert len(keys) == 50
    assert train.stat().st_mtime_ns == before.st_mtime_ns
    assert "built of" in logs(tiny_run.train(qaexp.folder, "edited", *words))
    for number, word in enumerate(("features.max_length=60", "features.doc_stride=12")):
        assert logs(tiny_run.train(qaexp.folder, f"setting{number}", *words, word)).count("built of") == 2
    # Another tokenizer in a file of the same size and time, behind the same path.
    model = shutil.copytree(qaexp.folder / "outputs" / "first" / "model", qaexp.folder / "outputs" / "model")
    chosen = (*words, f"model.checkpoint={model}", "model.random_weights=false")
    tiny_run.train(qaexp.folder, "copied", *chosen)
    text = (model / "tokenizer.json").read_text()
    rewrite(model / "tokenizer.json", swapped(text, '"the"', '"was"').encode())
    assert logs(tiny_run.train(qaexp.folder, "other-words", *chosen)).count("built of") == 2


def swapped(text: str, one: str, other: str) -> str:
    """A text in which two words of a vocabulary have changed places."""
    assert one in text
    assert other in text
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


def rewrite(path: Path, data: bytes) -> None:
    """Write a file so that neither its size nor its time tells."""
    before = path.stat()
    assert len(data) == before.st_size
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.thorough
@pytest.mark.fault("D14")
def test_entries_of_large_data_are_built_again(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(qaexp.folder / "train.json", 20, 20), tiny_run.write_squad(qaexp.folder / "dev.json", 8, 8)
    )
    words = (*tiny_run.FILES, *files, "trainer.max_steps=3", "threads=1")
    small = tiny_run.train(qaexp.folder, "small", *words)
    monkeypatch.setattr(streams, "LARGE_BYTES", 0)
    monkeypatch.setattr(examples, "MAX_IN_MEMORY", 0)
    assert drill.fingerprints(tiny_run.train(qaexp.folder, "large", *words)) == drill.fingerprints(small)
    entries = sorted(path.parent for path in (qaexp.folder / "cache").glob("*/*/data"))
    assert {entry.parent.name for entry in entries} == {"examples", "features"}
    harm: dict[str, Callable[[Path], object]] = {
        "flipped": lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]),
        "cut": lambda file: file.write_bytes(file.read_bytes()[:-9]),
        "emptied": lambda file: file.write_bytes(b""),
        "missing": lambda file: file.unlink(),
    }
    for number, (entry, (name, do)) in enumerate(itertools.product((entries[0], entries[-1]), harm.items())):
        cache_folder.warn_once.cache_clear()
        whole = {file: file.read_bytes() for file in entry.iterdir()}
        do(entry / ("data" if number % 2 else "index.json"))
        run = tiny_run.train(qaexp.folder, f"{entry.parent.name}-{name}", *words)
        assert drill.fingerprints(run) == drill.fingerprints(small), name
        assert logs(run).count(f"{entry} is damaged and is built again") == 1, name
        assert {file: file.read_bytes() for file in entry.iterdir()} == whole, name
    monkeypatch.setattr(reading, "_FORMAT", "qaexp examples 0")
    other = tiny_run.train(qaexp.folder, "other", *words)
    assert drill.fingerprints(other) == drill.fingerprints(small)
    assert "examples: 40 read of" in logs(other)
