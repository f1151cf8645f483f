"""Verdicts as a terminal shows them: groups by number, the contrasts that matter first, at most 30 lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.groups import PROGRAM
from qaexp.comparison.result import Table
from qaexp.comparison.statistics.chances import MODEL
from qaexp.comparison.verdict import BETTER, COLLAPSED, WORSE
from qaexp.storage.formats import counted, one_line

# Maximum number of lines of contrasts; the page has all.
MAX_LINES = 30

# Maximum number of collapsed groups that are named; the table and the page have all.
MAX_COLLAPSED = 4

_WIDE = 200


def verdict_lines(table: Table, width: int | None) -> list[Text]:
    """The contrasts of a table: those with the baseline, and that of the two best groups.

    Args:
        table: The table.
        width: Of the terminal, by which lines are counted; None: no limit.
    """
    if not table.contrasts:
        return []
    first, baseline = table.contrasts[0], table.group(table.baseline or "")
    head = (
        f"difference in {first.metric}, the first minus the second; {_told_p(first.num_contrasts)}; "
        f"{_told_chances(table)}clusters of questions: {table.unit}"
    )
    told = f"baseline, against which the table's verdicts are: #{baseline.number} {baseline.name}"
    told += f" ({table.baseline_reason})"
    found = [Text(""), Text(head, style="bold"), Text(one_line(told), style="bold")]
    several = [one for one in _of_interest(table) if one.verdict != COLLAPSED]
    collapsed = [one for one in table.contrasts if one.verdict == COLLAPSED]
    is_one_cause = len(several) > 1 and len({factor(contrast) for contrast in several}) == 1
    used, shown = 0, 0
    for contrast in several:
        line = f"#{table.group(contrast.b).number} against #{table.group(contrast.a).number}: {contrast.sentence}"
        texts = [Text(one_line(line)), *([] if is_one_cause else [Text(one_line(f"  {factor(contrast)}"), "dim")])]
        needed = sum(-(-len(text.plain) // (width or _WIDE)) for text in texts)
        if used + needed >= MAX_LINES:
            break
        used, shown = used + needed, shown + 1
        found += texts
    if is_one_cause:
        found.append(Text(one_line(f"each time {factor(several[0])}"), style="dim"))
    if collapsed:
        found.append(Text(one_line(_not_compared(table, collapsed))))
    left = len(table.contrasts) - shown - len(collapsed)
    if left:
        found.append(Text(f"{left} more on the page (--html FILE)", style="dim"))
    return found


def _told_chances(table: Table) -> str:
    """What a P in the sentences is; nothing where there is none."""
    is_given = any(one.tests[one.metric].chances is not None for one in table.contrasts)
    return f"P: how probable, by a {MODEL}; no verdict depends on it; " if is_given else ""


def _not_compared(table: Table, collapsed: Sequence[Contrast]) -> str:
    """One line for all contrasts that have no verdict because a group answers nothing."""
    in_contrasts = {name for one in collapsed for name in (one.a, one.b)}
    groups = [group for group in table.by_number if group.is_collapsed and group.name in in_contrasts]
    names = ", ".join(f"#{group.number} {group.name}" for group in groups[:MAX_COLLAPSED])
    more = f" and {len(groups) - MAX_COLLAPSED} more" if len(groups) > MAX_COLLAPSED else ""
    runs = "has a run that answers" if len(groups) == 1 else "have runs that answer"
    return (
        f"{COLLAPSED}: {names}{more} {runs} nothing, where a score is the share of questions without an answer: no "
        f"verdict in {counted(len(collapsed), 'contrast')}"
    )


def factor(contrast: Contrast) -> str:
    """Return what may have caused a difference."""
    if PROGRAM in contrast.changed:
        return "whole programs: what differs between them is not recorded"
    causes = [*contrast.factors, *contrast.machines]
    if contrast.single_factor:
        return f"only {contrast.factors[0]} differs"
    if not causes:
        return "nothing in the config differs"
    if (choice := _only_choice(contrast)) is not None and not contrast.machines:
        return f"only the choice of {choice} differs, and with it {', '.join(causes)}"
    if len(causes) == 1:
        return f"no setting differs, but {causes[0]} does: the cause is unclear"
    return f"several keys differ ({', '.join(causes)}): the cause is unclear"


def _only_choice(contrast: Contrast) -> str | None:
    """The config group whose choice is the only difference between two names, which name every key it did not bring."""
    one, other = set(contrast.a.split()), set(contrast.b.split())
    apart = [*(one - other), *(other - one)]
    keys = {word.partition("=")[0] for word in apart if "=" in word}
    if len(apart) != 2 or len(keys) != 1 or not all("=" in word for word in apart):
        return None
    (key,) = keys
    is_key = any(changed == key or changed.endswith(f".{key}") for changed in contrast.changed)
    return None if is_key else key


def _of_interest(table: Table) -> Sequence[Contrast]:
    """The best group against the second and against the first that it beats; then the baseline's contrasts."""
    able = [group.name for group in table.by_number if not group.is_collapsed]
    rivals = able[1:2] + [name for name in able[2:] if _is_better(table, able[0], name)][:1]
    ours = [one for one in table.contrasts if one.a == table.baseline]
    ours.sort(key=lambda one: table.group(one.b).number)
    pairs = [{able[0], rival} for rival in rivals]
    top = [one for one in table.contrasts if one not in ours and {one.a, one.b} in pairs]
    return [*top, *ours]


def _is_better(table: Table, one: str, other: str) -> bool:
    """Whether a group is shown to be better than another."""
    won = {(one, other): WORSE, (other, one): BETTER}
    return any(won.get((found.a, found.b)) == found.verdict for found in table.contrasts)


def _told_p(num_contrasts: int) -> str:
    return f"p after Holm correction for {counted(num_contrasts, 'contrast')}" if num_contrasts else "nothing is tested"
