"""The rank of a group as far as tests can tell: groups that no test tells apart share ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.groups import Group
from qaexp.comparison.verdict import BETTER, WORSE
from qaexp.runs.metrics import number_of


@dataclass(frozen=True, slots=True)
class Rank:
    """A place, or the places that a group may have.

    Attributes:
        best: From 1.
        worst: The same where it is certain.
    """

    best: int
    worst: int

    def __str__(self) -> str:
        """The place as a table shows it: `1`, or `1-3`."""
        return f"{self.best}" if self.best == self.worst else f"{self.best}-{self.worst}"


def ranks(groups: Sequence[Group], contrasts: Sequence[Contrast], metric: str) -> dict[str, Rank | None]:
    """The places of groups by their names, from what is better than what (Mogstad and others 2024).

    A group's best place leaves room for those that are better, its worst one for those that are not worse. None for a
    group that answers nothing or lacks the metric, and for all where the metric is not what was tested.

    Args:
        groups: Measured alike.
        contrasts: Pairs of them.
        metric: What they are to be ranked by.
    """
    able = [group for group in groups if not group.is_collapsed and metric in group.metrics]
    if number_of(metric).column is None or (contrasts and contrasts[0].metric != metric):
        able = []
    names = {group.name for group in able}
    above, below = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for one in contrasts:
        if one.a in names and one.b in names and one.verdict in (BETTER, WORSE):
            high, low = (one.b, one.a) if one.verdict == BETTER else (one.a, one.b)
            above[low] += 1
            below[high] += 1
    return {
        group.name: Rank(1 + above[group.name], len(able) - below[group.name]) if group.name in names else None
        for group in groups
    }
