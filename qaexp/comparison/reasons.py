"""What is said about two groups besides numbers: what the test observes, possible causes, why there is no test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.comparison.group_tests import NO_PAIR, ONE_SEED, RUNS, SAME_SEEDS
from qaexp.comparison.groups import Group
from qaexp.comparison.guard import changed_keys, factors
from qaexp.comparison.observations import Design

NO_SEED_IS_BETTER = "what differs between seeds is chance, so none is better than another, and none has a rank"


def how(kind: str, a: Design, b: Design) -> str:
    """What a test takes as observations, in words.

    >>> from qaexp.comparison.observations import design
    >>> three = design([(0,) * 4, (1,) * 4, (2,) * 4])
    >>> how("same seeds", three, three)
    'paired by seed'
    """
    settings = f"; each the mean of {a.num_settings} other settings" if a.num_settings > 1 else ""
    if kind == RUNS and settings:
        return f"one seed each: about these seeds, not about other ones{settings}"
    if kind == RUNS:
        return "two runs: about these two, not about other seeds"
    if kind == ONE_SEED:
        return f"one side has a single seed: questions only, not about other seeds{settings}"
    fixed = [name for name in a.fixed if name in b.fixed]
    told = f"; nothing about other values of {', '.join(fixed)}" if fixed else ""
    if kind == SAME_SEEDS:
        return f"paired by {a.words if a.is_crossed else ' and '.join(a.kinds)}{settings}{told}"
    crossed = f" ({a.words} against {b.words})" if a.is_crossed or b.is_crossed else ""
    return f"seeds differ{crossed}{settings}{told}"


def causes(changed: Mapping[str, tuple[Any, Any]], a: Group, b: Group) -> list[str]:
    """What may explain a difference, including settings that are mixed differently in the two groups."""
    mixed = a.averaged != b.averaged or a.design.weights is not None or b.design.weights is not None
    keys = (*a.design.setting_keys, *b.design.setting_keys) if mixed else ()
    return list(dict.fromkeys([*factors(changed, a.settings, b.settings), *keys]))


def way_out(a: Design, b: Design, *, are_seeds: bool = False) -> dict[str, str]:
    """What would help if kinds of seeds were swept apart: more values of the kind with the fewest."""
    if are_seeds:
        return {"way_out": "more dev questions would detect smaller ones"}
    crossed = min((one for one in (a, b) if one.is_crossed), key=lambda one: one.n, default=None)
    if crossed is None:
        return {}
    kind = crossed.kinds[crossed.levels.index(crossed.n)]
    return {"way_out": f"each kind of seed counts by its values, and there are {crossed.n} of {kind}"}


def why_not_tested(a: Group, b: Group) -> str | None:
    """Why two groups are not tested whatever their scores; None if they are."""
    if silent := silence(a, b):
        return silent
    if a.averaged == b.averaged:
        return None
    changed = [key for key in changed_keys(a.settings, b.settings) if key not in a.changes]
    told = f" ({', '.join(changed)})" if changed else ""
    return f"the other settings are not the same{told}, so neither is what is averaged"


def silence(a: Group, b: Group) -> str | None:
    """Which of two groups answers nothing, and where; None where both answer."""
    for group in (a, b):
        if group.silence:
            return f"{group.name}: {group.silence}"
    return None


def obstacle(reason: str | None, *, is_of_runs: bool = True) -> str | None:
    """Why nothing can be said, as a verdict puts it, with what would help; other programs' results have no seeds."""
    if reason != NO_PAIR:
        return reason
    way = "run more seeds of it" if is_of_runs else "another program's seeds are not known, so give one run beside it"
    return f"over these questions; {reason}: {way}"
