"""When to answer nothing: the official oracle thresholds, the tuned threshold, and the cross-fitted score.

The rule is always: answer nothing where null_score_diff > threshold.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qaexp.evaluation.decoding import NO_SPAN_DIFF
from qaexp.evaluation.metrics import Metrics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NUM_FOLDS = 5
_MARGIN = 1.0
# Digits to which sums in percent are compared, so that ties do not depend on the order of the examples.
_DECIMALS = 6


def best_thresholds(has_ans: Bools, answered: Bools, raw_exact: Floats, raw_f1: Floats, diffs: Floats) -> Metrics:
    """The official find_all_best_thresh: the result of the best threshold on these same examples (an oracle).

    Args:
        has_ans: Which examples have an answer.
        answered: Which predictions are not empty.
        raw_exact: Exact of each prediction, from 0 to 1.
        raw_f1: The same for f1.
        diffs: The no-answer score: null_score_diff, or a probability.

    Returns:
        `best_exact`, `best_f1` in percent and their thresholds; all None over no examples. As in the official script a
        threshold of 0.0 also means "nothing beats answering nothing", whatever the scores' range.
    """
    metrics: Metrics = {}
    order = np.argsort(diffs, kind="stable")
    for name, raw in (("exact", raw_exact), ("f1", raw_f1)):
        gains = np.where(has_ans, raw, -1.0 * answered)[order]
        # One running sum from the left, as in the official loop, so that ties are the same.
        totals = np.cumsum(np.append(float(np.sum(~has_ans)), gains))
        best = int(np.argmax(totals))
        metrics[f"best_{name}"] = 100.0 * float(totals[best]) / len(diffs) if len(diffs) else None
        threshold = float(diffs[order[best - 1]]) if best else 0.0
        metrics[f"best_{name}_thresh"] = threshold if len(diffs) else None
    return metrics


def tuned_threshold(diffs: Floats, span_scores: Floats, empty_scores: Floats) -> float:
    """The threshold with the best mean score: halfway between two neighbouring diffs, or beyond all of them.

    Of several that are equally good it is the one nearest to 0, the default. Examples without a span do not count:
    they are answered with nothing at any threshold.

    Args:
        diffs: null_score_diff of each example.
        span_scores: Score in percent of each example if the best span is answered.
        empty_scores: Score in percent of each example if nothing is answered.

    >>> tuned_threshold(np.array([-2.0, 1.0, 4.0]), np.array([100.0, 100.0, 0.0]), np.array([0.0, 0.0, 100.0]))
    2.5
    """
    kept = np.flatnonzero(diffs < NO_SPAN_DIFF)
    if not len(kept):
        return 0.0
    order = kept[np.argsort(diffs[kept], kind="stable")]
    totals = np.round(np.cumsum(np.append(0.0, (span_scores - empty_scores)[order])), _DECIMALS)
    thresholds, num_answered = _cuts(diffs[order])
    gains = totals[num_answered]
    best = thresholds[gains == gains.max()]
    return float(best[np.argmin(np.abs(best))])


def _cuts(diffs: Floats) -> tuple[Floats, Ints]:
    """Every distinct threshold for diffs in ascending order, and the number answered under each.

    >>> [column.tolist() for column in _cuts(np.array([1.0, 1.0, 2.0]))]
    [[0.0, 1.5, 3.0], [0, 2, 3]]
    """
    inner = np.flatnonzero(np.diff(diffs) > 0) + 1
    low, high = diffs[inner - 1], diffs[inner]
    middle = low + (high - low) / 2
    # Two adjacent floats have no middle; the lower one still separates them.
    middle = np.where(middle < high, middle, low)
    thresholds = np.concatenate([[diffs[0] - _MARGIN], middle, [diffs[-1] + _MARGIN]])
    return thresholds, np.concatenate([[0], inner, [len(diffs)]])


def folds(labels: Sequence[str]) -> Ints:
    """The fold of each example, 0 to 4: whole clusters, about equal in size, deterministic.

    The largest cluster goes first (equal ones in the order of their sha256), always into the smallest fold. So a fold
    depends neither on the order of the examples nor on any seed.

    >>> folds(["a", "b", "a", "c"]).tolist()
    [0, 2, 0, 1]
    """
    sizes = [0] * NUM_FOLDS
    fold_of: dict[str, int] = {}
    counted = Counter(labels).items()
    for label, size in sorted(counted, key=lambda item: (-item[1], _digest(item[0]))):
        fold_of[label] = sizes.index(min(sizes))
        sizes[fold_of[label]] += size
    return np.array([fold_of[label] for label in labels], dtype=np.int64)


def _digest(label: str) -> bytes:
    return hashlib.sha256(label.encode("utf-8", "surrogatepass")).digest()


def crossfit(diffs: Floats, span_scores: Floats, empty_scores: Floats, labels: Sequence[str]) -> Floats | None:
    """The score in percent of each example when the threshold of each fold is tuned on the other folds.

    None where there are fewer than two clusters, as there is nothing else to tune on. Arguments as for
    `tuned_threshold`; `labels` is the cluster of each example.
    """
    if len(set(labels)) < 2:
        return None
    fold = folds(labels)
    scores = np.empty_like(span_scores)
    for number in np.unique(fold):
        here, others = fold == number, fold != number
        threshold = tuned_threshold(diffs[others], span_scores[others], empty_scores[others])
        scores[here] = np.where(diffs > threshold, empty_scores, span_scores)[here]
    return scores
