"""The mean f1 of each kind of question: by question word, answer length, context length and number of windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.reporting.numbers.intervals import Dependence, Group
from qaexp.reporting.numbers.quantities import slice_means
from qaexp.runs.number import is_number
from qaexp.runs.slices import RANGED, SLICES, bounds_of, in_range, range_labels

Row = Mapping[str, Any]

# Maximum number of groups in a panel: the largest ones.
MAX_GROUPS = 12


def slice_panels(rows: Sequence[Row], depend: Dependence) -> dict[str, list[Group]]:
    """Return the mean f1 of each slice, with its interval, by the property that divides the questions.

    Args:
        rows: The rows of scores.csv, each with an f1.
        depend: The cluster of each.
    """

    def ranged(column: str) -> list[Group]:
        bounds = bounds_of(column, [row[column] for row in rows if is_number(row[column])])
        names = range_labels(bounds)
        shown = {names[0]: {"answer_words": "none", "context_words": f"up to {bounds[1] - 1}"}.get(column, names[0])}

        def key(row: Row) -> str:
            found = in_range(row[column] if is_number(row[column]) else math.inf, bounds)
            return shown.get(found, found)

        return slice_means(rows, depend.labels, key, [shown.get(name, name) for name in names])

    words = slice_means(rows, depend.labels, lambda row: str(row["question_word"]))[:MAX_GROUPS]
    return {SLICES["question_word"]: words, **{SLICES[column]: ranged(column) for column in RANGED}}
