"""The table that a terminal shows when a run ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qaexp.reporting.numbers.advice import drift_sentence, is_collapsed, shown, what_to_look_at, where_silent
from qaexp.reporting.numbers.answering import Answered, count_answered, oracle_threshold
from qaexp.reporting.numbers.spans import duration
from qaexp.runs.directory import REPORT
from qaexp.runs.metrics import RUN, TEST, number_of, sets_of, shown_in
from qaexp.storage.formats import one_line

Numbers = Mapping[str, Any]

_SCORES = shown_in(RUN)
_NONE = "-"
_DRAWN = ("plots/threshold.png", "plots/train_accuracy.png", "report.html")


def score_rows(summary: Numbers, predictions: Sequence[Numbers] = ()) -> list[tuple[str, list[str]]]:
    """Return the scores under each threshold rule, as people read them.

    Args:
        summary: The numbers of summary.json.
        predictions: The records of predictions.jsonl, which show what an oracle's threshold of 0 means.

    Returns:
        Name, then exact, f1, has_ans_f1, no_ans_f1 and the threshold that gives them again.
    """
    # A run that must answer has no threshold at all.
    must_answer = summary.get("null_threshold", 0.0) is None
    rule, default = ("always answered", _NONE) if must_answer else ("default", number_of("null_threshold").shown(0.0))
    rows = [(rule, [*(shown(summary, name) for name in _SCORES), default])]
    if summary.get("null_threshold") is not None:
        fitted = [shown(summary, "crossfit_exact"), shown(summary, "crossfit_f1")]
        rows += [("threshold from other folds", [*fitted, _NONE, _NONE, _NONE]), *_oracle_rows(summary, predictions)]
    asked = [("test file", TEST)] if summary.get(f"{TEST}f1") is not None else []
    asked += [(f"set {name}", f"{TEST}{name}_") for name in sets_of(summary)]
    rows += [
        (f"{name}, {rule}", [*(shown(summary, f"{start}{score}") for score in _SCORES), default])
        for name, start in asked
    ]
    return rows


def _oracle_rows(summary: Numbers, predictions: Sequence[Numbers]) -> Iterator[tuple[str, list[str]]]:
    """One row where the best exact and the best f1 have the same threshold, else one each."""
    exact, f1 = (oracle_threshold(summary, metric, predictions) for metric in ("exact", "f1"))
    together = exact is None or exact == f1
    best_exact = shown(summary, "best_exact")
    yield "oracle", [best_exact if together else _NONE, shown(summary, "best_f1"), _NONE, _NONE, _threshold(f1)]
    if not together:
        yield "oracle for exact", [best_exact, _NONE, _NONE, _NONE, _threshold(exact)]


def _threshold(found: float | str | None) -> str:
    return found if isinstance(found, str) else number_of("null_threshold").shown(found)


def facts(summary: Numbers, answered: Answered | None = None) -> list[tuple[str, str]]:
    """Return other facts as name and value, only those that the run has."""
    found = [
        ("answers", _answers(summary, answered)),
        ("weights", _kept_epoch(summary)),
        ("null threshold", _tuned(summary, answered)),
        ("training", _training(summary)),
        ("time", _time(summary)),
    ]
    return [(name, value) for name, value in found if value is not None]


def _answers(summary: Numbers, answered: Answered | None) -> str | None:
    if answered is None:
        return None
    words = f"{answered.at_default:,} of {answered.num_examples:,} questions"
    if answered.at_tuned is None:
        return words
    return f"{words} at threshold 0, {answered.at_tuned:,} at the tuned {shown(summary, 'null_threshold')}"


def _kept_epoch(summary: Numbers) -> str | None:
    if summary.get("kept_epoch") is None or not summary.get("num_steps", True):
        return None
    best = f"best epoch: {shown(summary, 'best_epoch')}, f1 {shown(summary, 'best_epoch_f1')}"
    return f"of epoch {shown(summary, 'kept_epoch')} saved ({best})"


def _tuned(summary: Numbers, answered: Answered | None) -> str | None:
    if summary.get("null_threshold") is None:
        return None
    silent = answered is not None and answered.at_tuned == 0
    meaning = ": it silences the model, qaexp answer answers nothing" if silent else ""
    return f"{shown(summary, 'null_threshold')}, stored with the model{meaning}"


def _training(summary: Numbers) -> str:
    if summary.get("num_steps") == 0:
        return "none: 0 steps, the model answers as it was loaded"
    return (
        f"{counted(summary, 'num_train_examples', 'example')}, {counted(summary, 'num_steps', 'step')}, "
        f"loss {shown(summary, 'train_loss')}, train accuracy {shown(summary, 'train_accuracy')} %"
    )


def _time(summary: Numbers) -> str:
    speed = f" ({shown(summary, 'tokens_per_second')} tokens/s)" if summary.get("num_steps", True) else ""
    total, train, evaluation = (duration(summary.get(f"{name}_seconds")) for name in ("total", "train", "eval"))
    return f"{total} in all, {train} training{speed}, {evaluation} evaluation"


def counted(row: Numbers, name: str, word: str) -> str:
    """Return a count with its word in the singular or plural.

    >>> counted({"num_steps": 1}, "num_steps", "step"), counted({"threads": 2}, "threads", "thread")
    ('1 step', '2 threads')
    """
    return f"{shown(row, name)} {word}{'' if row.get(name) == 1 else 's'}"


def summary_table(
    summary: Numbers,
    flags: Sequence[Numbers],
    directory: Path,
    drift: Sequence[Numbers] = (),
    predictions: Sequence[Numbers] = (),
) -> RenderableType:
    """Return the end of a run as a terminal shows it; a collapsed run does not look like a success.

    Args:
        summary: The content of summary.json.
        flags: The raised health flags.
        directory: The run directory.
        drift: What had changed when training was resumed from a checkpoint.
        predictions: The records of predictions.jsonl; without them the number of answers is not shown.
    """
    answered, collapsed = count_answered(predictions, summary), is_collapsed(summary, flags)
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts(summary, answered):
        lines.add_row(Text(name, style="dim"), Text(one_line(value)))
    if changes := drift_sentence(drift):
        lines.add_row(Text("not bit-exact", style="bold yellow"), Text(one_line(changes)))
    warning = "bold yellow" if flags else ""
    for index, sentence in enumerate(what_to_look_at(summary, flags, answered)):
        # A Text, not markup: brackets in a path or an advice are shown as they are.
        words = Text(one_line(_with_way(sentence, directory)), style=warning)
        lines.add_row(Text("next steps" if index == 0 else "", style="dim"), words)
    if (directory / REPORT).is_file():
        lines.add_row(Text("page", style="dim"), Text(one_line(str(directory / REPORT)), overflow="fold"))
    lines.add_row(Text("run directory", style="dim"), Text(one_line(str(directory)), overflow="fold"))
    title = f"NULL COLLAPSE: the run answers nothing{where_silent(summary, answered)}" if collapsed else None
    # Above the table, not its title, which would break at the table's width.
    warned = [Text(title, style="bold red")] if title else []
    return Group(*warned, _score_table(score_rows(summary, predictions), is_dim=collapsed), Text(), lines)


def _score_table(rows: Sequence[tuple[str, list[str]]], *, is_dim: bool) -> Table:
    table = Table(
        title=None if is_dim else Text("dev scores in percent", style="bold"),
        title_justify="left",
        box=None,
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column('how "no answer" is decided')
    for place, name in enumerate(("exact", "f1", "has_ans f1", "no_ans f1", "threshold")):
        # Headers and words may break on a narrow terminal, numbers may not.
        widest = max((len(word) for _, cells in rows for word in cells[place].split()), default=1)
        table.add_column(name, justify="right", min_width=widest)
    for name, cells in rows:
        table.add_row(name, *cells, style="dim" if is_dim else "")
    return table


def _with_way(sentence: str, directory: Path) -> str:
    """The sentence, with how to draw the picture or page that it names if the run has not drawn it."""
    missing = [name for name in _DRAWN if name in sentence and not (directory / name).is_file()]
    return f"{sentence}; qaexp plot draws {missing[0]}" if missing else sentence
