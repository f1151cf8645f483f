"""Score a question set: from examples, features and logits to predictions and all metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qaexp.data.squad import paragraph_id
from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import named, set_to
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.likelihood import gold_nll
from qaexp.evaluation.logits import Logits, refuse_not_finite
from qaexp.evaluation.metrics import Golds, Metrics, mean, summarize
from qaexp.evaluation.shards import Shard
from qaexp.evaluation.threshold import best_thresholds, crossfit, tuned_threshold
from qaexp.runs.clusters import clusters

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
# From the examples, features and logits of a shard.
Decode = Callable[["Sequence[Example]", "Features", Logits], Sequence[Prediction]]

THRESHOLD_METRICS = (
    "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh", "crossfit_exact", "crossfit_f1", "null_threshold"
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What scores need to know of each example, [num_examples] each: the rest of a prediction is not held.

    Attributes:
        has_ans: It has an answer.
        empty: The exact and the f1 of answering nothing, 0 or 1.
        has_spans: It has a legal span.
        has_text: The text of its best span is not empty.
        is_answered: Its answer, at the threshold it was scored at, is not empty.
        diffs: null_score_diff.
        raw_exact: The exact of its best span, 0 or 1.
        raw_f1: The f1 of its best span, from 0 to 1.
        nll: That of `likelihood`; None where it is not known.
    """

    has_ans: Bools
    empty: Floats
    has_spans: Bools
    has_text: Bools
    is_answered: Bools
    diffs: Floats
    raw_exact: Floats
    raw_f1: Floats
    nll: Floats | None

    def __len__(self) -> int:
        return len(self.diffs)

    @classmethod
    def joined(cls, parts: Sequence[Judged]) -> Judged:
        """Those of several sets of examples, one after the other."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {}
        for item in fields(cls):
            found = [getattr(part, item.name) for part in parts]
            columns[item.name] = None if any(column is None for column in found) else np.concatenate(found)
        return cls(**columns)


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


def judge(
    shard: Shard,
    predictions: Sequence[Prediction],
    *,
    max_answer_length: int,
    allow_no_answer: bool,
    null_threshold: float = 0.0,
) -> Judged:
    """Hold the predictions for a shard, as its decoding made them, against its gold answers.

    Raises:
        ConfigError: An answer is not the one that its best span and its null score give.
        IntegrityError: Not every example has its prediction.
    """
    examples = shard.examples
    if [found.id for found in predictions] != [example.id for example in examples]:
        raise IntegrityError(
            f"predictions: {len(predictions)} for {len(examples)} examples, or in another order, no score is given; "
            "decode the logits of these examples"
        )
    _check_answers(predictions, allow_no_answer)
    golds = Golds.prepare(example.golds for example in examples)
    raw_exact, raw_f1 = golds.raw_scores([found.span_text for found in predictions])
    return Judged(
        has_ans=golds.has_ans,
        empty=golds.empty,
        has_spans=np.array([bool(found.n_best) for found in predictions], dtype=bool),
        has_text=np.array([bool(found.span_text) for found in predictions], dtype=bool),
        is_answered=np.array([bool(text_of(found, null_threshold)) for found in predictions], dtype=bool),
        diffs=np.array([found.null_score_diff for found in predictions], dtype=np.float64),
        raw_exact=raw_exact,
        raw_f1=raw_f1,
        nll=gold_nll(
            examples,
            shard.features,
            shard.logits,
            max_answer_length=max_answer_length,
            allow_no_answer=allow_no_answer,
        ),
    )


def text_of(prediction: Prediction, null_threshold: float) -> str:
    """The answer at a threshold; 0 is that of the decoding itself."""
    return prediction.text_at(null_threshold) if null_threshold else prediction.text


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
