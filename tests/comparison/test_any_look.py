"""Verdicts that hold however often one looks: the price of looks, by relations and by a short simulation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from qaexp.comparison.statistics.anytime import Looks, looks_at
from qaexp.comparison.statistics.chances import chances
from qaexp.comparison.statistics.difference import Difference, Variance
from qaexp.comparison.statistics.paired import cluster_t, paired_groups, separate_groups
from tests.benchmarks import equivalence_simulation
from tests.benchmarks.looks_simulation import LOOKS, PAGE, RESULTS, WAYS, Cell, experiments, plan, rendered, upper
from tests.benchmarks.peers import any_look

TEXTS = np.arange(80, dtype=np.intp) % 20


def groups(num_seeds: int, seed: float, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(draw)
    of_texts = 3 * generator.standard_normal((2, 20))[:, TEXTS]
    a, b = (
        one + seed * generator.standard_normal((num_seeds, 1)) + 10 * generator.standard_normal((num_seeds, 80))
        for one in of_texts
    )
    return a, b


def test_the_p_value_is_siegmunds_by_hand() -> None:
    c = float(-ndtri(0.01 / 2))
    assert Looks(2.0).p(0.01) == pytest.approx(0.01 + 0.7 * 2.0 * (c - 1 / c) * norm.pdf(c))
    grows = looks_at([(4.0, 5)], 1.0)  # 20 a seed, and 1 from the questions
    assert grows is not None
    assert grows.growth == pytest.approx(np.log((20 / 3 + 1) / (20 / 100 + 1)))


@pytest.mark.parametrize("growth", [0.0, 0.3, 1.0, 3.5])
def test_p_grows_with_p_and_with_what_can_still_be_learnt(growth: float) -> None:
    planned = np.geomspace(1e-12, 1, 400)
    found = [Looks(growth).p(float(p)) for p in planned]
    assert found == sorted(found)
    assert all(one >= p for one, p in zip(found, planned, strict=True))
    assert found[-1] == 1
    assert all(Looks(growth + 0.1).p(float(p)) >= one for one, p in zip(found, planned, strict=True))
    for alpha in (0.05, 0.05 / 45, 1e-6):
        assert Looks(growth).p(Looks(growth).level(alpha)) == pytest.approx(alpha, rel=1e-6)


def test_where_no_seeds_vary_looks_cost_nothing() -> None:
    values = np.random.default_rng(0).normal(1, 3, 80)
    found = cluster_t(values, TEXTS)
    assert found.at_any_look() is found
    same = np.repeat(values[None], 3, axis=0)
    still = paired_groups(np.zeros_like(same), same, TEXTS)
    assert still.at_any_look() == still


@pytest.mark.parametrize("test", [paired_groups, separate_groups])
@pytest.mark.parametrize("num_seeds", [2, 3, 5, 13])
def test_the_interval_is_wider_and_leaves_out_what_p_rejects(test, num_seeds: int) -> None:
    for seed in (0.1, 2.0, 12.0):
        planned = test(*groups(num_seeds, seed), TEXTS)
        found = planned.at_any_look()
        assert found.low < planned.low
        assert found.high > planned.high
        assert found.p >= planned.p
        for alpha in (0.05, 0.01, 0.001):
            low, high = found.interval(alpha)
            assert (not low <= 0 <= high) == (found.p <= alpha)
            assert found.p_of(low) == pytest.approx(alpha, rel=1e-4)
            assert found.p_of(high) == pytest.approx(alpha, rel=1e-4)


def test_seeds_that_decide_cost_more_than_questions_that_do() -> None:
    of_questions, of_seeds = (paired_groups(*groups(5, seed), TEXTS).variance.looks for seed in (0.1, 12.0))
    assert of_questions is not None
    assert of_seeds is not None
    assert of_questions.growth < of_seeds.growth
    assert Variance(((1.0, 4.0),), (1e9, 19.0), (0.0,), values=(5,)).looks == Looks(pytest.approx(0, abs=1e-6))


def test_equivalence_is_two_one_sided_tests() -> None:
    one = Difference(0.5, -1.5, 2.5, 0.6, 1.0, 1e9, Variance((), (1.0, 1e9)))
    assert one.p_equivalent(3.0) == pytest.approx(norm.sf(2.5))
    assert one.p_equivalent(0.5) == 1.0
    assert replace(one, difference=-0.5).p_equivalent(3.0) == one.p_equivalent(3.0)
    # Inside at 1 - 2 alpha exactly where the test rejects at alpha.
    for relevant in (1.0, 2.0, 2.1, 2.2, 3.0):
        low, high = one.interval(0.10)
        assert (-relevant < low and high < relevant) == (one.p_equivalent(relevant) < 0.05)


def test_at_the_boundary_equivalence_is_seldom_said() -> None:
    """A true difference of exactly what matters, 2 points: its interval is inside in 5 % of all cases at most."""
    generator, said = np.random.default_rng(1), 0
    for _ in range(600):
        table = 2.0 + 1.5 * generator.standard_normal((6, 1)) + generator.standard_normal((6, 80))
        table = table + 1.5 * generator.standard_normal(20)[TEXTS]
        found = paired_groups(np.zeros_like(table), table, TEXTS).at_any_look()
        said += found.low > -2 and found.high < 2
    assert said / 600 <= 0.05


def test_equivalence_at_the_boundary_is_on_the_page_and_holds() -> None:
    results, page = json.loads(equivalence_simulation.RESULTS.read_text("utf-8")), PAGE.read_text("utf-8")
    assert equivalence_simulation.rendered(page, results) == page, f"{equivalence_simulation.COMMAND} --render"
    assert list(results["cells"]) == [cell.key for cell in equivalence_simulation.plan()]
    assert all(one["repetitions"] >= 2000 for one in results["cells"].values())
    assert max(upper(one["anytime"]["wrong"], one["repetitions"]) for one in results["cells"].values()) <= 0.05


def test_a_short_simulation_of_the_boundary_is_as_honest() -> None:
    found = equivalence_simulation.simulate(Cell("same", 12.0, 300, 20), 300)
    assert found["anytime"]["wrong"] / 300 <= 0.05
    assert found["anytime"]["found"]["13"] > 0.8, "else it is never said, and the simulation shows nothing"


def test_other_packages_are_on_the_page() -> None:
    results, page = json.loads(any_look.RESULTS.read_text("utf-8")), PAGE.read_text("utf-8")
    assert any_look.rendered(page, results) == page, f"{any_look.COMMAND} --render"
    assert list(results["cells"]) == [cell.key for cell in any_look.plan()]


def test_probabilities_turn_around_with_the_sides() -> None:
    a, b = groups(5, 2.0)
    one, other = chances(paired_groups(a, b, TEXTS), 2.0), chances(paired_groups(b, a, TEXTS), 2.0)
    assert one is not None
    assert other is not None
    assert (one.above, one.within, one.below) == pytest.approx((other.below, other.within, other.above))


def test_a_short_simulation_is_as_honest() -> None:
    wrong = dict.fromkeys(("fixed", "anytime"), 0)
    for looks in experiments(Cell("same", 12.0, 300, 20), 300):
        for name in wrong:
            wrong[name] += any(WAYS[name](one) <= 0.05 for one in looks)
    assert wrong["anytime"] / 300 <= 0.05
    assert wrong["fixed"] / 300 > 0.08, "else looks are no trouble, and the simulation shows nothing"


def test_the_page_has_the_results_and_they_hold() -> None:
    results, page = json.loads(RESULTS.read_text("utf-8")), PAGE.read_text("utf-8")
    assert rendered(page, results) == page, "python -m tests.benchmarks.looks_simulation --render"
    assert list(results["cells"]) == [cell.key for cell in plan()]
    bounds = [upper(one["anytime"]["wrong"], one["repetitions"]) for one in results["cells"].values()]
    assert max(bounds) <= 0.05
    assert len(LOOKS) >= 7
