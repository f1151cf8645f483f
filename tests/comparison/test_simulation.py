"""The tables of docs/statistics.md are those of the simulation, and a short form of it finds the same."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from qaexp.comparison.group_tests import SEED
from qaexp.comparison.statistics.paired import cluster_bootstrap
from tests.benchmarks.simulation.cells import Cell, simulate
from tests.benchmarks.simulation.plan import plan
from tests.benchmarks.simulation.rendering import rendered
from tests.benchmarks.simulation.shapes import SHAPES
from tests.benchmarks.simulation.trials import draw, kept_resamples, said
from tests.benchmarks.simulation.worlds import WORLDS, clusters_of
from tests.benchmarks.statistics_simulation import PAGE, RESULTS

TIMES = 150
SHORT = (
    Cell("pair", "run", clusters="8"),
    Cell("pair", "same 3", "seeds"),
    Cell("pair", "other 3/10", "seeds"),
    Cell("pair", "other 2"),
    Cell("pair", "same 3x3"),
    Cell("pair", "same nested"),
    Cell("pair", "same by"),
)


def results() -> dict[str, dict[str, dict[str, float]]]:
    return json.loads(RESULTS.read_text("utf-8"))


def test_the_page_shows_the_results() -> None:
    page = PAGE.read_text("utf-8")
    assert "<!-- generated: errors -->" in page
    assert rendered(page, results()) == page, "python -m tests.benchmarks.statistics_simulation --render"


def test_every_cell_of_the_plan_was_simulated() -> None:
    cells = results()["cells"]
    assert [cell.key for cell in plan() if cell.key not in cells] == []
    assert [key for key in cells if key not in {cell.key for cell in plan()}] == []


def bound(rate: float, times: float) -> float:
    """Four standard errors of so few experiments."""
    return 4 * math.sqrt(rate * (1 - rate) / times)


@pytest.mark.parametrize("cell", SHORT, ids=lambda cell: cell.key)
def test_a_short_simulation_is_as_honest(cell: Cell) -> None:
    with kept_resamples():
        found = simulate(replace(cell, repetitions=TIMES))
    assert found["rejected"] <= 0.05 + bound(0.05, TIMES)
    assert min(found["covered at 0"], found["covered at 4"]) >= 0.95 - bound(0.05, TIMES)
    assert found["found at reach"] >= 0.8 - bound(0.8, TIMES)
    for name in found.keys() & {"own over seeds", "own over questions"}:
        assert found[name] >= 0.95 - bound(0.05, TIMES), name


def test_of_three_clusters_the_simulation_gets_no_statement() -> None:
    found = simulate(Cell("pair", "same 3", clusters="3", repetitions=5))
    assert (found["stated"], found["rejected"], "reach" in found) == (0.0, 0.0, False)


def test_kept_resamples_change_nothing() -> None:
    clusters = clusters_of("8")
    made = draw(WORLDS["plain"], SHAPES["run"], clusters, "f1", 2, np.random.default_rng(0))
    sides = [made.side(group, 0) for group in range(2)]
    with kept_resamples():
        found = said(sides, clusters, "f1")[0, 1].difference
    expected = cluster_bootstrap(sides[1].scores[0] - sides[0].scores[0], clusters, np.random.default_rng(SEED))
    assert found == expected
