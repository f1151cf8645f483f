"""Null collapse: a model that answers nothing where it is used, and the advice against it."""

from __future__ import annotations

import pytest

from qaexp.evaluation.silence import NumAnswered, collapse_advice


def test_null_collapse_needs_questions_that_have_an_answer() -> None:
    found = [collapse_advice(NumAnswered(9, *counts), "random") for counts in ((5, 0), (0, 0), (5, 1))]
    assert [advice is not None for advice in found] == [True, False, False]


@pytest.mark.parametrize(
    ("counts", "where"),
    [
        ((120, 0, -1.168), "at its tuned threshold -1.17"),
        ((0, 0, -0.65), "at its tuned threshold -0.65, nor at threshold 0"),
        ((0, 9, 2.5), "at threshold 0"),
        ((120, 9, -0.65), None),
        ((120, None, None), None),
    ],
)
def test_null_collapse_is_judged_where_the_model_is_used(counts, where: str | None) -> None:
    """At 0, or at the tuned threshold that is stored with the model; the advice says where."""
    advice = collapse_advice(NumAnswered(658, 300, *counts), "random")
    expected = None if where is None else f"The model answers none of 658 questions {where}"
    assert (advice and advice.partition(", so")[0]) == expected


@pytest.mark.parametrize("subset", ["answerable", "random"])
def test_the_advice_against_silence_is_true_of_the_run(subset: str) -> None:
    advice = str(collapse_advice(NumAnswered(658, 300, 0, 3, 0.512), subset))
    assert "questions; at its tuned threshold 0.51, which qaexp answer uses, it answers 3: train" in advice
    assert ("on answerable ones first" in advice) == (subset == "random")
    assert (advice.endswith("."), advice.count(". ")) == (True, 0)
    assert "qaexp answer" not in str(collapse_advice(NumAnswered(658, 300, 0, 0, 0.512), subset))
