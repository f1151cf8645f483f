"""What a terminal is told of a race: what a round decided, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.comparison.racing import ALIKE, BEST, EQUAL, MIN_SEEDS, TOO_FEW, Evidence, Standing
from qaexp.runs.metrics import number_of
from qaexp.storage.formats import counted
from qaexp.sweeps.race.course import BUDGET, FEW_CLUSTERS, LEFT, NOBODY, SEEDS, Course, Round, Rules


def announced(names: Sequence[str], num_seeds: int, rules: Rules) -> list[str]:
    """What is going to be raced."""
    limits = [
        f"{value:,g} {what}"
        for value, what in (
            (rules.budget_runs, "runs"),
            (rules.budget_steps, "steps"),
            (rules.budget_seconds, "seconds"),
        )
        if value is not None
    ]
    budget = f"; at most {', '.join(limits)}" if limits else ""
    return [
        f"race of {counted(len(names), 'configuration')} for {rules.metric} ({rules.better} is better): {MIN_SEEDS} "
        f"seeds each, then one more at a time for those that are left, at most {num_seeds}{budget}",
    ]


def round_lines(number: int, made: Round, course: Course) -> list[str]:
    """What a round decided."""
    runs = counted(made.spent.runs, "run")
    lines = [f"  {name} is set aside: {reason}" for name, reason in made.set_aside.items()]
    if made.standing is not None:
        standing = made.standing
        lines += [
            f"  {name} is dropped: {_told(standing.evidence[name], course.rules)} against {standing.leader}"
            for name in standing.dropped
        ]
        left = [name for name in standing.evidence if name not in standing.dropped]
        if left and standing.evidence[left[0]].p < 1:
            nearest = max(left, key=lambda name: standing.evidence[name].p)
            lines.append(
                f"  nearest to {standing.leader}: {nearest}, {_told(standing.evidence[nearest], course.rules)}"
            )
    return [f"round {number}: {made.num_seeds} seeds, {runs} so far; {_left(course, made.standing)}", *lines]


def end_lines(course: Course) -> list[str]:
    """How a race ended, and what there is to do where it is not decided; nothing while it goes on."""
    if course.end is None:
        return []
    rules, standing = course.rules, course.rounds[-1].standing
    spent, grid = course.spent.runs, len(course.names) * course.rounds[-1].num_seeds
    cost = f"{counted(spent, 'run')} (a grid with as many seeds: {grid})"
    way = "the same command tries failed runs again" if course.has_failed else "race.json says why"
    if course.end == NOBODY or standing is None:
        return [f"no best: all configurations are set aside: {way}; {cost}"]
    leader, others = standing.leader, [name for name in course.open if name != standing.leader]
    told = " and ".join(filter(None, (", ".join(others[:-1]), *others[-1:])))
    relevant = number_of(rules.metric).size(rules.relevant)
    undecided = f"not decided: {leader} leads, {told} {_is(others)} open"
    sentence = {
        BEST: f"best: {leader}; each other one is worse (risk of a wrongly dropped best: 5 %)",
        LEFT: f"{leader} alone is left, and is not held against those that are set aside: {way}",
        ALIKE: f"best within {relevant}: {leader}; {told} {_is(others)} not further away: choose by cost or simplicity",
        EQUAL: f"no best: {leader} and {told} score the same in each question with every seed: see whether what they "
        "differ in has any effect",
        TOO_FEW: f"no best: more seeds would hardly tell {leader} from {told}; it takes more dev questions",
        FEW_CLUSTERS: "no best: the dev questions come from too few texts for any statement; it takes more of them",
        BUDGET: f"{undecided}; the budget is spent: with a larger one it goes on",
        SEEDS: f"{undecided}; all seeds are used: with more of them it goes on",
    }[course.end]
    lines = [f"{sentence}; {cost}"]
    if len({len(course.runs_of(name)) for name in course.names}) > 1:
        lines.append("configurations that were dropped have fewer seeds than the others; race.json has the evidence")
    return lines


def _left(course: Course, standing: Standing | None) -> str:
    """Who is left after a round, the leader first."""
    if standing is None:
        return "nobody is left"
    num = len(standing.evidence) + 1 - len(standing.dropped)
    return f"{num} of {len(course.names)} left, {standing.leader} leads"


def _told(one: Evidence, rules: Rules) -> str:
    row = number_of(rules.metric)
    p = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
    return f"{row.signed(one.difference)} [{row.signed(one.low)}, {row.signed(one.high)}], {p} (level {one.level:.3g})"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
