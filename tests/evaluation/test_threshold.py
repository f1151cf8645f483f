"""The tuned threshold against trying every one; folds that keep clusters whole and never look at themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.evaluation import threshold
from qaexp.evaluation.decoding import NO_SPAN_DIFF
from qaexp.evaluation.threshold import best_thresholds, crossfit, folds, tuned_threshold
from qaexp.runs.clusters import clusters

PERCENT = st.sampled_from([0.0, 50.0, 100.0, 200 / 3])
ROWS = st.lists(
    st.tuples(st.one_of(st.integers(-4, 4).map(float), st.just(NO_SPAN_DIFF)), PERCENT, st.sampled_from([0.0, 100.0])),
    min_size=1,
    max_size=20,
)


def columns(rows: list[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    diffs, span, empty = np.array(rows).T
    return diffs, np.where(diffs == NO_SPAN_DIFF, empty, span), empty


def score(at: float, diffs: np.ndarray, span: np.ndarray, empty: np.ndarray) -> float:
    return float(np.where(diffs > at, empty, span).mean())


@given(rows=ROWS)
def test_no_threshold_is_better_than_the_tuned_one(rows: list[tuple[float, float, float]]) -> None:
    given_columns = columns(rows)
    tuned = tuned_threshold(*given_columns)
    tried = [score(value, *given_columns) for value in np.arange(-5.5, 6.0, 0.5)]
    assert score(tuned, *given_columns) == pytest.approx(max(tried), abs=1e-6)
    assert abs(tuned) < 10


@pytest.mark.parametrize(
    ("diffs", "span", "empty", "expected"),
    [
        ([1.0, 2.0], [0.0, 0.0], [100.0, 100.0], 0.0),  # nothing is always right: below all
        ([1.0, 2.0], [100.0, 100.0], [0.0, 0.0], 3.0),  # a span is always right: above all
        ([-1.0, 2.0], [100.0, 0.0], [0.0, 100.0], 0.5),  # halfway
        ([-1.0, 1.0, 5.0], [50.0, 50.0, 50.0], [50.0, 50.0, 50.0], 0.0),  # no difference: the nearest to 0
        ([NO_SPAN_DIFF], [0.0], [0.0], 0.0),
    ],
)
def test_where_the_threshold_lies(diffs: list[float], span: list[float], empty: list[float], expected: float) -> None:
    assert tuned_threshold(np.array(diffs), np.array(span), np.array(empty)) == expected


def test_neighbouring_floats_are_still_separated() -> None:
    low = 1.0
    diffs = np.array([low, np.nextafter(low, 2.0)])
    assert tuned_threshold(diffs, np.array([100.0, 0.0]), np.array([0.0, 100.0])) == low


def test_best_thresholds_over_nothing() -> None:
    nothing = np.zeros(0)
    assert set(best_thresholds(nothing > 0, nothing > 0, nothing, nothing, nothing).values()) == {None}


def test_clusters_are_titles_where_there_are_twenty() -> None:
    paragraphs = [f"p{number}" for number in range(40)]
    titles = [f"t{number % 20}" for number in range(40)]
    assert clusters(titles, paragraphs) == (tuple(titles), "title")
    titles[19] = titles[39] = "t0"
    assert clusters(titles, paragraphs) == (tuple(paragraphs), "paragraph")


@given(labels=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_folds_keep_clusters_whole_are_balanced_and_do_not_depend_on_order(labels: list[str], seed: int) -> None:
    fold = folds(labels)
    of_label = dict(zip(labels, fold.tolist(), strict=True))
    assert [of_label[label] for label in labels] == fold.tolist()
    sizes = np.bincount(fold, minlength=5)
    assert sizes.max() - sizes.min() <= max(labels.count(label) for label in labels)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert folds([labels[place] for place in order]).tolist() == fold[order].tolist()


def test_crossfit_by_hand() -> None:
    """Two clusters: each is scored at the threshold that is best for the other one."""
    diffs = np.array([-1.0, 1.0, 3.0, 5.0])
    span, empty = np.array([100.0, 0.0, 100.0, 0.0]), np.array([0.0, 100.0, 0.0, 100.0])
    # "a" alone wants 0 (one span, one nothing); "b" alone wants 4.
    # So "a" is scored at 4: 100 and 0; "b" at 0: 0 and 100.
    assert crossfit(diffs, span, empty, ["a", "a", "b", "b"]).tolist() == [100.0, 0.0, 0.0, 100.0]
    # Each question its own cluster. -1: to the others 0 (all nothing) is as good as 4, so 0: right. 1: they want 4:
    # wrong. 3: they want 0: wrong. 5: 0 and 4 are equally good, so 0: right.
    assert crossfit(diffs, span, empty, list("abcd")).tolist() == [100.0, 0.0, 0.0, 100.0]


def test_a_fold_is_never_scored_with_a_threshold_that_has_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    diffs = np.arange(60.0)
    labels = [f"c{number % 12}" for number in range(60)]
    seen = []

    def spy(seen_diffs: np.ndarray, *_: np.ndarray) -> float:
        seen.append(set(seen_diffs.astype(int).tolist()))
        return 0.0

    monkeypatch.setattr(threshold, "tuned_threshold", spy)
    crossfit(diffs, diffs, diffs, labels)
    left_out = [set(range(60)) - others for others in seen]
    assert sorted(number for fold in left_out for number in fold) == list(range(60))
    clusters_of_fold = [{labels[number] for number in fold} for fold in left_out]
    assert sum(map(len, clusters_of_fold)) == len(set(labels))


def test_crossfit_needs_two_clusters() -> None:
    assert crossfit(np.zeros(3), np.zeros(3), np.zeros(3), ["a"] * 3) is None


def test_crossfit_is_below_the_oracle_and_uses_every_example() -> None:
    generator = np.random.default_rng(3)
    diffs, span, empty = generator.normal(size=400), *generator.choice([0.0, 100.0], size=(2, 400))
    found = crossfit(diffs, span, empty, [f"c{number % 40}" for number in range(400)])
    assert found is not None
    assert found.mean() <= score(tuned_threshold(diffs, span, empty), diffs, span, empty) + 1e-9
