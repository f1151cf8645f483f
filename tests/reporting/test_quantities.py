"""The numbers behind the pictures, against slow references and published values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qaexp.reporting.numbers import intervals as iv
from qaexp.reporting.numbers import quantities as q
from qaexp.runs.score_intervals import wilson_interval
from qaexp.runs.slices import in_range, range_labels


def random_predictions(seed: int, num: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(num):
        has_ans = bool(generator.random() < 0.6)
        exact = 100.0 * (has_ans and bool(generator.random() < 0.5))
        f1 = max(exact, 50.0 * (has_ans and bool(generator.random() < 0.5)))
        diff = float(np.round(generator.normal(0, 2), 1)) if generator.random() < 0.95 else q.NO_SPAN_DIFF
        rows.append({"golds": ["x"] if has_ans else [], "null_score_diff": diff, "span_exact": exact, "span_f1": f1})
    return rows


def score_at(rows: list[dict[str, Any]], threshold: float, metric: str) -> float:
    """The definition: nothing is answered where null_score_diff > threshold, or where there is no span."""
    return float(
        np.mean(
            [
                row[f"span_{metric}"] if row["null_score_diff"] <= threshold else 100.0 * (not row["golds"])
                for row in rows
            ]
        )
    )


@pytest.mark.parametrize("seed", range(5))
def test_threshold_curve_equals_its_definition(seed: int) -> None:
    rows = random_predictions(seed, 80)
    curve = q.threshold_curve(rows)
    assert curve is not None
    for threshold in [-100.0, 100.0, *np.linspace(-5, 5, 101).round(1).tolist()]:
        exact, f1 = curve.at(threshold)
        assert exact == pytest.approx(score_at(rows, threshold, "exact"), abs=1e-9)
        assert f1 == pytest.approx(score_at(rows, threshold, "f1"), abs=1e-9)


def test_threshold_curve_needs_the_scores_of_the_spans() -> None:
    assert q.threshold_curve([]) is None
    assert q.threshold_curve([{"golds": [], "null_score_diff": 0.0}]) is None


def test_interval_needs_four_clusters_and_takes_them_whole() -> None:
    assert iv.group("", [100.0], ["a"]) == iv.Group("", 1, 100.0, None, None)
    three = iv.group("", [0.0, 100.0] * 6, list("abc") * 4)
    assert (three.mean, three.low, three.high) == (50.0, None, None)
    assert iv.group("", [0.0, 100.0] * 8, list("abcd") * 4).low is not None
    alone = iv.group("", [0.0, 100.0] * 20, [str(number) for number in range(40)])
    doubled = iv.group("", [0.0, 0.0, 100.0, 100.0] * 10, [str(number // 2) for number in range(40)])
    assert alone.low is not None
    assert doubled.low is not None
    # As many questions, but two of each on one text that have the same fate: worth half as many.
    assert alone.low == pytest.approx(100 * wilson_interval(0.5, 39 * (1.96 / 2.0227) ** 2)[0], abs=0.05)
    assert doubled.low == pytest.approx(100 * wilson_interval(0.5, 19 * (1.96 / 2.0930) ** 2)[0], abs=0.05)
    assert iv.arms([three, doubled])[0][1] == pytest.approx(50 - doubled.low)
    assert np.isnan([side[0] for side in iv.arms([three, doubled])]).all()


def test_interval_of_equal_scores_counts_a_cluster_as_one() -> None:
    found = iv.group("", [100.0] * 30, [str(number % 6) for number in range(30)])
    assert found.high == 100.0
    assert found.low == pytest.approx(100 * wilson_interval(1.0, 6)[0], abs=1e-5)
    half = iv.group("", [50.0] * 30, [str(number % 6) for number in range(30)])
    assert half.low == pytest.approx(100 * wilson_interval(0.5, 30 * (1.96 / 2.5706) ** 2)[0], abs=0.05)


@pytest.mark.parametrize(("num_clusters", "own"), [(4, 0.3), (8, 0.3), (40, 0.3), (40, 0.0)])
def test_interval_covers_the_mean_of_other_texts(num_clusters: int, own: float) -> None:
    """Texts are easier or harder by `own`; intervals that take questions for independent cover far less."""
    generator = np.random.default_rng(3)
    covered, trials = 0, 400
    for _ in range(trials):
        ease = np.repeat(np.clip(0.6 + own * generator.uniform(-1, 1, num_clusters), 0, 1), 12)
        scores = 100.0 * (generator.random(len(ease)) < ease)
        found = iv.group("", scores.tolist(), [str(number // 12) for number in range(len(ease))])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 60.0 <= found.high
    assert covered / trials >= 0.92


def test_clusters_are_articles_where_there_are_enough() -> None:
    rows = [{"title": f"t{number // 3}", "paragraph": f"p{number}"} for number in range(60)]
    assert iv.dependence(rows).words == "95 % intervals over 20 articles"
    assert iv.dependence(rows[:57]).words == "95 % intervals over 57 paragraphs"
    assert iv.dependence(rows[:1]).words == "no intervals: 1 paragraph"


def test_confidence_is_the_softmax_of_the_answer_given() -> None:
    spans = [{"score": 2.0}, {"score": 1.0}]
    weights = [math.exp(2.5), math.exp(2.0), math.exp(1.0)]
    answered = {"prediction_text": "x", "null_score_diff": 0.5, "n_best": spans}
    assert q.confidence(answered) == pytest.approx(weights[1] / sum(weights))
    assert q.confidence({**answered, "prediction_text": ""}) == pytest.approx(weights[0] / sum(weights))
    assert q.confidence({"prediction_text": "", "null_score_diff": q.NO_SPAN_DIFF, "n_best": []}) == 1.0
    assert q.confidence({"prediction_text": "x", "null_score_diff": -2000.0, "n_best": [{"score": 900.0}]}) == 1.0


def test_calibration_error_of_a_perfect_and_of_a_boasting_run() -> None:
    half = {"prediction_text": "", "null_score_diff": 0.0, "n_best": [{"score": 1.0}]}
    sure = {"prediction_text": "", "null_score_diff": 50.0, "n_best": [{"score": 1.0}]}
    perfect = q.confidence_bins([{**half, "exact": 0.0}, {**half, "exact": 100.0}, {**sure, "exact": 100.0}])
    assert [found.exact.num for found in perfect] == [2, 1]
    assert q.calibration_error(perfect) == pytest.approx(0.0, abs=1e-9)
    assert q.calibration_error(q.confidence_bins([{**sure, "exact": 0.0}])) == pytest.approx(100.0)


def test_slices_come_in_the_order_of_ranges_or_of_size() -> None:
    rows = [{"f1": 100.0, "words": words} for words in (7, 0, 1, 1, 50)]
    bounds = (0, 1, 2, 5, 10)
    groups = q.slice_means(rows, "abcde", lambda row: in_range(row["words"], bounds), range_labels(bounds))
    assert [(found.label, found.num) for found in groups] == [("0", 1), ("1", 2), ("5–9", 1), ("10+", 1)]
    by_size = q.slice_means([{"f1": 0.0, "w": word} for word in "abbac"], "abcde", lambda row: row["w"])
    assert [found.label for found in by_size] == ["a", "b", "c"]
