"""The likelihood of the gold answers against its definition, candidate by candidate, in every corner."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Answer, Example
from qaexp.evaluation import likelihood
from qaexp.evaluation.likelihood import gold_nll
from qaexp.evaluation.logits import Logits
from tests.benchmarks.decoding import rows_of
from tests.evaluation.test_decoding import contexts_with_windows
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.windows import make_features, make_logits

Places = dict[tuple[int, int], float]


def example(context: str, *answers: tuple[int, int]) -> Example:
    return Example("q", "", context, "", tuple(Answer(context[begin:end], begin) for begin, end in answers))


def reference(example: Example, rows: list[dict[str, Any]], *, max_answer_length: int, allow_no_answer: bool) -> float:
    """The definition, one candidate after the other."""
    best: Places = {}
    for row in rows:
        for i in range(row["context_begin"], row["context_end"]):
            for j in range(i, min(i + max_answer_length, row["context_end"])):
                begin, end = characters(example, row, i, j)
                if begin < end:
                    best[begin, end] = max(best.get((begin, end), -math.inf), score(row, i, j))
    golds: set[tuple[int, int]] = set()
    for answer in set(example.answers):
        touched = [touched_tokens(example, row, answer) for row in rows]
        held = [(row, found[0], found[-1]) for row, found in zip(rows, touched, strict=True) if found]
        places = [characters(example, *one) for one in held]
        whole = (min((begin for begin, _ in places), default=0), max((end for _, end in places), default=0))
        for (row, i, j), place in zip(held, places, strict=True):
            if place == whole and place[0] < place[1]:
                best[place] = max(best.get(place, -math.inf), score(row, i, j))
                golds.add(place)
    scores, gold = list(best.values()), [best[place] for place in golds]
    if allow_no_answer:
        null = min(score(row, row["null_position"], row["null_position"]) for row in rows)
        scores.append(null)
        gold = [null] if example.is_impossible else gold
    if not scores:
        return math.log(2)
    if not gold:
        gold = [min(scores)]
        scores += gold
    return float(np.logaddexp.reduce(scores) - np.logaddexp.reduce(gold))


def score(row: dict[str, Any], i: int, j: int) -> float:
    return float(row["start"][i]) + float(row["end"][j])


def characters(example: Example, row: dict[str, Any], i: int, j: int) -> tuple[int, int]:
    """What is left of the text from token i to token j without white space around it."""
    begin, end = row["offset_mapping"][i][0], row["offset_mapping"][j][1]
    text = example.context[begin:end]
    return begin + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def touched_tokens(example: Example, row: dict[str, Any], answer: Answer) -> list[int]:
    inside = range(row["context_begin"], row["context_end"])
    places = {i: characters(example, row, i, i) for i in inside}
    return [i for i in inside if places[i][0] < places[i][1] and touches(places[i], answer)]


def touches(place: tuple[int, int], answer: Answer) -> bool:
    return place[0] < answer.end_char and place[1] > answer.start_char


def answers_in(context: str) -> st.SearchStrategy[list[tuple[int, int]]]:
    if not context:
        return st.just([])
    return st.lists(
        st.integers(0, len(context) - 1).flatmap(
            lambda begin: st.tuples(st.just(begin), st.integers(begin + 1, len(context)))
        ),
        max_size=3,
    )


@given(
    made=contexts_with_windows(),
    data=st.data(),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1.0, 300.0]),
    max_answer_length=st.integers(1, 9),
    allow_no_answer=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_equals_the_definition_on_made_up_windows(
    made: Any, data: st.DataObject, seed: int, scale: float, **limits: Any
) -> None:
    contexts, windows = made
    windows = [(index, sorted(tokens)) for index, tokens in windows]  # what a gold answer touches is one piece
    examples = [example(context, *data.draw(answers_in(context))) for context in contexts]
    features = make_features(windows)
    made_up = make_logits(features, seed)
    logits = Logits(features.indptr, made_up.start * np.float32(scale), made_up.end * np.float32(scale))
    found = gold_nll(examples, features, logits, **limits)
    assert found is not None
    rows = rows_of(features, logits)
    expected = [reference(one, rows[index], **limits) for index, one in enumerate(examples)]
    assert found.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_equals_the_definition_on_real_questions(
    dev_examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = dev_examples[::24]
    features = build_features(examples, tiny_tokenizer(), max_length=192, doc_stride=32)
    logits, rows = make_logits(features, 1), rows_of(features, make_logits(features, 1))
    monkeypatch.setattr(likelihood, "EXAMPLES_PER_BLOCK", 7)
    limits: dict[str, Any] = {"max_answer_length": 5, "allow_no_answer": True}
    found = gold_nll(examples, features, logits, **limits)
    assert found is not None
    assert found.tolist() == pytest.approx(
        [reference(one, rows[index], **limits) for index, one in enumerate(examples)]
    )


def test_laying_windows_over_each_other_changes_no_bit(
    dev_examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums go over the same spans in the same order, so not even the last digit depends on the way."""
    examples = dev_examples[::6]
    features = build_features(examples, tiny_tokenizer(), max_length=128, doc_stride=48)
    logits = make_logits(features, 2)
    limits: dict[str, Any] = {"max_answer_length": 12, "allow_no_answer": True}
    merged, calls = gold_nll(examples, features, logits, **limits), []
    crowded = likelihood._crowded_sums

    def counted(grid: Any, golds: Any, num_examples: int) -> Any:
        calls.append(len(np.unique(grid.example)))
        return crowded(grid, golds, num_examples)

    monkeypatch.setattr(likelihood, "_crowded_sums", counted)
    monkeypatch.setattr(likelihood, "can_merge", lambda _, num_examples: np.zeros(num_examples, bool))
    plain = gold_nll(examples, features, logits, **limits)
    assert merged is not None
    assert plain is not None
    assert merged.tobytes() == plain.tobytes()
    assert sum(calls) > len(examples) // 3


def three_words(*answers: tuple[int, int]) -> tuple[list[Example], Features]:
    return [example("a b c", *answers)], make_features([(0, [(0, 1), (2, 3), (4, 5)])])


def flat(features: Features) -> Logits:
    return Logits(features.indptr, np.zeros(features.num_tokens, np.float32), np.zeros(features.num_tokens, np.float32))


@pytest.mark.parametrize(
    ("answers", "allow_no_answer", "max_answer_length", "probability"),
    [
        ((), True, 3, 1 / 7),
        (((0, 1),), True, 3, 1 / 7),
        (((0, 1),), False, 3, 1 / 6),
        (((0, 1), (0, 3), (0, 1)), True, 3, 2 / 7),
        # Longer than decoding allows, it is a candidate nevertheless.
        (((0, 5),), True, 1, 1 / 5),
        # No answer may be empty: one more candidate, as bad as the worst.
        ((), False, 3, 1 / 7),
    ],
)
def test_equal_scores_give_each_candidate_the_same_share(
    answers: tuple[tuple[int, int], ...], allow_no_answer: bool, max_answer_length: int, probability: float
) -> None:
    examples, features = three_words(*answers)
    found = gold_nll(
        examples, features, flat(features), max_answer_length=max_answer_length, allow_no_answer=allow_no_answer
    )
    assert found is not None
    assert np.exp(-found).tolist() == pytest.approx([probability])


def test_an_answer_that_no_window_holds_whole_is_no_better_than_the_worst_candidate() -> None:
    features = make_features([(0, [(0, 1), (2, 3)]), (0, [(2, 3), (4, 5)])])
    found = gold_nll([example("a b c", (0, 5))], features, flat(features), max_answer_length=3, allow_no_answer=True)
    assert found is not None  # a, b, c, "a b", "b c", and no answer
    assert np.exp(-found).tolist() == pytest.approx([1 / 7])


def test_nothing_is_said_where_the_place_of_a_gold_answer_is_unknown() -> None:
    examples, features = three_words((0, 1))
    unknown = Example("q", "", "a b c", "", (Answer("a", -1),))
    assert gold_nll(examples, features, flat(features), max_answer_length=3, allow_no_answer=True) is not None
    assert gold_nll([unknown], features, flat(features), max_answer_length=3, allow_no_answer=True) is None


def test_a_text_that_is_right_without_a_place_is_no_candidate() -> None:
    examples, features = three_words((0, 1))
    more = [replace(one, answers=(*one.answers, Answer("elsewhere", -1))) for one in examples]
    found, expected = (
        gold_nll(one, features, flat(features), max_answer_length=3, allow_no_answer=True) for one in (more, examples)
    )
    assert found is not None
    assert expected is not None
    assert found.tolist() == expected.tolist()
