"""The audit against counts taken by hand and row by row, and with tokenizers and labels broken on purpose."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from qaexp.data.audit import audit, repeated_in_mix, shared_contexts, shared_ids, shared_questions
from qaexp.data.features import Features, build_features
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, Example

WORDS = [f"w{n}" for n in range(40)]
CONTEXT = " ".join(WORDS)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; [CLS] question [SEP] context [SEP]."""
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS, "why"]
    backend = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    )


def example(id: str, gold: str, context: str = CONTEXT) -> Example:
    answers = (Answer(gold, context.index(gold)),) if gold else ()
    return Example(id, "T", context, "why", answers)


EXAMPLES = [
    example("one word", "w3"),
    example("five words", "w20 w21 w22 w23 w24"),
    example("too long for any window", " ".join(WORDS[5:25])),
    example("unanswerable", ""),
    example("ends inside a token", "w3", context="w1 w2 w30 w4"),
]


@pytest.fixture(scope="module")
def features(tokenizer: PreTrainedTokenizerFast) -> Features:
    # 12 context tokens a window, 6 of them shared with the next: 40 words make 6 windows.
    return build_features(EXAMPLES, tokenizer, max_length=16, doc_stride=6)


def test_counts_by_hand(features: Features) -> None:
    report = audit(EXAMPLES, features, max_answer_length=4)
    assert json.loads(json.dumps(report)) == report
    assert report["num_examples"] == 5
    assert report["num_features"] == 4 * 6 + 1
    assert report["windows_per_example"] == {"mean": 5.0, "max": 6, "histogram": {"1": 1, "6": 4}}
    assert report["lost_answers"] == {
        "by_window": 1,
        "by_max_answer_length": 1,
        "ids": ["too long for any window", "five words"],
    }
    assert report["offset_mismatches"] == {
        "num": 1,
        "examples": [{"id": "ends inside a token", "gold": "w3", "label": "w30"}],
    }
    assert report["num_truncated_questions"] == 0
    assert report["tokens"]["max"] == 16
    assert report["tokens"]["total"] == features.num_tokens


def test_longer_answers_allowed_lose_none(features: Features) -> None:
    assert audit(EXAMPLES, features, max_answer_length=5)["lost_answers"]["by_max_answer_length"] == 0


def test_offsets_that_drop_a_letter_show(features: Features) -> None:
    offsets = features.offset_mapping.copy()
    offsets[offsets[:, 1] > 0, 0] += 1
    report = audit(EXAMPLES, dataclasses.replace(features, offset_mapping=offsets), max_answer_length=5)
    assert report["offset_mismatches"]["num"] == 3
    assert report["offset_mismatches"]["examples"][0] == {"id": "one word", "gold": "w3", "label": "3"}


def test_white_space_around_a_label_is_no_fault(features: Features) -> None:
    offsets = features.offset_mapping.copy()
    offsets[offsets[:, 0] > 0, 0] -= 1
    report = audit(EXAMPLES, dataclasses.replace(features, offset_mapping=offsets), max_answer_length=5)
    assert report["offset_mismatches"]["num"] == 1


def test_labels_that_are_shifted_show(features: Features) -> None:
    is_label = features.start_position != features.null_position
    shifted = dataclasses.replace(
        features, start_position=features.start_position - is_label, end_position=features.end_position - is_label
    )
    assert audit(EXAMPLES, shifted, max_answer_length=5)["offset_mismatches"]["num"] == 3


def test_no_examples(tokenizer: PreTrainedTokenizerFast) -> None:
    features = build_features([], tokenizer, max_length=16, doc_stride=4)
    report = audit([], features, max_answer_length=30)
    assert (report["num_features"], report["tokens"]["total"], report["windows_per_example"]["max"]) == (0, 0, 0)


def test_the_sample_row_by_row(sample_dir: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Every number again, by a loop over plain rows; the word tokenizer ends many answers inside a token."""
    examples = read_squad_file(sample_dir / "dev.json").examples[:300]
    features = build_features(examples, tokenizer, max_length=96, doc_stride=32)
    report = audit(examples, features, max_answer_length=8)
    labels: dict[int, dict[str, int]] = {}
    windows = [0] * len(examples)
    for index in range(len(features)):
        row = features.row(index)
        windows[row["example_index"]] += 1
        if (row["start_position"], row["end_position"]) != (row["null_position"], row["null_position"]):
            labels.setdefault(row["example_index"], row)
    lost = [n for n, item in enumerate(examples) if item.answers and n not in labels]
    long = [n for n, row in sorted(labels.items()) if row["end_position"] - row["start_position"] + 1 > 8]
    mismatches = []
    for n, row in sorted(labels.items()):
        begin = row["offset_mapping"][row["start_position"]][0]
        end = row["offset_mapping"][row["end_position"]][1]
        if examples[n].context[begin:end] != examples[n].golds[0]:
            mismatches.append(examples[n].id)
    assert report["windows_per_example"]["mean"] == pytest.approx(np.mean(windows))
    assert report["windows_per_example"]["max"] == max(windows)
    assert report["lost_answers"] == {
        "by_window": len(lost),
        "by_max_answer_length": len(long),
        "ids": [examples[n].id for n in (*lost, *long)][:20],
    }
    assert report["offset_mismatches"]["num"] == len(mismatches) > 20
    assert [entry["id"] for entry in report["offset_mismatches"]["examples"]] == mismatches[:20]


def test_what_train_and_dev_share() -> None:
    train = [example("a", "w3"), example("b", "w4"), example("c", "w5", context="w5 w6")]
    dev = [example("c", "w9"), example("d", "w9"), example("e", "w7", context="w7")]
    assert shared_questions(train, dev) == 2  # each has the one question on the one context
    assert shared_questions(train, [dataclasses.replace(dev[0], question=" WHY\n"), dev[2]]) == 1
    assert shared_contexts(train, dev) == 1
    assert shared_ids(train, dev) == 1


def test_questions_of_two_sets_of_a_mix_are_counted_once_a_repeat() -> None:
    def asked(id: str, question: str, context: str = "Paris") -> Example:
        return Example(id, "", context, question, ())

    train = [asked("a/1", "Q"), asked("a/2", "Q"), asked("b/1", " q"), asked("b/2", "Q", "Rome"), asked("c/1", "Q")]
    assert repeated_in_mix(train) == 2
