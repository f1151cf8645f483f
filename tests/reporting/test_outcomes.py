"""Every prediction is one of five outcomes, and their shares add up among has_ans and among no_ans."""

from __future__ import annotations

from typing import Any

import pytest

from qaexp.reporting.numbers.intervals import group
from qaexp.reporting.numbers.outcomes import NO_ANS_OUTCOMES, OUTCOMES, outcome, outcome_shares


def prediction(gold: str, answer: str, exact: float) -> dict[str, Any]:
    return {"golds": [gold] if gold else [], "prediction_text": answer, "exact": exact}


CASES = [
    (prediction("Paris", "Paris", 100.0), "right span"),
    (prediction("Paris", "in Paris", 0.0), "wrong span"),
    (prediction("Paris", "", 0.0), "missed answer"),
    (prediction("", "", 100.0), 'correct "no answer"'),
    (prediction("", "Paris", 0.0), "answered though unanswerable"),
]


@pytest.mark.parametrize(("given", "expected"), CASES)
def test_each_kind_has_its_name(given: dict[str, Any], expected: str) -> None:
    assert outcome(given) == expected


def test_the_cases_are_all_there_are() -> None:
    assert [expected for _, expected in CASES] == list(OUTCOMES)


def test_shares_are_of_the_examples_with_and_of_those_without_an_answer() -> None:
    right, wrong, missed, nothing, _ = (given for given, _ in CASES)
    shares = outcome_shares([right, right, right, wrong, missed, nothing])
    assert [(found.label, found.num, found.mean) for found in shares["has_ans"]] == [
        ("right span", 3, pytest.approx(60.0)),
        ("wrong span", 1, pytest.approx(20.0)),
        ("missed answer", 1, pytest.approx(20.0)),
    ]
    assert (shares["has_ans"][0].low, shares["has_ans"][0].high) == (None, None)  # all on one paragraph
    assert [found.label for found in shares["no_ans"]] == list(NO_ANS_OUTCOMES)
    assert "no_ans" not in outcome_shares([right])


def test_intervals_of_shares_are_over_paragraphs() -> None:
    right, wrong, *_ = (given for given, _ in CASES)
    rows = [{**(right if number % 3 else wrong), "paragraph": f"p{number // 2}"} for number in range(20)]
    found = outcome_shares(rows)["has_ans"][0]
    expected = group("", [100.0 * bool(number % 3) for number in range(20)], [row["paragraph"] for row in rows])
    assert (found.mean, found.low, found.high) == (expected.mean, expected.low, expected.high)
    assert found.low is not None
