"""The kinds of question by which scores are taken apart: the columns of scores.csv, their names, and the lengths.

The page of a run and a comparison cut them at the same bounds.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence

# The columns of scores.csv, and what they are called.
SLICES = {
    "question_word": "question word",
    "answer_words": "answer length",
    "context_words": "context length",
    "num_windows": "number of windows",
}
# Where the ranges of a column begin, the last one without an end. Of several the first that takes the questions apart
# counts: contexts are articles' paragraphs, or have a sentence or two.
_BOUNDS: dict[str, Sequence[Sequence[int]]] = {
    "answer_words": ((0, 1, 2, 4, 8),),
    "context_words": ((0, 76, 126, 201), (0, 20, 30, 40, 60)),
    "num_windows": ((1, 2, 3),),
}
RANGED = tuple(_BOUNDS)


def bounds_of(column: str, values: Sequence[float]) -> Sequence[int]:
    """The bounds for the values of a column.

    >>> bounds_of("context_words", [20, 30, 55]), bounds_of("context_words", [20, 130])
    ((0, 20, 30, 40, 60), (0, 76, 126, 201))
    """
    return fitting_bounds(values, _BOUNDS[column])


def range_labels(bounds: Sequence[int]) -> list[str]:
    """Return the names of the ranges that begin at the bounds.

    >>> range_labels([0, 1, 3])
    ['0', '1–2', '3+']
    """
    inner = [str(low) if high == low + 1 else f"{low}–{high - 1}" for low, high in itertools.pairwise(bounds)]
    return [*inner, f"{bounds[-1]}+"]


def in_range(value: float, bounds: Sequence[int]) -> str:
    """Return the name of the range that holds a value; what is below the first bound is in the first range."""
    return range_labels(bounds)[max(bisect.bisect_right(bounds, value) - 1, 0)]


def fitting_bounds(values: Sequence[float], candidates: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the first bounds that take the values apart, the last ones where none do.

    >>> fitting_bounds([20, 30, 55], [(0, 100, 200), (0, 25, 50)])
    (0, 25, 50)
    """
    parting = (bounds for bounds in candidates if len({in_range(value, bounds) for value in values}) > 1)
    return next(parting, candidates[-1])
