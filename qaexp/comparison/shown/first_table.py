"""The first table of a comparison's document, with what sentences about it need: who leads, by how much, and why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.far_seeds import far_one
from qaexp.comparison.options import FIXED
from qaexp.comparison.verdict import BETTER, WORSE
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.short_words import all_shortened
from qaexp.storage.formats import counted

Row = Mapping[str, Any]
NUMBERS_AS_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}

_MAX_NAME = 60
_TURNED = {BETTER: WORSE, WORSE: BETTER}


class FirstTable:
    """The first table of a document.

    Attributes:
        metric: What its groups are ranked by.
        groups: All its groups by their numbers: the best first.
        able: Those that answer and have the metric.
        silent: Those that answer nothing.
        baseline: The group that others are compared with; None for a single group.
        winner: The best of three or more groups, and what to expect of it; None without one.
        is_fixed: Whether verdicts are for one planned look.
    """

    def __init__(self, document: Row) -> None:
        """Take a document."""
        self.metric: str = document["metric"]
        groups = sorted(document["groups"], key=lambda group: group["number"])
        self.groups: list[Row] = [group for group in groups if group["measured_apart"] is None]
        self.able = [group for group in self.groups if not group["is_collapsed"] and self.metric in group["metrics"]]
        self.silent = [group for group in self.groups if group["is_collapsed"]]
        self.by: str | None = document["by"]
        self.winner: Row | None = document["winner"]
        self.is_fixed: bool = document["intervals"] == FIXED
        names = {group["name"]: group for group in self.groups}
        self._short: dict[str, str] = dict(zip(names, all_shortened(list(names), _MAX_NAME), strict=True))
        self.baseline: Row | None = names.get(document["baseline"])
        self._contrasts = {(one["a"], one["b"]): one for one in document["contrasts"]}
        self._runs: dict[int, Sequence[Row]] = {}
        start = 0
        for group in document["groups"]:
            # The runs are in the order of the groups; ids are not used, as made-up runs may share one.
            self._runs[group["number"]] = document["runs"][start : start + group["n"]]
            start += group["n"]
        self._relevant = float(document["relevant"])
        self._apart = [group for group in groups if group["measured_apart"] is not None]
        self.refused: Sequence[Row] = document["refused"]
        self.skipped: Sequence[Row] = document["skipped"]

    def name(self, group: Row) -> str:
        """A group's name; a long one is cut in the middle."""
        return self._short[group["name"]]

    @property
    def leader(self) -> Row:
        """The best group that answers."""
        return self.able[0]

    @property
    def second(self) -> Row:
        """The group ranked after the leader."""
        return self.able[1]

    @property
    def about(self) -> str:
        """The score that verdicts are about."""
        found = self.pair()
        return str(found["metric"]) if found else self.metric

    @property
    def word(self) -> str:
        """The metric as a sentence has it: `f1` for that at thresholds of other folds, too."""
        return self.metric.removeprefix("crossfit_")

    def lacks_skill(self, group: Row) -> bool:
        """Whether a group is hardly better than answering nothing, which scores the share without an answer."""
        share, found = group["share_no_ans"], group["metrics"].get(self.metric)
        if share is None or not 0 < share < 100 or found is None or self.word not in ("f1", "exact"):
            return False
        if all(_must_answer(run["summary"] or {}) for run in self.runs(group)):
            return False
        return bool(found["mean"] < share + self._skill)

    @property
    def skill(self) -> str:
        """By how much a group must be above answering nothing."""
        return self.points(self._skill)

    @property
    def _skill(self) -> float:
        """The smallest difference that matters; no larger one than the usual, whatever matters between settings."""
        return min(self._relevant, number_of(self.metric).relevant)

    @property
    def contradicted_by(self) -> str | None:
        """The metric of the test questions where they show the leader to be worse than the second; None elsewhere."""
        confirmed = None if self.winner is None else self.winner["confirmed"]
        return str(confirmed["metric"]) if confirmed is not None and confirmed["verdict"] == WORSE else None

    @property
    def siblings(self) -> str:
        """What the runs of a group are called: with `--by` they are not only seeds."""
        return "seeds" if self.by is None else "runs"

    @property
    def is_tested(self) -> bool:
        """Whether the verdicts are about the metric."""
        return any(one["metric"] == self.metric for one in self._contrasts.values())

    @property
    def is_percent(self) -> bool:
        """Whether the metric is a percentage."""
        return number_of(self.metric).unit == "%"

    def can_differ(self, size: float) -> bool:
        """Whether two means can be this far apart: no test detects more."""
        return size <= number_of(self.metric).width

    @property
    def relevant(self) -> str:
        """The smallest difference that matters."""
        return self.points(self._relevant)

    def differs_from_official(self, one: Row, other: Row) -> bool:
        """Whether the official score shows a difference that is larger or smaller by an amount that matters."""
        official = self.official(one, other)
        return official is not None and abs(official - self.difference(one, other)) >= self._relevant

    @property
    def unfinished(self) -> str:
        """How many runs beside these are not completed, in brackets; nothing where all are."""
        found = sum(str(row["reason"]).startswith("not completed") for row in self.skipped)
        return f" ({counted(found, 'run')} {'is' if found == 1 else 'are'} not completed)" if found else ""

    @property
    def apart(self) -> dict[str, int]:
        """Reason to how many runs were measured differently for it."""
        found: dict[str, int] = {}
        for group in self._apart:
            found[group["measured_apart"]] = found.get(group["measured_apart"], 0) + group["n"]
        return found

    def between(self, one: Row, other: Row) -> Row | None:
        """The contrast of two groups in either order; None if they were not compared."""
        names = one["name"], other["name"]
        return self._contrasts.get(names) or self._contrasts.get(names[::-1])

    def verdict(self, one: Row, other: Row) -> str | None:
        """The verdict on one group compared with another."""
        found = self.between(one, other)
        if found is None:
            return None
        word = str(found["verdict"])
        return word if found["b"] == one["name"] else _TURNED.get(word, word)

    def difference(self, one: Row, other: Row) -> float:
        """One group's mean minus another's."""
        return float(one["metrics"][self.metric]["mean"]) - float(other["metrics"][self.metric]["mean"])

    def official(self, one: Row, other: Row) -> float | None:
        """The same difference in the official score of a cross-fitted one; None where there is none."""
        found, beside = one["metrics"].get(self.word), other["metrics"].get(self.word)
        if self.word == self.metric or found is None or beside is None:
            return None
        return float(found["mean"]) - float(beside["mean"])

    def lead(self, one: Row, other: Row) -> str:
        """By how much one group leads another: `28.9 f1`."""
        return self.points(abs(self.difference(one, other)))

    def lead_is_nothing(self, one: Row, other: Row) -> bool:
        """Whether two means read the same."""
        number = number_of(self.metric)
        return number.shown(abs(self.difference(one, other))) == number.shown(0.0)

    def points(self, value: float) -> str:
        """A difference with its unit."""
        return f"{number_of(self.metric).shown(value)} {self.word}"

    def shown(self, group: Row) -> str:
        """A group's mean."""
        return number_of(self.metric).shown(group["metrics"][self.metric]["mean"])

    def interval(self, group: Row) -> str:
        """A group's interval over seeds, with a space before it; nothing where there is none."""
        found, number = group["metrics"][self.metric], number_of(self.metric)
        if found["low"] is None or found["interval_over"] != "seeds":
            return ""
        return f" [{number.shown(found['low'])}, {number.shown(found['high'])}]"

    def pair(self) -> Row | None:
        """The contrast that decides: the leader against the second group or, if not compared, against the baseline."""
        if len(self.able) < 2:
            return None
        found = self.between(self.leader, self.second)
        if found is None and self.baseline is not None:
            found = self.between(self.leader, self.baseline)
        return found

    def open_pair(self) -> Row | None:
        """The contrast of the leader with the best group that it is not shown to be better than."""
        return next(iter(self.open_pairs()), None)

    def open_pairs(self) -> list[Row]:
        """Its contrasts with all groups that it is not shown to be better than, the best first."""
        found = [(self.between(self.leader, other), self.verdict(self.leader, other)) for other in self.able[1:]]
        return [pair for pair, verdict in found if pair is not None and verdict not in (BETTER, WORSE)]

    def groups_of(self, pair: Row) -> list[Row]:
        """The two groups of a contrast."""
        return [group for group in self.groups if group["name"] in (pair["a"], pair["b"])]

    def runs(self, group: Row) -> list[Row]:
        """The runs of a group, by their seeds."""
        return list(self._runs[group["number"]])

    def values(self, group: Row) -> list[float]:
        """The metric of each of its runs."""
        found = [(run["summary"] or {}).get(self.metric) for run in self.runs(group)]
        return [float(value) for value in found if is_number(value)]

    def far(self, group: Row) -> tuple[Row, float, float] | None:
        """The one run of three or more that is far from all others: itself, its value, and the median of the others."""
        runs = [run for run in self.runs(group) if is_number((run["summary"] or {}).get(self.metric))]
        ordered = sorted(runs, key=lambda run: (run["summary"][self.metric], run["run_id"]))
        values = [float(run["summary"][self.metric]) for run in ordered]
        place = far_one(values) if self.is_percent else None
        if place is None:
            return None
        return ordered[place], values[place], statistics.median([*values[:place], *values[place + 1 :]])

    def enough_seeds(self, pair: Row) -> int | None:
        """The fewest more seeds that would tell; None: no number of them does."""
        found: int | None = pair[pair["metric"]]["more_seeds_needed"]
        return found

    def helps(self, pair: Row) -> bool:
        """Whether more seeds would tell."""
        return self.enough_seeds(pair) is not None


def _must_answer(summary: Row) -> bool:
    """Whether a run's decoding leaves no question without an answer: then there is no threshold to choose."""
    return "null_threshold" in summary and summary["null_threshold"] is None
