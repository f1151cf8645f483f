"""The slice keys of scores.csv."""

from __future__ import annotations

import pytest

from qaexp.data.squad import Answer, Example
from qaexp.evaluation.slices import question_word, slice_keys


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the capital?", "what"),
        ("In what  year was it?", "what"),
        ("WHO's there?", "who"),
        ("With whom did they fight?", "who"),
        ("Whose name was it?", "who"),
        ("How\tmany people live there?", "how many"),
        ("How much does it cost?", "how many"),
        ("How is it done?", "how"),
        ("Why, and when?", "why"),
        ("The tomb is where?", "where"),
        ("Which one?", "which"),
        ("Somewhat whatever, somehow?", "other"),
        ("", "other"),
    ],
)
def test_question_word(question: str, expected: str) -> None:
    assert question_word(question) == expected


def test_slice_keys() -> None:
    example = Example("q", "t", "In 911 Rollo came.", "When?", (Answer("In 911", 0), Answer("911", 3)))
    keys = {"question_word": "when", "answer_words": 2, "context_words": 4, "num_windows": 3}
    assert slice_keys(example, 3) == keys
    assert slice_keys(Example("q", "t", "In 911", "When?", ()), 1)["answer_words"] == 0
