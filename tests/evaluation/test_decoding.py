"""Decoding against a brute force over every legal span, in every corner: ties, whitespace, overlapping windows."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Example
from qaexp.errors import DivergedError, IntegrityError
from qaexp.evaluation import decoding, spans
from qaexp.evaluation.decoding import NO_SPAN_DIFF, Prediction, Span, decode
from qaexp.evaluation.logits import Logits
from tests.benchmarks import decoding as decoding_reference
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.windows import make_features, make_logits

LIMITS: dict[str, Any] = {"n_best_size": 20, "max_answer_length": 30, "allow_no_answer": True}


def example(number: int, context: str) -> Example:
    return Example(f"q{number}", "", context, "", ())


def brute(examples: list[Example], features: Features, logits: Logits, **limits: Any) -> list[Prediction]:
    rows = decoding_reference.rows_of(features, logits)
    return [decoding_reference.brute_force(this, rows[index], **limits) for index, this in enumerate(examples)]


@st.composite
def contexts_with_windows(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, list[tuple[int, int]]]]]:
    """Contexts with much whitespace, cut into tokens that may hold, or be, whitespace, and into overlapping windows."""
    contexts, windows = [], []
    for index in range(draw(st.integers(1, 4))):
        context = draw(st.text(alphabet="ab é\n\u3000😀 ", max_size=14))
        cuts = sorted(draw(st.lists(st.integers(0, len(context)), min_size=2, max_size=12)))
        tokens = list(itertools.pairwise(cuts))
        if draw(st.booleans()):  # several tokens of one character, as byte-level tokenizers make them
            tokens = [token for token in tokens for _ in range(draw(st.integers(1, 3)))]
        if draw(st.booleans()):  # in no order at all: no tokenizer does this, but nothing may depend on it
            tokens = draw(st.permutations(tokens))
        size, step = draw(st.integers(1, 8)), draw(st.integers(1, 4))
        starts = range(0, max(1, len(tokens) - size + step), step)
        windows += [(index, tokens[start : start + size]) for start in starts]
        contexts.append(context)
    return contexts, windows


@given(
    made=contexts_with_windows(),
    seed=st.integers(0, 2**32 - 1),
    integers=st.booleans(),
    n_best_size=st.integers(1, 12),
    max_answer_length=st.integers(1, 9),
    allow_no_answer=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_equals_brute_force_on_made_up_windows(
    made: Any,
    seed: int,
    integers: bool,
    **limits: Any,
) -> None:
    contexts, windows = made
    examples = [example(number, context) for number, context in enumerate(contexts)]
    features = make_features(windows)
    logits = make_logits(features, seed, integers=integers)
    expected = brute(examples, features, logits, **limits)
    assert decode(examples, features, logits, **limits) == expected


@pytest.fixture(scope="module")
def real(dev_examples: tuple[Example, ...]) -> tuple[list[Example], Features]:
    """Every 24th dev question, in small windows so that most examples have several."""
    tokenizer = tiny_tokenizer()
    examples = list(dev_examples[::24])
    return examples, build_features(examples, tokenizer, max_length=128, doc_stride=32)


@pytest.mark.parametrize("seed", range(4))
def test_equals_brute_force_on_real_features(
    real: tuple[list[Example], Features],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    examples, features = real
    assert len(features) > 2 * len(examples)
    monkeypatch.setattr(decoding, "EXAMPLES_PER_BLOCK", [7, 64][seed % 2])
    logits = make_logits(features, seed, integers=seed % 2 == 0)
    limits = LIMITS | {"max_answer_length": [5, 30][seed // 2]}
    assert decode(examples, features, logits, **limits) == brute(examples, features, logits, **limits)


def test_equal_scores_go_to_the_earlier_start_then_to_the_earlier_end() -> None:
    features = make_features([(0, [(0, 1), (2, 3), (4, 5)])])
    logits = Logits(features.indptr, np.zeros(5, np.float32), np.zeros(5, np.float32))
    found = decode([example(0, "a b c")], features, logits, **LIMITS)[0]
    assert [span.text for span in found.n_best] == ["a", "a b", "a b c", "b", "b c", "c"]
    assert found.null_score_diff == 0.0
    assert found.text == "a"


def test_the_same_characters_of_two_windows_count_once_with_the_best_score() -> None:
    features = make_features([(0, [(0, 1)]), (0, [(0, 1)])])
    start, end = np.array([9, 1, 0, 7, 3, 0], np.float32), np.array([0, 1, 0, 0, 2, 0], np.float32)
    found = decode([example(0, "a")], features, Logits(features.indptr, start, end), **LIMITS)[0]
    assert found.n_best == (Span("a", 5.0, 0, 1),)
    assert found.null_score_diff == 7.0 - 5.0  # the least null score of the windows


def test_tokens_of_the_same_character_do_not_crowd_out_other_spans() -> None:
    features = make_features([(0, [(0, 1), (0, 1), (0, 1), (1, 2)])])
    start = np.array([0, 9, 9, 9, 1, 0], np.float32)
    found = decode([example(0, "éa")], features, Logits(features.indptr, start, start), **LIMITS | {"n_best_size": 3})[
        0
    ]
    assert [(span.text, span.score) for span in found.n_best] == [("é", 18.0), ("éa", 10.0), ("a", 2.0)]


def test_no_answer_is_given_only_where_it_is_allowed() -> None:
    features = make_features([(0, [(0, 1)])])
    logits = Logits(features.indptr, np.array([5, 1, 0], np.float32), np.array([5, 1, 0], np.float32))
    texts = [decode([example(0, "a")], features, logits, **LIMITS | {"allow_no_answer": allow})[0].text
             for allow in (True, False)]  # fmt: skip
    assert texts == ["", "a"]


@pytest.mark.parametrize(("context", "tokens"), [("", []), (" \n ", [(0, 1), (1, 3)]), ("ab", [(1, 1)])])
@pytest.mark.parametrize("allow_no_answer", [True, False])
def test_without_a_legal_span_the_answer_is_empty(
    context: str, tokens: list[tuple[int, int]], allow_no_answer: bool
) -> None:
    features = make_features([(0, tokens)])
    zeros = np.zeros(features.num_tokens, np.float32)
    limits = LIMITS | {"allow_no_answer": allow_no_answer}
    found = decode([example(0, context)], features, Logits(features.indptr, zeros, zeros), **limits)
    assert found == [Prediction("q0", "", NO_SPAN_DIFF, ())]
    assert found[0].span_text == found[0].text_at(2 * NO_SPAN_DIFF) == ""


def test_text_at_a_threshold() -> None:
    prediction = Prediction("q", "", 2.0, (Span("a", 1.0, 0, 1),))
    assert [prediction.text_at(threshold) for threshold in (1.9, 2.0)] == ["", "a"]


def test_nothing_gives_nothing() -> None:
    features = make_features([])
    assert (
        decode([], features, Logits(features.indptr, np.zeros(0, np.float32), np.zeros(0, np.float32)), **LIMITS) == []
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["start", "end"])
def test_logits_that_are_not_finite_are_refused(value: float, column: str) -> None:
    features = make_features([(number, [(0, 1)]) for number in range(9)])
    logits = make_logits(features, 0)
    getattr(logits, column)[features.indptr[3:9]] = value
    with pytest.raises(DivergedError, match=r"6 of 9 examples \(first ids: q3, q4, q5, q6, q7\)") as caught:
        decode([example(number, "a") for number in range(9)], features, logits, **LIMITS)
    assert caught.value.exit_code == 6


def test_logits_of_other_features_or_examples_are_refused() -> None:
    features, other = make_features([(0, [(0, 1)]), (1, [(0, 1)])]), make_features([(0, [(0, 1), (1, 2)]), (1, [])])
    examples = [example(0, "ab"), example(1, "ab")]
    with pytest.raises(IntegrityError, match="do not fit 2 features"):
        decode(examples, features, make_logits(other, 0), **LIMITS)
    for given_examples in (examples[:1], [*examples, example(2, "ab")], []):
        with pytest.raises(IntegrityError, match="other examples"):
            decode(given_examples, features, make_logits(features, 0), **LIMITS)


def test_the_table_of_whitespace_is_whole() -> None:
    known = {code for code in range(len(spans._BLANK)) if spans._BLANK[code]}
    assert known == {code for code in range(sys.maxunicode + 1) if chr(code).isspace()}
