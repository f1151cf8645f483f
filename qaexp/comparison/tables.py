"""A comparison as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.diff import config_differences, environment_differences
from qaexp.comparison.document import flags, verdict
from qaexp.comparison.estimates import QUESTIONS, SEEDS, Estimate
from qaexp.comparison.flips import Flip
from qaexp.comparison.groups import Group, ranked
from qaexp.comparison.result import Comparison, Table
from qaexp.runs.formats import counted, one_line
from qaexp.runs.metrics import Number, number_of

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
    parts: list[RenderableType] = [Text(one_line(note), style="bold") for note in comparison.notes]
    for board, table in _shown_tables(comparison):
        if board is not None and board.reason:
            parts.append(_apart(board))
        parts += [_leaderboard(board, comparison, limit)] if board is not None else []
        if table is not None:
            parts += [_apart(table)] if board is None and table.reason and table.contrasts else []
            parts += _verdicts(table)
            parts += _differences(table, comparison)
    parts += _rest(comparison)
    return Lines(*parts)


def flips_table(found: Sequence[Flip], a: str, b: str) -> RenderableType:
    """Return some flips for a terminal."""
    table = _plain_table(f"flips from {a} to {b}")
    for name in ("flip", "question", "gold", "a", "b", "f1"):
        table.add_column(name, overflow="fold")
    for flip in found:
        cells = (flip.kind, flip.question, " | ".join(flip.golds) or "(none)", flip.a or "(none)", flip.b or "(none)")
        table.add_row(*(Text(one_line(cell)) for cell in cells), f"{flip.a_f1:.0f} → {flip.b_f1:.0f}")
    return table


def interval(found: Estimate | None, row: Number) -> str:
    """Return `mean [low, high]` as a table shows it; `*` where it is over questions alone."""
    if found is None:
        return "-"
    text = row.shown(found.mean)
    if found.low is not None and found.high is not None:
        text += f" [{row.shown(found.low)}, {row.shown(found.high)}]"
    return text + ("*" if found.over == QUESTIONS else "")


def epochs(group: Group) -> str:
    """Return the best and the kept epoch of a group, their means over its runs."""
    best, kept = (group.metrics.get(name) for name in ("best_epoch", "kept_epoch"))
    return "/".join("-" if found is None else f"{found.mean:.4g}" for found in (best, kept))


def _apart(table: Table) -> RenderableType:
    return Text("\n" + one_line(f"measured differently, not ranked with the above: {table.reason}"), style="bold")


def _shown_tables(comparison: Comparison) -> list[tuple[Table | None, Table | None]]:
    """What stands as a leaderboard, and whose verdicts follow; with --allow-mixed one board of all comes first."""
    if not comparison.options.allow_mixed or len(comparison.tables) < 2:
        return [(table, table) for table in comparison.tables]
    groups = [group for table in comparison.tables for group in table.groups]
    groups = ranked(groups, comparison.options.sort or comparison.options.metric)
    no_ranks = dict.fromkeys(group.name for group in groups)
    return [(Table(groups, [], None, None, no_ranks), None), *((None, table) for table in comparison.tables)]


def _leaderboard(table: Table, comparison: Comparison, limit: int | None) -> RenderableType:
    """Two narrow tables fit a terminal where one wide one does not: scores, then costs and flags."""
    metric = comparison.options.metric
    names = [name for name in _SHOWN if name != metric]
    is_tested = table.tested_metric == metric
    scores, costs = _plain_table(None), _plain_table(None)
    for board in (scores, costs):
        board.add_column("#", justify="right")
    scores.add_column("group", overflow="fold", min_width=20)
    scores.add_column("n", justify="right", no_wrap=True)
    scores.add_column(metric, justify="right", no_wrap=True)
    if is_tested:
        scores.add_column("rank", no_wrap=True)
        scores.add_column("verdict", no_wrap=True)
    for name in ("sd", *names):
        scores.add_column(name, justify="right", no_wrap=True)
    for title in ("best_f1", "null_threshold", *(title for title, _ in _COSTS)):
        costs.add_column(title, justify="right", no_wrap=True)
    costs.add_column("flags", overflow="fold")
    row = number_of(metric)
    for group in table.groups[:limit]:
        found = group.metrics.get(metric)
        number, style = str(group.number), "dim" if group.is_collapsed else ""
        judged = [str(table.places[group.name] or "-"), verdict(table, group, metric)] if is_tested else []
        scores.add_row(
            number,
            Text(one_line(group.name)),
            str(group.n),
            interval(found, row),
            *judged,
            row.shown(found.sd if found else None),
            *(_mean(group, name) for name in names),
            style=style,
        )
        numbers = [epochs(group) if name is None else _mean(group, name) for _, name in _COSTS]
        thresholds = (_mean(group, "best_f1"), _mean(group, "null_threshold"))
        costs.add_row(number, *thresholds, *numbers, Text(one_line(flags(group))), style=style)
    notes = list(_notes(table, comparison))
    if limit is not None and len(table.groups) > limit:
        notes.append(f"{len(table.groups) - limit} more groups: --csv, --json and --html have all")
    return Lines(scores, *(Text(one_line(note), style="dim") for note in notes), Text(""), costs)


def _notes(table: Table, comparison: Comparison) -> Iterator[str]:
    metric = comparison.options.metric
    found = [(group, group.metrics[metric]) for group in table.groups if metric in group.metrics]
    over = {one.over for _, one in found}
    if SEEDS in over:
        designs = dict.fromkeys(group.design.words for group, one in found if one.over == SEEDS)
        yield f"[low, high]: 95 % interval of the mean over seeds (t; {'; '.join(designs)})"
    if QUESTIONS in over:
        yield "* too few seeds: the interval is over questions alone and says nothing about other seeds"
    for group, one in found:
        if one.n < group.n:
            yield f"#{group.number}: {one.n} of its {group.n} runs have {metric}"
    for problem in dict.fromkeys(one.problem for _, one in found if one.problem):
        numbers = ", ".join(f"#{group.number}" for group, one in found if one.problem == problem)
        yield f"{numbers}: no interval: {problem}"
    if table.contrasts and table.tested_metric != metric:
        yield f"{metric} is not tested: the groups stand in the order of its means, without ranks"
    for group in table.groups:
        if group.is_collapsed:
            yield (
                f"#{group.number} collapsed: {group.silence}, where f1 is the share of questions without an answer: no "
                "rank and no verdict"
            )
    if comparison.options.allow_mixed and len(comparison.tables) > 1:
        yield "WARNING: --allow-mixed: these runs were not measured on the same thing, their order means nothing"
        for paths, reason in comparison.refused:
            yield f"  {reason}: {', '.join(str(path) for path in paths[:3])}{' ...' if len(paths) > 3 else ''}"
    for group in table.groups:
        for entry in group.entries:
            for note in entry.notes:
                yield f"{entry.run.path}: {note}"


def _verdicts(table: Table) -> list[RenderableType]:
    if not table.contrasts:
        return []
    first = table.contrasts[0]
    lines = [
        Text(""),
        Text(
            one_line(
                f"differences in {first.metric}, b - a; clusters: {table.unit}; "
                f"{_correction(first.num_contrasts)}; baseline: {table.baseline} ({table.baseline_reason})"
            ),
            style="bold",
        ),
    ]
    for contrast in table.contrasts[:MAX_CONTRASTS]:
        lines.append(Text(one_line(f"{contrast.b} against {contrast.a}: {contrast.sentence}")))
        lines.append(Text(one_line(f"  {factor(contrast)}"), style="dim"))
    if len(table.contrasts) > MAX_CONTRASTS:
        lines.append(Text(f"{len(table.contrasts) - MAX_CONTRASTS} more: --json and --html have all", style="dim"))
    return list(lines)


def _correction(num_contrasts: int) -> str:
    return f"Holm over {counted(num_contrasts, 'contrast')}" if num_contrasts else "none is tested"


def factor(contrast: Contrast) -> str:
    """Return what may have caused a difference."""
    causes = [*contrast.factors, *contrast.machines]
    if contrast.single_factor:
        return f"single-factor: {contrast.factors[0]}"
    return f"confounded: {', '.join(causes)}" if causes else "nothing in the config differs"


def _differences(table: Table, comparison: Comparison) -> list[RenderableType]:
    groups = table.by_number[:8]
    rows = config_differences(groups)
    if len(groups) < 2 or not rows or (len(rows) == 1 and len(groups[0].changes) == 1):
        rows = {}
    found: list[RenderableType] = []
    environment = environment_differences(groups, comparison.machines)
    for title, content in (("config: what differs", rows), ("machine, versions and code: what differs", environment)):
        if content:
            board = _plain_table(title)
            board.add_column("key")
            for group in groups:
                board.add_column(f"#{group.number}", overflow="fold")
            for key, values in list(content.items())[:MAX_DIFFERENCES]:
                board.add_row(Text(one_line(key)), *(Text(one_line(str(value))) for value in values))
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
    if rows or comparison.doubt:
        lines.append(Text(""))
    if comparison.doubt:
        lines.append(Text(one_line(comparison.doubt), style="bold"))
    lines += [Text(one_line(f"{path}: {reason}")) for path, reason in rows[:MAX_SKIPPED]]
    if len(rows) > MAX_SKIPPED:
        lines.append(Text(f"{len(rows) - MAX_SKIPPED} more: --json has all"))
    return lines


def _plain_table(title: str | None) -> RichTable:
    return RichTable(
        title=Text(one_line(title), style="bold") if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        padding=(0, 1, 0, 0),
    )


def _mean(group: Group, name: str) -> str:
    found = group.metrics.get(name)
    return number_of(name).shown(found.mean if found else None)
