"""The metric against official values and the official functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.data.squad import Example
from qaexp.errors import DataError
from qaexp.evaluation.metrics import Golds, normalize_answer, score_examples, score_predictions, summarize
from qaexp.evaluation.threshold import best_thresholds
from tests.benchmarks import metric as official

TEXTS = st.lists(
    st.sampled_from(["the", "A", "an", "cat", "Cat.", "cat", "dog", "x-y", "–", "a–the", "İ", ","]), max_size=5
)
TEXT = st.one_of(TEXTS.map(" ".join), st.text(max_size=8))
CASES = st.lists(st.tuples(st.lists(TEXT, max_size=3), TEXT, st.integers(-3, 3)), min_size=1, max_size=12)


@pytest.fixture(scope="session")
def golden(golden_dir: Path) -> dict[str, dict[str, float]]:
    folder = golden_dir / "dev_perturbed"
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def test_equals_the_official_values(golden: dict[str, dict[str, float]], dev_examples: tuple[Example, ...]) -> None:
    ours = score_predictions({example.id: example.golds for example in dev_examples}, golden["predictions"])
    theirs = golden["official"]
    names = {"": "", "has_ans_": "HasAns_", "no_ans_": "NoAns_"}
    compared = [(ours[f"{a}{kind}"], theirs[f"{b}{kind}"]) for a, b in names.items() for kind in ("exact", "f1")]
    assert len(compared) == len(ours) == 6
    assert all(abs(value - expected) < 1e-9 for value, expected in compared)


def test_equals_the_official_best_thresholds(
    golden: dict[str, dict[str, float]], dev_examples: tuple[Example, ...]
) -> None:
    of_id = {example.id: example for example in dev_examples}
    ids = list(golden["na_prob"])
    golds = Golds.prepare(of_id[key].golds for key in ids)
    texts = [golden["predictions"][key] for key in ids]
    diffs = np.array([golden["na_prob"][key] for key in ids])
    answered = np.array([bool(text) for text in texts])
    ours = best_thresholds(golds.has_ans, answered, *golds.raw_scores(texts), diffs)
    assert {name: ours[name] for name in ours} == {
        name: pytest.approx(golden["official_with_na_prob"][name], abs=1e-9) for name in ours
    }
    assert len(ours) == 4


@given(cases=CASES)
def test_every_score_equals_the_official_functions_to_the_last_bit(cases: list[tuple[list[str], str, int]]) -> None:
    golds = {str(number): answers for number, (answers, _, _) in enumerate(cases)}
    predictions = {str(number): text for number, (_, text, _) in enumerate(cases)}
    exact, f1 = official.official_scores(golds, predictions)
    prepared = Golds.prepare(golds.values())
    raw_exact, raw_f1 = prepared.raw_scores(list(predictions.values()))
    assert raw_exact.tolist() == list(exact.values())
    assert raw_f1.tolist() == list(f1.values())
    empty_exact, empty_f1 = official.official_scores(golds, dict.fromkeys(golds, ""))
    assert prepared.empty.tolist() == list(empty_exact.values()) == list(empty_f1.values())


@given(cases=CASES)
def test_best_thresholds_equal_the_official_function(cases: list[tuple[list[str], str, int]]) -> None:
    golds = {str(number): answers for number, (answers, _, _) in enumerate(cases)}
    predictions = {str(number): text for number, (_, text, _) in enumerate(cases)}
    no_answer = {str(number): float(diff) for number, (_, _, diff) in enumerate(cases)}
    exact, f1 = official.official_scores(golds, predictions)
    prepared, texts = Golds.prepare(golds.values()), list(predictions.values())
    answered, diffs = np.array([bool(text) for text in texts]), np.array(list(no_answer.values()))
    ours = best_thresholds(prepared.has_ans, answered, *prepared.raw_scores(texts), diffs)
    for name, scores in (("exact", exact), ("f1", f1)):
        expected = official.official_best(golds, predictions, scores, no_answer)
        assert (ours[f"best_{name}"], ours[f"best_{name}_thresh"]) == expected


@given(text=TEXT)
def test_normalize_answer_equals_the_official_function(text: str) -> None:
    assert normalize_answer(text) == official.normalize(text)


def test_summary_equals_the_official_one_on_real_questions(dev_examples: tuple[Example, ...]) -> None:
    golds = {example.id: example.golds for example in dev_examples}
    predictions = official.perturbed(dev_examples, seed=1)
    assert official.compare(golds, predictions).startswith("1152 of 1152 examples equal")


def test_a_metric_over_no_examples_is_none() -> None:
    golds = Golds.prepare([["cat"]])
    metrics = summarize(golds.has_ans, *score_examples(golds, ["cat dog dog"]))
    assert [metrics[f"{group}exact"] for group in ("", "has_ans_", "no_ans_")] == [0.0, 0.0, None]
    assert [metrics[f"{group}f1"] for group in ("", "has_ans_", "no_ans_")] == [50.0, 50.0, None]
    assert set(score_predictions({}, {}).values()) == {None}


def test_a_score_over_missing_predictions_is_refused() -> None:
    golds = {f"q{number}": ["a"] for number in range(8)}
    with pytest.raises(DataError, match=r"7 ids are missing \(first: q1, q2, q3, q4, q5\)") as caught:
        score_predictions(golds, {"q0": "a", "other": "b"})
    assert "1 ids are not in the data (first: other)" in str(caught.value)
    assert caught.value.exit_code == 3
    with pytest.raises(ValueError, match="zip"):
        score_examples(Golds.prepare(golds.values()), ["a"])
