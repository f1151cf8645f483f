"""What tokenisation does to the examples: windows, lost answers, labels that are not the gold text."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.edges import NOWHERE, ends_with_marks, narrowed
from qaexp.data.squad import Example

if TYPE_CHECKING:
    from qaexp.data.features import Features

MAX_SHOWN = 20


def audit(examples: Sequence[Example], features: Features, *, max_answer_length: int) -> dict[str, Any]:
    """Count what a good tokenizer and good settings keep at zero, and what they cost.

    Args:
        examples: The examples that the features were built from.
        features: Their windows and labels.
        max_answer_length: The longest answer that decoding may give, in tokens.

    Returns:
        A dictionary that can be written as JSON. `lost_answers` counts answerable examples: `by_window` where no
        window holds the whole answer, `by_max_answer_length` where it is longer than decoding may answer, `ids` up to
        20 of both. `answers_without_tokens` counts those of the former of which no token stands for a visible
        character. `offset_mismatches` counts examples whose label, cut out of the context by the offsets, is not the
        first gold answer apart from white space around it: an answer that ends inside a token, or a broken tokenizer.
    """
    num_windows = np.bincount(features.example_index, minlength=len(examples))
    labelled = _first_labelled_features(features)
    is_answerable = np.array([not example.is_impossible for example in examples], dtype=bool)
    is_labelled = np.zeros(len(examples), dtype=bool)
    is_labelled[features.example_index[labelled]] = True
    num_label_tokens = features.end_position[labelled] - features.start_position[labelled] + 1
    by_window = np.flatnonzero(is_answerable & ~is_labelled)
    by_length = features.example_index[labelled[num_label_tokens > max_answer_length]]
    lost = [examples[index].id for index in (*by_window, *by_length)]
    mismatches = _mismatches(examples, features, labelled)
    return {
        "num_examples": len(examples),
        "num_features": len(features),
        "num_answers": int(is_answerable.sum()),
        "windows_per_example": _windows(num_windows),
        "lost_answers": {"by_window": len(by_window), "by_max_answer_length": len(by_length), "ids": lost[:MAX_SHOWN]},
        "answers_without_tokens": sum(
            not _has_tokens(examples[index], features, index) for index in by_window.tolist()
        ),
        "offset_mismatches": {"num": len(mismatches), "examples": mismatches[:MAX_SHOWN]},
        "num_truncated_questions": int(features.num_truncated_questions),
        "tokens": _tokens(np.diff(features.indptr)),
    }


def shared_contexts(train: Sequence[Example], dev: Sequence[Example]) -> int:
    """Return how many different contexts are in both splits; each is a leak."""
    return len({example.context for example in train} & {example.context for example in dev})


def shared_ids(train: Sequence[Example], dev: Sequence[Example]) -> int:
    """Return how many example ids are in both splits."""
    return len({example.id for example in train} & {example.id for example in dev})


def shared_questions(train: Sequence[Example], other: Sequence[Example]) -> int:
    """Return how many examples of the other split are trained on: the same question on the same context.

    Spaces, case and the normal form of Unicode do not tell two of them apart.
    """
    trained = {_question(example) for example in train}
    return sum(_question(example) in trained for example in other)


def _question(example: Example) -> tuple[str, str]:
    return _plain(example.question), _plain(example.context)


@functools.lru_cache(maxsize=65536)
def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _first_labelled_features(features: Features) -> NDArray[np.int64]:
    """Return, for each example with a label in some window, the first such feature."""
    is_null = (features.start_position == features.null_position) & (features.end_position == features.null_position)
    rows = np.flatnonzero(~is_null)
    _, first = np.unique(features.example_index[rows], return_index=True)
    return rows[first]


def _has_tokens(example: Example, features: Features, index: int) -> bool:
    """Whether a token of some window stands for a visible character of the first answer."""
    first, last = np.searchsorted(features.example_index, (index, index + 1))
    offsets = features.offset_mapping[features.indptr[first] : features.indptr[last]]
    answer = example.answers[0]
    return narrowed(example.context, answer.start_char, answer.end_char, offsets) != NOWHERE


def _mismatches(examples: Sequence[Example], features: Features, labelled: NDArray[np.int64]) -> list[dict[str, str]]:
    """Return id, gold and label of each example whose label's characters are not its gold answer's."""
    begins = features.indptr[labelled]
    start_chars = features.offset_mapping[begins + features.start_position[labelled], 0]
    contexts = [example.context for example in examples]
    ends = ends_with_marks(contexts, features.example_index, features.indptr, features.offset_mapping)
    end_chars = ends[begins + features.end_position[labelled]]
    found = []
    for row, start_char, end_char in zip(labelled, start_chars, end_chars, strict=True):
        example = examples[features.example_index[row]]
        label, gold = example.context[start_char:end_char], example.golds[0] if example.golds else ""
        if label.strip() != gold.strip():
            found.append({"id": example.id, "gold": gold, "label": label})
    return found


def _windows(num_windows: NDArray[np.int64]) -> dict[str, Any]:
    counts, examples = np.unique(num_windows, return_counts=True)
    return {
        "mean": float(num_windows.mean()) if len(num_windows) else None,
        "max": int(num_windows.max(initial=0)),
        "histogram": {str(count): int(number) for count, number in zip(counts, examples, strict=True)},
    }


def _tokens(lengths: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "mean": float(lengths.mean()) if len(lengths) else None,
        "max": int(lengths.max(initial=0)),
        "total": int(lengths.sum()),
    }
