"""One number of a run: its unit, range and direction, and how people read it."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, TypeGuard

HIGHER, LOWER = "higher", "lower"
# From here on a number is shown as a power of ten; no run reaches it.
HUGE = 1e15
# The greatest number that counts: the square of a larger one may be beyond all floats.
MOST = 1e100


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

        >>> from qaexp.runs.metrics import number_of
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

        >>> from qaexp.runs.metrics import number_of
        >>> number_of("f1").range, number_of("train_loss").range
        ('from 0 to 100', 'from 0 to 1e+100')
        """
        return "from {:g} to {:g}".format(*self.bounds)

    def shown(self, value: float | None) -> str:
        """The value as people read it, without its unit; `-` where there is none.

        >>> from qaexp.runs.metrics import number_of
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

        >>> from qaexp.runs.metrics import number_of
        >>> number_of("f1").signed(1.25), number_of("train_loss").signed(-0.5), number_of("f1").signed(-0.04)
        ('+1.2', '-0.500', '+0.0')
        """
        found = f"{difference:+.{self.decimals}f}"
        return found.replace("-", "+") if float(found) == 0 else found

    def size(self, difference: float) -> str:
        """The size of a difference with its unit, which of percentages is points.

        >>> from qaexp.runs.metrics import number_of
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

        >>> from qaexp.runs.metrics import number_of
        >>> number_of("f1").is_gain(1.0), number_of("train_loss").is_gain(1.0)
        (True, False)
        """
        return difference < 0 if self.better == LOWER else difference > 0

    @property
    def title(self) -> str:
        """The name with its unit, as an axis or a header has it.

        >>> from qaexp.runs.metrics import number_of
        >>> number_of("train_seconds").title, number_of("f1").title
        ('train_seconds (s)', 'f1 (%)')
        """
        return f"{self.name} ({self.unit})" if self.unit else self.name
