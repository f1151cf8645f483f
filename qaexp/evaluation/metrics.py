"""Exact and f1 as in the official SQuAD v2 script, with the golds prepared once for many scorings.

Source: evaluate-v2.0.py of https://rajpurkar.github.io/SQuAD-explorer/. Percent everywhere but in `raw_scores`.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qaexp.errors import DataError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Metrics = dict[str, float | None]

NUM_IDS_SHOWN = 5
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and extra whitespace (the official function).

    >>> normalize_answer("The  U.S. Army")
    'us army'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


class _Gold(NamedTuple):
    """A normalised gold answer and its words."""

    text: str
    distinct: frozenset[str]
    num_words: int

    @classmethod
    def of(cls, text: str) -> _Gold:
        words = text.split()
        return cls(text, frozenset(words), len(words))

    def f1(self, words: list[str], distinct: set[str]) -> float:
        """The official compute_f1 against a prediction's words, 0 to 1, in the same order of operations."""
        if not words or not self.num_words:
            return float(len(words) == self.num_words)
        if len(distinct) < len(words) and len(self.distinct) < self.num_words:
            num_same = (Counter(self.text.split()) & Counter(words)).total()
        else:  # One side has no repeated word, so each common word counts once.
            num_same = len(self.distinct & distinct)
        if not num_same:
            return 0.0
        precision, recall = num_same / len(words), num_same / self.num_words
        return (2 * precision * recall) / (precision + recall)


@dataclass(frozen=True, slots=True, eq=False)
class Golds:
    """The gold answers of some examples, normalised once.

    `has_ans` [num_examples] says which have an answer at all; `empty` [num_examples] is the exact and the f1 (0 or 1)
    of answering nothing.
    """

    answers: tuple[tuple[_Gold, ...], ...]
    has_ans: Bools
    empty: Floats

    @classmethod
    def prepare(cls, golds: Iterable[Sequence[str]]) -> Golds:
        """Take the gold texts of each example; without any that survives normalisation, '' is expected."""
        texts = list(golds)
        known: dict[tuple[str, ...], tuple[_Gold, ...]] = {}  # most unanswerable examples share their only gold
        answers = []
        for given in texts:
            normal = tuple(dict.fromkeys(filter(None, map(normalize_answer, given)))) or ("",)
            if normal not in known:
                known[normal] = tuple(map(_Gold.of, normal))
            answers.append(known[normal])
        has_ans = np.array([bool(given) for given in texts], dtype=bool)
        return cls(tuple(answers), has_ans, np.array([float(not golds[0].text) for golds in answers]))

    def __len__(self) -> int:
        return len(self.answers)

    def raw_scores(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """The official get_raw_scores: exact and f1 of each example, from 0 to 1."""
        scores = [
            _best_scores(golds, text) if text else (empty, empty)
            for golds, text, empty in zip(self.answers, texts, self.empty.tolist(), strict=True)
        ]
        exact, f1 = np.array(scores, dtype=np.float64).reshape(-1, 2).T
        return exact, f1


def _best_scores(golds: tuple[_Gold, ...], text: str) -> tuple[float, float]:
    normal = normalize_answer(text)
    for gold in golds:
        if gold.text == normal:
            return 1.0, 1.0
    words = normal.split()
    distinct = set(words)
    return 0.0, max([gold.f1(words, distinct) for gold in golds])


def score_examples(golds: Golds, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Exact and f1 of each example in percent, float64 [num_examples] each; the best over its gold answers.

    >>> exact, f1 = score_examples(Golds.prepare([["in Paris", "Paris"], []]), ["the city Paris", ""])
    >>> exact.tolist(), f1.round(2).tolist()
    ([0.0, 100.0], [66.67, 100.0])
    """
    exact, f1 = golds.raw_scores(texts)
    return 100.0 * exact, 100.0 * f1


def summarize(has_ans: Bools, exact: Floats, f1: Floats) -> Metrics:
    """Means over all examples, over those with an answer and over those without; None over no examples.

    >>> summarize(np.array([True]), np.array([0.0]), np.array([50.0]))["f1"]
    50.0
    """
    metrics: Metrics = {}
    for prefix, kept in (("", np.ones_like(has_ans)), ("has_ans_", has_ans), ("no_ans_", ~has_ans)):
        metrics[f"{prefix}exact"] = mean(exact[kept])
        metrics[f"{prefix}f1"] = mean(f1[kept])
    return metrics


def mean(values: Floats) -> float | None:
    """The mean, summed without intermediate rounding; None if empty.

    >>> mean(np.array([0.0, 100.0])), mean(np.array([]))
    (50.0, None)
    """
    return math.fsum(values.tolist()) / len(values) if len(values) else None


def score_predictions(golds: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> Metrics:
    """Score predictions by id: every gold id or nothing (the official script leaves missing ones out of the mean).

    >>> score_predictions({"q1": ["Paris"]}, {"q1": "in Paris"})["has_ans_exact"]
    0.0

    Raises:
        DataError: A gold id has no prediction, or a prediction no gold id.
    """
    missing = [key for key in golds if key not in predictions]
    extra = [key for key in predictions if key not in golds]
    problems = [
        f"predictions: {len(ids)} ids {what} (first: {', '.join(ids[:NUM_IDS_SHOWN])}), and a score needs exactly one "
        f"prediction for each of the {len(golds)} gold ids; {way_out}"
        for ids, what, way_out in (
            (missing, "are missing", "add them, with an empty text where nothing is answered"),
            (extra, "are not in the data", "remove them, or score against the data that they were made for"),
        )
        if ids
    ]
    if problems:
        raise DataError(*problems)
    prepared = Golds.prepare(golds.values())
    return summarize(prepared.has_ans, *score_examples(prepared, [predictions[key] for key in golds]))
