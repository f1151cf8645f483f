"""Official prediction files: `{id: text}`, and beside them the null odds `{id: number}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.json_objects import check_same_ids, numbers_of, read_object, texts_of

ODDS = ".null_odds.json"
PROGRAM = "a file of predictions"


def is_predictions(found: Mapping[str, Any]) -> bool:
    """Whether a JSON object may be a file of predictions: texts, or what was meant to be texts, by id."""
    return bool(found) and any(isinstance(value, str) for value in found.values())


def odds_beside(path: Path) -> Path:
    """Where the null odds of a file of predictions are looked for.

    >>> odds_beside(Path("out/p.json")).as_posix()
    'out/p.null_odds.json'
    """
    return path.with_name(f"{path.stem}{ODDS}")


def read_predictions(path: Path, odds: Path | None = None) -> Answers:
    """Read a file of predictions.

    Args:
        path: The file.
        odds: That of the null odds; None: the one beside it, if there is one.

    Raises:
        DataError: It is not such a file.
    """
    texts = texts_of(path, read_object(path))
    odds = odds or (beside if (beside := odds_beside(path)).is_file() else None)
    if odds is None:
        return Answers(PROGRAM, texts)
    diffs = numbers_of(odds, read_object(odds))
    check_same_ids(odds, diffs, texts, path.name)
    # Where an answer is empty, the best one that is not is not in the file.
    spans = texts if all(texts.values()) else None
    return Answers(PROGRAM, texts, spans, diffs)
