"""How `rescore` and `evaluate` print what they scored."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qaexp.comparison.shown.columns import Column, lines
from qaexp.comparison.statistics.over_sets import interquartile_mean
from qaexp.reporting.terminal.printing import complain, say, say_json
from qaexp.runs.metrics import number_of

if TYPE_CHECKING:
    from qaexp.evaluation.evaluate import Evaluation


SCORES = ("exact", "f1", "has_ans_f1", "no_ans_f1", "gold_nll")
# Of so many sets the interquartile mean leaves some out.
_FEWEST_CUT = 4


def print_scored(metrics: Mapping[str, Any], evaluation: Evaluation, *, threshold: float, as_json: bool) -> None:
    """Print metrics: one flat JSON document with the official numbers, or a line each for people, rounded.

    Args:
        metrics: By the names of summary.json; and texts that say how they were computed.
        evaluation: What was scored.
        threshold: The null threshold that `exact` and `f1` hold for.
        as_json: Print the document.
    """
    decided = _decided(metrics, evaluation, threshold)
    may_be_empty = decided["scored_at_threshold"] is not None
    if metrics["crossfit_f1"] is None:
        complain(
            "crossfit_exact and crossfit_f1 are not known: all questions are on one text, and a threshold from other "
            "texts needs a second one"
        )
    if as_json:
        say_json({**metrics, **decided})
        return
    words = _thresholds(metrics, evaluation) | {"scored_at_threshold": str(threshold) if may_be_empty else "-"}
    for name, value in {**metrics, **decided}.items():
        say(f"{name:<20}{words[name] if name in words else value if isinstance(value, str) else shown(name, value)}")


def print_sets(found: Mapping[str, tuple[Mapping[str, Any], Evaluation]], *, threshold: float, as_json: bool) -> None:
    """Print the scores of several files: one JSON document, or a table with a row a file, their mean and their IQM.

    Args:
        found: The metrics of each file by its name, and how they came about.
        threshold: The null threshold that all scores hold for.
        as_json: Print the document: `sets` has what `print_scored` prints of one file, by name.
    """
    documents = {
        name: {**metrics, **_decided(metrics, evaluation, threshold)} for name, (metrics, evaluation) in found.items()
    }
    over = {
        "mean": {score: _over(documents, score, statistics.fmean) for score in SCORES},
        "iqm": {score: _over(documents, score, _iqm) for score in SCORES},
    }
    if as_json:
        say_json({"sets": documents, **over})
        return
    rows: dict[str, Mapping[str, Any]] = {**documents, "mean": over["mean"], "IQM": over["iqm"]}
    columns = [Column("set", list(rows), is_text=True)]
    columns += [Column(score, [number_of(score).shown(row[score]) for row in rows.values()]) for score in SCORES]
    columns += [
        Column(title, [f"{row[key]:,}" if key in row else "" for row in rows.values()])
        for title, key in (("answered", "num_answered"), ("questions", "num_dev_examples"))
    ]
    for text in (*(line.plain for line in lines(columns)), *_about(documents)):
        say(text)


def _decided(metrics: Mapping[str, Any], evaluation: Evaluation, threshold: float) -> dict[str, Any]:
    """What was answered, and at which threshold; None where nothing may stay unanswered."""
    return {
        "scored_at_threshold": threshold if metrics["null_threshold"] is not None else None,
        "num_answered": int(evaluation.judged.is_answered.sum()),
    }


def _over(
    documents: Mapping[str, Mapping[str, Any]], score: str, function: Callable[[Sequence[float]], float]
) -> float | None:
    """A score over the sets; None where a set has none, as it would be over other sets than its neighbours."""
    values = [row[score] for row in documents.values()]
    return None if None in values else function(values)


def _iqm(values: Sequence[float]) -> float:
    return interquartile_mean(np.array(values))


def _about(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines about what the numbers of a table are."""
    threshold = next(iter(documents.values()))["scored_at_threshold"]
    rule = "every question is answered" if threshold is None else f"threshold {threshold}"
    yield f"in percent, gold_nll in nats; {rule}"
    few = "; of fewer than four sets it is their mean" if len(documents) < _FEWEST_CUT else ""
    yield f"IQM: the mean of the middle half of the sets{few}"


def _thresholds(metrics: Mapping[str, Any], evaluation: Evaluation) -> dict[str, str]:
    """Each threshold in full, so that `--null-threshold` takes it; in words where no threshold gives the score."""
    from qaexp.evaluation.outputs import answer_table
    from qaexp.reporting.numbers.answering import oracle_threshold

    table = answer_table(evaluation)
    found = {f"best_{metric}_thresh": oracle_threshold(metrics, metric, table) for metric in ("exact", "f1")}
    found["null_threshold"] = metrics["null_threshold"]
    return {name: "-" if value is None else str(value) for name, value in found.items()}


def shown(name: str, value: float | None) -> str:
    """A number with its unit, as every other command shows it; `--json` has all digits.

    >>> shown("f1", 81.25), shown("no_ans_f1", None), shown("num_answered", 1152)
    ('81.2 %', '-', '1,152')
    """
    row = number_of(name)
    return f"{row.shown(value)} {row.unit}".rstrip() if value is not None else row.shown(value)
