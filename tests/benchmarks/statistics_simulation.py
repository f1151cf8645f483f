"""Are the intervals and the p-values of `qaexp compare` honest? Thousands of comparisons whose truth is known.

    python -m tests.benchmarks.statistics_simulation [--comparisons 2000]

The sizes are those of the SQuAD v2 sample: 1,152 questions on 137 paragraphs of 3 articles.
A run answers a question rightly when a sum passes a threshold: how hard the question and its paragraph are, how well
the config does with the paragraph and with the question, how good the seed is, and chance. In a null comparison two
configs come from the same distribution. Prints the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.tests import (
    Difference,
    cluster_bootstrap,
    holm,
    mcnemar,
    paired_groups,
    pooled_paired,
    pooled_separate,
    separate_groups,
)

SIZES = {3: 6, 4: 7, 5: 8, 6: 8, 7: 7, 8: 6, 9: 32, 10: 62, 13: 1}
"""Questions of a paragraph to the number of such paragraphs."""

ALPHA = 0.05
NUM_GROUPS = 5
POINTS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class World:
    """How much each cause matters, as standard deviations of the sum whose sign decides.

    Seeds move the mean score by about 1.2 points, and two runs of the same config agree on about 80 % of the questions.
    """

    hardness: float = 1.0
    paragraph: float = 0.5
    config_and_paragraph: float = 0.2
    config_and_question: float = 0.25
    seed: float = 0.05
    chance: float = 0.6

    @property
    def spread(self) -> float:
        """The standard deviation of the whole sum."""
        return math.hypot(
            self.hardness, self.paragraph, self.config_and_paragraph, self.config_and_question, self.seed, self.chance
        )


WORLD = World()


def clusters() -> np.ndarray:
    """The paragraph of each question."""
    sizes = [size for size, num in SIZES.items() for _ in range(num)]
    return np.repeat(np.arange(len(sizes)), sizes)


CLUSTERS = clusters()


def groups(generator: np.random.Generator, shifts: list[float], seeds: int, *, seed_effect: bool = True) -> np.ndarray:
    """Sums [groups, seeds, questions]; the chance part of a seed is shared by all groups, as its data and order are."""
    num, num_clusters, world = len(CLUSTERS), CLUSTERS.max() + 1, WORLD
    hard = world.hardness * generator.normal(size=num) + world.paragraph * generator.normal(size=num_clusters)[CLUSTERS]
    found = []
    for shift in shifts:
        config = world.config_and_question * generator.normal(size=num)
        config += world.config_and_paragraph * generator.normal(size=num_clusters)[CLUSTERS]
        seed = world.seed * generator.normal(size=(seeds, 1)) if seed_effect else np.zeros((seeds, 1))
        found.append(hard + config + seed + world.chance * generator.normal(size=(seeds, num)) + shift)
    return np.stack(found)


def scores(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact and f1 in percent: just below the threshold an answer is partly right."""
    exact = np.where(sums > 0, 100.0, 0.0)
    return exact, np.where((sums <= 0) & (sums > -0.25), 50.0, exact)


def shift_of(points: float) -> float:
    """The shift of the sum that gives so many points of f1, from the distribution of the sum."""

    def mean_f1(shift: float) -> float:
        def above(bound: float) -> float:
            return 0.5 * math.erfc((bound - shift) / WORLD.spread / math.sqrt(2))

        return 50.0 * (above(0.0) + above(-0.25))

    low, high = 0.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_f1(middle) - mean_f1(0.0) < points else (low, middle)
    return low


Means = np.ndarray | None
"""The mean of each run [groups, seeds], where more than two groups are compared."""
Test = Callable[[np.ndarray, np.ndarray, np.random.Generator, Means], Difference]


def run_against_run(a: np.ndarray, b: np.ndarray, generator: np.random.Generator, _: Means = None) -> Difference:
    return cluster_bootstrap(b[0] - a[0], CLUSTERS, generator)


def same_seeds(a: np.ndarray, b: np.ndarray, _: np.random.Generator, means: Means = None) -> Difference:
    return paired_groups(a, b, CLUSTERS, pooled=None if means is None else pooled_paired(means))


def other_seeds(a: np.ndarray, b: np.ndarray, _: np.random.Generator, means: Means = None) -> Difference:
    return separate_groups(a, b, CLUSTERS, pooled=None if means is None else pooled_separate(list(means)))


DESIGNS: tuple[tuple[str, int, Test], ...] = (
    ("run against run", 1, run_against_run),
    ("3 against 3, same seeds", 3, same_seeds),
    ("5 against 5, same seeds", 5, same_seeds),
    ("3 against 3, other seeds", 3, other_seeds),
    ("5 against 5, other seeds", 5, other_seeds),
)


def simulate(num: int) -> None:
    """Print the table."""
    error = math.sqrt(ALPHA * (1 - ALPHA) / num)
    print(f"{num:,} comparisons a cell; at most {100 * (ALPHA + 2 * error):.1f} % may be rejected under the null.\n")
    print(
        "| comparison | score | null: rejected | null: any of 10 contrasts, Holm | 95 % interval covers the truth | "
        + " | ".join(f"power at {points:g}" for points in POINTS)
        + " |"
    )
    print("| --- |" * 1 + " --- |" * (4 + len(POINTS)))
    worst = 0.0
    for name, seeds, test in DESIGNS:
        for metric, place in (("f1", 1), ("exact", 0)):
            null, mc, covered = rejections(num, seeds, test, 0.0, place)
            family = family_wise(num // 4 if seeds == 1 else num, seeds, test, place)
            power = [rejections(num // 4, seeds, test, points, place) for points in POINTS] if place == 1 else []
            cover = min([covered, *(row[2] for row in power)])
            cells = [f"{100 * row[0]:.0f} %" for row in power] or ["-"] * len(POINTS)
            note = f" (McNemar alone {100 * mc:.1f} %)" if seeds == 1 and place == 0 else ""
            print(
                f"| {name} | {metric} | {100 * null:.1f} %{note} | {100 * family:.1f} % | {100 * cover:.1f} % | "
                + " | ".join(cells)
                + " |",
                flush=True,
            )
            worst = max(worst, null, family)
    print(f"\nThe worst rate is {100 * worst:.1f} %.")


def rejections(num: int, seeds: int, test: Test, points: float, place: int) -> tuple[float, float, float]:
    """How often no difference is rejected, by the test and by McNemar's, and how often the interval holds the truth."""
    shift, rejected, by_mcnemar, covered = shift_of(points), 0, 0, 0
    for number in range(num):
        generator = np.random.default_rng([7, seeds, number])
        a, b = scores(groups(generator, [0.0, shift], seeds, seed_effect=seeds > 1))[place]
        found = test(a, b, generator, None)
        rejected += found.p <= ALPHA
        covered += found.low <= points <= found.high
        by_mcnemar += mcnemar(a[0] == 100, b[0] == 100)[2] <= ALPHA
    return rejected / num, by_mcnemar / num, covered / num


def family_wise(num: int, seeds: int, test: Test, place: int) -> float:
    """How often at least one of all contrasts between equal groups is rejected after Holm's correction."""
    any_rejected = 0
    for number in range(num):
        generator = np.random.default_rng([11, seeds, number])
        found = scores(groups(generator, [0.0] * NUM_GROUPS, seeds, seed_effect=seeds > 1))[place]
        means = found.mean(axis=2)
        p = [test(found[i], found[j], generator, means).p for i in range(NUM_GROUPS) for j in range(i + 1, NUM_GROUPS)]
        any_rejected += min(holm(p)) <= ALPHA
    return any_rejected / num


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--comparisons", type=int, default=2000)
    simulate(parser.parse_args().comparisons)
