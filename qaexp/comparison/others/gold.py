"""The questions that other programs' results are held against: those of `--gold`, or those in the results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.comparison.others.answers import Answers
from qaexp.errors import ConfigError, DataError

if TYPE_CHECKING:
    from qaexp.data.squad import Example

_NUM_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Gold:
    """Questions with their gold answers, sorted by id.

    Attributes:
        examples: The questions.
        sha256: What identifies them: that of the file, or of what results hold.
        name: Where they are from, in words.
    """

    examples: Sequence[Example]
    sha256: str
    name: str


def read_gold(path: Path) -> Gold:
    """Read the gold answers of a data file.

    Raises:
        DataError: It cannot be read, or holds a faulty question.
    """
    from qaexp.data.question_files import read_squad_file

    found = read_squad_file(path)
    return Gold(sorted(found.examples, key=lambda example: example.id), found.sha256, str(path))


def gold_for(path: Path, answers: Answers, given: Gold | None) -> Gold:
    """The questions that results are held against.

    Raises:
        ConfigError: The results hold no gold answers, and none are given.
        DataError: They answer other questions than those, or hold other gold answers.
    """
    if given is None and answers.examples is None:
        raise ConfigError(f"{path}: holds no gold answers; give the data file that it answers with --gold FILE")
    if given is None:
        examples = sorted(answers.examples or (), key=lambda example: example.id)
        told = [(one.id, one.context, one.question, sorted(one.golds)) for one in examples]
        digest = hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).hexdigest()
        return Gold(examples, digest, "the log itself")
    _check_ids(path, answers.ids, given)
    _check_same(path, answers.examples or (), given)
    return given


def _check_ids(path: Path, ids: Sequence[str], gold: Gold) -> None:
    wanted, found = {example.id for example in gold.examples}, set(ids)
    told = []
    if lacking := wanted - found:
        told.append(f"lacks {len(lacking):,} of its {len(wanted):,} questions, first {_shown(min(lacking))}")
    if added := found - wanted:
        told.append(f"answers {len(added):,} that are not in it, first {_shown(min(added))}")
    if told:
        raise DataError(
            f"{path}: does not belong to {gold.name}: it {' and '.join(told)}; give all answers and the file that they "
            "are for: a score over part of the questions is not a score"
        )


def _check_same(path: Path, examples: Sequence[Example], gold: Gold) -> None:
    """Refuse results whose own gold answers or texts are not those of the data file."""
    of_file = {example.id: example for example in gold.examples}
    for own in examples:
        other = of_file[own.id]
        if sorted(set(own.golds)) != sorted(set(other.golds)):
            raise DataError(
                f"{path}: holds other gold answers than {gold.name} for {_shown(own.id)}: another version of the data; "
                "give the file that it was evaluated on"
            )
        if (own.context, own.question.strip()) != (other.context, other.question.strip()):
            raise DataError(
                f"{path}: holds another text than {gold.name} for {_shown(own.id)}: another version of the data; give "
                "the file that it was evaluated on"
            )


def _shown(id: str) -> str:
    return f"{id!r:.{_NUM_CHARACTERS}}"
