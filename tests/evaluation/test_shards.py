"""A question set in shards gives what it gives as a whole, byte for byte, and never holds more than a shard."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from transformers import BertConfig, BertForQuestionAnswering

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Answer, Example
from qaexp.errors import DivergedError, IntegrityError, StorageError
from qaexp.evaluation import logits_file, shards
from qaexp.evaluation.ceiling import ceiling
from qaexp.evaluation.evaluate import evaluate
from qaexp.evaluation.logits import Logits, LogitsOnDisk
from qaexp.evaluation.logits_file import logits_bytes, logits_content, opened_logits
from qaexp.evaluation.outputs import contexts_of, prediction_records, score_rows, stored_shards
from qaexp.evaluation.predict import predict_logits
from qaexp.evaluation.question_set import Decoding, QuestionSet, Scored
from qaexp.storage import files, scratch
from qaexp.storage.files import write_json_items, write_json_lines, write_rows, write_stream
from tests.fixtures.checkpoints import TINY_FOLDER, tiny_tokenizer
from tests.fixtures.windows import make_features, make_logits

DECODING = {"allow_no_answer": True, "n_best_size": 5, "max_answer_length": 8}
CITIES = ("Paris", "Rome", "Oslo", "Vienna", "Madrid", "Lisbon", "Berlin", "Prague")


def make_examples(number: int = 60) -> list[Example]:
    """Questions about long and short contexts, some with an accent, some without an answer."""
    made = []
    for place in range(number):
        city = CITIES[place % len(CITIES)]
        context = " ".join(f"{city} is a city on the river number {step}, cafe\u0301." for step in range(1 + place % 7))
        answers = () if place % 3 == 0 else (Answer(city, 0), Answer(f"{city} is", 0))
        made.append(Example(f"q{place}", f"t{place % 25}", context, f"Which city is it, {place}?", answers))
    return made


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return make_examples()


@pytest.fixture(scope="module")
def features(examples: list[Example]) -> Features:
    return build_features(examples, tiny_tokenizer(), max_length=48, doc_stride=16)


class Lazy(Sequence[Example]):
    """Examples that are made when asked for, as those of a large file are; no slices."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, place: Any) -> Any:
        assert isinstance(place, int)
        found = self._examples[place]
        return Example(found.id, found.title, found.context, found.question, found.answers)


class Loaded:
    """A model as a question set takes it."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = BertForQuestionAnswering(BertConfig.from_pretrained(TINY_FOLDER))
        self.tokenizer = tiny_tokenizer()
        self.with_token_types = True


def files_of(questions: QuestionSet, folder: Path) -> dict[str, Any]:
    """All that is written of a question set after a model has answered it."""
    scored = questions.score(Loaded())
    content = logits_content(questions.features, scored.logits)
    write_stream(folder / "logits", content.chunks(), content.num_bytes)
    assert (folder / "logits").stat().st_size == content.num_bytes
    return {
        "metrics": scored.evaluation.metrics,
        "predictions": list(prediction_records(questions, scored)),
        "scores": list(score_rows(questions, scored.evaluation)),
        "contexts": dict(contexts_of(questions.examples)),
        "logits": (folder / "logits").read_bytes(),
        "ceiling": ceiling(questions.examples, questions.features, max_answer_length=8),
    }


@pytest.mark.parametrize("tokens", [1, 50, 333, 1000])
def test_shards_of_any_size_give_the_same_bytes(
    examples: list[Example], features: Features, tokens: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files_of(QuestionSet(examples, features, Decoding(**DECODING)), tmp_path)
    monkeypatch.setattr(shards, "TOKENS_PER_SHARD", tokens)
    monkeypatch.setattr(logits_file, "_TOKENS_AT_ONCE", tokens)
    assert len(shards.bounds(features.indptr, features.example_index, len(examples))) > 1
    found = files_of(QuestionSet(Lazy(examples), features, Decoding(**DECODING), scratch=tmp_path), tmp_path)
    for name, value in whole.items():
        assert found[name] == value, name
    with opened_logits(tmp_path / "logits") as file:
        again = evaluate(
            stored_shards(file, iter(examples), len(examples)),
            Decoding(**DECODING).decode,
            max_answer_length=8,
            allow_no_answer=True,
        )
    assert again.metrics == whole["metrics"]


def test_shards_are_cut_at_examples_and_hold_what_is_theirs(
    examples: list[Example], features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "TOKENS_PER_SHARD", 200)
    logits = make_logits(features, 0)
    found = list(shards.shards(examples, features, logits))
    assert [example for shard in found for example in shard.examples] == examples
    for name in ("input_ids", "offset_mapping", "context_begin", "start_position"):
        joined = np.concatenate([getattr(shard.features, name) for shard in found])
        assert np.array_equal(joined, getattr(features, name)), name
    assert np.array_equal(np.concatenate([shard.logits.start for shard in found]), logits.start)
    for shard in found:
        assert shard.features.num_tokens <= 200 or len(shard.examples) == 1
        assert np.array_equal(np.unique(shard.features.example_index), np.arange(len(shard.examples)))


def test_the_users_own_decoding_is_called_shard_by_shard(
    examples: list[Example], features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Own(Decoding):
        def decode(self, examples: Sequence[Example], features: Features, logits: Logits) -> Any:
            assert len(logits.start) == features.num_tokens
            seen.append(len(examples))
            return super().decode(examples, features, logits)

    monkeypatch.setattr(shards, "TOKENS_PER_SHARD", 500)
    QuestionSet(examples, features, Own(**DECODING)).evaluate(make_logits(features, 0))
    assert sum(seen) == len(examples)
    assert len(seen) > 2


def test_nan_in_several_shards_is_told_once_with_all_ids(
    examples: list[Example], features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = make_logits(features, 0)
    logits.start[[0, -1]] = np.nan
    told = []
    for tokens in (2**20, 200):
        monkeypatch.setattr(shards, "TOKENS_PER_SHARD", tokens)
        with pytest.raises(DivergedError, match="NaN or Inf in 2 of 60 examples") as caught:
            QuestionSet(examples, features, Decoding(**DECODING)).evaluate(logits)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert "q0, q59" in told[0]


def test_features_of_other_examples_are_refused(examples: list[Example], features: Features) -> None:
    logits = make_logits(features, 0)
    with pytest.raises(IntegrityError, match="made from other examples"):
        QuestionSet(examples[:-1], features, Decoding(**DECODING)).evaluate(logits)
    other = make_features([(0, [(0, 1)])])
    with pytest.raises(IntegrityError, match="do not fit"):
        QuestionSet(examples, features, Decoding(**DECODING)).evaluate(make_logits(other, 0))


def test_logits_on_the_disk_are_those_in_memory(features: Features, tmp_path: Path) -> None:
    loaded = Loaded()
    asked: dict[str, Any] = {"pad_token_id": 0, "padding_side": "right", "with_token_types": True}
    held = predict_logits(loaded.model, features, **asked)
    stored = LogitsOnDisk(features.indptr, tmp_path)
    order = np.argsort(-features.lengths, kind="stable")
    for batch in np.array_split(order, 7):
        tokens = np.concatenate([np.arange(features.indptr[one], features.indptr[one + 1]) for one in batch])
        stored.put(batch, held.start[tokens], held.end[tokens])
    assert list(tmp_path.iterdir()) == []
    for begin, end in ((0, len(features)), (3, 9), (5, 5)):
        one, other = held.part(begin, end), stored.part(begin, end)
        for name in ("indptr", "start", "end"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_a_file_system_without_unnamed_files_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refused(path: Any, flags: int, *more: Any, **words: Any) -> int:
        if path == tmp_path:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *more, **words)

    monkeypatch.setattr(os, "open", refused)
    made = scratch.Scratch(tmp_path, 8)
    made.write(4, memoryview(b"abcd"))
    found = bytearray(8)
    made.read(0, memoryview(found))
    assert bytes(found) == b"\0\0\0\0abcd"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_bytes_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match=r"\(4096 bytes needed\): No space left"):
        scratch.Scratch(tmp_path, 4096)


def test_the_logits_file_is_that_of_the_library(features: Features, tmp_path: Path) -> None:
    logits = make_logits(features, 3)
    content = logits_content(features, logits)
    names = ("offset_mapping", "context_begin", "context_end", "null_position", "example_index")
    index = np.repeat(np.arange(len(features), dtype=np.int32), features.lengths)
    tensors = {name: np.ascontiguousarray(getattr(features, name)) for name in names}
    library = save({"start_logits": logits.start, "end_logits": logits.end, "feature_index": index, **tensors})
    assert b"".join(content.chunks()) == library
    assert logits_bytes(len(features), features.num_tokens) == len(library)
    empty = make_features([])
    assert set(load(b"".join(logits_content(empty, make_logits(empty, 0)).chunks()))) >= {"start_logits"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:-1], "offset_mapping ends behind the end of the file"),
        (lambda data: data[:4], "the file ends"),
        (lambda data: data.replace(b"start_logits", b"other_logits", 1), "start_logits"),
        (lambda data: data.replace(b'"F32"', b'"I32"', 1), "is not F32"),
        (lambda data: b"\xff" * 8 + data[8:], "its header has"),
    ],
)
def test_a_logits_file_that_is_damaged_is_named(change: Any, says: str, features: Features, tmp_path: Path) -> None:
    data = b"".join(logits_content(features, make_logits(features, 3)).chunks())
    path = tmp_path / "logits.safetensors"
    path.write_bytes(change(data))
    with pytest.raises(IntegrityError, match=says) as caught, opened_logits(path):
        pass
    assert str(path) in str(caught.value)


def test_scores_are_kept_and_predictions_of_several_shards_are_not(
    examples: list[Example], features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = make_logits(features, 0)
    questions = QuestionSet(examples, features, Decoding(**DECODING))
    scored = Scored(logits, questions.evaluate(logits), 0.0)
    ((_, kept),) = questions.decoded(logits)
    assert next(questions.decoded(logits))[1] is kept
    monkeypatch.setattr(shards, "TOKENS_PER_SHARD", 500)
    questions.evaluate(logits)
    assert [one for _, found in questions.decoded(logits) for one in found] == kept
    assert len(list(questions.decoded(logits))) > 2
    assert [row["id"] for row in prediction_records(questions, scored)] == [example.id for example in examples]


class Made(Sequence[Example]):
    """So many examples, each made when it is asked for."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, place: Any) -> Any:
        if place >= self._number:
            raise IndexError
        context = " ".join(f"word{place % 13} {step}" for step in range(40))
        return Example(f"q{place}", f"t{place % 30}", context, f"Which, {place}?", (Answer("word", 0),))


def peak_of(number: int, folder: Path) -> int:
    """The peak of what Python and numpy hold while so many questions are scored and written, in bytes."""
    examples = Made(number)
    offsets = [(start, start + 5) for start in range(0, 300, 6)]
    features = make_features([(place, offsets) for place in range(number)])
    stored = LogitsOnDisk(features.indptr, folder)
    made = make_logits(features, 0)
    stored.put(np.arange(number), made.start, made.end)
    del made
    questions = QuestionSet(examples, features, Decoding(**{**DECODING, "n_best_size": 20}))
    tracemalloc.start()
    scored = Scored(stored, questions.evaluate(stored), 0.0)
    write_json_lines(folder / "predictions.jsonl", prediction_records(questions, scored))
    write_json_items(folder / "contexts.json", contexts_of(examples))
    write_rows(folder / "scores.csv", score_rows(questions, scored.evaluation))
    content = logits_content(features, stored)
    write_stream(folder / "logits.safetensors", content.chunks(), content.num_bytes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.thorough
def test_memory_grows_by_what_scores_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held whole, the predictions of a question take 5 kB, its features, logits and offsets 5 kB more."""
    monkeypatch.setattr(shards, "TOKENS_PER_SHARD", 5_000)
    monkeypatch.setattr(logits_file, "_TOKENS_AT_ONCE", 5_000)
    monkeypatch.setattr(files, "_CHUNK_CHARACTERS", 50_000)
    few, many = (peak_of(number, tmp_path) for number in (500, 2500))
    assert (many - few) / 2000 < 600
