"""What tokenisation does to the examples: windows, lost answers, labels that are not the gold text."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from qaexp.data.edges import NOWHERE, ends_with_marks, narrowed
from qaexp.data.ondisk.examples import are_impossible, different_contexts, in_any_order
from qaexp.data.squad import Example
from qaexp.data.windows import Ints

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.ondisk.features import StoredFeatures

MAX_SHOWN = 20


def audit(
    examples: Sequence[Example], features: Features | StoredFeatures, *, max_answer_length: int
) -> dict[str, Any]:
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
    found = Audit(examples, features, max_answer_length=max_answer_length)
    for part in features.parts(examples):
        found.add(*part)
    return found.result()


class Audit:
    """An audit that is made part by part; see `audit`."""

    def __init__(
        self, examples: Sequence[Example], features: Features | StoredFeatures, *, max_answer_length: int
    ) -> None:
        """Nothing is looked at yet."""
        self._examples, self._features, self._max_answer_length = examples, features, max_answer_length
        self._parts: list[_Audited] = []

    def add(self, positions: Ints, examples: Sequence[Example], features: Features) -> None:
        """Look at a part, as `parts` of the features yields it."""
        self._parts.append(_audited(positions, examples, features, self._max_answer_length))

    def result(self) -> dict[str, Any]:
        """The audit, once all parts were added."""
        examples, features, parts = self._examples, self._features, self._parts
        by_window = np.sort(np.concatenate([np.empty(0, np.int64), *(part.by_window for part in parts)]))
        by_length = np.sort(np.concatenate([np.empty(0, np.int64), *(part.by_length for part in parts)]))
        lost = [examples[index].id for index in (*by_window[:MAX_SHOWN].tolist(), *by_length[:MAX_SHOWN].tolist())]
        mismatches = sorted((one for part in parts for one in part.mismatches), key=itemgetter(0))
        return {
            "num_examples": len(examples),
            "num_features": len(features),
            "num_answers": int(np.sum(~are_impossible(examples))),
            "windows_per_example": _windows(np.bincount(features.example_index, minlength=len(examples))),
            "lost_answers": {
                "by_window": len(by_window),
                "by_max_answer_length": len(by_length),
                "ids": lost[:MAX_SHOWN],
            },
            "answers_without_tokens": sum(part.num_without_tokens for part in parts),
            "offset_mismatches": {
                "num": sum(part.num_mismatches for part in parts),
                "examples": [mismatch for _, mismatch in mismatches[:MAX_SHOWN]],
            },
            "num_truncated_questions": int(features.num_truncated_questions),
            "tokens": _tokens(features.lengths),
        }


@dataclass(frozen=True, slots=True)
class _Audited:
    """What was found in some examples: positions of lost ones, and the first mismatches with their positions."""

    by_window: Ints
    by_length: Ints
    num_without_tokens: int
    num_mismatches: int
    mismatches: list[tuple[int, dict[str, str]]]


def _audited(positions: Ints, examples: Sequence[Example], features: Features, max_answer_length: int) -> _Audited:
    labelled = _first_labelled_features(features)
    is_labelled = np.zeros(len(examples), dtype=bool)
    is_labelled[features.example_index[labelled]] = True
    num_label_tokens = features.end_position[labelled] - features.start_position[labelled] + 1
    by_window = np.flatnonzero(~are_impossible(examples) & ~is_labelled)
    by_length = features.example_index[labelled[num_label_tokens > max_answer_length]]
    mismatches = sorted(_mismatches(examples, features, labelled, positions), key=itemgetter(0))
    return _Audited(
        positions[by_window],
        positions[by_length],
        sum(not _has_tokens(examples[index], features, index) for index in by_window.tolist()),
        len(mismatches),
        mismatches[:MAX_SHOWN],
    )


def shared_contexts(train: Sequence[Example], dev: Sequence[Example]) -> int:
    """Return how many different contexts are in both splits; each is a leak."""
    return len(set(different_contexts(dev)).intersection(different_contexts(train)))


def shared_ids(train: Sequence[Example], dev: Sequence[Example]) -> int:
    """Return how many example ids are in both splits."""
    return len({example.id for example in in_any_order(dev)}.intersection(one.id for one in in_any_order(train)))


def shared_questions(train: Sequence[Example], other: Sequence[Example]) -> int:
    """Return how many examples of the other split are trained on: the same question on the same context.

    Spaces, case and the normal form of Unicode do not tell two of them apart.
    """
    contexts = set(map(_plain, different_contexts(other)))
    trained = {_question(example) for example in in_any_order(train) if _plain(example.context) in contexts}
    return sum(_question(example) in trained for example in in_any_order(other))


def repeated_in_mix(train: Sequence[Example]) -> int:
    """Return how many examples of a mix repeat one of another set: the same question on the same context.

    Args:
        train: The examples of a mix, whose ids begin with the names of their sets.
    """
    first: dict[int, str] = {}
    return sum(
        first.setdefault(hash(_question(example)), name) != name
        for example in in_any_order(train)
        for name in (example.id.partition("/")[0],)
    )


def _question(example: Example) -> tuple[str, str]:
    return _plain(example.question), _plain(example.context)


@functools.lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _first_labelled_features(features: Features) -> Ints:
    """Return, for each example with a label in some window, the first such feature."""
    rows = np.flatnonzero(~features.is_null)
    _, first = np.unique(features.example_index[rows], return_index=True)
    return rows[first]


def _has_tokens(example: Example, features: Features, index: int) -> bool:
    """Whether a token of some window stands for a visible character of the first answer."""
    first, last = np.searchsorted(features.example_index, (index, index + 1))
    offsets = features.offset_mapping[features.indptr[first] : features.indptr[last]]
    answer = example.answers[0]
    return narrowed(example.context, answer.start_char, answer.end_char, offsets) != NOWHERE


def _mismatches(
    examples: Sequence[Example], features: Features, labelled: Ints, positions: Ints
) -> list[tuple[int, dict[str, str]]]:
    """Return position, and id, gold and label of each example whose label's characters are not its gold answer's."""
    begins = features.indptr[labelled]
    start_chars = features.offset_mapping[begins + features.start_position[labelled], 0]
    contexts = [example.context for example in examples]
    ends = ends_with_marks(contexts, features.example_index, features.indptr, features.offset_mapping)
    end_chars = ends[begins + features.end_position[labelled]]
    found = []
    for row, start_char, end_char in zip(labelled, start_chars, end_chars, strict=True):
        index = int(features.example_index[row])
        example = examples[index]
        label, gold = example.context[start_char:end_char], example.golds[0] if example.golds else ""
        if label.strip() != gold.strip():
            found.append((int(positions[index]), {"id": example.id, "gold": gold, "label": label}))
    return found


def _windows(num_windows: Ints) -> dict[str, Any]:
    counts, examples = np.unique(num_windows, return_counts=True)
    return {
        "mean": float(num_windows.mean()) if len(num_windows) else None,
        "max": int(num_windows.max(initial=0)),
        "histogram": {str(count): int(number) for count, number in zip(counts, examples, strict=True)},
    }


def _tokens(lengths: Ints) -> dict[str, Any]:
    return {
        "mean": float(lengths.mean()) if len(lengths) else None,
        "max": int(lengths.max(initial=0)),
        "total": int(lengths.sum()),
    }
