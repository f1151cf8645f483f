"""Where two groups differ: by question word, lengths, windows, article, and whether there is an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qaexp.comparison.group_tests import ONE_SEED, GroupTest, Side, compare_sides
from qaexp.comparison.groups import Group
from qaexp.comparison.questions import Questions
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.paired import holm
from qaexp.comparison.verdict import ALPHA
from qaexp.runs.metrics import number_of
from qaexp.runs.slices import RANGED, SLICES, bounds_of, range_labels

# Smaller slices are left out.
MIN_QUESTIONS = 20

MAX_ARTICLES = 40


@dataclass(frozen=True, slots=True)
class Slice:
    """The difference of two groups on some questions.

    Attributes:
        dimension: What the questions are parted by.
        name: Which part.
        n: How many questions.
        a: The mean score of a there.
        b: That of b.
        difference: b - a.
        low: Lower end of its interval, which is as wide as the number of slices requires: it leaves out 0 exactly where
            `p_holm` is at most 0.05. None against a single seed, or where all scores are equal.
        high: Upper end.
        p: Two-sided; None against a single seed.
        p_holm: Corrected for the number of slices.
    """

    dimension: str
    name: str
    n: int
    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None


def sliced(metric: str, a: Group, b: Group) -> str:
    """The score that slices are about: the metric, or its stand-in, if both groups have it; else f1."""
    name = number_of(metric).stand_in or number_of(metric).column
    return name if name and all(name in entry.metrics for entry in (*a.entries, *b.entries)) else "f1"


def slice_differences(
    a: Group, b: Group, reader: ScoreReader, score: str = "f1", *, any_look: bool = True
) -> list[Slice]:
    """Compare two groups on every slice of at least 20 questions; empty if one answers nothing.

    The test is that of the whole, over seeds and clusters; slices with too few clusters are left out.
    """
    if a.is_collapsed or b.is_collapsed or a.averaged != b.averaged:
        return []
    one, two = (np.stack([reader.read(entry.run).values[score] for entry in group.entries]) for group in (a, b))
    questions = reader.read(a.entries[0].run).questions
    found = []
    for dimension, name, chosen in _parts(questions):
        if int(chosen.sum()) >= MIN_QUESTIONS:
            sides = Side(one[:, chosen], a.design), Side(two[:, chosen], b.design)
            result = compare_sides(*sides, _recoded(questions.clusters[chosen]), any_look=any_look)
            if result.reason is None or result.kind == ONE_SEED:
                found.append((dimension, name, int(chosen.sum()), sides, result))
    tested = [result.difference.p for *_, result in found if result.reason is None]
    corrected = iter(holm(tested))
    width = number_of(score).width
    return [
        _slice(dimension, name, n, sides, result, None if result.reason else next(corrected), len(tested), width)
        for dimension, name, n, sides, result in found
    ]


def _slice(
    dimension: str,
    name: str,
    n: int,
    sides: tuple[Side, Side],
    result: GroupTest,
    p_holm: float | None,
    num_tested: int,
    width: float,
) -> Slice:
    difference = result.difference
    low, high = None, None
    if p_holm is not None and difference.standard_error > 0:
        alpha = ALPHA * difference.p / p_holm if p_holm > 0 else ALPHA / num_tested
        low, high = (float(np.clip(end, -width, width)) for end in difference.interval(alpha))
    a, b = (float(side.observations.mean()) for side in sides)
    p = None if p_holm is None else difference.p
    return Slice(dimension, name, n, a, b, difference.difference, low, high, p, p_holm)


def _recoded(clusters: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return np.unique(clusters, return_inverse=True)[1].astype(np.intp)


def _parts(questions: Questions) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    slices = {name: np.array(values) for name, values in questions.slices.items()}
    # Files from elsewhere may hold something other than numbers there.
    slices = {name: column for name, column in slices.items() if name not in RANGED or column.dtype.kind in "iuf"}
    if "answer_words" in slices:
        yield "answerable", "has_ans", slices["answer_words"] > 0
        yield "answerable", "no_ans", slices["answer_words"] == 0
    if "question_word" in slices:
        yield from _values(SLICES["question_word"], questions.slices["question_word"], slices["question_word"])
    for key in RANGED:
        if key in slices:
            yield from _ranges(key, slices[key])
    titles = np.array(questions.titles)
    if len(set(questions.titles)) <= MAX_ARTICLES:
        yield from _values("article", questions.titles, titles)


def _ranges(key: str, column: npt.NDArray[np.float64]) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    """The ranges of a length; unanswerable questions, whose answers have no words, are a slice already."""
    bounds = bounds_of(key, column.tolist())
    unit = " words" if key.endswith("_words") else ""
    for label, low, high in zip(range_labels(bounds), bounds, (*bounds[1:], np.inf), strict=True):
        if (key, high) != ("answer_words", 1):
            yield SLICES[key], f"{label}{unit.rstrip('s') if label == '1' else unit}", (column >= low) & (column < high)


def _values(
    dimension: str, values: Sequence[str | int], column: npt.NDArray[np.str_]
) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    for value in sorted(set(map(str, values))):
        yield dimension, value, column == value
