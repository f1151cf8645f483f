"""Predictions held against gold answers, shard by shard: what scores at any threshold need to know of each example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import named
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.likelihood import gold_nll
from qaexp.evaluation.metrics import Golds
from qaexp.evaluation.shards import Shard

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


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


def _check_answers(predictions: Sequence[Prediction], allow_no_answer: bool) -> None:
    """Refuse answers that would be others wherever a threshold is used: in metrics, and in what users get."""
    for found in predictions:
        due = found.text_at(0.0) if allow_no_answer else found.span_text
        if found.text != due:
            raise ConfigError(
                f"{named('decoding')}: the answer to {found.id!r:.80} is {found.text!r:.80}, and by its n_best and "
                f"null_score_diff it is {due!r:.80}: these hold at every threshold; change them instead of the text"
            )
