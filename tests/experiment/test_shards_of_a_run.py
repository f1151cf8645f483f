"""A run whose dev set is evaluated in many shards leaves the bytes of one that is evaluated whole, stopped or not."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
import torch

from qaexp.evaluation import logits_file, predict, question_set, shards
from qaexp.storage import files
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import KILL, Attempts, before_call, send

DECIMAL = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
# Each question is a shard, each feature a stretch of logits.safetensors, each line a chunk.
SMALL = ((shards, "TOKENS_PER_SHARD", 1), (logits_file, "_TOKENS_AT_ONCE", 1), (files, "_CHUNK_CHARACTERS", 1))
# What is measured, not computed.
MEASURED = (
    *("train_seconds", "eval_seconds", "total_seconds", "tokens_per_second", "mfu", "peak_memory_mib"),
    "manifest_sha256",
)


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    if torch.cuda.is_available():
        pytest.skip("torch trains in no forked child of a process that sees a GPU: set CUDA_VISIBLE_DEVICES= to try it")
    return Attempts(tmp_path_factory.mktemp("attempts"))


def check_same(one: Path, other: Path) -> None:
    """Equal bytes; decimals of a text up to their last digits, which go by how a processor adds up rows of a width."""
    if one.suffix not in (".csv", ".json", ".jsonl"):
        assert one.read_bytes() == other.read_bytes(), one.name
        return
    texts = [path.read_text("utf-8") for path in (one, other)]
    assert DECIMAL.sub("#", texts[0]) == DECIMAL.sub("#", texts[1]), one.name
    first, second = ([float(number) for number in DECIMAL.findall(text)] for text in texts)
    assert first == pytest.approx(second, rel=1e-12), one.name


def test_many_shards_leave_the_bytes_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = tiny_run.write_squad(tmp_path / "train.json", 12, 4)
    dev = tiny_run.write_squad(tmp_path / "dev.json", 14, 6)
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), f"data.test_file={dev}", "reporter=plots", "threads=1")
    # A batch of one feature each time: how the last bits of a product come out of a larger one goes by the processor.
    in_batches = predict.in_batches
    monkeypatch.setattr(predict, "in_batches", lambda *args, **keys: in_batches(*args, **{**keys, "token_budget": 1}))
    folders = [tmp_path / "whole", tmp_path / "cut"]
    for folder in folders:
        folder.mkdir()
    whole = tiny_run.train(folders[0], "one", *words, "trainer.epochs=2")
    for owner, name, value in SMALL:
        monkeypatch.setattr(owner, name, value)
    cut = tiny_run.train(folders[1], "one", *words, "trainer.epochs=2")
    pictures = [f"plots/{path.name}" for path in (whole / "plots").iterdir()]
    assert len(pictures) > 5
    for name in (*drill.COMPARED, "test_scores.csv", *pictures):
        check_same(whole / name, cut / name)
    one, other = (tiny_run.read_json(run / "summary.json") for run in (whole, cut))
    assert {name for name in one if one[name] != other[name]} <= set(MEASURED)
    rescored, evaluated = [], []
    for run in (whole, cut):
        rescored.append(tiny_run.call(tmp_path, "rescore", str(run), "--null-threshold", "0.3").out)
        out = tmp_path / f"{run.parents[1].name}.json"
        done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", str(dev), "--predictions-out", str(out))
        evaluated.append((done.out.replace(str(out), ""), out.read_text()))
    assert rescored[0] == rescored[1]
    assert "num_answered" in rescored[0]
    assert evaluated[0] == evaluated[1]
    assert "num_answered" in evaluated[0][0]


@pytest.mark.parametrize(("number", "is_writing"), [(4, False), (24, True)])
@pytest.mark.parametrize("is_killed", [True, False])
def test_one_that_is_stopped_between_shards_goes_on(
    attempts: Attempts, number: int, is_writing: bool, is_killed: bool
) -> None:
    """8 dev questions and 2 probes are decoded after each of 2 epochs, the dev questions once more for records."""

    def plan() -> None:
        for owner, name, value in SMALL:
            setattr(owner, name, value)
        before_call(question_set, "decode", number, KILL if is_killed else send(signal.SIGTERM))

    name = f"{number}-{is_killed}"
    ended = attempts.run(name, plan=plan)
    assert ended.code == (-signal.SIGKILL if is_killed else 75), ended.said
    directory = attempts.directory(name)
    assert not (directory / "predictions.jsonl").exists()
    assert bool(list(directory.glob(".tmp-predictions*"))) == (is_writing and is_killed)
    attempts.finish(name)
