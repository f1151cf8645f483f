"""Labels cover the visible answer: what no token stands for at its edges moves no label to the word beside it."""

from __future__ import annotations

import dataclasses
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from qaexp.data.audit import audit
from qaexp.data.edges import NOWHERE, ends_with_marks, is_visible, narrowed
from qaexp.data.features import build_features
from qaexp.data.squad import Answer, Example
from qaexp.evaluation.ceiling import ceiling, label_texts
from qaexp.evaluation.decoding import decode
from qaexp.evaluation.logits import Logits
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.own_tokenizers import CORPUS, FAMILIES, trained
from tests.fixtures.windows import make_features

SPACES = " \n\r\t\u00a0\u2028\u2029\u3000\x85\x1c"
DROPPED = "\u200b\u200d\u2060\ufeff\u00ad\u200e\u0301\u0308\ufe0f\ue000\x00\x07\U000e0101"
"""What BERT's normaliser takes away: formats, controls, marks, private use."""


def example(context: str, *answers: tuple[str, int]) -> Example:
    return Example("q", "t", context, "who?", tuple(Answer(text, start) for text, start in answers))


def label(context: str, text: str, start: int, tokenizer: PreTrainedTokenizerFast) -> tuple[int, int]:
    features = build_features([example(context, (text, start))], tokenizer, max_length=256, doc_stride=16)
    assert len(features) == 1
    return int(features.start_position[0]), int(features.end_position[0])


def label_text(context: str, text: str, start: int, tokenizer: PreTrainedTokenizerFast) -> str | None:
    examples = [example(context, (text, start))]
    features = build_features(examples, tokenizer, max_length=256, doc_stride=16)
    return label_texts(examples, features, max_answer_length=64)[0]


@pytest.mark.case("answer_with_a_space_at_its_edge")
@pytest.mark.parametrize("family", FAMILIES)
@given(left=st.text(SPACES, max_size=3), right=st.text(SPACES, max_size=3), at_edge=st.booleans())
def test_white_space_at_an_answer_moves_nothing(family: str, left: str, right: str, at_edge: bool) -> None:
    tokenizer = trained(family, CORPUS)
    before, after = ("", "") if at_edge else ("it was ", " in 911")
    context = f"{before}{left}Paris{right}{after}"
    start = len(before) + len(left)
    wide = label(context, f"{left}Paris{right}", len(before), tokenizer)
    assert wide == label(context, "Paris", start, tokenizer) != (0, 0)
    assert label_text(context, f"{left}Paris{right}", len(before), tokenizer) == "Paris"


@given(left=st.text(SPACES + DROPPED, max_size=3), right=st.text(SPACES + DROPPED, max_size=3))
def test_what_a_tokenizer_drops_moves_nothing(left: str, right: str) -> None:
    tokenizer = trained("bert", CORPUS)
    context = f"it was {left}Paris{right} in 911"
    wide = label(context, f"{left}Paris{right}", 7, tokenizer)
    assert wide == label(context, "Paris", 7 + len(left), tokenizer)
    assert label(f"{left}Paris{right}", f"{left}Paris{right}", 0, tokenizer) != (0, 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("edge", [" ", "\n", "\u200b", "\ufeff", "\u0301", "\ufe0f", "\u200b \u200b"])
def test_no_edge_takes_the_neighbour(family: str, edge: str) -> None:
    """Where a tokenizer has tokens for invisible characters they may belong to a label, but never another word."""
    context = f"the Normans{edge} Paris{edge} in Denmark"
    start, end = context.index("Paris") - len(edge), context.index(" in")
    found = label_text(context, context[start:end], start, trained(family, CORPUS))
    assert found is not None
    assert "Normans" not in found
    assert " in" not in found
    assert "".join(c for c in found if is_visible(c) and c != "\u0301").strip() == "Paris"


def test_a_mark_that_an_answer_begins_with_belongs_to_the_word_before() -> None:
    context = "the cafe\u0301 Paris"
    for family in ("bert", "xlmr", "roberta"):
        found = label_text(context, "\u0301 Paris", 8, trained(family, CORPUS))
        assert found is not None
        assert "caf" not in found
        assert "Paris" in found


@pytest.mark.parametrize("text", ["\u200b", "\ufeff\u2060", "\u200d \u200d", "\ufe0f", "\u3164"])
@pytest.mark.parametrize("family", ["bert", "roberta", "xlmr"])
def test_an_answer_without_a_visible_character_is_lost_and_counted(family: str, text: str) -> None:
    examples = [example(f"It was {text} here", (text, 7)), example("It was Paris", ("Paris", 7))]
    features = build_features(examples, trained(family, CORPUS), max_length=64, doc_stride=8)
    assert features.start_position[0] == features.null_position[0]
    report = audit(examples, features, max_answer_length=30)
    assert report["num_answers"] == 2
    assert report["lost_answers"]["by_window"] == report["answers_without_tokens"] == 1


def test_an_answer_that_a_tokenizer_drops_is_lost_and_one_that_fits_no_window_has_tokens() -> None:
    tokenizer = trained("bert", CORPUS)
    examples = [example("It was \ue000\ue001 here", ("\ue000\ue001", 7)), example("in " * 60, ("in " * 40, 0))]
    features = build_features(examples, tokenizer, max_length=32, doc_stride=8)
    report = audit(examples, features, max_answer_length=60)
    assert (report["lost_answers"]["by_window"], report["answers_without_tokens"]) == (2, 1)


WORDS = ("Café", "naïve", "Ångström", "São Tomé", "Việt Nam", "Μαΐου", "Ёлка", "Ελληνικά")


@pytest.mark.parametrize("family", ["tiny", "bert", "bert_left", "distilbert"])
def test_both_normal_forms_have_the_same_labels_and_the_whole_ceiling(family: str) -> None:
    tokenizer = tiny_tokenizer() if family == "tiny" else trained(family, CORPUS)
    found, texts = [], []
    for form in ("NFC", "NFD"):
        spelled = [unicodedata.normalize(form, word) for word in WORDS]
        examples = [example(f"It was {word}, {word} in 911", (word, 7)) for word in spelled]
        features = build_features(examples, tokenizer, max_length=96, doc_stride=8)
        found.append(np.stack([features.start_position, features.end_position]))
        texts.append(label_texts(examples, features, max_answer_length=64))
        assert texts[-1] == spelled
        assert ceiling(examples, features, max_answer_length=64)["exact"] == 100.0
        assert audit(examples, features, max_answer_length=64)["offset_mismatches"]["num"] == 0
    assert np.array_equal(*found)


def test_an_answer_of_marks_and_emoji_keeps_what_has_tokens() -> None:
    """Byte-level tokenizers know every character: nothing of what they have tokens for is left out."""
    tokenizer = trained("roberta", CORPUS)
    for text in ("\u2764\ufe0f", "1\ufe0f\u20e3", "cafe\u0301", "Paris\u200b"):
        assert label_text(f"It was {text} in 911", text, 7, tokenizer) == text


def test_narrowed_by_hand() -> None:
    words = np.array([[0, 3], [4, 8], [9, 12]], np.int32)
    context = "abc\u200bdefg hij"
    assert narrowed(context, 3, 8, words) == (4, 8)  # no token covers the zero-width space
    assert narrowed(context, 3, 9, words) == (4, 8)
    assert narrowed(context, 3, 4, words) == NOWHERE
    shared = np.array([[0, 4], [4, 8]], np.int32)  # the neighbour's token covers it
    assert narrowed(context, 3, 8, shared) == (4, 8)
    own = np.array([[0, 3], [3, 4], [4, 8]], np.int32)
    assert narrowed(context, 3, 8, own) == (3, 8)
    assert narrowed(context, 5, 7, words) == (5, 7)  # inside a token: as it is


def test_a_predicted_word_takes_its_marks_along() -> None:
    context = "It was cafe\u0301 in e\u0301te\u0301."
    examples = [dataclasses.replace(example(context), id="q")]
    features = build_features(examples, tiny_tokenizer(), max_length=64, doc_stride=8)
    ends = ends_with_marks([context], features.example_index, features.indptr, features.offset_mapping)
    begins = features.offset_mapping[:, 0]
    words = [context[begin:end] for begin, end in zip(begins, ends, strict=True) if end]
    assert words[-1] == "."
    assert "".join(words) == context.replace(" ", "")
    start, end = (np.where(ends == place, 9.0, 0.0).astype(np.float32) for place in (context.index(" in"),) * 2)
    limits = {"n_best_size": 5, "max_answer_length": 30, "allow_no_answer": False}
    prediction = decode(examples, features, Logits(features.indptr, start, end), **limits)[0]
    assert prediction.text.endswith("e\u0301")
    assert context[prediction.n_best[0].start_char : prediction.n_best[0].end_char] == prediction.text


def test_marks_of_the_next_text_are_not_taken() -> None:
    examples = [example("abc"), example("\u0301abc")]
    features = make_features([(0, [(0, 3)]), (1, [(1, 4)])])
    columns = features.example_index, features.indptr, features.offset_mapping
    assert ends_with_marks([one.context for one in examples], *columns).tolist() == [0, 3, 0, 0, 4, 0]
