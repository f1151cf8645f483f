"""Score a question set: from examples, features and logits to predictions and all metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qaexp.data.squad import paragraph_id
from qaexp.errors import ConfigError
from qaexp.errors.advice import named, set_to
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.judged import Floats, Judged, judge
from qaexp.evaluation.logits import Logits, refuse_not_finite
from qaexp.evaluation.metrics import Metrics, mean, summarize
from qaexp.evaluation.shards import Shard
from qaexp.evaluation.threshold import best_thresholds, crossfit, tuned_threshold
from qaexp.runs.clusters import clusters

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

# From the examples, features and logits of a shard.
Decode = Callable[["Sequence[Example]", "Features", Logits], Sequence[Prediction]]

THRESHOLD_METRICS = (
    "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh", "crossfit_exact", "crossfit_f1", "null_threshold"
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The scores of predictions for some examples.

    Attributes:
        metrics: By summary.json's names.
        judged: What they are made of.
        columns: The scores of each example [num_examples] by the names of the columns of scores.csv, None where there
            are none: `exact` and `f1` are those of the predictions' texts, `crossfit_*` those at the threshold of each
            fold; `gold_nll` is that of `likelihood`.
    """

    metrics: Metrics
    judged: Judged
    columns: Mapping[str, Floats | None]


def evaluate(
    shards: Iterable[Shard],
    decode: Decode,
    *,
    max_answer_length: int,
    allow_no_answer: bool,
    null_threshold: float = 0.0,
) -> Evaluation:
    """Decode logits shard by shard and score the answers.

    exact, f1, has_ans_* and no_ans_* hold for answering nothing where null_score_diff > `null_threshold`; best_*,
    crossfit_* and the metric null_threshold (the tuned one) do not depend on it. Where no prediction may be empty there
    is no threshold to choose: best_* and null_threshold are None, and crossfit_* are the plain exact and f1, so that
    all runs can be ranked by the same name.

    Args:
        shards: At least one, together all examples; none is held longer than it is scored.
        decode: Gives one prediction for each example of a shard.
        max_answer_length: Tokens of the longest legal answer.
        allow_no_answer: Whether a prediction may be empty.
        null_threshold: Above it nothing is answered.

    Raises:
        ConfigError: `null_threshold` is not finite, or it would have no effect; or an answer is not the one that its
            best span and its null score give.
        IntegrityError: The logits do not belong to the features, or not every example has its prediction.
        DivergedError: A logit is NaN or infinite.
    """
    _check_threshold(null_threshold, allow_no_answer)
    parts: list[Judged] = []
    clustered = Clustered()
    not_finite: list[str] = []
    for shard in shards:
        clustered.add(shard.examples)
        not_finite += shard.not_finite()
        if not not_finite:  # else they are only counted
            predictions = decode(shard.examples, shard.features, shard.logits)
            parts.append(
                judge(
                    shard,
                    predictions,
                    max_answer_length=max_answer_length,
                    allow_no_answer=allow_no_answer,
                    null_threshold=null_threshold,
                )
            )
    refuse_not_finite(not_finite, len(clustered.titles))
    return conclude(Judged.joined(parts), clustered.labels(), allow_no_answer=allow_no_answer)


class Clustered:
    """The articles and paragraphs of examples that come one after the other; equal ones are one text."""

    def __init__(self) -> None:
        """Begin without any."""
        self.titles: list[str] = []
        self.paragraphs: list[str] = []
        self._known: dict[str, str] = {}

    def add(self, examples: Iterable[Example]) -> None:
        """Take more of them."""
        for example in examples:
            paragraph = paragraph_id(example.context)
            self.titles.append(self._known.setdefault(example.title, example.title))
            self.paragraphs.append(self._known.setdefault(paragraph, paragraph))

    def labels(self) -> Sequence[str]:
        """The cluster of each."""
        return clusters(self.titles, self.paragraphs)[0]


def conclude(judged: Judged, labels: Sequence[str], *, allow_no_answer: bool) -> Evaluation:
    """Score all examples of a set.

    Args:
        judged: What is known of each example.
        labels: The cluster of each.
        allow_no_answer: Whether a prediction may be empty.
    """
    exact = 100.0 * np.where(judged.is_answered, judged.raw_exact, judged.empty)
    f1 = 100.0 * np.where(judged.is_answered, judged.raw_f1, judged.empty)
    metrics = summarize(judged.has_ans, exact, f1)
    metrics["gold_nll"] = None if judged.nll is None else mean(judged.nll)
    fitted: dict[str, Floats | None]
    if not allow_no_answer:
        metrics |= dict.fromkeys(THRESHOLD_METRICS)
        metrics |= {"crossfit_exact": metrics["exact"], "crossfit_f1": metrics["f1"]}
        fitted = {"crossfit_exact": exact, "crossfit_f1": f1}
    else:
        fitted = _crossfit(judged, labels)
        metrics |= _threshold_metrics(judged)
        metrics |= {name: None if found is None else mean(found) for name, found in fitted.items()}
    return Evaluation(metrics, judged, {"exact": exact, "f1": f1, **fitted, "gold_nll": judged.nll})


def _threshold_metrics(judged: Judged) -> Metrics:
    """The metrics at other thresholds."""
    if not len(judged):
        return dict.fromkeys(THRESHOLD_METRICS)
    diffs, raw_exact, raw_f1 = judged.diffs, judged.raw_exact, judged.raw_f1
    return best_thresholds(judged.has_ans, judged.has_spans, raw_exact, raw_f1, diffs) | {
        "null_threshold": tuned_threshold(diffs, 100.0 * raw_f1, 100.0 * judged.empty)
    }


def _crossfit(judged: Judged, labels: Sequence[str]) -> dict[str, Floats | None]:
    """The scores of each example at a threshold that was chosen on other examples."""
    raw_scores = {"crossfit_exact": judged.raw_exact, "crossfit_f1": judged.raw_f1}
    empty = 100.0 * judged.empty
    return {name: crossfit(judged.diffs, 100.0 * raw, empty, labels) for name, raw in raw_scores.items()}


def _check_threshold(null_threshold: float, allow_no_answer: bool) -> None:
    if not math.isfinite(null_threshold):
        raise ConfigError(f"null threshold is {null_threshold}, it must be a finite number (0 is the default)")
    if null_threshold and not allow_no_answer:
        raise ConfigError(
            f"null threshold is {null_threshold}, but {named('decoding.allow_no_answer')} is false, so it would have "
            f"no effect; leave it out, or {set_to('decoding.allow_no_answer', 'true')}"
        )
