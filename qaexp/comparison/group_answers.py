"""What a group answers to each question, and how steadily over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.entries import Entry
from qaexp.comparison.groups import Group
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.difference import Floats
from qaexp.errors import IntegrityError

STABILITY = ("always right", "always wrong", "churn")
NEEDED = {"id", "question", "title", "paragraph", "golds", "prediction_text"}
"""What a row of predictions.jsonl holds that can be shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a group answers to a question.

    Attributes:
        place: The place of the run whose answer this is.
        text: Its text.
        is_null: Most of the runs that agree on right or wrong answer nothing; None where as many do as do not.
        exact: The share of runs that are right, in percent.
        f1: The mean f1 of the runs.
    """

    place: int
    text: str
    is_null: bool | None
    exact: float
    f1: float


def group_answers(group: Group, reader: ScoreReader) -> dict[str, Answer]:
    """The answers by question id, for questions that every run has predicted; threshold 0.

    Raises:
        IntegrityError: The predictions or the scores of a run cannot be read.
    """
    texts = [_texts(entry) for entry in group.entries]
    scores = [reader.read(entry.run) for entry in group.entries]
    exact, f1 = np.stack([one.exact for one in scores]), np.stack([one.values["f1"] for one in scores])
    found = {}
    for place, id in enumerate(scores[0].questions.ids):
        if all(id in one for one in texts):
            found[id] = _answer([one[id] for one in texts], exact[:, place], f1[:, place])
    return found


def stability(group: Group, reader: ScoreReader) -> dict[str, int] | None:
    """How many questions the runs of a group all get right, all get wrong, or disagree on; None for a single run."""
    if group.n < 2:
        return None
    exact = np.stack([reader.read(entry.run).exact for entry in group.entries]) == 100
    right, wrong = int(exact.all(axis=0).sum()), int((~exact).all(axis=0).sum())
    return dict(zip(STABILITY, (right, wrong, exact.shape[1] - right - wrong), strict=True))


def most(share: float) -> bool | None:
    """Whether a share in percent is a majority; None for exactly half."""
    return None if share == 50 else share > 50


def _answer(answers: Sequence[str], exact: Floats, f1: Floats) -> Answer:
    right = exact == 100
    share = 100 * float(np.mean(right))
    agreeing = [place for place, is_right in enumerate(right) if most(share) in (None, bool(is_right))]
    texts = [answers[place] for place in agreeing]
    is_null = most(100 * texts.count("") / len(texts))
    kept = [text for text in texts if is_null is None or (not text) == is_null]
    # The first of equally frequent ones: runs are sorted by their seeds, so that no folder name decides.
    text = max(kept, key=kept.count)
    return Answer(agreeing[texts.index(text)], text, is_null, share, float(f1.mean()))


def _texts(entry: Entry) -> dict[str, str]:
    """The answers of a run by question id."""
    found, has_any = {}, False
    for row in entry.run.each_prediction():
        has_any = True
        if row.keys() >= NEEDED:
            found[str(row["id"])] = str(row["prediction_text"])
    if not has_any:
        raise IntegrityError(f"{entry.run.path}: has no predictions.jsonl, so that no answers can be shown")
    return found
