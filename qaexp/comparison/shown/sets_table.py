"""Evaluation sets as a terminal shows them: a column each, the interquartile mean, who is likely to be better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from qaexp.comparison.result import Table
from qaexp.comparison.sets import Interval, OverSets, Pair
from qaexp.comparison.shown.columns import Column, fitted, lines
from qaexp.runs.metrics import NUMBERS, number_of
from qaexp.storage.formats import counted, one_line

# Pairs that are printed; the page has all.
MAX_PAIRS = 10


def sets_lines(table: Table, sets: OverSets, limit: int | None, width: int | None) -> list[Text]:
    """The lines about the evaluation sets of a table.

    Args:
        table: The table.
        sets: What its groups reach.
        limit: The most rows; None: all.
        width: Of the terminal; None: no limit.
    """
    shown = sets.groups[:limit]
    columns = [
        Column("#", [str(one.group.number) for one in shown]),
        Column("group", [one_line(one.group.name) for one in shown], is_text=True, is_flexible=True),
        Column("n", [str(one.group.n) for one in shown], rank=0),
        Column("IQM", [with_ends(one.iqm, sets.score) for one in shown]),
    ]
    columns += [
        Column(name, [number_of(sets.score).shown(one.means[name]) for one in shown], rank=len(sets.names) - place)
        for place, name in enumerate(sets.names)
    ]
    kept, missing = fitted(columns, width)
    styles = ["dim" if one.group.is_collapsed else "" for one in shown]
    found = [Text(""), Text(heading(sets), style="bold"), *lines(kept, styles)]
    notes = list(set_notes(sets))
    if missing:
        notes.append(f"no room here for {', '.join(missing)}: a wider terminal, --csv and --html have all")
    found += [Text(one_line(note), style="dim") for note in notes]
    return [*found, *_pair_lines(table, sets.pairs)]


def heading(sets: OverSets) -> str:
    """What the table of sets is over."""
    unit = NUMBERS[sets.score].unit
    over = f"{sets.score} in percent" if unit == "%" else f"{sets.score} in {unit}"
    return f"{counted(len(sets.names), 'evaluation set')}, {over}; IQM over {_over(sets)}"


def set_notes(sets: OverSets) -> Iterator[str]:
    """What a reader must know of the sets: what an interval is over, what was left out, and why numbers are missing."""
    if any(one.iqm is not None and one.iqm.low is not None for one in sets.groups):
        yield "[low, high]: 95 % interval over seeds, on these very sets (bootstrap of seeds with all their sets, t)"
    if 0 < max(one.scores.size for one in sets.groups) < 4:
        yield "of fewer than four scores the interquartile mean is the mean"
    for problem in dict.fromkeys(one.iqm.problem for one in sets.groups if one.iqm and one.iqm.problem):
        yield f"{_numbers(sets, problem)}: no interval: {problem}"
    silent = [f"#{one.group.number}" for one in sets.groups if one.group.is_collapsed]
    if silent:
        yield f"{', '.join(silent)} collapsed: no IQM where a run answers nothing on the dev questions"
    without = [f"#{one.group.number}" for one in sets.groups if not one.scores.size and not one.group.is_collapsed]
    if without and sets.counted:
        yield f"{', '.join(without)}: no evaluation set"
    for name, reason in sets.left_out.items():
        yield f"{name} is in no IQM: {reason}"


def with_ends(found: Interval | None, score: str) -> str:
    """An interquartile mean with its interval."""
    row = number_of(score)
    if found is None or found.low is None or found.high is None:
        return row.shown(found.value if found else None)
    return f"{row.shown(found.value)} [{row.shown(found.low)}, {row.shown(found.high)}]"


def probability(found: Interval) -> str:
    """A probability of improvement with its interval.

    >>> probability(Interval(0.875, 0.5, 0.98)), probability(Interval(1.0))
    ('0.88 [0.50, 0.98]', '1.00')
    """
    ends = "" if found.low is None or found.high is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}{ends}"


def pair_problems(pairs: Sequence[Pair]) -> list[str]:
    """Why probabilities of improvement have no interval, each reason once."""
    return list(dict.fromkeys(pair.improvement.problem for pair in pairs if pair.improvement.problem))


def _over(sets: OverSets) -> str:
    """What the interquartile means are over: sets, and seeds where all groups have the same number of them."""
    if not sets.counted:
        return "no set"
    seeds = {len(one.scores) for one in sets.groups if one.iqm is not None}
    words = counted(len(sets.counted), "set")
    return f"{words} x {counted(seeds.pop(), 'seed')}" if len(seeds) == 1 else f"{words} and seeds"


def _numbers(sets: OverSets, problem: str | None) -> str:
    return ", ".join(f"#{one.group.number}" for one in sets.groups if one.iqm and one.iqm.problem == problem)


def _pair_lines(table: Table, pairs: Sequence[Pair]) -> list[Text]:
    """The pairs with the baseline first; the page has all."""
    if not pairs:
        return []
    ordered = sorted(pairs, key=lambda pair: (pair.a != table.baseline, table.group(pair.b).number))
    head = "probability of improvement (a run of B is better than one of A on the same set)"
    found = [Text(head, style="bold")]
    for pair in ordered[:MAX_PAIRS]:
        a, b = table.group(pair.a), table.group(pair.b)
        found.append(Text(f"#{b.number} against #{a.number}: {probability(pair.improvement)}"))
    found += [Text(f"no interval: {problem}", style="dim") for problem in pair_problems(pairs)]
    left = len(pairs) - MAX_PAIRS
    return [*found, *([Text(f"{left} more on the page (--html FILE)", style="dim")] if left > 0 else [])]
