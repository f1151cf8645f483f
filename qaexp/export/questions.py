"""A run's own dev questions: asked of an exported folder, and held against what the run answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.data.squad import Example
from qaexp.errors import IntegrityError
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.evaluate import Evaluation
from qaexp.evaluation.logits import LogitSource
from qaexp.evaluation.outputs import score_rows, stored_example
from qaexp.evaluation.question_set import QuestionSet
from qaexp.runs.directory import PREDICTIONS
from qaexp.runs.readers.collect import RunFiles

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What an exported folder answers to the dev questions.

    Attributes:
        ids: Of the questions, in the order of the run's files.
        texts: Its answers, each at the threshold that was tuned with them.
        evaluation: Its scores.
        null_threshold: The tuned threshold.
        rows: Those of a scores.csv of these answers, with the scores of each best span, whatever the threshold.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    evaluation: Evaluation
    null_threshold: float
    rows: Sequence[Mapping[str, Any]]

    def by_id(self) -> Mapping[str, Floats]:
        """The scores of each question by name, in the order of the sorted ids, as a comparison has them."""
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        return {name: found[order] for name, found in self.evaluation.columns.items() if found is not None}


def dev_examples(run: RunFiles) -> list[Example]:
    """The dev questions of a run, in the order of its files.

    Raises:
        IntegrityError: A context is missing, or the run was scored on another number of questions.
    """
    contexts = run.contexts()
    try:
        examples = [stored_example(record, contexts) for record in run.each_prediction()]
    except KeyError as error:
        raise IntegrityError(f"{run.path}: its predictions are incomplete ({error}); train again") from error
    wanted = (run.summary or {}).get("num_dev_examples")
    if len(examples) != wanted:
        raise IntegrityError(
            f"{run.path / PREDICTIONS} has {len(examples)} questions, and the run was scored on {wanted}; train again"
        )
    return examples


def answered(questions: QuestionSet, logits: LogitSource) -> Answered:
    """Decode and score logits, and tune the threshold with them."""
    evaluation = questions.evaluate(logits)
    threshold = evaluation.metrics["null_threshold"] or 0.0
    may_be_empty = questions.decoding.allow_no_answer
    predictions = [prediction for _, found in questions.decoded(logits) for prediction in found]
    return Answered(
        ids=[prediction.id for prediction in predictions],
        texts=[_text(prediction, threshold, may_be_empty=may_be_empty) for prediction in predictions],
        evaluation=evaluation,
        null_threshold=threshold,
        rows=tuple(_rows(questions, evaluation)),
    )


def _rows(questions: QuestionSet, evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    spans = zip(evaluation.judged.raw_exact.tolist(), evaluation.judged.raw_f1.tolist(), strict=True)
    for row, (exact, f1) in zip(score_rows(questions, evaluation), spans, strict=True):
        yield {**row, "span_exact": 100.0 * exact, "span_f1": 100.0 * f1}


def _text(prediction: Prediction, threshold: float, *, may_be_empty: bool) -> str:
    return prediction.text_at(threshold) if may_be_empty else prediction.span_text


def stored_texts(run: RunFiles, settings: Mapping[str, Any]) -> Iterator[str]:
    """The run's answers, as its model gives them: at the threshold that was tuned with it."""
    for record in run.each_prediction():
        span = record["n_best"][0]["text"] if record["n_best"] else ""
        is_empty = settings["allow_no_answer"] and record["null_score_diff"] > settings["null_threshold"]
        yield "" if is_empty else span
