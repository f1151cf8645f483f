"""What to do after a comparison: look at a seed, run more of them, or use what was found."""

from __future__ import annotations

import math

from qaexp.comparison.group_tests import ONE_SEED, RUNS, TOO_FEW_CLUSTERS
from qaexp.comparison.shown.first_table import FirstTable, Row
from qaexp.comparison.shown.next_command import seeds_of, with_seeds
from qaexp.comparison.verdict import CANNOT_TELL, EQUIVALENT, NOTHING_TO_TEST
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER, is_number
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.runs.score_intervals import MIN_CLUSTERS

USUAL_SEEDS = 5


def next_step(table: FirstTable) -> str | None:
    """Return what to do next, in words that follow "Next:"; None if there is no advice."""
    if not table.groups:
        return "qaexp status shows what the folders hold."
    if not table.able or (table.groups and table.lacks_skill(table.leader)):
        return "a smaller learning rate, more steps or more training examples; see docs/answers_nothing.md."
    if len(table.groups) == 1:
        return _of_one(table)
    if not table.is_tested:
        return "--metric f1 (or another score of the questions) tests the groups against each other."
    if len(table.able) == 1:
        return "look at the runs that answer nothing; docs/answers_nothing.md explains why they do."
    if table.by in SEED_KEYS:
        return "choose none of them; expect this spread of new seeds, and hold another setting with several against it."
    if table.contradicted_by is not None:
        told = f"--metric {table.contradicted_by} compares all settings on the latter"
        return f"do not use {table.name(table.leader)} yet: dev and test questions disagree; {told}."
    pair = table.pair()
    unsettled = table.open_pair()
    about = table.groups_of(pair) if pair is not None else table.able
    if pair is not None and pair["sentence"].endswith(NOTHING_TO_TEST):
        return "see whether what they differ in has any effect: they score the same everywhere."
    if pair is not None and pair["sentence"].endswith(TOO_FEW_CLUSTERS):
        return f"dev questions about at least {MIN_CLUSTERS} texts; more seeds do not help."
    if any(group["program"] for group in about):
        if any(group["n"] > 1 for group in about):
            return "give one run instead of several seeds: seeds of another program are not known."
        return "more questions tell smaller differences apart; seeds of another program are not known."
    if pair is not None and pair["kind"] in (RUNS, ONE_SEED):
        return _more_seeds(table, USUAL_SEEDS)
    if unsettled is None:
        return _use(table)
    if unsettled["verdict"] == EQUIVALENT:
        return _choose(table, unsettled)
    return _after_cannot_tell(table, unsettled)


def _of_one(table: FirstTable) -> str:
    (group,) = table.groups
    if table.apart:
        return "compare runs that answered the same questions; qaexp evaluate RUN scores a run's model on any file."
    if group["n"] > 1 and table.by is None:
        return "--by seed compares them with each other; a second setting needs another value of a key."
    return "give the folder of another run as well."


def _use(table: FirstTable) -> str:
    """Use the run that `qaexp best` names too: of equally good ones, the first that was started."""
    runs = [run for run in table.runs(table.leader) if not run["is_collapsed"]]
    best = min(runs, key=lambda run: (_worst_last(table, run), run["started"], run["path"]))
    return f"use it; its best run is {best['name']}: {best['path']}"


def _choose(table: FirstTable, pair: Row) -> str:
    """Choose between two that are equivalent; whether the leader is better than a third one may still be open."""
    other = next((one for one in table.open_pairs() if one["verdict"] == CANNOT_TELL), None)
    if other is None:
        return "choose by cost or by simplicity."
    (third,) = [group for group in table.groups_of(other) if group is not table.leader]
    (second,) = [group for group in table.groups_of(pair) if group is not table.leader]
    both = f"{table.name(table.leader)} and {table.name(second)}"
    told = f"choose between {both} by cost or by simplicity. {table.name(third)} is open"
    enough = table.enough_seeds(other)
    return f"{told}: {_more_seeds(table, _most(table, other) + enough)}" if enough is not None else f"{told}."


def _most(table: FirstTable, pair: Row) -> int:
    """The seeds of that group of a contrast which has more of them: both are to have so many more."""
    return max(int(group["n"]) for group in table.groups_of(pair))


def _worst_last(table: FirstTable, run: Row) -> float:
    value = (run["summary"] or {}).get(table.metric)
    sign = 1.0 if number_of(table.metric).better == LOWER else -1.0
    return sign * round(float(value), 9) if is_number(value) else math.inf


def _after_cannot_tell(table: FirstTable, pair: Row) -> str:
    look, about = "", table.groups_of(pair)
    for group in [*about, *(group for group in table.able if group not in about)]:
        found = table.far(group)
        if found is not None:
            look = f"look at {found[0]['name']}"
            break
    reached = table.enough_seeds(pair)
    if reached is not None:
        return (f"{look} first; then " if look else "") + _more_seeds(table, _most(table, pair) + reached)
    if look:
        return f"{look}: a mean over seeds hides such a run, and its spread hides what settings do."
    tested = pair[pair["metric"]]
    if tested["questions_needed"] is not None:
        return f"about {tested['questions_needed']:,} dev questions; no number of seeds will settle this."
    if not tested["both_would_tell"]:
        return "a training whose seeds differ less, or settings that differ more."
    if _most(table, pair) < USUAL_SEEDS:
        return f"more of both are needed; first {_more_seeds(table, USUAL_SEEDS)}"
    return "more seeds and more dev questions together, or settings that differ more."


def _more_seeds(table: FirstTable, number: int) -> str:
    """Run more seeds; for a planned look it is part of the advice that their number comes first."""
    runs = [run for group in table.able for run in table.runs(group)]
    seeds = seeds_of(runs, number)
    number, command = len(seeds), with_seeds(runs, seeds)
    typed = f": {command}" if command else f", with seed={','.join(map(str, seeds))}"
    if not table.is_fixed:
        return f"run {number} seeds of each setting; you may compare as often as you like on the way{typed}"
    why = "adding seeds until something shows finds it by chance"
    return f"run {number} seeds of each setting, and compare once all are complete ({why}){typed}"
