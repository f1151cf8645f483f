"""A run, a sweep or a comparison as a piece of HTML for a notebook: no style sheet, script or request of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.reporting.numbers.advice import is_collapsed
from qaexp.reporting.numbers.intervals import Dependence, dependence, group
from qaexp.reporting.page.heading import labels, run_line
from qaexp.reporting.page.html import template
from qaexp.runs.metrics import RUN, number_of, shown_in
from qaexp.runs.number import Number, is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.folder import COMPLETED, RUNNING, Folder
from qaexp.runs.readers.group_names import is_job
from qaexp.storage.columns import Columns

# The number that runs are ranked by, then those that a run is judged by when it ends.
_SCORES = ("crossfit_f1", *shown_in(RUN))
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Card:
    """What a card shows, from top to bottom; all of it is text.

    Attributes:
        title: What it is about.
        state: A word on how it stands; empty: none.
        lines: What it is made of.
        warnings: What to look at, as a name and a sentence.
        sentences: What was found.
        columns: The heads of the table.
        rows: Its rows: names, then numbers.
        num_names: So many columns hold names.
        notes: What the numbers mean.
    """

    title: str
    state: str = ""
    lines: Sequence[str] = ()
    warnings: Sequence[tuple[str, str]] = ()
    sentences: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    num_names: int = 1
    notes: Sequence[str] = ()


def card_html(card: Card) -> str:
    """Return a card as HTML in the colours of the page around it, light or dark.

    >>> "&lt;b&gt;" in card_html(Card("<b>")), "<b>" in card_html(Card("<b>"))
    (True, False)
    """
    return template("card.html.jinja").render(card=card)


def run_card(run: RunFiles, folder: Folder) -> Card:
    """Return the card of a run, completed or not: what it is, its flags, its scores with their intervals.

    Args:
        run: The files of the run.
        folder: What its folder is.
    """
    summary = run.summary or {}
    rows, notes = _scores(run) if summary else ([], [])
    flags = [(str(flag.get("name")), str(flag.get("advice") or "")) for flag in run.flags]
    collapsed = [("Null collapse", "this run answers nothing")] if is_collapsed(summary, run.flags) else []
    is_fine = folder.state == RUNNING or (folder.state == COMPLETED and not folder.problems)
    about = [f"{folder.state}: {folder.about}"] if folder.about and is_fine else []
    noted = [f"{name}: {value}" for name, value in labels(run.config)]
    made_of = " · ".join(run_line(run, summary))
    return Card(
        title=run.path.name if is_job(run) else str(run.config.get("name") or run.path.name),
        state=folder.state,
        lines=[*([made_of] if made_of else []), *noted, f"run {run.run_id} in {run.path}"],
        warnings=[*([] if is_fine else [(folder.state, folder.about)]), *collapsed, *flags],
        columns=("dev score in percent", "value", "95 % interval"),
        rows=rows,
        notes=[*notes, *about],
    )


def _scores(run: RunFiles) -> tuple[list[list[str]], list[str]]:
    """The rows of a run's scores, and what their intervals are over or why there are none."""
    summary = run.summary or {}
    questions, note = _questions(run)
    depend = dependence(questions)
    names = [name for name in _SCORES if is_number(summary.get(name))]
    intervals = _intervals(questions, depend, [number_of(name) for name in names])
    found = [[name, number_of(name).shown(summary[name]), intervals[name]] for name in names]
    meaning = "" if all(row[-1] == _NONE for row in found) else ", which say nothing about other seeds"
    return found, [note or f"{depend.words}{meaning}"]


def _questions(run: RunFiles) -> tuple[Columns, str]:
    """The rows of scores.csv, and why there are none."""
    try:
        rows = run.scores()
    except IntegrityError as error:
        return Columns([]), f"no intervals: {error}"
    return rows, "" if len(rows) else "no intervals: scores.csv is missing"


def _intervals(questions: Columns, depend: Dependence, numbers: Sequence[Number]) -> dict[str, str]:
    """The interval of each score over the clusters of its questions, as people read it; `-` where there is none."""
    found: dict[str, list[Any]] = {number.name: [] for number in numbers}
    for row, label in zip(questions, depend.labels, strict=True):
        for number in numbers:
            if _counts(row, number.questions):
                found[number.name].append((row.get(number.column or ""), label))
    return {number.name: _interval(number, found[number.name]) for number in numbers}


def _interval(number: Number, scored: Sequence[tuple[Any, str]]) -> str:
    """The interval of a mean of (score, cluster); none over a part of its questions."""
    low, high = number.bounds
    if not scored or not all(is_number(score) and low <= score <= high for score, _ in scored):
        return _NONE
    mean = group(number.name, [score for score, _ in scored], [label for _, label in scored])
    return _NONE if mean.low is None else f"[{number.shown(mean.low)}, {number.shown(mean.high)}]"


def _counts(row: Mapping[str, Any], questions: str | None) -> bool:
    """Whether a question is one of those that a score is over."""
    words = row.get("answer_words")
    return questions is None or (is_number(words) and (words > 0) == (questions == "has_ans"))
