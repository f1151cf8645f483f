"""An answer with what the model says of it: where it stands, its score, and how probable it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qaexp.evaluation.decoding import Prediction


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one question.

    Attributes:
        answer: The text, cut out of the context; empty when the context holds no answer.
        score: Start logit + end logit of the best span, even for an empty answer; not a probability, and possibly
            negative. None without a span.
        start_char: Where the answer begins in the context; None for the empty answer.
        end_char: Where it ends, exclusive; None for the empty answer.
        null_score_diff: Null score - best span score; the answer is empty where it is above the threshold.
        n_best: The best spans as {text, score, start_char, end_char}, best first.
        probability: How probable the model finds this answer, an empty one too, among all that it could give: the
            softmax of the scores of all legal spans in any window and, where it may be, of answering nothing. None with
            a decoding of your own, whose scores may be of any kind.
    """

    answer: str
    score: float | None
    start_char: int | None
    end_char: int | None
    null_score_diff: float
    n_best: list[dict[str, Any]]
    probability: float | None = None

    @property
    def no_answer_probability(self) -> float | None:
        """How probable the model finds that the context holds no answer."""
        if self.probability is None or not self.answer:
            return self.probability
        return _share(self.probability, self.null_score_diff)

    @property
    def span_probabilities(self) -> list[float | None]:
        """How probable the model finds each span of `n_best`."""
        best = self.n_best[0]["score"] if self.n_best else 0.0
        given = best if self.answer else best + self.null_score_diff
        if self.probability is None:
            return [None] * len(self.n_best)
        return [_share(self.probability, span["score"] - given) for span in self.n_best]


def probability_of(prediction: Prediction, log_total: float | None, *, is_empty: bool) -> float | None:
    """How probable an answer is, an empty one too; None where that is not known."""
    if log_total is None or not math.isfinite(log_total):
        return None
    if not prediction.n_best:
        return 1.0
    best = prediction.n_best[0].score
    return _share(1.0, best + (prediction.null_score_diff if is_empty else 0.0) - log_total)


def _share(probability: float, difference: float) -> float:
    """The probability of what has another score, by the difference of the two; rounding does not lead above 1.

    >>> round(_share(0.2, math.log(2)), 6), _share(0.5, 1000.0)
    (0.4, 1.0)
    """
    if not probability:
        return 0.0
    return math.exp(min(0.0, math.log(probability) + difference))
