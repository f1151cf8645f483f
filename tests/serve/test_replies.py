"""The hub's JSON of an answer: probabilities, order, and whole words."""

from __future__ import annotations

import pytest

from qaexp.predictor import Answer
from qaexp.serve.replies import likelihoods, whole_words
from qaexp.web.refusals import RefusedError


def answer(probability: float | None, diff: float, *scores: float) -> Answer:
    spans = [{"text": "x", "score": score, "start_char": 0, "end_char": 1} for score in scores]
    return Answer("x" if scores else "", scores[0] if scores else None, 0, 1, diff, spans, probability)


def test_without_no_answer_the_spans_share_its_part() -> None:
    found = answer(0.4, 0.0, 2.0, 1.0)
    spans, none = likelihoods(found, may_be_empty=True, with_none=True)
    assert (none, spans[0]) == (pytest.approx(0.4), pytest.approx(0.4))
    without, nothing = likelihoods(found, may_be_empty=True, with_none=False)
    assert (nothing, without[0]) == (0.0, pytest.approx(0.4 / 0.6))
    assert likelihoods(found, may_be_empty=False, with_none=False) == (spans, 0.0)


def test_where_no_answer_is_certain_the_spans_still_have_an_order() -> None:
    sure = Answer("", 3.0, None, None, 60.0, answer(None, 0, 3.0, 2.0).n_best, 1.0)
    spans, _ = likelihoods(sure, may_be_empty=True, with_none=False)
    assert 1 >= spans[0] > spans[1] > 0
    assert sum(spans) == pytest.approx(1)


def test_a_decoding_without_probabilities_is_told() -> None:
    with pytest.raises(RefusedError, match="POST to /answer"):
        likelihoods(answer(None, 0.0, 1.0), may_be_empty=True, with_none=True)


@pytest.mark.parametrize(
    ("span", "expected"), [((4, 6), (4, 9)), ((5, 6), (4, 9)), ((0, 3), (0, 3)), ((10, 12), (10, 12)), ((3, 4), (3, 4))]
)
def test_whole_words(span: tuple[int, int], expected: tuple[int, int]) -> None:
    assert whole_words("the Paris (x) end", *span) == expected
