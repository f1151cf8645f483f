"""What the labels themselves would score."""

from __future__ import annotations

import numpy as np
import pytest

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Answer, Example
from qaexp.evaluation.ceiling import ceiling, label_texts
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.windows import make_features

CONTEXT = "in 911AD there"


def labelled(start: list[int], end: list[int]) -> Features:
    """Two windows of one example over tokens `in`, `911AD` and `911AD`, `there`; the second example has none."""
    windows = [(0, [(0, 2), (3, 8)]), (0, [(3, 8), (9, 14)]), (1, [(0, 2)])]
    positions = {"start_position": np.array([*start, 0], np.int32), "end_position": np.array([*end, 0], np.int32)}
    return make_features(windows, **positions)


def examples(answer: str) -> list[Example]:
    answers = (Answer(answer, CONTEXT.index(answer)),)
    return [Example("q0", "", CONTEXT, "", answers), Example("q1", "", CONTEXT, "", ())]


def test_a_label_that_is_wider_than_the_answer_costs_its_share() -> None:
    found = ceiling(examples("911"), labelled([2, 1], [2, 1]), max_answer_length=30)
    assert (found["has_ans_exact"], found["has_ans_f1"]) == (0.0, 0.0)  # the token is 911AD, another word
    found = ceiling(examples("911AD there"), labelled([0, 1], [0, 2]), max_answer_length=2)
    assert set(found.values()) == {100.0}


def test_lost_answers_score_nothing() -> None:
    features = labelled([0, 1], [0, 2])
    assert label_texts(examples("911AD there"), features, max_answer_length=1) == [None, None]
    found = ceiling(examples("911AD there"), features, max_answer_length=1)
    assert (found["exact"], found["has_ans_f1"], found["no_ans_f1"]) == (50.0, 0.0, 100.0)
    nowhere = labelled([0, 0], [0, 0])
    assert ceiling(examples("911AD there"), nowhere, max_answer_length=30)["has_ans_exact"] == 0.0


def test_the_first_window_that_holds_the_answer_counts() -> None:
    features = labelled([2, 1], [2, 2])
    assert label_texts(examples("911AD"), features, max_answer_length=30) == ["911AD", None]


def test_an_answer_that_normalises_to_nothing_is_lost_too() -> None:
    only = [Example("q0", "", "the", "", (Answer("the", 0),))]
    features = make_features([(0, [(0, 3)])])
    assert ceiling(only, features, max_answer_length=30)["exact"] == 0.0


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_the_real_sample_is_nearly_whole(dev_examples: tuple[Example, ...], padding_side: str) -> None:
    tokenizer = tiny_tokenizer(padding_side=padding_side)
    few = dev_examples[::6]
    features = build_features(few, tokenizer, max_length=384, doc_stride=128)
    found = ceiling(few, features, max_answer_length=200)
    assert found["no_ans_exact"] == 100.0
    assert found["f1"] is not None
    assert found["f1"] > 98.0
