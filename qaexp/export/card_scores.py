"""The scores that a model card states, with their intervals, by the rule for answering nothing; the worst slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.comparison.slices import MIN_QUESTIONS
from qaexp.export.exported import Exported
from qaexp.reporting.numbers.answering import ALWAYS_ANSWERED, null_rule
from qaexp.reporting.numbers.intervals import Dependence, Group, dependence, group
from qaexp.reporting.numbers.quantities import NO_SPAN_DIFF, calibration_error, confidence_bins
from qaexp.reporting.numbers.slice_panels import slice_panels
from qaexp.runs.directory import TEST_SCORES
from qaexp.runs.metrics import RUN, TEST, number_of, sets_of, shown_in
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.evaluation_sets import table_of

NONE = "–"
MAX_SLICES = 5
THRESHOLD_FROM_OTHERS = "threshold from other questions"
# The scores of a line of the table: exact and f1 of all questions, f1 of those with and without an answer.
COLUMNS = shown_in(RUN)

# How far a mean of scores.csv, which is rounded nowhere, may be from the number that it is the mean of.
_SAME = 1e-6

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Score:
    """A score in percent, with its 95 % interval where there is one."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def shown(self) -> str:
        """The score as people read it.

        >>> Score(88.52, 85.1, 91.04).shown, Score(88.52).shown, Score(None).shown
        ('88.5 [85.1, 91.0]', '88.5', '–')
        """
        if self.value is None:
            return NONE
        value, low, high = (None if end is None else f"{end:.1f}" for end in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]" if low is not None and high is not None else f"{value}"


@dataclass(frozen=True, slots=True)
class Line:
    """The scores by one rule for answering nothing.

    Attributes:
        rule: The rule, in words.
        scores: By the names of `COLUMNS`.
    """

    rule: str
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class CardScores:
    """All that a card says of the answers.

    Attributes:
        lines: Those of the questions that the model is judged on.
        test_lines: Those of the test file; empty without one, or where the export has no test scores of its own.
        set_lines: Those of the evaluation sets, by their names; empty where those of the test file would be.
        intervals: What the intervals are over, or why there are none.
        test_intervals: The same for the test file.
        num_kinds: How many slices have enough questions to be among them.
        f1: The mean f1 of all questions; None where it is not known question by question.
        num: How many questions, of those that are known one by one.
        worst: The slices with the lowest f1, the lowest first, by name.
        calibration: How far probabilities are from how often they are right, in points; None where it is not known.
    """

    lines: Sequence[Line]
    test_lines: Sequence[Line]
    set_lines: Sequence[Line]
    intervals: str
    test_intervals: str
    worst: Sequence[tuple[str, Group]]
    num_kinds: int
    f1: float | None
    calibration: float | None


def holds_the_run(run: RunFiles, exported: Exported) -> bool:
    """Whether an export answers as the run's own model does, so that what the run has stored is true of it."""
    mine, stored = exported.metrics.get("f1"), (run.summary or {}).get("f1")
    is_alone = exported.quantized is None and exported.run_ids == (run.run_id,)
    return is_alone and is_number(mine) and is_number(stored) and abs(mine - stored) <= _SAME


def card_scores(run: RunFiles, exported: Exported) -> CardScores:
    """Gather the scores of an export of a run."""
    is_the_run = holds_the_run(run, exported)
    rows = _scored(exported.scores or (run.scores() if is_the_run else ()))
    test_rows = _scored(run.scores(TEST_SCORES) if is_the_run else ())
    depend, test_depend = dependence(rows), dependence(test_rows)
    predictions = run.predictions().rows if is_the_run else []
    kinds = _kinds(rows, depend)
    summary, rule = run.summary or {}, null_rule(run.config)
    test = {name.removeprefix(TEST): value for name, value in summary.items() if name.startswith(TEST)}
    return CardScores(
        lines=list(_lines(rule, exported, rows, depend, predictions)),
        test_lines=[Line(rule, _plain(test, test_rows, test_depend))]
        if is_the_run and is_number(test.get("f1"))
        else [],
        set_lines=list(_set_lines(run)) if is_the_run else [],
        intervals=_words(rows, depend),
        test_intervals=_words(test_rows, test_depend),
        worst=_worst(rows, kinds),
        num_kinds=len(kinds),
        f1=math.fsum(row["f1"] for row in rows) / len(rows) if rows else None,
        calibration=_calibration(rule, predictions) if predictions else None,
    )


def _set_lines(run: RunFiles) -> Iterator[Line]:
    """The scores on each evaluation set, at the default rule."""
    summary = run.summary or {}
    for name in sets_of(summary):
        rows, start = _scored(run.scores(table_of(name))), f"{TEST}{name}_"
        metrics = {key.removeprefix(start): value for key, value in summary.items() if key.startswith(start)}
        if is_number(metrics.get("f1")):
            yield Line(name, _plain(metrics, rows, dependence(rows)))


def _calibration(rule: str, predictions: Sequence[Row]) -> float:
    """The calibration error of a softmax over the best spans, and over "no answer" where there may be none."""
    if rule == ALWAYS_ANSWERED:
        predictions = [{**row, "null_score_diff": -math.inf} for row in predictions]
    return calibration_error(confidence_bins(predictions))


def _scored(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if is_number(row.get("f1"))]


def _words(rows: Sequence[Row], depend: Dependence) -> str:
    return depend.words if rows else "no intervals: scores of single questions are not known"


def _lines(
    rule: str, exported: Exported, rows: Sequence[Row], depend: Dependence, predictions: Sequence[Row]
) -> Iterator[Line]:
    metrics = exported.metrics
    yield Line(rule, _plain(metrics, rows, depend))
    if rule == ALWAYS_ANSWERED:
        return
    if is_number(metrics.get("crossfit_f1")):
        yield Line(THRESHOLD_FROM_OTHERS, _crossfit(metrics, rows, depend))
    if is_number(metrics.get("best_f1")):
        tuned = number_of("null_threshold").shown(exported.null_threshold)
        yield Line(f"tuned threshold {tuned}", _tuned(exported, predictions or rows))


def _plain(metrics: Row, rows: Sequence[Row], depend: Dependence) -> dict[str, Score]:
    return {name: _score(metrics.get(name), name, name.rpartition("_")[2], rows, depend) for name in COLUMNS}


def _crossfit(metrics: Row, rows: Sequence[Row], depend: Dependence) -> dict[str, Score]:
    found = {}
    for name in COLUMNS:
        column = f"crossfit_{name.rpartition('_')[2]}"
        chosen = [row[column] for row in rows if _is_among(row, name) and is_number(row.get(column))]
        value = metrics.get(f"crossfit_{name}", math.fsum(chosen) / len(chosen) if chosen else None)
        found[name] = _score(value, name, column, rows, depend)
    return found


def _score(value: Any, name: str, column: str, rows: Sequence[Row], depend: Dependence) -> Score:
    """A stated score, with the interval of the questions whose mean it is."""
    if not is_number(value):
        return Score(None)
    chosen = [
        (row[column], label)
        for row, label in zip(rows, depend.labels, strict=True)
        if _is_among(row, name) and is_number(row.get(column))
    ]
    if not chosen:
        return Score(value)
    found = group(name, [score for score, _ in chosen], [label for _, label in chosen])
    return Score(value, found.low, found.high) if abs(found.mean - value) <= _SAME else Score(value)


def _is_among(row: Row, name: str) -> bool:
    """Whether a question is one of those that a score is about: all, those with an answer, those without."""
    questions = number_of(name).questions
    return questions is None or (questions == "has_ans") == _has_answer(row)


def _has_answer(row: Row) -> bool:
    """Whether a question has an answer, by a row of predictions.jsonl or one of scores.csv."""
    return bool(row["golds"]) if "golds" in row else row.get("answer_words", 0) > 0


def _tuned(exported: Exported, rows: Sequence[Row]) -> dict[str, Score]:
    """The scores at the threshold that is stored with the model; without those of the spans only f1 is known."""
    if not rows or any("span_f1" not in row for row in rows):
        return {name: Score(exported.metrics.get("best_f1") if name == "f1" else None) for name in COLUMNS}
    threshold, found = exported.null_threshold, {}
    for name in COLUMNS:
        column, questions = f"span_{name.rpartition('_')[2]}", number_of(name).questions
        scores = [
            row[column]
            if row["null_score_diff"] <= min(threshold, NO_SPAN_DIFF - 1)
            else 0.0
            if _has_answer(row)
            else 100.0
            for row in rows
            if questions is None or (questions == "has_ans") == _has_answer(row)
        ]
        found[name] = Score(math.fsum(scores) / len(scores) if scores else None)
    return found


def _kinds(rows: Sequence[Row], depend: Dependence) -> list[tuple[str, Group]]:
    """The slices of enough questions, by name; not that of no_ans, which the table has already."""
    return [
        (name, part)
        for name, parts in (slice_panels(rows, depend).items() if rows else ())
        for part in parts
        if part.num >= MIN_QUESTIONS and part.label != "none"
    ]


def _worst(rows: Sequence[Row], kinds: Sequence[tuple[str, Group]]) -> list[tuple[str, Group]]:
    """The slices whose f1 is the lowest, well below that of all."""
    if not kinds:
        return []
    most = math.fsum(row["f1"] for row in rows) / len(rows) - number_of("f1").relevant
    found = [(name, part) for name, part in kinds if part.mean <= most]
    return sorted(found, key=lambda item: item[1].mean)[:MAX_SLICES]
