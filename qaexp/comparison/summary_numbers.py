"""The numbers of a run's summary.json that count: possible ones that the run's own scores do not contradict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qaexp.comparison.scores import ScoreReader
from qaexp.errors import QaexpError
from qaexp.runs.directory import SCORES
from qaexp.runs.metrics import NUMBERS, TEST, is_number_of_a_run, number_of, of_a_set
from qaexp.runs.number import MOST, Number, is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.short_words import shortened, value_text

_MAX_ROUNDING = 1e-6
# A score rounded to two decimals is the same score.
_MAX_DIFFERENCE = 0.005

_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class SummaryNumbers:
    """The numbers of a run's summary.json.

    Attributes:
        metrics: Those that count, by name.
        faults: By name, why a number does not count: it is not a number, not possible, or contradicted.
        notes: What a reader must know about numbers that count.
    """

    metrics: Mapping[str, float]
    faults: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def summary_numbers(run: RunFiles, reader: ScoreReader, leaked: Mapping[str, str] | None = None) -> SummaryNumbers:
    """Read the numbers of a completed run; one that its table of scores contradicts does not count.

    Args:
        run: The run.
        reader: Reads its tables of scores.
        leaked: The evaluation sets that it was trained on, of `leaked_sets`; their scores do not count either.

    Raises:
        IntegrityError: Its scores on the dev set are damaged.
    """
    metrics: dict[str, float] = {}
    faults: dict[str, str] = {}
    notes: list[str] = []
    for name, value in (run.summary or {}).items():
        if value is None or not is_number_of_a_run(name):
            continue
        row, of_set = number_of(name), of_a_set(name)
        if of_set is not None and of_set[0] in (leaked or {}) and row.column:
            faults[name] = (leaked or {})[of_set[0]]
            continue
        if not is_number(value):
            if name.removeprefix(TEST) in NUMBERS:
                faults[name] = f"summary.json says {name} {_shown(value)}, which is not a number"
            continue
        found, is_refuted = _held_against_scores(run, row, float(value), reader)
        if is_refuted or not _is_possible(row, float(value)):
            faults[name] = found or f"summary.json says {name} {_shown(value)}, which is not {row.range}"
            continue
        notes += [found] if found else []
        metrics[name] = float(value)
    return SummaryNumbers(metrics, faults, notes)


def _held_against_scores(run: RunFiles, row: Number, stated: float, reader: ScoreReader) -> tuple[str | None, bool]:
    """How a table of scores contradicts a number, in words, and whether by more than rounding."""
    try:
        given = reader.mean(run, row)
    except QaexpError:
        if row.table == SCORES:
            raise
        return f"{row.table}, which {row.name} is the mean of, cannot be read", True
    if given is None:
        return None, False
    apart = abs(stated - given)
    if apart <= _MAX_ROUNDING:
        return None, False
    digits = ".2f" if apart > 2 * _MAX_DIFFERENCE else ".7g"
    return (
        f"summary.json says {row.name} {stated:{digits}}, {row.table} gives {given:{digits}}",
        apart > _MAX_DIFFERENCE,
    )


def _is_possible(row: Number, value: float) -> bool:
    return abs(value) <= MOST and abs(row.clipped(value) - value) <= _MAX_ROUNDING


def _shown(value: Any) -> str:
    """A value as a sentence shows it: a text in quotes, so that it does not look like a number."""
    return shortened(repr(value) if isinstance(value, str) else value_text(value), _MAX_SHOWN)
