"""A comparison as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from qaexp.comparison.diff import config_differences, environment_differences
from qaexp.comparison.estimates import QUESTIONS, SEEDS, Estimate
from qaexp.comparison.flips import FLIP_WORDS, Flip
from qaexp.comparison.groups import Group, ranked
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.sets import each_over_sets
from qaexp.comparison.shown.columns import Column, fitted, keyed_lines, lines
from qaexp.comparison.shown.contrast_lines import factor, verdict_lines
from qaexp.comparison.shown.document import beside, flags, verdict
from qaexp.comparison.shown.sets_table import sets_lines
from qaexp.runs.metrics import ASIDE, BOARD, COSTS, number_of, side_by_side
from qaexp.runs.number import Number
from qaexp.runs.short_words import value_text
from qaexp.storage.formats import counted, one_line

__all__ = ["epochs", "factor", "flip_lines", "interval", "terminal"]

MAX_SKIPPED = 20
MAX_DIFFERENCES = 12
MAX_NOTES = 12
_SCORES = side_by_side(BOARD)
# If there is no room, columns are dropped in this order.
_LEAVING = (*_SCORES[::-1], "sd", "rank")
# The two epochs share a column.
_COSTS = {
    "best/kept epoch": None,
    **{number_of(name).short: name for name in side_by_side(COSTS) if number_of(name).short},
}


def terminal(comparison: Comparison, *, limit: int | None = None, width: int | None = None) -> RenderableType:
    """Return what the command prints below the finding: a table for each set of runs measured alike, and the rest.

    Args:
        comparison: What was found.
        limit: The most rows of a table; None: all.
        width: Of the terminal, in characters; None: no limit, as in a pipe.
    """
    parts: list[RenderableType] = [Text(one_line(note), style="bold") for note in comparison.notes]
    sets = {id(table): found for table, found in each_over_sets(comparison)}
    for board, table in _shown_tables(comparison):
        if board is not None and board.reason:
            parts.append(_apart(board))
        parts += [_leaderboard(board, comparison, limit, width)] if board is not None else []
        if table is not None:
            parts += [_apart(table)] if board is None and table.reason and table.contrasts else []
            parts += verdict_lines(table, width)
            parts += sets_lines(table, sets[id(table)], limit, width) if id(table) in sets else []
            parts += _differences(table, comparison, width)
    parts += _rest(comparison)
    return Lines(*parts)


def flip_lines(found: Sequence[Flip], a: str, b: str) -> list[Text]:
    """Return some flips for a terminal: the question, and below it what is right and what both groups answer."""
    parts = [Text(""), Text(one_line(f"flips: A is {a}, B is {b}"), style="bold")]
    for flip in found:
        gold = " | ".join(flip.golds) or "(none)"
        head = f"{FLIP_WORDS[flip.kind]}, f1 {flip.a_f1:.0f} → {flip.b_f1:.0f}: {flip.question}"
        parts.append(Text(one_line(head)))
        parts.append(Text(one_line(f"  gold: {gold}  A: {flip.a or '(none)'}  B: {flip.b or '(none)'}"), style="dim"))
    return parts


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
    return Text("\n" + one_line(f"not comparable with the table above: {table.reason}"), style="bold")


def _shown_tables(comparison: Comparison) -> list[tuple[Table | None, Table | None]]:
    """The leaderboards, and the tables whose verdicts follow; with --allow-mixed one board of all comes first."""
    if not comparison.options.allow_mixed or len(comparison.tables) < 2:
        return [(table, table) for table in comparison.tables]
    groups = [group for table in comparison.tables for group in table.groups]
    groups = ranked(groups, comparison.options.sort or comparison.options.metric)
    no_ranks = dict.fromkeys(group.name for group in groups)
    return [(Table(groups, [], None, None, no_ranks), None), *((None, table) for table in comparison.tables)]


def _leaderboard(table: Table, comparison: Comparison, limit: int | None, width: int | None) -> RenderableType:
    """The scores, then costs and flags: two narrow tables fit a terminal where one wide one does not."""
    groups = table.groups[:limit]
    styles = ["dim" if group.is_collapsed else "" for group in groups]
    scores, missing = fitted(_score_columns(table, groups, comparison.options.metric), width)
    notes = list(_notes(table, groups, comparison))
    if missing:
        notes.append(f"no room here for {', '.join(missing)}: a wider terminal, --csv and --html have all")
    if limit is not None and len(table.groups) > limit:
        more = counted(len(table.groups) - limit, "more group")
        notes.append(f"{more}; --all shows all, --csv, --json and --html have all")
    below = [Text(one_line(note), style="dim") for note in notes]
    costs = _cost_lines(groups, styles, width)
    return Lines(*lines(scores, styles), *below, *([Text(""), *costs] if costs else []))


def _score_columns(table: Table, groups: Sequence[Group], metric: str) -> list[Column]:
    row = number_of(metric)
    found = [group.metrics.get(metric) for group in groups]
    columns = [
        Column("#", [str(group.number) for group in groups]),
        Column("group", [one_line(group.name) for group in groups], is_text=True, is_flexible=True),
    ]
    is_tested = table.tested_metric == metric
    if is_tested:
        columns.append(Column("verdict", [verdict(table, group, metric) for group in groups], is_text=True))
    columns.append(Column("n", [str(group.n) for group in groups]))
    columns.append(Column(metric, [interval(one, row) for one in found]))
    if is_tested:
        ranks = [str(table.places[group.name] or "-") for group in groups]
        columns.append(Column("rank", ranks, rank=_LEAVING.index("rank")))
    columns.append(Column("sd", [row.shown(one.sd if one else None) for one in found], rank=_LEAVING.index("sd")))
    names = beside(groups, metric)
    return columns + [
        Column(name, [_mean(group, name) for group in groups], rank=_LEAVING.index(name)) for name in names
    ]


def _cost_lines(groups: Sequence[Group], styles: Sequence[str], width: int | None) -> list[Text]:
    columns = [Column(name, [_mean(group, name) for group in groups]) for name in side_by_side(ASIDE)]
    for place, (title, name) in enumerate(_COSTS.items()):
        cells = [epochs(group) if name is None else _mean(group, name) for group in groups]
        columns.append(Column(title, cells, rank=len(_COSTS) - place))
    if all(group.program is not None for group in groups):
        # What other programs' results cost is not known: columns without any number say nothing of them.
        columns = [column for column in columns if not set(column.cells) <= {"-", "-/-"}]
    raised = [one_line(flags(group)) for group in groups]
    told = [Text(f"#{group.number} flags: {words}") for group, words in zip(groups, raised, strict=True) if words]
    if not columns:
        return told
    columns.insert(0, Column("#", [str(group.number) for group in groups]))
    wide = Column("flags", raised, is_text=True)
    if any(raised) and (width is None or sum(one.width + 1 for one in (*columns, wide)) <= width + 1):
        return lines([*columns, wide], styles)
    shown, missing = fitted(columns, width)
    more = [Text(f"no room here for {', '.join(missing)}", style="dim")] if missing else []
    return [*lines(shown, styles), *more, *told]


def _notes(table: Table, shown: Sequence[Group], comparison: Comparison) -> Iterator[str]:
    """What to know of a table, of its groups only of those that are shown."""
    metric = comparison.options.metric
    found = [(group, group.metrics[metric]) for group in table.groups if metric in group.metrics]
    over = {one.over for _, one in found}
    if SEEDS in over:
        designs = dict.fromkeys(group.design.words for group, one in found if one.over == SEEDS)
        yield f"[low, high]: 95 % interval of the mean over seeds (t; {'; '.join(designs)})"
    if QUESTIONS in over:
        yield "* too few seeds: the interval is over questions alone and says nothing about other seeds"
    for group in shown:
        yield from (f"#{group.number}: {words}" for words in group.gaps((metric, *_SCORES)))
    for problem in dict.fromkeys(one.problem for _, one in found if one.problem):
        numbers = ", ".join(f"#{group.number}" for group, one in found if one.problem == problem)
        yield f"{numbers}: no interval: {problem}"
    if table.contrasts and table.tested_metric != metric:
        yield f"{metric} is not tested: the groups are in the order of its means, without ranks"
    for silence in dict.fromkeys(group.silence for group in table.groups if group.silence):
        numbers = ", ".join(f"#{group.number}" for group in table.groups if group.silence == silence)
        yield (
            f"{numbers} collapsed: {silence}, where f1 is the share of questions without an answer: no rank and no "
            "verdict"
        )
    if comparison.options.allow_mixed and len(comparison.tables) > 1:
        yield "WARNING: --allow-mixed: these runs were not measured alike; their order means nothing"
        for paths, reason in comparison.refused:
            told = comparison.source.told(", ".join(str(path) for path in paths[:3]))
            yield f"  {reason}: {told}{' ...' if len(paths) > 3 else ''}"
    notes = [f"{entry.run.path}: {note}" for group in table.groups for entry in group.entries for note in entry.notes]
    yield from map(comparison.source.told, notes[:MAX_NOTES])
    if len(notes) > MAX_NOTES:
        yield f"{len(notes) - MAX_NOTES} more of these: --json has all"


def _differences(table: Table, comparison: Comparison, width: int | None) -> list[RenderableType]:
    groups = table.by_number[:8]
    rows = config_differences(groups)
    if len(groups) < 2 or _is_in_names(rows, groups):
        rows = {}
    found: list[RenderableType] = []
    environment = environment_differences(groups, comparison.machines)
    heads = [f"#{group.number}" for group in groups]
    for title, content in (("config: what differs", rows), ("machine, versions and code: what differs", environment)):
        if content:
            cells = [(key, [_cell(value) for value in values]) for key, values in content.items()]
            found += [Text(""), *keyed_lines(title, cells[:MAX_DIFFERENCES], heads, width)]
            if len(content) > MAX_DIFFERENCES:
                found.append(Text(f"{len(content) - MAX_DIFFERENCES} more keys: --html has all", style="dim"))
    return found


def _is_in_names(rows: Mapping[str, Any], groups: Sequence[Group]) -> bool:
    """Whether one key alone differs, and every name says its value; names that were given to runs say none."""
    words = [f"{key.rpartition('.')[2]}=" for key in rows]
    return len(words) == 1 and all(words[0] in group.name for group in groups)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else value_text(value)


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
    lines += [Text(one_line(comparison.source.told(f"{path}: {reason}"))) for path, reason in rows[:MAX_SKIPPED]]
    if len(rows) > MAX_SKIPPED:
        lines.append(Text(f"{len(rows) - MAX_SKIPPED} more: --json has all"))
    return lines


def _mean(group: Group, name: str) -> str:
    found = group.metrics.get(name)
    return number_of(name).shown(found.mean if found else None)
