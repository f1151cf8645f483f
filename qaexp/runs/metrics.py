"""The numbers of a run, one row each: unit, range, direction, rounding, its column of scores, and where it is shown.

To add a number, compute it (`evaluation/`), give it a row here, and describe it in docs/metrics.md: summary.json,
history.csv, scores.csv, terminal, pages, papers, comparisons, sweeps and searches read this table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

# Prefix of the numbers of `data.test_file`.
TEST = "test_"

HIGHER, LOWER = "higher", "lower"
# From here on a number is shown as a power of ten; no run reaches it.
HUGE = 1e15
# The greatest number that counts: the square of a larger one may be beyond all floats.
MOST = 1e100

# Places that show numbers: history.csv (and with it trackers, searches and `test_*`), the table at the end of a run,
# a sweep's groups, and of a comparison the leaderboard, the columns beside it, what a run costs, the CSV alone, and the
# table for papers.
EPOCHS, RUN, GROUPS = "epochs", "run", "groups"
BOARD, ASIDE, COSTS, CSV, PAPER = "board", "aside", "costs", "csv", "paper"


def is_number(value: Any) -> TypeGuard[float]:
    """Say whether a stored value is a finite number; an integer beyond all floats is none.

    >>> is_number(1), is_number(True), is_number("1"), is_number(10**400)
    (True, False, False, False)
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or is_beyond_floats(value):
        return False
    return math.isfinite(value)


def is_beyond_floats(value: float) -> bool:
    """Say whether a number is an integer that no float comes near: such a one can stand in a file of JSON."""
    return isinstance(value, int) and abs(value) > sys.float_info.max


@dataclass(frozen=True, slots=True)
class Number:
    """A number of summary.json.

    Attributes:
        name: Its key.
        unit: `%`, `s`, `MiB`, `tokens/s`, `epochs`, or nothing for counts and scores of a model.
        decimals: Digits behind the point, wherever people read it.
        better: `higher` or `lower`; None for what is neither.
        low: The least value that is possible; None: no bound.
        high: The greatest one.
        column: The column of `table` with its value for each question, whose mean it is; None where there is none.
        questions: Over which questions that mean is: `has_ans`, `no_ans`, or None for all.
        table: The file of that column: `scores.csv` or `test_scores.csv`.
        is_trimmed: A whole number is shown without digits behind the point, and no other one as if it were whole: 1 and
            0.99, not 1.00.
        significant: At least so many significant digits are shown: a threshold of 0.004 is not 0.00, the default.
        shown_in: The places that show it, such as `EPOCHS` and `BOARD`.
        lead: Where it stands beside others in a comparison: lowest first, equal ones in the order of summary.json.
        short: What narrow tables call it; its name where empty.
        relevant: The smallest difference that matters, unless a user says otherwise.
        stand_in: The number of `EPOCHS` that rises and falls with it, where it is known only when a run ends.
    """

    name: str
    unit: str
    decimals: int
    better: str | None
    low: float | None = None
    high: float | None = None
    column: str | None = None
    questions: str | None = None
    table: str = "scores.csv"
    is_trimmed: bool = False
    significant: int = 0
    shown_in: frozenset[str] = frozenset()
    lead: int = 9
    short: str = ""
    relevant: float = 2.0
    stand_in: str | None = None

    def clipped(self, value: float) -> float:
        """The nearest value that is possible: what an end of an interval beyond the range means.

        >>> number_of("f1").clipped(104.2), number_of("tokens_per_second").clipped(104.2)
        (100.0, 104.2)
        """
        low = value if self.low is None else max(value, self.low)
        return low if self.high is None else min(low, self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that counts."""
        return (-MOST if self.low is None else self.low), (MOST if self.high is None else self.high)

    @property
    def range(self) -> str:
        """The values that are possible, in words.

        >>> number_of("f1").range, number_of("train_loss").range
        ('from 0 to 100', 'from 0 to 1e+100')
        """
        return "from {:g} to {:g}".format(*self.bounds)

    def shown(self, value: float | None) -> str:
        """The value as people read it, without its unit; `-` where there is none.

        >>> number_of("f1").shown(81.25), number_of("train_loss").shown(1.2), number_of("f1").shown(None)
        ('81.2', '1.200', '-')
        >>> number_of("epoch").shown(1.0), number_of("epoch").shown(0.9999), number_of("null_threshold").shown(0.0041)
        ('1', '0.99', '0.0041')
        >>> number_of("epoch").shown(float("inf"))
        'inf'
        >>> [number_of("train_seconds").shown(seconds) for seconds in (0.0, 0.81, 5.23, 14.2, 1234.5)]
        ['0', '0.81', '5.2', '14', '1,234']
        >>> number_of("train_seconds").shown(1e308)
        '1e+308'
        """
        if value is None or is_beyond_floats(value):
            return "-"
        if self.significant and 0 < abs(value) < 10.0 ** (self.significant - 1 - self.decimals):
            return f"{value:.{self.significant}g}"
        if self.is_trimmed and math.isfinite(value):
            # Downwards: an epoch that is not over is not shown as if it were.
            value = math.floor(round(value * 10**self.decimals, 6)) / 10**self.decimals
        if abs(value) >= HUGE:
            return f"{value:.3g}"
        text = f"{value:,.{self.decimals}f}"
        return text.rstrip("0").rstrip(".") if self.is_trimmed and "." in text else text

    def signed(self, difference: float) -> str:
        """A difference of two values as people read it, without its unit.

        >>> number_of("f1").signed(1.25), number_of("train_loss").signed(-0.5)
        ('+1.2', '-0.500')
        """
        return f"{difference:+.{self.decimals}f}"

    def size(self, difference: float) -> str:
        """The size of a difference with its unit, which of percentages is points.

        >>> number_of("f1").size(1.25), number_of("train_seconds").size(3)
        ('1.2 points', '3 s')
        """
        return f"{difference:.{self.decimals}f} {self.step}".rstrip()

    @property
    def step(self) -> str:
        """The unit of a difference."""
        return "points" if self.unit == "%" else self.unit

    @property
    def width(self) -> float:
        """How far apart two values can be."""
        return math.inf if self.low is None or self.high is None else self.high - self.low

    def is_gain(self, difference: float) -> bool:
        """Whether a value is the better one by a difference from another: higher, where no direction is known.

        >>> number_of("f1").is_gain(1.0), number_of("train_loss").is_gain(1.0)
        (True, False)
        """
        return difference < 0 if self.better == LOWER else difference > 0

    @property
    def title(self) -> str:
        """The name with its unit, as an axis or a header has it.

        >>> number_of("train_seconds").title, number_of("f1").title
        ('train_seconds (s)', 'f1 (%)')
        """
        return f"{self.name} ({self.unit})" if self.unit else self.name


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
