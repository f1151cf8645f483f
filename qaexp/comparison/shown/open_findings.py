"""Why the leader of a table is not shown to be better than the group behind it, and what would tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.comparison.group_tests import ONE_SEED, RUNS
from qaexp.comparison.shown.far_clauses import far_seed
from qaexp.comparison.shown.first_table import FirstTable
from qaexp.comparison.statistics.power import MOST_SEEDS, MOST_TIMES
from qaexp.comparison.verdict import BETTER, EQUIVALENT, WORSE, looked_before
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.storage.formats import counted

Row = Mapping[str, Any]


def why_open(table: FirstTable) -> list[str]:
    """Why the leader is not shown to be better than the one behind it; what would have been found."""
    if not table.is_tested or len(table.able) < 2 or table.by in SEED_KEYS:
        return []
    pair = table.pair()
    if pair is None or pair["verdict"] in (BETTER, WORSE):
        before = pair["earlier_looks"] if pair is not None and table.is_fixed else []
        looks = looked_before([(a, b) for a, b in before]).removeprefix("; ")
        return [f"They were {looks}."] if looks else []
    tested = pair[pair["metric"]]
    reach = tested["minimum_detectable"]
    if pair["verdict"] == EQUIVALENT:
        return [_equivalent(table, pair)]
    if pair["kind"] == ONE_SEED:
        single = next((group for group in table.groups_of(pair) if group["n"] == 1), table.leader)
        why = "is of a program whose seeds are not known" if single["program"] else "has a single seed"
        return [f"Too few seeds to tell: {table.name(single)} {why}."]
    if reach is None:
        return [f"It cannot be told: {_reason(pair)}."]
    if pair["kind"] == RUNS and any(group["program"] for group in table.groups_of(pair)):
        return [f"As they are, they can be told apart from {table.points(reach)} on."]
    if pair["kind"] == RUNS:
        return [f"Each has a single seed: as two runs they can be told apart from {table.points(reach)} on."]
    few = "Too few seeds to tell: this" if table.helps(pair) else _few_questions(table, pair)
    able = f"{table.points(reach)} or more" if table.can_differ(reach) else "no difference at all"
    return [f"{few} comparison can detect {able} (80 % power){_more(table, pair)}.", *_spread_of_others(table, pair)]


def _equivalent(table: FirstTable, pair: Row) -> str:
    """That the leader and the group behind it are equivalent; of two runs, that it is said of them alone."""
    both = f"{table.name(table.leader)} and {_other(table, pair)}"
    ruled_out = f"a difference of {table.relevant} or more is ruled out"
    if pair["kind"] == RUNS:
        return f"As two runs {both} are equivalent: {ruled_out}; other seeds may give another result."
    return f"{both} are equivalent: {ruled_out}."


def _spread_of_others(table: FirstTable, pair: Row) -> list[str]:
    """That a seed of a third group widens the interval: what seeds do is estimated from all groups of the table."""
    others = [group for group in table.able if group["name"] not in (pair["a"], pair["b"])]
    far = [told for group in others if (told := far_seed(table, group, f"{table.name(group)}'s"))]
    return [f"Besides, {far[0]}: that widens every interval."] if far else []


def _more(table: FirstTable, pair: Row) -> str:
    """What would tell: more seeds, more questions, or neither alone."""
    tested = pair[pair["metric"]]
    if not tested["minimum_detectable_with_more_seeds"]:
        return ""
    seeds, questions = tested["more_seeds_needed"], tested["questions_needed"]
    if seeds is not None:
        settled = f"whether it is better than {_other(table, pair)}, or equivalent"
        return f"; {counted(seeds, 'more seed')} of each would tell {settled}"
    if questions is not None:
        return f"; no number of seeds will tell, about {questions:,} questions would"
    if tested["both_would_tell"]:
        return "; neither more seeds nor more questions alone will tell"
    return f"; not even {MOST_SEEDS} more seeds of each and {MOST_TIMES} times as many questions would tell"


def _other(table: FirstTable, pair: Row) -> str:
    """The group that the leader is held against."""
    return next(table.name(group) for group in table.groups_of(pair) if group is not table.leader)


def _few_questions(table: FirstTable, pair: Row) -> str:
    """The beginning of the sentence where seeds alone do not help."""
    return "Too few questions to tell: this" if pair[pair["metric"]]["questions_needed"] is not None else "This"


def _reason(pair: Row) -> str:
    """Why there is no test, from the end of the contrast's own sentence."""
    return str(pair["sentence"]).rpartition("; ")[2]
