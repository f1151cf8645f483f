"""Windows without an answer are sampled, those with one are all kept; chance depends on seed, id and window alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from qaexp.data.features import Features, build_features
from qaexp.data.null_windows import _uniform, sample_null_windows
from qaexp.data.squad import Answer, Example
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.tiny_run import read_json

TEXT = "Paris is the capital of France. " * 30
EXAMPLES = tuple(
    Example(f"id-{number}", "T", TEXT, f"Which city {number}?", (Answer("Paris", 0),) if number % 4 == 0 else ())
    for number in range(200)
)


def features_of(examples: tuple[Example, ...]) -> Features:
    return build_features(examples, tiny_tokenizer(), max_length=64, doc_stride=16)


@pytest.fixture(scope="module")
def features() -> Features:
    return features_of(EXAMPLES)


def windows(features: Features, examples: tuple[Example, ...]) -> set[tuple[str, int]]:
    """Id and first character of each window."""
    first = features.offset_mapping[features.indptr[:-1] + features.context_begin, 0]
    return {(examples[index].id, int(char)) for index, char in zip(features.example_index, first, strict=True)}


def test_every_window_with_an_answer_is_kept_and_the_rest_at_the_rate(features: Features) -> None:
    kept = sample_null_windows(features, EXAMPLES, rate=0.25, seed=0)
    assert np.sum(~kept.is_null) == np.sum(~features.is_null) > 0
    assert windows(features.kept(~features.is_null), EXAMPLES) <= windows(kept, EXAMPLES)
    share = np.sum(kept.is_null) / np.sum(features.is_null)
    assert np.sum(features.is_null) > 900
    assert share == pytest.approx(0.25, abs=0.05)
    assert len({example for example in kept.example_index[kept.is_null] if example % 4 == 0}) > 0


def test_a_window_is_kept_whatever_else_is_there(features: Features) -> None:
    kept = windows(sample_null_windows(features, EXAMPLES, rate=0.25, seed=7), EXAMPLES)
    some = EXAMPLES[::-3]
    of_some = windows(sample_null_windows(features_of(some), some, rate=0.25, seed=7), some)
    assert of_some == {window for window in kept if window[0] in {example.id for example in some}}
    assert kept < windows(sample_null_windows(features, EXAMPLES, rate=0.5, seed=7), EXAMPLES)
    assert kept != windows(sample_null_windows(features, EXAMPLES, rate=0.25, seed=8), EXAMPLES)
    renamed = tuple(dataclasses.replace(example, id=f"{example.id}x") for example in EXAMPLES)
    assert len(kept) != len(windows(sample_null_windows(features, renamed, rate=0.25, seed=7), renamed))


def test_the_ends_of_the_rate(features: Features) -> None:
    assert not sample_null_windows(features, EXAMPLES, rate=0.0, seed=0).is_null.any()
    assert len(sample_null_windows(features, EXAMPLES, rate=1.0, seed=0)) == len(features)


def test_chance_is_that_of_the_published_generator() -> None:
    """The first outputs of SplitMix64 for the seed 1234567, as other implementations give them."""
    published = np.array([6457827717110365317, 3203168211198807973, 9817491932198370423], np.uint64)
    found = _uniform(np.full(3, 1234567, np.uint64), np.arange(3))
    assert found.tolist() == ((published >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()


def test_a_run_says_what_was_dropped_and_dev_is_untouched(tmp_path: Path) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(tmp_path / "train.json", 10, 30), tiny_run.write_squad(tmp_path / "dev.json", 8, 8)
    )
    words = (*tiny_run.FILES, *files, "trainer.max_steps=2")
    plain, all_kept = (
        tiny_run.train(tmp_path, "plain", *words),
        tiny_run.call(tmp_path, "train", "name=plain", *words, "features.null_window_rate=1.0"),
    )
    assert all_kept.code == 0, "a rate of 1.0 is the same run"
    sampled = tiny_run.train(tmp_path, "sampled", *words, "features.null_window_rate=0.3")
    before, after = (read_json(run / "data.json")["audit"] for run in (plain, sampled))
    told = after["train"].pop("null_windows")
    assert "null_windows" not in before["train"]
    assert told["rate"] == 0.3
    assert 0 < told["num_kept"] < told["num_dropped"]
    assert before["train"]["num_features"] - after["train"]["num_features"] == told["num_dropped"]
    assert after["dev"] == before["dev"]
    assert read_json(plain / "run.json")["run_id"] != read_json(sampled / "run.json")["run_id"]
    refused = tiny_run.call(tmp_path, "train", "name=no", *words, "features.null_window_rate=1.5")
    assert refused.code == 2
    assert "features.null_window_rate" in refused.last_line
