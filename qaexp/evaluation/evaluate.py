"""Score a question set: from examples, features and logits to predictions and all metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.data.squad import paragraph_id
from qaexp.errors import ConfigError, DataError, IntegrityError
from qaexp.errors.advice import named, set_to
from qaexp.evaluation.decoding import Prediction, decode
from qaexp.evaluation.likelihood import gold_nll
from qaexp.evaluation.metrics import Golds, Metrics, mean, summarize
from qaexp.evaluation.threshold import best_thresholds, crossfit, tuned_threshold
from qaexp.runs.clusters import clusters

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example
    from qaexp.evaluation.logits import Logits

Floats = npt.NDArray[np.float64]

THRESHOLD_METRICS = (
    "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh", "crossfit_exact", "crossfit_f1", "null_threshold"
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The predictions for some examples and their scores.

    `metrics` has summary.json's names; `columns` has the scores of each example [num_examples] by the names of the
    columns of scores.csv, None where there are none: `exact` and `f1` are those of the predictions' texts, `crossfit_*`
    those at the threshold of each fold; `gold_nll` is that of `likelihood`.
    """

    metrics: Metrics
    predictions: list[Prediction]
    columns: Mapping[str, Floats | None]


def evaluate(
    examples: Sequence[Example],
    features: Features,
    logits: Logits,
    *,
    n_best_size: int,
    max_answer_length: int,
    allow_no_answer: bool,
    golds: Golds | None = None,
    null_threshold: float = 0.0,
    predictions: list[Prediction] | None = None,
) -> Evaluation:
    """Decode the logits and score the answers.

    exact, f1, has_ans_* and no_ans_* hold for answering nothing where null_score_diff > `null_threshold`; best_*,
    crossfit_* and the metric null_threshold (the tuned one) do not depend on it. Where no prediction may be empty there
    is no threshold to choose: best_* and null_threshold are None, and crossfit_* are the plain exact and f1, so that
    all runs can be ranked by the same name. `golds` are the prepared golds of these examples, where they are scored
    again and again; `predictions` are the answers at threshold 0 where another decoding than `decode` has found them.

    Raises:
        ConfigError: `null_threshold` is not finite, or it would have no effect; or an answer is not the one that its
            best span and its null score give.
        DataError: `golds` belong to other examples.
        IntegrityError: The logits do not belong to the features, or not every example has its prediction.
        DivergedError: A logit is NaN or infinite.
    """
    _check_threshold(null_threshold, allow_no_answer)
    golds = Golds.prepare(example.golds for example in examples) if golds is None else golds
    if len(golds) != len(examples):
        raise DataError(f"golds: {len(golds)} for {len(examples)} examples; prepare them from the same examples")
    if predictions is None:
        predictions = decode(
            examples,
            features,
            logits,
            n_best_size=n_best_size,
            max_answer_length=max_answer_length,
            allow_no_answer=allow_no_answer,
        )
    if [found.id for found in predictions] != [example.id for example in examples]:
        raise IntegrityError(
            f"predictions: {len(predictions)} for {len(examples)} examples, or in another order, no score is given; "
            "decode the logits of these examples"
        )
    _check_answers(predictions, allow_no_answer)
    if null_threshold:
        predictions = [replace(found, text=found.text_at(null_threshold)) for found in predictions]
    raw_exact, raw_f1 = golds.raw_scores([found.span_text for found in predictions])
    is_empty = np.array([not found.text for found in predictions], dtype=bool)
    exact = 100.0 * np.where(is_empty, golds.empty, raw_exact)
    f1 = 100.0 * np.where(is_empty, golds.empty, raw_f1)
    nll = gold_nll(examples, features, logits, max_answer_length=max_answer_length, allow_no_answer=allow_no_answer)
    metrics = {**summarize(golds.has_ans, exact, f1), "gold_nll": None if nll is None else mean(nll)}
    fitted: dict[str, Floats | None]
    if not allow_no_answer:
        metrics |= dict.fromkeys(THRESHOLD_METRICS)
        metrics |= {"crossfit_exact": metrics["exact"], "crossfit_f1": metrics["f1"]}
        fitted = {"crossfit_exact": exact, "crossfit_f1": f1}
    else:
        fitted = _crossfit(examples, golds, predictions, raw_exact, raw_f1)
        metrics |= _threshold_metrics(golds, predictions, raw_exact, raw_f1)
        metrics |= {name: None if found is None else mean(found) for name, found in fitted.items()}
    return Evaluation(metrics, predictions, {"exact": exact, "f1": f1, **fitted, "gold_nll": nll})


def _threshold_metrics(golds: Golds, predictions: list[Prediction], raw_exact: Floats, raw_f1: Floats) -> Metrics:
    """The metrics at other thresholds; the raw scores (0 to 1) are of each example's best span."""
    if not predictions:
        return dict.fromkeys(THRESHOLD_METRICS)
    diffs = _diffs(predictions)
    answered = np.array([bool(found.n_best) for found in predictions])
    return best_thresholds(golds.has_ans, answered, raw_exact, raw_f1, diffs) | {
        "null_threshold": tuned_threshold(diffs, 100.0 * raw_f1, 100.0 * golds.empty)
    }


def _crossfit(
    examples: Sequence[Example], golds: Golds, predictions: list[Prediction], raw_exact: Floats, raw_f1: Floats
) -> dict[str, Floats | None]:
    """The scores of each example at a threshold that was chosen on other examples."""
    labels, _ = clusters([example.title for example in examples], [paragraph_id(one.context) for one in examples])
    diffs, empty = _diffs(predictions), 100.0 * golds.empty
    raw_scores = {"crossfit_exact": raw_exact, "crossfit_f1": raw_f1}
    return {name: crossfit(diffs, 100.0 * raw, empty, labels) for name, raw in raw_scores.items()}


def _diffs(predictions: Sequence[Prediction]) -> Floats:
    return np.array([found.null_score_diff for found in predictions])


def _check_answers(predictions: Sequence[Prediction], allow_no_answer: bool) -> None:
    """Refuse answers that would be others wherever a threshold is used: in metrics, and in what users get."""
    for found in predictions:
        due = found.text_at(0.0) if allow_no_answer else found.span_text
        if found.text != due:
            raise ConfigError(
                f"{named('decoding')}: the answer to {found.id!r:.80} is {found.text!r:.80}, and by its n_best and "
                f"null_score_diff it is {due!r:.80}: these hold at every threshold; change them instead of the text"
            )


def _check_threshold(null_threshold: float, allow_no_answer: bool) -> None:
    if not math.isfinite(null_threshold):
        raise ConfigError(f"null threshold is {null_threshold}, it must be a finite number (0 is the default)")
    if null_threshold and not allow_no_answer:
        raise ConfigError(
            f"null threshold is {null_threshold}, but {named('decoding.allow_no_answer')} is false, so it would have "
            f"no effect; leave it out, or {set_to('decoding.allow_no_answer', 'true')}"
        )
