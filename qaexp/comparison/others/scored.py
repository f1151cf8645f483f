"""Scores other programs' answers as a run's are: the official exact and f1, and crossfit where best spans are known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.gold import Gold
from qaexp.data.squad import Example, paragraph_id
from qaexp.evaluation.metrics import Golds, mean, score_examples, summarize
from qaexp.evaluation.slices import slice_keys
from qaexp.evaluation.threshold import crossfit, tuned_threshold
from qaexp.runs.clusters import clusters

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of one program's results.

    Attributes:
        columns: Of scores.csv, [questions] each, in the order of the gold questions.
        summary: Numbers by the names of summary.json.
        is_silent: No question is answered, as the texts are or at the tuned threshold, though some have an answer.
    """

    columns: Mapping[str, Floats]
    summary: Mapping[str, Any]
    is_silent: bool


def scored(answers: Answers, gold: Gold) -> Scored:
    """Score results of all gold questions."""
    golds = Golds.prepare(example.golds for example in gold.examples)
    ids = [example.id for example in gold.examples]
    columns: dict[str, Floats] = {}
    if answers.texts is None:
        given = [(answers.scores or {})[id] for id in ids]
        for name in ("exact", "f1"):
            if all(name in row for row in given):
                columns[name] = np.array([row[name] for row in given])
    else:
        columns["exact"], columns["f1"] = score_examples(golds, [answers.texts[id] for id in ids])
    summary: dict[str, Any] = {
        name: value
        for name, value in summarize(golds.has_ans, columns.get("exact", columns["f1"]), columns["f1"]).items()
        if "exact" in columns or not name.endswith("exact")
    }
    fitted, threshold = _fitted(answers, gold, golds)
    columns |= fitted
    summary |= {name: mean(values) for name, values in fitted.items()}
    summary |= {"null_threshold": threshold, "num_dev_examples": len(ids)}
    if answers.diffs is not None:
        columns["null_score_diff"] = np.array([answers.diffs[id] for id in ids])
    is_silent = answers.texts is not None and not any(answers.texts.values())
    is_silent |= threshold is not None and bool(np.all(columns["null_score_diff"] > threshold))
    is_silent &= bool(golds.has_ans.any())
    return Scored(columns, summary, is_silent)


def _fitted(answers: Answers, gold: Gold, golds: Golds) -> tuple[dict[str, Floats], float | None]:
    """The cross-fitted scores and the tuned threshold; nothing where best spans or null odds are not known."""
    if answers.spans is None or answers.diffs is None:
        return {}, None
    diffs = np.array([answers.diffs[example.id] for example in gold.examples])
    exact, f1 = score_examples(golds, [answers.spans[example.id] for example in gold.examples])
    empty = 100.0 * golds.empty
    contexts = [paragraph_id(example.context) for example in gold.examples]
    labels = clusters([example.title for example in gold.examples], contexts)[0]
    found = {"crossfit_exact": crossfit(diffs, exact, empty, labels), "crossfit_f1": crossfit(diffs, f1, empty, labels)}
    return {name: values for name, values in found.items() if values is not None}, tuned_threshold(diffs, f1, empty)


def score_rows(gold: Gold, found: Scored) -> Iterator[dict[str, Any]]:
    """Yield the rows of scores.csv; windows are a run's alone."""
    for index, example in enumerate(gold.examples):
        slices = {name: value for name, value in slice_keys(example, 0).items() if name != "num_windows"}
        scores = {name: float(values[index]) for name, values in found.columns.items()}
        yield {**_place(example), **scores, **slices}


def prediction_rows(gold: Gold, answers: Answers, found: Scored) -> Iterator[dict[str, Any]]:
    """Yield the records of predictions.jsonl; without texts they say what was asked, and what is right."""
    for index, example in enumerate(gold.examples):
        record = {**_place(example), "question": example.question, "golds": list(example.golds)}
        if answers.texts is not None:
            record["prediction_text"] = answers.texts[example.id]
        scores = {name: float(values[index]) for name, values in found.columns.items() if math.isfinite(values[index])}
        yield {**record, **scores, "n_best": []}


def _place(example: Example) -> dict[str, Any]:
    return {"id": example.id, "title": example.title, "paragraph": paragraph_id(example.context)}
