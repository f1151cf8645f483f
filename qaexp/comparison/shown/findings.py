"""The findings of a comparison in one to three plain sentences and a next step, from its document alone.

Everything said here is in the document as numbers and verdicts; nothing is tested again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.group_tests import RUNS
from qaexp.comparison.shown.far_clauses import far_from_siblings
from qaexp.comparison.shown.first_table import FirstTable
from qaexp.comparison.shown.next_steps import next_step
from qaexp.comparison.shown.open_findings import why_open
from qaexp.comparison.shown.seed_findings import seeds_found
from qaexp.comparison.shown.winner_findings import winner_found
from qaexp.comparison.verdict import BETTER, WORSE
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.storage.formats import counted

Row = Mapping[str, Any]
_MAX_NAMES = 3


def findings(document: Row) -> list[str]:
    """Return the finding of a comparison, sentence by sentence; the last one says what to do next.

    Args:
        document: What `document` returns.

    Returns:
        Plain sentences about the first table: runs that were measured differently are only counted.
    """
    table = FirstTable(document)
    found = [_result(table), *why_open(table), *winner_found(table), *_which(table), *_no_skill(table)]
    found += [*_left_out(table), *_apart(table)]
    following = next_step(table)
    return [*(sentence for sentence in found if sentence), *([f"Next: {following}"] if following else [])]


def _result(table: FirstTable) -> str:
    """What the first table says, in one sentence."""
    if not table.groups:
        return "There is no completed run to compare."
    if not table.able:
        return _silent(table) if table.silent else f"No run has {table.metric}."
    if len(table.groups) == 1:
        return _single(table)
    if table.by in SEED_KEYS and len(table.able) > 1:
        return seeds_found(table)
    if len(table.able) == 1 and not table.silent:
        return f"Only {table.name(table.leader)} has {table.metric} ({table.shown(table.leader)}): nothing to compare."
    if not table.is_tested:
        return _untested(table)
    if len(table.able) == 1:
        return f"Only {table.name(table.leader)} answers in all of its runs: nothing can be compared with it."
    return _ranked(table)


def _silent(table: FirstTable) -> str:
    """The result if no group answers in all of its runs."""
    first = table.silent[0]
    if all(group["num_collapsed"] == group["n"] for group in table.silent):
        where = f"{table.name(first)}: {first['silence']}"
        told = f"Every setting answers nothing ({where})" if len(table.silent) > 1 else where
        return f"{told}; a score there is the share of questions without an answer, no skill."
    return f"No setting answers in all of its runs ({table.name(first)}: {first['silence']}), so there is no verdict."


def _single(table: FirstTable) -> str:
    group = table.leader
    told = f"{table.shown(group)}{table.interval(group)}"
    if group["n"] == 1:
        return f"There is one run, {table.name(group)}, with {table.metric} {told}: nothing to compare it with."
    both = "Both runs" if group["n"] == 2 else f"All {group['n']} runs"
    other = f"there is no other{' completed' if table.unfinished else ''}"
    if table.by is not None:
        return f"{both} have {table.name(group)}, with {table.metric} {told} on average: {other}{table.unfinished}."
    kind = "seeds of one setting" if group["design"].endswith("seeds") else "runs of one setting"
    means = f"with {table.metric} {told} on average{far_from_siblings(table, group)}"
    return f"{both} are {kind}, {means}: {other} setting{table.unfinished}."


def _untested(table: FirstTable) -> str:
    which = "lowest" if number_of(table.metric).better == LOWER else "highest"
    return (
        f"{table.name(table.leader)} has the {which} {table.metric} ({table.shown(table.leader)}), a number that is "
        "not tested: this says nothing about other runs."
    )


def _ranked(table: FirstTable) -> str:
    """The leader among groups that answer, and over whom it is shown to be better."""
    leader, rest = table.leader, table.able[1:]
    name, second = table.name(leader), table.second
    won = [other for other in rest if table.verdict(leader, other) == BETTER]
    open_ = [other for other in rest if other not in won]
    if not open_:
        over = f"than {table.name(second)}" if len(rest) == 1 else "than every other setting"
        next_best = "" if len(rest) == 1 else f", the next best being {table.name(second)}"
        return f"{name} is better {over}, by {table.lead(leader, second)}{next_best}{_these(table, second)}."
    if won:
        weaker = won[0] if table.baseline not in won else table.baseline
        told = f"the baseline {table.name(weaker)}" if weaker is table.baseline else table.name(weaker)
        lead = table.lead(leader, weaker)
        over = f"{told}, by {lead}" if len(won) == 1 else f"{told} (by {lead}) and than {_others(len(won) - 1)}"
        is_unknown = all(table.verdict(leader, other) is None for other in open_)
        rest_told = "it was not compared with" if is_unknown else "it is not shown to be better than"
        return (
            f"{name} is better than {over}{_these(table, weaker)}; {rest_told} {_listed(table, open_)}"
            f"{far_from_siblings(table, leader)}."
        )
    if any(table.verdict(a, b) in (BETTER, WORSE) for a in rest for b in rest if a is not b):
        return f"No setting is shown to be the best: {name} leads {table.name(second)} by {table.lead(leader, second)}."
    far = far_from_siblings(table, leader) or far_from_siblings(table, second)
    if table.difference(leader, second) == 0 or table.lead_is_nothing(leader, second):
        same = "the same" if table.difference(leader, second) == 0 else "nearly the same"
        far = far_from_siblings(table, leader, by_name=True) or far_from_siblings(table, second)
        return f"No setting is shown to be better: {name} and {table.name(second)} have {same} {table.metric}{far}."
    return f"No setting is shown to be better. {name} leads by {table.lead(leader, second)}{far}."


def _which(table: FirstTable) -> list[str]:
    """Which f1 the sentences mean, if the other f1 in the tables suggests something else."""
    if len(table.able) < 2 or not table.is_tested or not table.differs_from_official(table.leader, table.second):
        return []
    return [
        f"{table.word} is {table.metric} here, at thresholds that other questions set, not {table.word} at threshold 0."
    ]


def _no_skill(table: FirstTable) -> list[str]:
    """A warning if the best setting scores hardly more than answering nothing would."""
    if not table.able or not table.lacks_skill(table.leader):
        return []
    nothing = f"answering nothing at all, which gives {table.leader['share_no_ans']:.1f}"
    if len(table.groups) == 1:
        return [f"That is less than {table.skill} above {nothing}."]
    return [f"No setting is {table.skill} or more above {nothing}."]


def _left_out(table: FirstTable) -> list[str]:
    """Groups that answer nothing, beside others that answer."""
    silent = table.silent if table.able else []
    if not silent:
        return []
    first = silent[0]
    have = "has" if len(silent) == 2 else "have"
    more = f"; nor {have} {counted(len(silent) - 1, 'more setting')}" if len(silent) > 1 else ""
    return [f"{table.name(first)} has no verdict: {first['silence']}{more}."]


def _apart(table: FirstTable) -> list[str]:
    found = table.apart
    if not found:
        return []
    (reason, number), *others = found.items()
    more = f"; {counted(sum(others_n for _, others_n in others), 'more run')} for other reasons" if others else ""
    are = "is" if number == 1 else "are"
    return [f"{counted(number, 'run')} {are} listed separately, measured differently: {reason}{more}."]


def _these(table: FirstTable, second: Row) -> str:
    """A reminder that a verdict between single runs is about these runs only."""
    pair = table.between(table.leader, second)
    return " in these runs; other seeds may give another result" if pair is not None and pair["kind"] == RUNS else ""


def _listed(table: FirstTable, groups: Sequence[Row]) -> str:
    names = [table.name(group) for group in groups[:_MAX_NAMES]]
    if len(groups) > _MAX_NAMES:
        return f"{', '.join(names)} and {_others(len(groups) - _MAX_NAMES)}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _others(number: int) -> str:
    return f"{number} other{'' if number == 1 else 's'}"
