"""Risk against coverage, against the definition and cases computed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qaexp.reporting.numbers.risk import oracle_risk_coverage, risk_coverage


def test_curve_of_a_case_computed_by_hand() -> None:
    """Surest first the errors are 0, 100, 0, 100: risks 0, 1/2, 1/3, 1/2, their mean 1/3."""
    found = risk_coverage([0.9, 0.2, 0.5, 0.7], [0.0, 100.0, 0.0, 100.0])
    assert found.coverage == [25.0, 50.0, 75.0, 100.0]
    assert found.risk == pytest.approx([0.0, 50.0, 100 / 3, 50.0])
    assert found.area == pytest.approx(100 / 3)


@pytest.mark.parametrize("seed", range(4))
def test_without_ties_it_is_the_mean_error_of_the_surest(seed: int) -> None:
    generator = np.random.default_rng(seed)
    sure, errors = generator.permutation(50) / 50, generator.choice([0.0, 40.0, 100.0], 50)
    found = risk_coverage(sure.tolist(), errors.tolist())
    order = np.argsort(-sure)
    assert found.risk == pytest.approx([errors[order[:kept]].mean() for kept in range(1, 51)])
    assert found.area == pytest.approx(np.mean(found.risk))


def test_ties_count_as_the_mean_over_every_order_of_them() -> None:
    sure, errors = [0.9, 0.5, 0.5, 0.5, 0.1], [0.0, 100.0, 0.0, 0.0, 100.0]
    orders = [[errors[0], *middle, errors[4]] for middle in itertools.permutations(errors[1:4])]
    risks = np.mean([np.cumsum(order) / np.arange(1, 6) for order in orders], axis=0)
    assert risk_coverage(sure, errors).risk == pytest.approx(risks.tolist())
    assert risk_coverage([0.5] * 5, errors).area == pytest.approx(40.0)


def test_no_confidence_does_better_than_the_oracle() -> None:
    errors = [0.0, 100.0, 50.0, 0.0, 100.0]
    best = oracle_risk_coverage(errors)
    areas = [risk_coverage(order, errors).area for order in itertools.permutations(range(5))]
    assert min(areas) == pytest.approx(best.area)
    assert best.risk == pytest.approx([0.0, 0.0, 50 / 3, 37.5, 50.0])


def test_risk_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no answers"):
        risk_coverage([], [])
