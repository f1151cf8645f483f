"""A comparison as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from qaexp.comparison.compare import Comparison, Table
from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.diff import config_differences, environment_differences
from qaexp.comparison.document import flags, verdict
from qaexp.comparison.flips import Flip
from qaexp.comparison.groups import Estimate, Group
from qaexp.runs.formats import visible

MAX_CONTRASTS = 12
"""So many are printed; --json and --html have all."""

MAX_SKIPPED = 20
MAX_DIFFERENCES = 12
_SHOWN = ("f1", "exact", "has_ans_f1", "no_ans_f1")
_COSTS = (
    ("best/kept epoch", None),
    ("train s", "train_seconds"),
    ("tokens/s", "tokens_per_second"),
    ("MiB", "peak_memory_mib"),
)


def terminal(comparison: Comparison, *, limit: int | None = None) -> RenderableType:
    """Return what the command prints: a table for each set of runs measured alike, verdicts, differences, the rest.

    Args:
        comparison: What was found.
        limit: The most rows of a table; None: all.
    """
    parts: list[RenderableType] = []
    tables = _shown_tables(comparison)
    for table in tables:
        if table.reason:
            parts.append(
                Text(visible(f"\nmeasured differently, not ranked with the above: {table.reason}"), style="bold")
            )
        parts.append(_leaderboard(table, comparison, limit))
        parts += _verdicts(table, comparison)
        parts += _differences(table)
    parts += _rest(comparison)
    return Lines(*parts)


def flips_table(found: Sequence[Flip], a: str, b: str) -> RenderableType:
    """Return some flips for a terminal."""
    table = _plain_table(f"flips from {a} to {b}")
    for name in ("flip", "question", "gold", "a", "b", "f1"):
        table.add_column(name, overflow="fold")
    for flip in found:
        cells = (flip.kind, flip.question, " | ".join(flip.golds) or "(none)", flip.a or "(none)", flip.b or "(none)")
        table.add_row(*(Text(visible(cell)) for cell in cells), f"{flip.a_f1:.0f} → {flip.b_f1:.0f}")
    return table


def interval(found: Estimate | None, digits: int = 1, *, is_score: bool = True) -> str:
    """Return `mean [low, high]` as a table shows it."""
    if found is None:
        return "-"
    text = f"{found.mean:.{digits}f}"
    if found.low is not None and found.high is not None:
        # Scores are percent: an interval of few seeds may reach beyond what is possible.
        low, high = (max(found.low, 0.0), min(found.high, 100.0)) if is_score else (found.low, found.high)
        text += f" [{low:.{digits}f}, {high:.{digits}f}]"
    return text + ("*" if found.over == "questions" else "")


def epochs(group: Group) -> str:
    """Return the best and the kept epoch of a group, their means."""
    best, kept = (group.metrics.get(name) for name in ("best_epoch", "kept_epoch"))
    return "/".join("-" if found is None else f"{found.mean:.3g}" for found in (best, kept))


def _shown_tables(comparison: Comparison) -> list[Table]:
    if not comparison.options.allow_mixed or len(comparison.tables) < 2:
        return list(comparison.tables)
    groups = [group for table in comparison.tables for group in table.groups]
    metric = comparison.options.metric
    groups.sort(key=lambda group: (-group.metrics[metric].mean if metric in group.metrics else 0.0, group.name))
    contrasts = [contrast for table in comparison.tables for contrast in table.contrasts]
    return [Table(groups, contrasts, comparison.tables[0].baseline, None, {group.name: None for group in groups})]


def _leaderboard(table: Table, comparison: Comparison, limit: int | None) -> RenderableType:
    """Two narrow tables fit a terminal where one wide one does not: scores, then costs and flags."""
    metric = comparison.options.metric
    names = [metric, *(name for name in _SHOWN if name != metric)]
    scores, costs = _plain_table(None), _plain_table(None)
    for board in (scores, costs):
        board.add_column("#", justify="right")
    scores.add_column("group", overflow="fold", min_width=20)
    for name in ("n", *names, "sd"):
        scores.add_column(name, justify="right", no_wrap=True)
    scores.add_column("verdict", no_wrap=True)
    for title in ("best_f1", "null_threshold", *(title for title, _ in _COSTS)):
        costs.add_column(title, justify="right", no_wrap=True)
    costs.add_column("flags", overflow="fold")
    for group in table.groups[:limit]:
        found = group.metrics.get(metric)
        place, style = _place(table, group), "dim" if group.is_collapsed else ""
        scores.add_row(
            place,
            Text(visible(group.name)),
            str(group.n),
            interval(found, is_score=metric.endswith(("exact", "f1"))),
            *(_mean(group, name) for name in names[1:]),
            "-" if found is None or found.sd is None else f"{found.sd:.1f}",
            verdict(table, group),
            style=style,
        )
        thresholds = (_mean(group, "best_f1"), _mean(group, "null_threshold", 2))
        numbers = [epochs(group) if name is None else _mean(group, name, 0) for _, name in _COSTS]
        costs.add_row(place, *thresholds, *numbers, Text(visible(flags(group))), style=style)
    notes = list(_notes(table, comparison))
    if limit is not None and len(table.groups) > limit:
        notes.append(f"{len(table.groups) - limit} more groups: --csv, --json and --html have all")
    return Lines(scores, *(Text(visible(note), style="dim") for note in notes), Text(""), costs)


def _place(table: Table, group: Group) -> str:
    place = table.ranks.get(group.name)
    return "-" if place is None else str(place)


def _notes(table: Table, comparison: Comparison) -> Iterator[str]:
    metric = comparison.options.metric
    over = {group.metrics[metric].over for group in table.groups if metric in group.metrics}
    if "seeds" in over:
        yield "[low, high]: 95 % interval of the mean over seeds (t)"
    if "questions" in over:
        yield "* n < 3: the interval is over questions alone and says nothing about other seeds; its rank may be luck"
    if any(group.is_collapsed for group in table.groups):
        yield "null_collapse: answers nothing; its f1 is the share of questions without an answer, so it has no rank"
    if comparison.options.allow_mixed and len(comparison.tables) > 1:
        yield "WARNING: --allow-mixed: these runs were not measured on the same thing, their order means nothing"
        for paths, reason in comparison.refused:
            yield f"  {reason}: {', '.join(str(path) for path in paths[:3])}{' ...' if len(paths) > 3 else ''}"
    for group in table.groups:
        for entry in group.entries:
            for note in entry.notes:
                yield f"{entry.run.path}: {note}"


def _verdicts(table: Table, comparison: Comparison) -> list[RenderableType]:
    if not table.contrasts:
        return []
    kind = "articles" if comparison.cluster_kind == "title" else "paragraphs"
    first = table.contrasts[0]
    lines = [
        Text(""),
        Text(
            visible(
                f"differences in {first.metric}, b - a; clusters: {kind}; Holm over {counted(len(table.contrasts))}; "
                f"baseline: {table.baseline} ({comparison.baseline_reason})"
            ),
            style="bold",
        ),
    ]
    for contrast in table.contrasts[:MAX_CONTRASTS]:
        lines.append(Text(visible(f"{contrast.b} against {contrast.a}: {contrast.sentence}")))
        lines.append(Text(visible(f"  {factor(contrast)}"), style="dim"))
    if len(table.contrasts) > MAX_CONTRASTS:
        lines.append(Text(f"{len(table.contrasts) - MAX_CONTRASTS} more: --json and --html have all", style="dim"))
    return list(lines)


def factor(contrast: Contrast) -> str:
    """Return what may have caused a difference."""
    if contrast.single_factor:
        return f"single-factor: {contrast.factors[0]}"
    return f"confounded: {', '.join(contrast.factors)}" if contrast.factors else "nothing in the config differs"


def _differences(table: Table) -> list[RenderableType]:
    groups = table.groups[:8]
    rows = config_differences(groups)
    if len(groups) < 2 or not rows or (len(rows) == 1 and len(table.groups[0].changes) == 1):
        rows = {}
    found: list[RenderableType] = []
    environment = environment_differences(groups) if len(groups) > 1 else {}
    for title, content in (("config: what differs", rows), ("machine, versions and code: what differs", environment)):
        if content:
            board = _plain_table(title)
            board.add_column("key")
            for number in range(len(groups)):
                board.add_column(f"#{number + 1}", overflow="fold")
            for key, values in list(content.items())[:MAX_DIFFERENCES]:
                board.add_row(Text(visible(key)), *(Text(visible(str(value))) for value in values))
            found += [Text(""), board]
            if len(content) > MAX_DIFFERENCES:
                found.append(Text(f"{len(content) - MAX_DIFFERENCES} more keys: --html has all", style="dim"))
    return found


def _rest(comparison: Comparison) -> list[RenderableType]:
    lines: list[RenderableType] = []
    rows = [
        (", ".join(map(str, paths[:3])) + (" ..." if len(paths) > 3 else ""), f"refused: {reason}")
        for paths, reason in comparison.refused
    ]
    rows += [(str(path), f"skipped: {reason}") for path, reason in comparison.skipped]
    if rows:
        lines.append(Text(""))
    lines += [Text(visible(f"{path}: {reason}")) for path, reason in rows[:MAX_SKIPPED]]
    if len(rows) > MAX_SKIPPED:
        lines.append(Text(f"{len(rows) - MAX_SKIPPED} more: --json has all"))
    return lines


def _plain_table(title: str | None) -> RichTable:
    return RichTable(
        title=Text(visible(title), style="bold") if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        padding=(0, 1, 0, 0),
    )


def _mean(group: Group, name: str, digits: int = 1) -> str:
    found = group.metrics.get(name)
    return "-" if found is None else f"{found.mean:.{digits}f}"


def counted(number: int) -> str:
    """Return so many contrasts in words."""
    return f"{number} contrast{'s' if number != 1 else ''}"
