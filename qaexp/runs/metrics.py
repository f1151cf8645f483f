"""The numbers of a run, one row each: unit, range, direction, rounding, its column of scores, and where it is shown.

To add a number, compute it (`evaluation/`), give it a row here, and describe it in docs/metrics.md: summary.json,
history.csv, scores.csv, terminal, pages, papers, comparisons, sweeps and searches read this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qaexp.runs.number import HIGHER, LOWER, Number

# Prefix of the numbers of `data.test_file`.
TEST = "test_"

# Places that show numbers: history.csv (and with it trackers, searches and `test_*`), the table at the end of a run,
# a sweep's groups, and of a comparison the leaderboard, the columns beside it, what a run costs, the CSV alone, and the
# table for papers.
EPOCHS, RUN, GROUPS = "epochs", "run", "groups"
BOARD, ASIDE, COSTS, CSV, PAPER = "board", "aside", "costs", "csv", "paper"


def _percent(name: str, *places: str, **more: Any) -> Number:
    return Number(name, "%", 1, **{"better": HIGHER, "low": 0.0, "high": 100.0, "shown_in": frozenset(places), **more})


def _threshold(name: str, *places: str) -> Number:
    return Number(name, "", 2, None, significant=2, shown_in=frozenset(places))


def _epoch(name: str, *places: str, lead: int = 9) -> Number:
    """Epochs are whole numbers only where every evaluation is at an epoch's end."""
    return Number(name, "epochs", 2, None, 0.0, is_trimmed=True, shown_in=frozenset(places), lead=lead)


def _count(name: str) -> Number:
    return Number(name, "", 0, None, 0.0)


def _seconds(name: str, *places: str, short: str = "") -> Number:
    return Number(name, "s", 0, LOWER, 0.0, significant=2, shown_in=frozenset(places), short=short)


def _cost(name: str, unit: str, better: str) -> Number:
    return Number(name, unit, 0, better, 0.0, shown_in=frozenset({COSTS}), short=unit)


_EVERYWHERE = (EPOCHS, RUN, BOARD, PAPER, GROUPS)
_ROWS = (
    _percent("exact", *_EVERYWHERE, column="exact", lead=4),
    _percent("f1", *_EVERYWHERE, column="f1", lead=3),
    _percent("has_ans_exact", EPOCHS, column="exact", questions="has_ans"),
    _percent("has_ans_f1", *_EVERYWHERE, column="f1", questions="has_ans"),
    _percent("no_ans_exact", EPOCHS, column="exact", questions="no_ans"),
    _percent("no_ans_f1", *_EVERYWHERE, column="f1", questions="no_ans"),
    Number(
        "gold_nll", "nats", 3, LOWER, 0.0, column="gold_nll", shown_in=frozenset({EPOCHS, BOARD, GROUPS}), relevant=0.1
    ),
    _percent("best_exact", stand_in="exact"),
    _threshold("best_exact_thresh"),
    _percent("best_f1", ASIDE, GROUPS, stand_in="f1"),
    _threshold("best_f1_thresh"),
    _percent("crossfit_exact", GROUPS, column="crossfit_exact", lead=2, stand_in="exact"),
    _percent("crossfit_f1", CSV, GROUPS, column="crossfit_f1", lead=1, stand_in="f1"),
    _threshold("null_threshold", ASIDE),
    _epoch("kept_epoch", COSTS),
    _epoch("best_epoch", COSTS, lead=8),
    _percent("best_epoch_f1", stand_in="f1"),
    Number("train_loss", "", 3, LOWER, 0.0, shown_in=frozenset({EPOCHS})),
    _percent("train_accuracy", EPOCHS),
    _count("num_train_examples"),
    _count("num_train_features"),
    _count("num_dev_examples"),
    _count("num_dev_features"),
    _count("num_steps"),
    _seconds("train_seconds", COSTS, GROUPS, short="train s"),
    _seconds("eval_seconds"),
    _seconds("total_seconds"),
    _cost("tokens_per_second", "tokens/s", HIGHER),
    _percent("padding_share", better=LOWER),
    Number("mfu", "%", 1, HIGHER, 0.0),
    _cost("peak_memory_mib", "MiB", LOWER),
)
# Name to row, in the order of summary.json.
NUMBERS = {row.name: row for row in _ROWS}
# The columns of scores.csv that numbers are means of, each with the number that has its name.
SCORE_COLUMNS = {row.column: NUMBERS[row.column] for row in _ROWS if row.column}

# What history.csv and run.json count beside numbers of summary.json.
_COLUMNS = {row.name: row for row in (_epoch("epoch"), _count("step"), _count("threads"))}


def shown_in(place: str) -> tuple[str, ...]:
    """The names of the numbers that a place shows, in the order of summary.json.

    >>> shown_in(RUN)
    ('exact', 'f1', 'has_ans_f1', 'no_ans_f1')
    """
    return tuple(row.name for row in _ROWS if place in row.shown_in)


def side_by_side(*places: str) -> tuple[str, ...]:
    """The names of the numbers that the places of a comparison show, in the order of their columns.

    >>> side_by_side(BOARD)
    ('f1', 'exact', 'has_ans_f1', 'no_ans_f1', 'gold_nll')
    """
    rows = sorted((row for row in _ROWS if row.shown_in.intersection(places)), key=lambda row: row.lead)
    return tuple(row.name for row in rows)


def of_an_epoch(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The scores among `metrics` that every evaluation reports: those of history.csv that have a column of scores."""
    return {name: metrics[name] for name in shown_in(EPOCHS) if NUMBERS[name].column}


def number_of(name: str) -> Number:
    """The row of a number; one that nobody knows has no unit, range or direction, and two digits.

    >>> number_of("test_f1").column, number_of("test_f1").table, number_of("loudness").better
    ('f1', 'test_scores.csv', None)
    >>> number_of("num_test_features").shown(4), number_of("loudness").shown(4)
    ('4', '4.00')
    """
    if name in NUMBERS:
        return NUMBERS[name]
    if name in _COLUMNS:
        return _COLUMNS[name]
    known = NUMBERS.get(name.removeprefix(TEST)) if name.startswith(TEST) else None
    if known is None:
        is_count = name.removeprefix(TEST).startswith("num_")
        return _count(name) if is_count else Number(name, "", 2, None)
    return replace(known, name=name, table="test_scores.csv")


def is_number_of_a_run(name: str) -> bool:
    """Whether summary.json may hold a number of this name.

    >>> is_number_of_a_run("test_exact"), is_number_of_a_run("colour")
    (True, False)
    """
    return name in NUMBERS or name.startswith(TEST)
