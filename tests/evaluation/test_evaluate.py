"""One scored set: its metrics are those of the pieces, and of the official functions on what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from qaexp.data.features import build_features
from qaexp.data.squad import Example
from qaexp.errors import ConfigError
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.evaluate import THRESHOLD_METRICS, Evaluation
from qaexp.evaluation.judged import text_of
from qaexp.evaluation.logits import Logits
from qaexp.evaluation.question_set import Decoding, QuestionSet
from tests.benchmarks import metric as official
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.windows import make_features, make_logits

LIMITS: dict[str, Any] = {"n_best_size": 5, "max_answer_length": 30}
Scored = Callable[..., tuple[Evaluation, Sequence[Prediction]]]


@pytest.fixture(scope="module")
def questions(dev_examples: tuple[Example, ...]) -> list[Example]:
    return list(dev_examples[::4])


@pytest.fixture(scope="module")
def score(questions: list[Example]) -> Scored:
    """Evaluate logits that know a part of the answers."""
    tokenizer = tiny_tokenizer()
    features = build_features(questions, tokenizer, max_length=256, doc_stride=64)
    logits = make_logits(features, 0)
    known = np.random.default_rng(1).random(len(features)) < 0.6
    logits.start[(features.indptr[:-1] + features.start_position)[known]] += 12
    logits.end[(features.indptr[:-1] + features.end_position)[known]] += 12

    def run(null_threshold: float = 0.0, **settings: Any) -> tuple[Evaluation, Sequence[Prediction]]:
        asked = QuestionSet(questions, features, Decoding(**LIMITS | {"allow_no_answer": True} | settings))
        return asked.evaluate(logits, null_threshold), [one for _, found in asked.decoded(logits) for one in found]

    return run


def test_official_values_from_the_predictions(score: Scored, questions: list[Example]) -> None:
    found, predictions = score()
    golds = {example.id: example.golds for example in questions}
    exact, f1 = official.official_scores(golds, {one.id: one.text for one in predictions})
    for name, value in official.official_summary(golds, exact, f1).items():
        assert found.metrics[name] == pytest.approx(value, abs=1e-9)
    assert found.columns["exact"].tolist() == [100.0 * value for value in exact.values()]
    assert found.columns["f1"].tolist() == [100.0 * value for value in f1.values()]
    spans = {one.id: one.span_text for one in predictions}
    diffs = {one.id: one.null_score_diff for one in predictions}
    for name, scores in zip(("exact", "f1"), official.official_scores(golds, spans), strict=True):
        best = official.official_best(golds, spans, scores, diffs)
        assert (found.metrics[f"best_{name}"], found.metrics[f"best_{name}_thresh"]) == best


def test_at_another_threshold(score: Scored) -> None:
    default, predictions = score()
    tuned = default.metrics["null_threshold"]
    assert tuned
    found, _ = score(null_threshold=tuned)
    assert found.judged.is_answered.tolist() == [bool(one.text_at(tuned)) for one in predictions]
    assert [text_of(one, tuned) for one in predictions] == [one.text_at(tuned) for one in predictions]
    assert {name: found.metrics[name] for name in THRESHOLD_METRICS} == {
        name: default.metrics[name] for name in THRESHOLD_METRICS
    }
    rules = [default.metrics["crossfit_f1"], default.metrics["f1"], found.metrics["f1"]]
    crossfit_f1, f1, tuned_f1 = (value or 0.0 for value in rules)
    assert tuned_f1 > f1
    assert tuned_f1 >= crossfit_f1 > 0.0
    # The oracle takes a threshold among the same ones, so it is never below; its ties may lie elsewhere.
    assert (default.metrics["best_f1"] or 0.0) >= tuned_f1 - 1e-9


def test_without_the_empty_answer_there_is_no_threshold(score: Scored) -> None:
    found, predictions = score(allow_no_answer=False)
    assert all(one.text == one.span_text != "" for one in predictions)
    assert [found.metrics[name] for name in THRESHOLD_METRICS] == [
        *[None] * 4,
        found.metrics["exact"],
        found.metrics["f1"],
        None,
    ]
    assert set(found.metrics) == set(score()[0].metrics)


@pytest.mark.parametrize(("null_threshold", "allow_no_answer"), [(1.0, False), (np.nan, True), (-np.inf, True)])
def test_a_threshold_that_cannot_work_is_refused(score: Scored, null_threshold: float, allow_no_answer: bool) -> None:
    with pytest.raises(ConfigError, match="null threshold is") as caught:
        score(null_threshold=null_threshold, allow_no_answer=allow_no_answer)
    assert caught.value.exit_code == 2


def test_no_examples_have_no_metrics() -> None:
    features = make_features([])
    questions = QuestionSet([], features, Decoding(**LIMITS, allow_no_answer=True))
    found = questions.evaluate(make_logits(features, 0))
    assert set(found.metrics.values()) == {None}
    assert len(found.judged) == 0


def test_one_paragraph_cannot_be_cross_fitted() -> None:
    examples = [Example(f"q{number}", "t", "a b", "", ()) for number in range(2)]
    features = make_features([(0, [(0, 1)]), (1, [(2, 3)])])
    zeros = np.zeros(features.num_tokens, np.float32)
    questions = QuestionSet(examples, features, Decoding(**LIMITS, allow_no_answer=True))
    found = questions.evaluate(Logits(features.indptr, zeros, zeros))
    assert found.metrics["crossfit_f1"] is None
    assert found.metrics["null_threshold"] == -1.0
