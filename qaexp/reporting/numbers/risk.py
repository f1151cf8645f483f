"""Risk against coverage: how often a run is wrong when it may leave out the answers that it is least sure of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The mean error among the answers kept, for every number of them.

    Attributes:
        coverage: The share of answers kept, in percent: 1/n, 2/n, ... 100.
        risk: The mean error of those, from 0 to 100.
        area: The area under the curve (AURC): the mean risk over all coverages, from 0 to 100; lower is better.
    """

    coverage: list[float]
    risk: list[float]
    area: float


def risk_coverage(confidences: Sequence[float], errors: Sequence[float]) -> RiskCoverage:
    """Return the risk when the surest answers are kept first (Geifman et al. 2019, arXiv:1805.08206, section 2).

    Of answers that are equally sure none comes first: each counts with the mean error of all of them. So the curve
    does not depend on the order of the rows, and a run that is equally sure of everything is no better than chance.

    Args:
        confidences: How sure each answer is; only their order matters.
        errors: How wrong each answer is, from 0 to 100.

    Raises:
        ValueError: When there are no answers.

    >>> risk_coverage([0.9, 0.5, 0.7], [0.0, 100.0, 0.0]).risk
    [0.0, 0.0, 33.333333333333336]
    """
    if not errors:
        raise ValueError("risk over no answers is not defined")
    evened = [error for _, error in surest_first(confidences, errors)]
    num = len(errors)
    risk = [total / kept for kept, total in enumerate(itertools.accumulate(evened), start=1)]
    return RiskCoverage([100 * kept / num for kept in range(1, num + 1)], risk, math.fsum(risk) / num)


def surest_first(confidences: Sequence[float], errors: Sequence[float]) -> list[tuple[int, float]]:
    """Return the places of the answers, the surest first, each with the mean error of those that are equally sure.

    >>> surest_first([0.5, 0.9, 0.5], [100.0, 0.0, 0.0])
    [(1, 0.0), (0, 50.0), (2, 50.0)]
    """
    ordered = sorted(range(len(errors)), key=lambda place: -confidences[place])
    found: list[tuple[int, float]] = []
    for _, ties in itertools.groupby(ordered, key=lambda place: confidences[place]):
        places = list(ties)
        mean = math.fsum(errors[place] for place in places) / len(places)
        found.extend((place, mean) for place in places)
    return found


def oracle_risk_coverage(errors: Sequence[float]) -> RiskCoverage:
    """Return the lowest risk that any confidence could reach with these answers: the least wrong are kept first.

    >>> oracle_risk_coverage([100.0, 0.0]).risk
    [0.0, 50.0]
    """
    return risk_coverage([-error for error in errors], errors)
