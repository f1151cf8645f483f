"""A disk without room for a run's files ends it before it trains, with the sizes; one with just enough does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from qaexp.errors import StorageError
from qaexp.experiment import room
from qaexp.storage import room as disk
from qaexp.storage.formats import json_line
from tests.fixtures import tiny_run


def asked(monkeypatch: pytest.MonkeyPatch, free: int) -> list[Mapping[str, int]]:
    """Say how many bytes are free, and take down what was needed."""
    seen: list[Mapping[str, int]] = []
    check = disk.check_room

    def noted(folder: Path, needed: Mapping[str, int], way_out: str) -> None:
        seen.append(needed)
        check(folder, needed, way_out)

    monkeypatch.setattr(room, "check_room", noted)
    monkeypatch.setattr(disk, "free_bytes", lambda _: free)
    return seen


def test_a_disk_that_is_too_small_is_told_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, 999)
    done = tiny_run.call(tmp_path, "train", *tiny_run.DEMO, "trainer.epochs=1", "name=one")
    assert done.code == 5
    directory = tmp_path / "outputs" / "one"
    for words in ("outputs/one: needs at least", "logits", "predictions", "999 bytes are free", "data.dev_size"):
        assert words in done.last_line
    state = tiny_run.read_json(directory / "run.json")
    assert (state["state"], state["stage"], state["error"]["kind"]) == ("failed", "features", "storage")
    assert not (directory / "metrics.jsonl").exists()
    monkeypatch.undo()
    assert tiny_run.call(tmp_path, "train", *tiny_run.DEMO, "trainer.epochs=1", "name=one").code == 0


def test_what_is_needed_is_never_more_than_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch, 10**12)
    run = tiny_run.train(tmp_path, "one", *tiny_run.DEMO, "trainer.epochs=1")
    (needed,) = seen
    assert needed["logits"] == (run / "logits.safetensors").stat().st_size
    assert 0 < needed["predictions"] <= (run / "predictions.jsonl").stat().st_size
    assert needed["logits while answering"] == 0
    written = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    assert sum(needed.values()) <= written


def test_logits_of_several_shards_lie_on_the_disk_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "TOKENS_PER_SHARD", 100)
    seen = asked(monkeypatch, 10**12)
    run = tiny_run.train(tmp_path, "one", *tiny_run.DEMO, "trainer.epochs=1")
    assert 0 < seen[0]["logits while answering"] < (run / "logits.safetensors").stat().st_size


def test_room_is_refused_by_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: 3 * 2**30)
    disk.check_room(tmp_path, {"logits": 2**31, "predictions": 2**30}, "or wait")
    with pytest.raises(StorageError, match=r"at least 3\.0 GiB of its disk \(logits 2\.0 GiB, predictions 1\.0 GiB\)"):
        disk.check_room(tmp_path, {"logits": 2**31, "predictions": 2**30 + 1}, "or wait")
    monkeypatch.undo()
    assert disk.free_bytes(tmp_path) > 0


def test_no_record_is_smaller_than_the_smallest() -> None:
    numbers = dict.fromkeys(("null_score_diff", "exact", "f1", "span_exact", "span_f1"), 0.0)
    texts = dict.fromkeys(("id", "title", "question", "prediction_text"), "")
    record = {**texts, "paragraph": "e3b0c44298fc1c14", "golds": [], "gold_starts": [], **numbers, "n_best": []}
    assert len(json_line(record)) >= room.MIN_RECORD_BYTES
