"""The score that the labels themselves reach: broken tokenizers and labels show here, not in a bad model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qaexp.evaluation.metrics import Bools, Floats, Golds, Metrics, score_examples, summarize
from qaexp.evaluation.shards import without_logits
from qaexp.evaluation.spans import trimmed_offsets

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example


def ceiling(examples: Sequence[Example], features: Features, *, max_answer_length: int) -> Metrics:
    """Score the label of each example, cut from its context, as if a model had found it.

    An example without answers is answered with nothing. One that is lost, because no window holds its answer or because
    it has more than `max_answer_length` tokens, scores 0.

    Returns:
        The metrics of `summarize`: exact, f1, has_ans_exact, ... in percent.
    """
    found = [
        _scores(some, own, max_answer_length=max_answer_length) for some, own in without_logits(examples, features)
    ]
    return summarize(*map(np.concatenate, zip(*found, strict=True)))


def _scores(examples: Sequence[Example], features: Features, *, max_answer_length: int) -> tuple[Bools, Floats, Floats]:
    """Which examples have an answer, and the exact and f1 of their labels."""
    golds = Golds.prepare(example.golds for example in examples)
    texts = label_texts(examples, features, max_answer_length=max_answer_length)
    exact, f1 = score_examples(golds, [text or "" for text in texts])
    lost = golds.has_ans & np.array([text is None for text in texts], dtype=bool)
    return golds.has_ans, np.where(lost, 0.0, exact), np.where(lost, 0.0, f1)


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
