"""Refuses an evaluation set that is another one, or a split that is learnt from, under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from qaexp.data.audit import shared_questions
from qaexp.data.local_files import MIXED, key_of
from qaexp.storage.evaluation_sets import PREFIX

if TYPE_CHECKING:
    from qaexp.data.squad import Example

_LEARNT = {
    "train": "the model is trained on its questions",
    "dev": "epochs and thresholds are chosen on its questions",
}


def same_content(sha256_of: Mapping[str, str]) -> Iterator[str]:
    """Say which evaluation sets have the bytes of another split.

    Args:
        sha256_of: The sha256 of each split's files by its name, `train`, `dev`, `test` or `test_NAME`.

    >>> list(same_content({"train": "ab", "dev": "cd", "test": "cd", "test_bio": "ef"}))
    []
    >>> next(same_content({"test_bio": "ef", "test_news": "ef"}))
    'data.test_files.news is data.test_files.bio again: their questions would count twice; give each file once'
    """
    for one, other in combinations(sha256_of, 2):
        if other.startswith(PREFIX) and sha256_of[one] == sha256_of[other]:
            yield _again(one, other)


def same_questions(splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """Say which evaluation sets have the questions of another one, or of the dev split, in another layout.

    What sets share with the training examples depends on which are drawn, and is a matter of the audit.

    Args:
        splits: The examples of all splits by their names, in the order of `Splits`.
    """
    for one, other in combinations((name for name in splits if name != "train" and not name.startswith(MIXED)), 2):
        known, asked = splits[one], splits[other]
        if other.startswith(PREFIX) and len(known) == len(asked) == shared_questions(known, asked):
            yield _again(one, other)


def mixed_already(sha256: str, sha256_of: Mapping[str, str]) -> str | None:
    """The key of a set of a mix that has these bytes; None where none has."""
    return next(
        (key_of(split) for split, other in sha256_of.items() if split.startswith(MIXED) and other == sha256), None
    )


def _again(one: str, other: str) -> str:
    role = "train" if one.startswith(MIXED) else one
    if role in _LEARNT:
        return f"{key_of(other)} is {key_of(one)} again, and {_LEARNT[role]}; give a file of other questions"
    return f"{key_of(other)} is {key_of(one)} again: their questions would count twice; give each file once"
