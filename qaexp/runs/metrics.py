"""The numbers of a run, one row each: unit, range, direction, rounding, its column of scores, and where it is shown.

To add a number, compute it (`evaluation/`), give it a row here, and describe it in docs/metrics.md: summary.json,
history.csv, scores.csv, terminal, pages, papers, comparisons, sweeps and searches read this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from qaexp.runs.number import HIGHER, LOWER, Number
from qaexp.storage.evaluation_sets import is_set_name, table_of

# Prefix of the numbers of `data.test_file`, and, with a name, of the sets of `data.test_files`.
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

# The scores of a set, the longest names first: `test_bio_has_ans_f1` is no f1 of `bio_has_ans`.
_OF_A_SET = sorted((row.name for row in _ROWS if row.column and EPOCHS in row.shown_in), key=len, reverse=True)
_COUNT_OF_A_SET = "num_examples"

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
    >>> number_of("test_bio_f1").column, number_of("test_bio_f1").table
    ('f1', 'test_sets/bio.csv')
    >>> number_of("num_test_features").shown(4), number_of("loudness").shown(4)
    ('4', '4.00')
    """
    if name in NUMBERS:
        return NUMBERS[name]
    if name in _COLUMNS:
        return _COLUMNS[name]
    known = NUMBERS.get(name.removeprefix(TEST)) if name.startswith(TEST) else None
    if known is not None:
        return replace(known, name=name, table="test_scores.csv")
    if (found := of_a_set(name)) is not None:
        own, score = found
        return replace(NUMBERS[score], name=name, table=table_of(own)) if score in NUMBERS else _count(name)
    return _count(name) if name.removeprefix(TEST).startswith("num_") else Number(name, "", 2, None)


def of_a_set(name: str) -> tuple[str, str] | None:
    """The evaluation set that a number is of, and what the number is called without it; None for all other numbers.

    >>> of_a_set("test_bio_has_ans_f1"), of_a_set("test_bio_num_examples"), of_a_set("test_has_ans_f1")
    (('bio', 'has_ans_f1'), ('bio', 'num_examples'), None)
    """
    # `test_num_examples` counts the questions of data.test_file, and is no number of a set `num_examples`.
    if not name.startswith(TEST) or name == f"{TEST}{_COUNT_OF_A_SET}":
        return None
    for score in (*_OF_A_SET, _COUNT_OF_A_SET):
        own = name.removeprefix(TEST).removesuffix(f"_{score}")
        if name.endswith(f"_{score}") and name.removeprefix(TEST) not in NUMBERS and is_set_name(own):
            return own, score
    return None


def is_number_of_a_run(name: str) -> bool:
    """Whether summary.json may hold a number of this name.

    >>> is_number_of_a_run("test_exact"), is_number_of_a_run("colour")
    (True, False)
    """
    return name in NUMBERS or name.startswith(TEST)


def score_of_sets(metric: str) -> str:
    """The score by which evaluation sets are compared where runs are ranked by a metric; f1 if sets have no such one.

    >>> [score_of_sets(name) for name in ("crossfit_exact", "test_bio_no_ans_f1", "test_f1", "gold_nll", "mfu")]
    ['exact', 'no_ans_f1', 'f1', 'gold_nll', 'f1']
    """
    found = of_a_set(metric)
    own = found[1] if found else metric.removeprefix(TEST)
    known = NUMBERS[own].stand_in or own if own in NUMBERS else own
    return known if known in _OF_A_SET else "f1"


def sets_of(names: Iterable[str]) -> list[str]:
    """The evaluation sets that numbers are of, in the order in which they come.

    >>> sets_of(["f1", "test_f1", "test_news_exact", "test_news_f1", "test_bio_f1"])
    ['news', 'bio']
    """
    return list(dict.fromkeys(found[0] for name in names if (found := of_a_set(name)) is not None))
