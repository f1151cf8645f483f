"""The score that the labels themselves reach: broken tokenizers and labels show here, not in a bad model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qaexp.evaluation.metrics import Golds, Metrics, score_examples, summarize
from qaexp.evaluation.spans import trimmed_offsets

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.ondisk.features import StoredFeatures
    from qaexp.data.squad import Example
    from qaexp.data.windows import Ints


def ceiling(examples: Sequence[Example], features: Features | StoredFeatures, *, max_answer_length: int) -> Metrics:
    """Score the label of each example, cut from its context, as if a model had found it.

    An example without answers is answered with nothing. One that is lost, because no window holds its answer or because
    it has more than `max_answer_length` tokens, scores 0.

    Returns:
        The metrics of `summarize`: exact, f1, has_ans_exact, ... in percent.
    """
    found = Ceiling(len(examples), max_answer_length=max_answer_length)
    for part in features.parts(examples):
        found.add(*part)
    return found.result()


class Ceiling:
    """A ceiling that is found part by part; see `ceiling`."""

    def __init__(self, num_examples: int, *, max_answer_length: int) -> None:
        """Nothing is scored yet."""
        self._max_answer_length = max_answer_length
        self._has_ans, self._scores = np.zeros(num_examples, dtype=bool), np.zeros((2, num_examples))

    def add(self, positions: Ints, examples: Sequence[Example], features: Features) -> None:
        """Score a part, as `parts` of the features yields it."""
        golds = Golds.prepare(example.golds for example in examples)
        texts = label_texts(examples, features, max_answer_length=self._max_answer_length)
        lost = golds.has_ans & np.array([text is None for text in texts], dtype=bool)
        found = score_examples(golds, [text or "" for text in texts])
        self._has_ans[positions], self._scores[:, positions] = golds.has_ans, np.where(lost, 0.0, found)

    def result(self) -> Metrics:
        """The metrics, once all parts were added."""
        return summarize(self._has_ans, *self._scores)


def label_texts(examples: Sequence[Example], features: Features, *, max_answer_length: int) -> list[str | None]:
    """The text of each example's label in the first window that holds all of it; None if no window does."""
    texts: list[str | None] = [None] * len(examples)
    num_tokens = features.end_position - features.start_position + 1
    holds = (features.start_position != features.null_position) & (num_tokens <= max_answer_length)
    chars = trimmed_offsets([example.context for example in examples], features)
    for feature in np.flatnonzero(holds)[::-1].tolist():  # the first window overwrites the later ones
        head, index = features.indptr[feature], int(features.example_index[feature])
        start_char = int(chars.start[head + features.start_position[feature]])
        end_char = int(chars.end[head + features.end_position[feature]])
        texts[index] = examples[index].context[start_char:end_char]
    return texts
