"""The table that a terminal shows when a run ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qaexp.reporting.verdict import drift_sentence, is_collapsed, number, what_to_look_at
from qaexp.runs.formats import visible

Numbers = Mapping[str, Any]


def score_rows(summary: Numbers) -> list[tuple[str, list[Any]]]:
    """Return the scores under each threshold rule: name, then exact, f1, has_ans_f1, no_ans_f1 and threshold."""
    get = summary.get
    rows = [
        ("default", [get("exact"), get("f1"), get("has_ans_f1"), get("no_ans_f1"), 0.0]),
        ("cross-fitted", [get("crossfit_exact"), get("crossfit_f1"), None, None, None]),
        ("oracle", [get("best_exact"), get("best_f1"), None, None, get("best_f1_thresh")]),
    ]
    if get("null_threshold") is None:
        rows = rows[:1]
    if get("test_f1") is not None:
        rows.append(
            ("test file, default", [get(f"test_{name}") for name in ("exact", "f1", "has_ans_f1", "no_ans_f1")] + [0.0])
        )
    return rows


def facts(summary: Numbers) -> list[tuple[str, str]]:
    """Return what else is worth a line: name and value, only where there is one."""
    get = summary.get
    kept, best, threshold = get("kept_epoch"), get("best_epoch"), get("null_threshold")
    found = [
        ("kept epoch", f"{kept:g} (best: {best:g}, f1 {number(get('best_epoch_f1'))})" if kept and best else None),
        ("null threshold", f"{threshold:.2f}, stored with the model" if threshold is not None else None),
        (
            "training",
            f"{number(get('num_train_examples'), 0)} examples, {number(get('num_steps'), 0)} steps, "
            f"loss {number(get('train_loss'), 3)}, train accuracy {number(get('train_accuracy'))} %",
        ),
        (
            "time",
            f"{number(get('total_seconds'), 0)} s in all, {number(get('train_seconds'), 0)} s training "
            f"({number(get('tokens_per_second'), 0)} tokens/s), {number(get('eval_seconds'), 0)} s evaluation",
        ),
    ]
    return [(name, value) for name, value in found if value is not None]


def summary_table(
    summary: Numbers, flags: Sequence[Numbers], directory: Path, drift: Sequence[Numbers] = ()
) -> RenderableType:
    """Return the end of a run as a terminal shows it; a collapsed run does not look like a success.

    Args:
        summary: The content of summary.json.
        flags: The raised health flags.
        directory: The run directory.
        drift: What had changed when the training went on from a checkpoint.
    """
    collapsed = is_collapsed(summary, flags)
    title = "NULL COLLAPSE: the run answers nothing" if collapsed else "dev scores in percent"
    table = Table(
        title=Text(title, style="bold red" if collapsed else "bold"),
        title_justify="left",
        box=None,
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column("null threshold rule")
    for name in ("exact", "f1", "has_ans f1", "no_ans f1", "threshold"):
        table.add_column(name, justify="right")
    for name, (*scores, threshold) in score_rows(summary):
        table.add_row(name, *map(number, scores), number(threshold, 2), style="dim" if collapsed else "")
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts(summary):
        lines.add_row(Text(name, style="dim"), value)
    if changes := drift_sentence(drift):
        lines.add_row(Text("not bit-exact", style="bold yellow"), Text(visible(changes)))
    warning = "bold yellow" if flags or collapsed else ""
    for index, sentence in enumerate(what_to_look_at(summary, flags)):
        # A Text, not markup: what stands in brackets in a path or an advice is shown as it is.
        lines.add_row(Text("look at" if index == 0 else "", style="dim"), Text(visible(sentence), style=warning))
    lines.add_row(Text("run directory", style="dim"), Text(visible(str(directory)), overflow="fold"))
    return Group(table, Text(), lines)
