"""What is told of the data before it is trained on: every count, and nothing of clean data."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from qaexp.evaluation.data_findings import (
    DIFFERING_SHARE,
    FIXED_SHARE,
    LOST_SHARE,
    OVERLAP_SHARE,
    SKIPPED_SHARE,
    data_flags,
    finding_lines,
    size_lines,
)


def source(path: str, **counts: Any) -> dict[str, Any]:
    empty = {"num_examples": 100, "num_skipped": 0, "num_fixed": 0, "num_duplicates": 0, "problems": []}
    return {"kind": "json", "path": path, **empty, **counts}


def audited(**counts: Any) -> dict[str, Any]:
    return {
        "num_examples": 100,
        "num_answers": 80,
        "lost_answers": {"by_window": 0, "by_max_answer_length": 0, "ids": []},
        "answers_without_tokens": 0,
        "offset_mismatches": {"num": 0, "examples": []},
        "num_truncated_questions": 0,
        "drawn_from": {"num": 100, "kind": "examples"},
        **counts,
    }


CLEAN: dict[str, Any] = {
    "source": {"train": source("a/train.json"), "dev": source("a/dev.json")},
    "subset": {"train_size": 100, "dev_size": None},
    "audit": {
        "train": audited(),
        "dev": audited(),
        "shared_with_train": {"dev": {"questions": 0, "contexts": 0, "num_contexts": 30, "ids": 0}},
    },
}


def report(path: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    made = copy.deepcopy(CLEAN)
    node = made
    for name in path:
        node = node[name]
    node.update(changes)
    return made


def lines(path: tuple[str, ...], **changes: Any) -> list[str]:
    return list(finding_lines(report(path, **changes)))


def flags(path: tuple[str, ...], **changes: Any) -> list[str]:
    found = list(data_flags(report(path, **changes)))
    assert all(advice.endswith(".") for _, advice in found)
    return [name for name, _ in found]


def test_nothing_is_said_of_clean_data() -> None:
    assert [*size_lines(CLEAN), *finding_lines(CLEAN), *data_flags(CLEAN)] == []


@pytest.mark.parametrize(
    ("path", "changes", "line"),
    [
        (
            ("source", "train"),
            {"num_examples": 1, "num_skipped": 3, "problems": ["a/train.json: data[0].id is 100, it must be text"]},
            "train.json: 3 of 4 questions left out, first: data[0].id is 100, it must be text",
        ),
        (
            ("source", "dev"),
            {"num_fixed": 2, "problems": ["a/dev.json: x is 1, where 'y' does not stand; moved"]},
            "dev.json: 2 of 100 questions mended, first: x is 1, where 'y' does not stand; moved",
        ),
        (
            ("source", "dev"),
            {"num_duplicates": 5},
            "dev.json: 5 of 105 questions repeat another one and are left out",
        ),
        (
            ("audit", "train"),
            {
                "lost_answers": {"by_window": 3, "by_max_answer_length": 1, "ids": []},
                "answers_without_tokens": 1,
            },
            "train.json: 4 of 80 answers lost: 2 whole in no window (features.max_length, features.doc_stride), "
            "1 without a visible character that the tokenizer knows, 1 longer than decoding.max_answer_length",
        ),
        (("audit", "dev"), {"num_truncated_questions": 7}, "dev.json: 7 of 100 questions are cut to fit"),
        (
            ("audit", "dev"),
            {"offset_mismatches": {"num": 2, "examples": [{"id": "q", "gold": "Japan", "label": "Japanese"}]}},
            "dev.json: 2 of 80 labels are not the answer's text, first: 'Japanese' for 'Japan'",
        ),
    ],
)
def test_each_count_is_a_line(path: tuple[str, ...], changes: dict[str, Any], line: str) -> None:
    assert lines(path, **changes) == [line]


def test_what_is_shared_is_told() -> None:
    shared = {"questions": 3, "contexts": 2, "num_contexts": 30, "ids": 4}
    assert lines(("audit", "shared_with_train"), dev=shared) == [
        "dev.json: 3 of 100 questions are also training questions",
        "dev.json: 2 of 30 paragraphs are also training paragraphs",
        "dev.json: 4 of 100 ids are also ids of training questions",
    ]


def test_shared_ids_are_told_however_many_questions_are_shared() -> None:
    shared = {"questions": 3, "contexts": 0, "num_contexts": 30, "ids": 2}
    assert lines(("audit", "shared_with_train"), dev=shared)[-1] == (
        "dev.json: 2 of 100 ids are also ids of training questions"
    )


def test_splits_of_one_file_name_are_called_by_their_split() -> None:
    same = report(("source",), train=source("a.json", num_duplicates=1), dev=source("b/a.json", num_duplicates=2))
    assert [line.partition(":")[0] for line in finding_lines(same)] == ["train", "dev"]
    one = report(("source",), train=source("a.json", num_duplicates=1), dev=source("a.json", num_duplicates=1))
    assert [line.partition(":")[0] for line in finding_lines(one)] == ["train"]


def test_sizes_that_are_fractions_are_told() -> None:
    made = report(("subset",), train_size=0.25, dev_size=1.0)
    made["audit"]["train"] |= {"num_examples": 775, "drawn_from": {"num": 3100, "kind": "answerable examples"}}
    assert list(size_lines(made)) == [
        "data.train_size=0.25: 775 of 3,100 answerable examples",
        "data.dev_size=1.0: 100 of 100 examples",
    ]
    assert list(size_lines(report(("subset",), train_size=1, dev_size=24.0))) == []


def test_flags_rise_at_their_shares() -> None:
    def around(share: float, total: int) -> list[int]:
        return [round(share * total) - 1, round(share * total)]

    for num, raised in zip(around(SKIPPED_SHARE, 1000), ([], ["examples_skipped"]), strict=True):
        assert flags(("source", "train"), num_skipped=num, num_examples=1000 - num) == raised
    for num, raised in zip(around(FIXED_SHARE, 100), ([], ["examples_fixed"]), strict=True):
        assert flags(("source", "train"), num_fixed=num) == raised
    for num, raised in zip(around(LOST_SHARE, 80), ([], ["answers_lost"]), strict=True):
        lost = {"by_window": num - 1, "by_max_answer_length": 1, "ids": []}
        assert flags(("audit", "dev"), lost_answers=lost) == raised
    for num, raised in zip(around(DIFFERING_SHARE, 80), ([], ["labels_differ"]), strict=True):
        assert flags(("audit", "dev"), offset_mismatches={"num": num, "examples": []}) == raised
    for num, raised in zip(around(OVERLAP_SHARE, 100), ([], ["train_dev_overlap"]), strict=True):
        shared = {"questions": num, "contexts": 1, "num_contexts": 30, "ids": 0}
        assert flags(("audit", "shared_with_train"), dev=shared) == raised


def test_a_split_without_answers_raises_nothing() -> None:
    assert flags(("audit", "dev"), num_answers=0) == []


def test_other_spellings_are_told() -> None:
    path = ("source", "train")
    assert lines(path, num_blank_answers=3, num_number_ids=9) == [
        "train.json: 3 of 100 questions marked as without an answer by a blank answer, null or -1"
    ]
    (line,) = lines(path, num_made_ids=100)
    assert line.startswith("train.json: no question has an id")


def test_each_set_of_a_mix_is_told_by_its_name() -> None:
    squad = source(
        "a/squad.json", num_drawn=70, num_drawable=90, num_skipped=3, problems=["a/squad.json: id is missing"]
    )
    sets = {"nq": source("b/nq.jsonl", num_drawn=30, num_drawable=30), "squad": squad}
    mixed = report(("source", "train"), sets=sets, kind="mix")
    del mixed["source"]["train"]["path"]
    mixed["audit"]["repeated_in_mix"] = 2
    assert list(size_lines(mixed)) == [
        "data.mix.nq: 30 of 30 questions, 30.0 % of the mix",
        "data.mix.squad: 70 of 90 questions, 70.0 % of the mix",
    ]
    assert list(finding_lines(mixed)) == [
        "squad: 3 of 103 questions left out, first: id is missing",
        "data.mix: 2 of 100 training questions are in another set of the mix too",
    ]
    assert [name for name, _ in data_flags(mixed)] == ["examples_skipped"]
