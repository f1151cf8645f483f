"""Features against the tokenizer's own overflow windows and the labelling loops of transformers' run_qa.py.

`QAEXP_THOROUGH=1` compares every example of the real sample under every tokenizer and setting (not only under the
default ones), and draws 2,000 odd texts.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import CanineTokenizer, PreTrainedTokenizerFast

from qaexp.data.features import Features, build_features, check_tokenizer
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, Example
from qaexp.data.windows import cut_windows, label_windows
from qaexp.errors import ConfigError, DataError
from tests.benchmarks.features import label
from tests.fixtures.checkpoints import minilm_tokenizer
from tests.fixtures.own_tokenizers import BERT, CORPUS, FAMILIES, WITH_TYPES, fast, template, trained, wordpiece
from tests.fixtures.visible_core import visible_core

IS_THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"
SETTINGS = ((384, 128), (512, 128), (128, 64), (64, 0), (100, 32))


@pytest.fixture(scope="module")
def sample(sample_dir: Path) -> tuple[Example, ...]:
    return tuple(
        example for split in ("train", "dev") for example in read_squad_file(sample_dir / f"{split}.json").examples
    )


def overflow(
    examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast, max_length: int, doc_stride: int
) -> Any:
    """The windows of the tokenizer itself, unpadded."""
    questions, contexts = [example.question.lstrip() for example in examples], [e.context for e in examples]
    first, second, cut = (
        (questions, contexts, "only_second")
        if tokenizer.padding_side == "right"
        else (contexts, questions, "only_first")
    )
    return tokenizer(
        first,
        second,
        truncation=cut,
        max_length=max_length,
        stride=doc_stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def run_qa_label(encoding: Any, row: int, answer: Answer, context_id: int, null: int) -> tuple[int, int]:
    """What run_qa.py labels on an unpadded row."""
    offsets, sequence_ids = encoding["offset_mapping"][row], encoding.sequence_ids(row)
    if context_id not in sequence_ids:
        return null, null
    return label(offsets, sequence_ids, answer.start_char, answer.end_char, null, context_id)


def check_against_reference(
    examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast, max_length: int, doc_stride: int
) -> tuple[int, int]:
    """Compare everything; return the number of features and of labels that run_qa.py puts behind the context.

    Answers are as they are: run_qa.py's label of one with odd edges is another.
    """
    features = build_features(examples, tokenizer, max_length=max_length, doc_stride=doc_stride)
    encoding = overflow(examples, tokenizer, max_length, doc_stride)
    rows = encoding["input_ids"]
    assert features.lengths.tolist() == list(map(len, rows))
    assert np.array_equal(features.input_ids, np.fromiter(chain.from_iterable(rows), int))
    assert features.example_index.tolist() == encoding["overflow_to_sample_mapping"]
    types = chain.from_iterable(encoding.get("token_type_ids", ()))
    assert np.array_equal(features.token_type_ids[features.token_type_ids > 0], [type for type in types if type])
    check_offsets(features, encoding, examples, context_id(tokenizer))
    return len(features), check_labels(features, encoding, examples, tokenizer)


def context_id(tokenizer: PreTrainedTokenizerFast) -> int:
    return 1 if tokenizer.padding_side == "right" else 0


def check_offsets(features: Features, encoding: Any, examples: tuple[Example, ...], context_id: int) -> None:
    sequence_ids = chain.from_iterable(encoding.sequence_ids(row) for row in range(len(features)))
    is_context = np.array([sequence == context_id for sequence in sequence_ids])
    token, row = np.arange(features.num_tokens), np.repeat(np.arange(len(features)), features.lengths)
    place = token - features.indptr[:-1][row]
    assert np.array_equal(is_context, (place >= features.context_begin[row]) & (place < features.context_end[row]))
    expected = np.array(list(chain.from_iterable(encoding["offset_mapping"])))
    expected[~is_context] = 0
    for index in np.flatnonzero((features.offset_mapping != expected).any(axis=1)):
        # With add_prefix_space, trimming spares the space of a window's first token (it takes it for the added one).
        assert place[index] == features.context_begin[row[index]]
        context = examples[features.example_index[row[index]]].context
        found, wanted = (context[slice(*pair)] for pair in (features.offset_mapping[index], expected[index]))
        assert found.lstrip() == wanted.lstrip()


def check_labels(
    features: Features, encoding: Any, examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast
) -> int:
    num_behind = 0
    for row, (index, end) in enumerate(zip(features.example_index, features.context_end, strict=True)):
        frame = zip(encoding["input_ids"][row], encoding.sequence_ids(row), strict=True)
        null = list(frame).index((tokenizer.cls_token_id, None))
        assert features.null_position[row] == null
        found = int(features.start_position[row]), int(features.end_position[row])
        expected = null, null
        if examples[index].answers:
            expected = run_qa_label(encoding, row, examples[index].answers[0], context_id(tokenizer), null)
        if expected != (null, null) and expected[0] >= end:
            num_behind += 1
            expected = int(end) - 1, expected[1]
        # Of an answer of one character that is several byte-level tokens, that script's start is behind its end.
        expected = min(expected), max(expected)
        assert found == expected
    return num_behind


def fitting(
    examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast, max_length: int, doc_stride: int
) -> tuple[Example, ...]:
    """Leave out the questions with which the tokenizer's own truncation panics."""
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    ids = tokenizer([example.question.lstrip() for example in examples], add_special_tokens=False)["input_ids"]
    return tuple(example for example, row in zip(examples, ids, strict=True) if room - len(row) > doc_stride)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["minilm", *FAMILIES])
def test_sample_equals_the_tokenizers_own_windows(
    family: str, sample: tuple[Example, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tuple(sorted({e.context for e in sample}))
    tokenizer = minilm_tokenizer() if family == "minilm" else trained(family, corpus)
    step = 4 if family in ("minilm", "bert_left", "roberta", "xlmr") else 16
    num_features = num_behind = 0
    for max_length, doc_stride in SETTINGS:
        is_whole = IS_THOROUGH or (family, max_length, doc_stride) == ("minilm", 384, 128)
        examples = sample if is_whole else sample[::step]
        kept = fitting(examples, tokenizer, max_length, doc_stride)
        assert len(kept) >= 0.99 * len(examples)
        features, behind = check_against_reference(kept, tokenizer, max_length, doc_stride)
        num_features, num_behind = num_features + features, num_behind + behind
    with capsys.disabled():
        print(
            f"\n{family}: {num_features} features under {len(SETTINGS)} settings, 0 ids and 0 labels differ "
            f"({num_behind} starts that run_qa.py puts behind the context)"
        )


# Pieces that are hard for offsets: joined emoji, combining marks, both normal forms, right-to-left text with controls,
# NUL, CRLF, scripts without spaces, zero width, private use, characters that normalisers drop, widen or split.
PIECES = (
    "Paris",
    "the Normans ",
    " in ",
    "911",
    ".",
    ",",
    "  ",
    "\n",
    "\r\n",
    "\x00",
    "\t",
    "\u00a0",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f600",
    "\U0001f1eb\U0001f1f7",
    "\U0001f44d\U0001f3fd",
    "e\u0301",
    "\u00e9",
    "a\u0308\u0323",
    "\ufb01",
    "\u00bd",
    "\u0130",
    "\u1e9e",
    "\u00df",
    "A\u030a",
    "\u212b",
    "\u05e2\u05d1\u05e8",
    "\u202e\u0639\u0631\u0628\u202c",
    "\u2067",
    "\u0e20\u0e32\u0e29\u0e32",
    "\u65e5\u672c\u8a9e",
    "\ud55c\uad6d",
    "\u1112\u1161\u11ab",
    "\ue000",
    "\U0010ffff",
    "``",
    "[SEP]",
    "</s>",
    "<s>",
    "[UNK]",
    "\u2581",
    "\u0120",
    "x" * 120,
)
UNICODE_FAMILIES = (
    "bert",
    "bert_left",
    "bert_truncating_left",
    "roberta",
    "roberta_prefixed",
    "modernbert",
    "xlmr",
    "deberta_v3",
    "xlnet",
)


@st.composite
def questions_on_odd_texts(draw: st.DrawFn) -> Example:
    context = "".join(
        draw(
            st.lists(
                st.one_of(st.sampled_from(PIECES), st.text(max_size=4).filter(is_encodable)), min_size=1, max_size=25
            )
        )
    )
    if not context.strip():
        return Example("1", "t", context, "who?", ())
    start = draw(st.integers(0, len(context) - 1))
    end = draw(st.integers(start + 1, min(len(context), start + 12)))
    text = context[start:end]
    return Example(
        "1",
        "t",
        context,
        draw(st.sampled_from(("", "who?", " où 日本 ", "👍🏽"))),
        (Answer(text, start),) if text.strip() else (),
    )


def is_encodable(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


@settings(max_examples=2000 if IS_THOROUGH else 200, deadline=None)
@given(question=questions_on_odd_texts(), family=st.sampled_from(UNICODE_FAMILIES))
@example(question=Example("1", "t", "日本語", "who?", (Answer("本", 1),)), family="roberta")
@example(question=Example("1", "t", "", "who?", ()), family="xlnet")
def test_any_span_of_any_text_survives(question: Example, family: str) -> None:
    tokenizer = trained(family, CORPUS)
    visible = visible_core(question, tokenizer) if question.answers else None
    bare = dataclasses.replace(question, answers=(visible,) if visible else ())
    check_against_reference((bare,), tokenizer, 48, 3)
    for length, stride in ((48, 3), (4096, 0)):
        pair = [build_features((one,), tokenizer, max_length=length, doc_stride=stride) for one in (question, bare)]
        assert np.array_equal(pair[0].start_position, pair[1].start_position)
        assert np.array_equal(pair[0].end_position, pair[1].end_position)
    features, question = pair[1], bare
    for row in range(len(features)):
        if question.answers and features.start_position[row] != features.null_position[row]:
            check_cover(features.row(row), question)


def check_cover(row: dict[str, Any], question: Example) -> None:
    """The label's characters hold the answer, and nothing else where tokens begin and end with it."""
    answer = question.answers[0]
    start_char = row["offset_mapping"][row["start_position"]][0]
    end_char = row["offset_mapping"][row["end_position"]][1]
    assert answer.text in question.context[start_char:end_char]
    assert start_char <= answer.start_char
    assert end_char >= answer.end_char
    offsets = row["offset_mapping"][row["context_begin"] : row["context_end"]]
    starts, ends = zip(*offsets, strict=True)
    # Tokens overlap where a character is several of them (then they are alike), and where the mark of a word's begin
    # stands on its first letter; after a special token in the text, add_prefix_space adds one that starts too late.
    if all(one == other or one[1] <= other[0] for one, other in pairwise(offsets)):
        assert start_char == answer.start_char or answer.start_char not in starts
        assert end_char == answer.end_char or answer.end_char not in ends


def question_on(context: str, question: str = "who?", *answers: Answer, id: str = "1") -> Example:
    return Example(id, "title", context, question, answers)


@pytest.mark.parametrize("context", ["", " \n\t ", "\x00"])
@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_context_without_words_gives_one_feature_without_answer(context: str, family: str) -> None:
    tokenizer = trained(family, CORPUS)
    features = build_features([question_on(context), question_on("Paris")], tokenizer, max_length=32, doc_stride=8)
    assert features.example_index.tolist() == [0, 1]
    assert features.start_position[0] == features.end_position[0] == features.null_position[0]
    if not context:
        assert features.context_begin[0] == features.context_end[0]
        assert np.diff(features.lengths) == len(tokenizer("Paris", add_special_tokens=False)["input_ids"])


def test_special_tokens_in_a_text_do_not_move_the_null_position() -> None:
    examples = [question_on("[SEP] [CLS] <s> </s>", "[CLS] <s>")]
    features = build_features(examples, trained("bert", CORPUS), max_length=64, doc_stride=8)
    assert features.null_position.tolist() == [0]
    features = build_features(examples, trained("xlnet", CORPUS), max_length=64, doc_stride=8)
    assert features.null_position.tolist() == [features.lengths[0] - 1]


@pytest.mark.parametrize("family", ["bert", "roberta", "xlmr"])
@pytest.mark.parametrize("piece", ["x", "the Normans came. ", "日"])
def test_time_is_linear_in_the_context(family: str, piece: str) -> None:
    tokenizer = trained(family, CORPUS)
    seconds = []
    for num_characters in (62_500, 1_000_000):
        context = (piece * num_characters)[:num_characters]
        begin = time.process_time()
        features = build_features([question_on(context)], tokenizer, max_length=384, doc_stride=128)
        seconds.append(time.process_time() - begin)
        assert len(features)
    # Sixteen times the text: quadratic work would take 256 times as long.
    assert seconds[1] < 80 * max(seconds[0], 0.01)


@pytest.mark.parametrize("padding_side", ["right", "left"])
@pytest.mark.parametrize(
    ("num_words", "context_words", "kept"),
    [
        (10, 100, 10),  # room for 19 tokens of context
        (20, 100, 20),  # room for 9, just more than the stride
        (21, 100, 20),
        (29, 100, 20),
        (500, 100, 20),
        (26, 3, 26),
        (27, 3, 26),
        (500, 3, 26),  # a short context leaves more room
        (29, 0, 29),
        (500, 0, 29),
        (0, 100, 0),
    ],
)
def test_question_is_cut_only_where_it_leaves_no_room(
    padding_side: str, num_words: int, context_words: int, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = trained("bert", CORPUS)
    tokenizer = fast(tokenizer.backend_tokenizer, **BERT, **WITH_TYPES, padding_side=padding_side)
    words = ["the", "Paris", "in", "is"]
    question = " ".join(words[i % 3] for i in range(num_words))
    context = " ".join(words[i % 4] for i in range(context_words))
    with caplog.at_level(logging.WARNING, logger="qaexp"):
        features = build_features([question_on(context, question)], tokenizer, max_length=32, doc_stride=8)
    assert features.num_truncated_questions == (kept < num_words) == len(caplog.records)
    ids = tokenizer([question, context], add_special_tokens=False)["input_ids"]
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows, begin, width = [], 0, 29 - kept
    while True:
        window = ids[1][begin : begin + width]
        pair = (ids[0][:kept], window) if padding_side == "right" else (window, ids[0][:kept])
        rows.append([cls, *pair[0], sep, *pair[1], sep])
        if begin + width >= len(ids[1]):
            break
        begin += width - 8
    assert [features.row(row)["input_ids"] for row in range(len(features))] == rows


@pytest.mark.parametrize(
    ("max_length", "doc_stride", "allowed"),
    [(32, 28, "0 to 27"), (32, 40, "0 to 27"), (32, -1, "0 to 27"), (4, 0, "at least 5"), (0, 0, "at least 5")],
)
def test_settings_without_room_are_refused(max_length: int, doc_stride: int, allowed: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"features\.doc_stride={doc_stride} leaves no room in features\.max_length={max_length}, .*{allowed}",
    ):
        build_features([question_on("Paris")], trained("bert", CORPUS), max_length=max_length, doc_stride=doc_stride)


def test_tightest_settings_work() -> None:
    tokenizer = trained("bert", CORPUS)
    check_against_reference((question_on("the Normans came from Denmark in 911", "Paris"),), tokenizer, 32, 27)


def test_lone_surrogates_are_refused_by_name() -> None:
    examples = [
        question_on("Paris", id="fine"),
        question_on("a \ud800 b", id="in-context"),
        question_on("Paris", "\udfff", id="in-question"),
    ]
    with pytest.raises(DataError) as caught:
        build_features(examples, trained("bert", CORPUS), max_length=32, doc_stride=8)
    assert ["in-context" in caught.value.problems[0], "in-question" in caught.value.problems[1]] == [True, True]
    assert len(caught.value.problems) == 2


def test_no_examples_give_no_features() -> None:
    features = build_features([], trained("bert", CORPUS), max_length=32, doc_stride=8)
    assert (len(features), features.num_tokens, features.lengths.tolist()) == (0, 0, [])


def test_tokenizer_is_left_as_it_was() -> None:
    tokenizer = fast(Tokenizer.from_str(trained("bert", CORPUS).backend_tokenizer.to_str()), **BERT, **WITH_TYPES)
    tokenizer.backend_tokenizer.enable_truncation(16, stride=2, direction="left")
    tokenizer.backend_tokenizer.enable_padding(length=16, pad_id=0, pad_token="[PAD]")
    before = tokenizer.backend_tokenizer.to_str()
    examples = (question_on("the Normans came from Denmark in 911 " * 8, "who?", Answer("911", 33)),)
    features = build_features(examples, tokenizer, max_length=48, doc_stride=8)
    assert tokenizer.backend_tokenizer.to_str() == before
    assert features.lengths.max() == 48
    with pytest.raises(ConfigError):
        build_features(examples, tokenizer, max_length=4, doc_stride=0)
    assert tokenizer.backend_tokenizer.to_str() == before


def test_tokenizers_that_cannot_work_are_refused_with_reason_and_way_out() -> None:
    check_tokenizer(trained("bert", CORPUS))
    with pytest.raises(ConfigError, match=r"slow.*model=minilm"):
        check_tokenizer(CanineTokenizer())
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(wordpiece(CORPUS)))
    with pytest.raises(ConfigError) as caught:
        check_tokenizer(bare)
    assert ["CLS" in caught.value.problems[0], "padding" in caught.value.problems[1]] == [True, True]
    with pytest.raises(ConfigError, match="does not put its CLS token"):
        build_features(
            [question_on("Paris")], fast(Tokenizer.from_str(wordpiece(CORPUS)), **BERT), max_length=32, doc_stride=8
        )
    swapped = template(wordpiece(CORPUS), "[CLS] $B [SEP] $A [SEP]", "[CLS]", "[SEP]")
    with pytest.raises(ConfigError, match="swaps"):
        build_features([question_on("Paris")], fast(swapped, **BERT), max_length=32, doc_stride=8)


def test_labels_follow_the_loops_for_any_offsets() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        offsets = generator.integers(0, 12, (8, 2)).astype(np.int32)
        start_char, end_char = sorted(generator.integers(0, 12, 2))
        start, end, is_inside = label_windows(offsets, *(np.array([number]) for number in (0, 8, start_char, end_char)))
        assert is_inside[0] == (offsets[0, 0] <= start_char and offsets[-1, 1] >= end_char)
        if is_inside[0]:
            first, last = 0, 7
            while first < 8 and offsets[first, 0] <= start_char:
                first += 1
            while last >= 0 and offsets[last, 1] >= end_char:
                last -= 1
            assert (start[0], end[0]) == (first - 1, last + 1)


def test_windows_advance_and_cover_the_context() -> None:
    windows = cut_windows(np.array([3, 0]), np.array([50, 4]), room=13, doc_stride=4)
    assert windows.example_index.tolist() == [0] * 8 + [1]
    assert windows.begin.tolist() == [0, 6, 12, 18, 24, 30, 36, 42, 0]
    assert windows.end.tolist() == [10, 16, 22, 28, 34, 40, 46, 50, 4]
