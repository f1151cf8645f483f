"""How many seeds does each score need to show the difference that is there? On the runs of a real sweep.

    python -m tests.benchmarks.evidence SWEEP

For each pair of settings: the difference that was found in each score, in standard deviations of what a seed does to
it, and the seeds of each setting that find such a difference with a probability of 80 % (one contrast, any number of
looks, and one planned look). The differences are those of the runs, and so a little too large; of two scores of the
same runs the ratio is what counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qaexp.comparison.compare import compare
from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.options import Options
from qaexp.comparison.statistics.planning import PlannedTest, pooled_spread
from qaexp.runs.metrics import number_of
from tests.benchmarks.simulation.writing import table

SCORES = ("crossfit_f1", "f1", "exact", "gold_nll")
LEVEL, POWER = 0.95, 0.8


def seeds(contrast: Contrast, score: str, *, any_look: bool) -> int | None:
    """How many seeds of each setting find the difference of two settings; None if not even a hundred do."""
    found = contrast.tests[score].difference
    return PlannedTest(LEVEL, POWER, any_look).seeds_for(pooled_spread([found]), abs(found.difference))


def rows(sweep: Path) -> list[list[str]]:
    """One row a pair of settings and a score."""
    (compared,) = compare([sweep], Options(metric="gold_nll")).tables
    told = []
    for contrast in compared.contrasts:
        for score in SCORES:
            found, number = contrast.tests[score].difference, number_of(score)
            each = pooled_spread([found]).seed
            numbers = [seeds(contrast, score, any_look=any_look) for any_look in (True, False)]
            size = "-" if not each else f"{abs(found.difference) / each:.1f}"
            cells = ["more than 100" if num is None else str(num) for num in numbers]
            told.append([f"{contrast.b} against {contrast.a}", score, number.signed(found.difference), size, *cells])
    return told


def main(sweep: Path) -> None:
    """Print the table."""
    head = ("settings", "score", "difference", "in seed sd", "seeds, any look", "seeds, one look")
    print(table(head, rows(sweep)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
