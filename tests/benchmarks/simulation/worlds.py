"""Worlds of known truth: what decides whether a run answers a question rightly, and how much each cause matters.

A run answers rightly when a sum passes a threshold: how hard the question and its paragraph are, how well the config
does with both, how good its seeds are, and chance. In a null comparison configs come from the same distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr

from qaexp.comparison.statistics.difference import Codes, Floats

PARTLY = 0.25
"""So far below the threshold an answer has an f1 of 50."""

SAMPLE_SIZES = {3: 6, 4: 7, 5: 8, 6: 8, 7: 7, 8: 6, 9: 32, 10: 62, 13: 1}
"""Questions of a paragraph of the SQuAD v2 sample to the number of such paragraphs."""


@dataclass(frozen=True)
class World:
    """How much each cause matters, as standard deviations of the sum whose sign decides.

    `seed` is that of each kind of seed, for the first group, the second one, and so on in turn.
    """

    hardness: float = 1.0
    paragraph: float = 0.5
    config_and_paragraph: float = 0.2
    config_and_question: float = 0.25
    seed: tuple[float, ...] = (0.05,)
    chance: float = 0.6

    def seed_of(self, group: int) -> float:
        return self.seed[group % len(self.seed)]

    @property
    def of_questions(self) -> float:
        """The spread of all that the questions bring."""
        return math.hypot(self.hardness, self.paragraph, self.config_and_paragraph, self.config_and_question)


WORLDS = {
    "plain": World(),
    "paragraphs": World(config_and_paragraph=0.8),
    "seeds": World(seed=(0.15, 0.02)),
}


@cache
def clusters_of(name: str) -> Codes:
    """The cluster of each question: of the sample's paragraphs, of a full dev set's articles, or of so many clusters.

    A few clusters have 20 to 60 questions, each a different number.
    """
    if name == "sample":
        sizes = [size for size, num in SAMPLE_SIZES.items() for _ in range(num)]
    elif name == "full dev":
        sizes = [int(size) for size in np.linspace(150, 510, 35)]
    else:
        sizes = [int(size) for size in np.linspace(20, 60, int(name))]
    return np.repeat(np.arange(len(sizes), dtype=np.intp), sizes)


def score(sums: Floats, name: str) -> Floats:
    """Exact or f1 in percent."""
    if name == "exact":
        return 100.0 * (sums > 0)
    return 50.0 * ((sums > 0) + (sums > -PARTLY) * 1.0)


def expected(middle: Floats | float, spread: float, name: str) -> Floats:
    """The score that is expected where the sum is normal."""
    exact = 100 * ndtr(np.asarray(middle) / spread)
    return exact if name == "exact" else (exact + 100 * ndtr((np.asarray(middle) + PARTLY) / spread)) / 2


@cache
def shift_for(world: World, group: int, points: float, name: str, num_causes: int, offsets: Sequence[float]) -> float:
    """What a group's sums must be shifted by, so that it is so many points better than the first one."""

    def mean(which: int, shift: float) -> float:
        spread = math.hypot(world.of_questions, world.chance, world.seed_of(which) * math.sqrt(num_causes))
        return float(np.mean(expected(shift + np.array(offsets), spread, name)))

    wanted, low, high = mean(0, 0.0) + points, -2.0, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(group, middle) < wanted else (low, middle)
    return (low + high) / 2
