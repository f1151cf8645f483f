"""Statistics over evaluation sets and seeds together: interquartile mean, probability of improvement, profile.

After R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville and M. G. Bellemare, "Deep Reinforcement Learning at the Edge
of the Statistical Precipice" (NeurIPS 2021), whose package rliable gives the same points. Its intervals draw seeds for
each task anew, as each of its tasks is another training. Here one training answers all sets, so a seed is drawn with
all of its sets; docs/evaluation_sets.md shows how often either kind of interval covers the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qaexp.comparison.statistics.difference import LEVEL, Codes, Floats, quantile

NUM_RESAMPLES = 2_000
# Seeds the bootstrap: the same scores give the same interval.
SEED = 20_260_501

_CUT = 0.25
_HALVINGS = 60


def interquartile_mean(scores: Floats) -> float:
    """The mean of the middle half of all scores; of fewer than four it is their mean.

    Args:
        scores: Any shape, at least one.

    >>> interquartile_mean(np.array([[1.0, 2.0], [6.0, 100.0]]))
    4.0
    """
    found = np.sort(scores, axis=None)
    cut = int(_CUT * len(found))
    kept = found[cut : len(found) - cut].tolist()
    return math.fsum(kept) / len(kept)


def iqm_interval(scores: Floats, codes: Codes) -> tuple[float, float] | None:
    """The 95 % interval of an interquartile mean over other seeds, on these very sets.

    A t interval whose standard error is that of a bootstrap: the values of the seed are drawn with replacement, each
    with its runs on all sets, so that every resample has every set (the strata) equally often. The plain percentiles
    of such resamples would be too narrow with few seeds.

    Args:
        scores: [runs, sets].
        codes: The seed of each run, counted from 0; at least two, each with as many runs.

    Returns:
        Both ends; None where all resamples agree.
    """
    of_seeds = _in_order(scores, codes)
    num = len(of_seeds)
    drawn = np.random.default_rng(SEED).integers(num, size=(NUM_RESAMPLES, num))
    resamples = np.sort(of_seeds[drawn].reshape(NUM_RESAMPLES, -1), axis=1)
    cut = int(_CUT * resamples.shape[1])
    means = resamples[:, cut : resamples.shape[1] - cut].mean(axis=1)
    error = float(np.std(means)) * math.sqrt(num / (num - 1))
    if error <= 1e-9 * max(1.0, float(np.abs(scores).max())):
        return None
    half = quantile(num - 1.0, (1 + LEVEL) / 2) * error
    center = interquartile_mean(scores)
    return center - half, center + half


def probability_of_improvement(a: Floats, b: Floats) -> float:
    """The probability that a run of b has a higher score than one of a on the same set, the mean over the sets.

    Mann and Whitney's U of each set, divided by the number of pairs; equal scores count one half.

    Args:
        a: [runs, sets].
        b: [other runs, sets].

    >>> probability_of_improvement(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]]))
    0.875
    """
    higher = (b[:, None, :] > a[None, :, :]).sum(axis=(0, 1))
    equal = (b[:, None, :] == a[None, :, :]).sum(axis=(0, 1))
    each = [
        (2 * more + same) / (2 * len(a) * len(b)) for more, same in zip(higher.tolist(), equal.tolist(), strict=True)
    ]
    return math.fsum(each) / len(each)


def probability_interval(probability: float, num_a: int, num_b: int) -> tuple[float, float]:
    """The 95 % interval of a probability of improvement over other seeds, on these very sets.

    Newcombe's fifth method ("Confidence intervals for an effect size measure based on the Mann-Whitney statistic", part
    2, Statistics in Medicine 2006), which turns his standard error at each possible probability around, with a t
    quantile. It counts seeds, not seeds times sets: sets of one training are no repeats. Where every run of b is
    better than every one of a, a bootstrap would be certain, and this one is not.

    Args:
        probability: What was observed.
        num_a: Seeds of a; at least two.
        num_b: Seeds of b; at least two.

    >>> low, high = probability_interval(1.0, 5, 5)
    >>> round(low, 2), high
    (0.56, 1.0)
    """
    width = quantile(num_a + num_b - 2.0, (1 + LEVEL) / 2)

    def fits(possible: float) -> bool:
        error = math.sqrt(_variance(possible, num_a, num_b))
        return abs(possible - probability) <= width * error

    return _end(fits, probability, 0.0), _end(fits, probability, 1.0)


def _variance(probability: float, num_a: int, num_b: int) -> float:
    more = (num_a + num_b) / 2 - 1
    beside = more * (1 - probability) / (2 - probability) + more * probability / (1 + probability)
    return probability * (1 - probability) * (1 + beside) / (num_a * num_b)


def _end(fits: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last value that fits on the way from one that does to an end that need not."""
    if inside == outside:
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if fits(middle) else (inside, middle)
    return inside


def profile(scores: Floats) -> list[tuple[float, float]]:
    """The performance profile: for each score the share of runs and sets with a higher one, lowest score first.

    Between two of them the share does not change; below the first one it is 1.

    >>> profile(np.array([[10.0, 20.0], [20.0, 40.0]]))
    [(10.0, 0.75), (20.0, 0.25), (40.0, 0.0)]
    """
    values = np.unique(scores)
    return [(float(value), float((scores > value).sum() / scores.size)) for value in values.tolist()]


def _in_order(scores: Floats, codes: Codes) -> Floats:
    """The scores of each seed [seeds, its runs and sets], in an order that follows from the scores alone.

    So neither names nor the order of sets and runs change a resample.
    """
    by_set = np.sort(scores, axis=0)
    columns = scores[:, sorted(range(scores.shape[1]), key=lambda column: by_set[:, column].tolist())]
    of_seeds = [columns[codes == seed] for seed in range(int(codes.max()) + 1)]
    rows: list[list[float]] = [np.sort(one, axis=0).reshape(-1).tolist() for one in of_seeds]
    return np.array(sorted(rows))
