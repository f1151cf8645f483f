"""What a comparison has found, in one to three plain sentences, and what to do next: a function of its document alone.

Everything that is said here stands in the document as numbers and verdicts; nothing is tested again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.shown.found import NUMBERS_AS_WORDS, Study
from qaexp.comparison.shown.next_steps import next_step
from qaexp.comparison.shown.seed_findings import seeds_found
from qaexp.comparison.sides import ONE_SEED, RUNS
from qaexp.comparison.verdict import BETTER, NOT_SHOWN, WORSE, looked_before
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
    study = Study(document)
    found = [_result(study), *_why(study), *_which(study), *_no_skill(study), *_left_out(study), *_apart(study)]
    following = next_step(study)
    return [*(sentence for sentence in found if sentence), *([f"Next: {following}"] if following else [])]


def _result(study: Study) -> str:
    """What the first table says, in one sentence."""
    if not study.groups:
        return "There is no completed run to compare."
    if not study.able:
        return _silent(study) if study.silent else f"No run has {study.metric}."
    if len(study.groups) == 1:
        return _single(study)
    if study.by in SEED_KEYS and len(study.able) > 1:
        return seeds_found(study)
    if len(study.able) == 1 and not study.silent:
        return f"Only {study.name(study.leader)} has {study.metric} ({study.shown(study.leader)}): nothing to compare."
    if not study.is_tested:
        return _untested(study)
    if len(study.able) == 1:
        return f"Only {study.name(study.leader)} answers in all of its runs: nothing can be compared with it."
    return _ranked(study)


def _silent(study: Study) -> str:
    """What is said where no group answers in all of its runs."""
    first = study.silent[0]
    if all(group["num_collapsed"] == group["n"] for group in study.silent):
        where = f"{study.name(first)}: {first['silence']}"
        told = f"Every setting answers nothing ({where})" if len(study.silent) > 1 else where
        return f"{told}; a score there is the share of questions without an answer, no skill."
    return f"No setting answers in all of its runs ({study.name(first)}: {first['silence']}), so there is no verdict."


def _single(study: Study) -> str:
    group = study.leader
    told = f"{study.shown(group)}{study.interval(group)}"
    if group["n"] == 1:
        return f"There is one run, {study.name(group)}, with {study.metric} {told}: nothing to compare it with."
    both = "Both runs" if group["n"] == 2 else f"All {group['n']} runs"
    other = f"there is no other{' completed' if study.unfinished else ''}"
    if study.by is not None:
        return f"{both} have {study.name(group)}, with {study.metric} {told} on average: {other}{study.unfinished}."
    kind = "seeds of one setting" if group["design"].endswith("seeds") else "runs of one setting"
    means = f"with {study.metric} {told} on average{_far(study, group)}"
    return f"{both} are {kind}, {means}: {other} setting{study.unfinished}."


def _untested(study: Study) -> str:
    which = "lowest" if number_of(study.metric).better == LOWER else "highest"
    return (
        f"{study.name(study.leader)} has the {which} {study.metric} ({study.shown(study.leader)}), a number that is "
        "not tested: this says nothing about other runs."
    )


def _ranked(study: Study) -> str:
    """The leader among groups that answer, and over whom it is shown to be better."""
    leader, rest = study.leader, study.able[1:]
    name, second = study.name(leader), study.second
    won = [other for other in rest if study.verdict(leader, other) == BETTER]
    open_ = [other for other in rest if other not in won]
    if not open_:
        over = f"than {study.name(second)}" if len(rest) == 1 else "than every other setting"
        next_best = "" if len(rest) == 1 else f", the next best being {study.name(second)}"
        return f"{name} is better {over}, by {study.lead(leader, second)}{next_best}{_these(study, second)}."
    if won:
        weaker = won[0] if study.baseline not in won else study.baseline
        told = f"the baseline {study.name(weaker)}" if weaker is study.baseline else study.name(weaker)
        lead = study.lead(leader, weaker)
        over = f"{told}, by {lead}" if len(won) == 1 else f"{told} (by {lead}) and than {_others(len(won) - 1)}"
        is_unknown = all(study.verdict(leader, other) is None for other in open_)
        rest_told = "it was not compared with" if is_unknown else "it is not shown to be better than"
        return (
            f"{name} is better than {over}{_these(study, weaker)}; {rest_told} {_listed(study, open_)}"
            f"{_far(study, leader)}."
        )
    if any(study.verdict(a, b) in (BETTER, WORSE) for a in rest for b in rest if a is not b):
        return f"No setting is shown to be the best: {name} leads {study.name(second)} by {study.lead(leader, second)}."
    far = _far(study, leader) or _far(study, second)
    if study.difference(leader, second) == 0 or study.lead_is_nothing(leader, second):
        return f"No setting is shown to be better: {name} and {study.name(second)} have the same {study.metric}{far}."
    return f"No setting is shown to be better. {name} leads by {study.lead(leader, second)}{far}."


def _why(study: Study) -> list[str]:
    """Why the leader is not shown to be better than the one behind it; what would have been found."""
    if not study.is_tested or len(study.able) < 2 or study.by in SEED_KEYS:
        return []
    pair = study.pair()
    if pair is None or pair["verdict"] in (BETTER, WORSE):
        looks = looked_before([(a, b) for a, b in pair["earlier_looks"]]).removeprefix("; ") if pair else ""
        return [f"They were {looks}."] if looks else []
    tested = pair[pair["metric"]]
    reach = tested["minimum_detectable"]
    if pair["verdict"] == NOT_SHOWN:
        return [f"A difference of {study.relevant} or more would most likely have been found (80 % power)."]
    if pair["kind"] == ONE_SEED:
        single = next((group for group in study.groups_of(pair) if group["n"] == 1), study.leader)
        return [f"Too few seeds to tell: {study.name(single)} has a single seed."]
    if reach is None:
        return [f"It cannot be told: {_reason(pair)}."]
    if pair["kind"] == RUNS:
        return [f"Each has a single seed: as two runs they can be told apart from {study.points(reach)} on."]
    if not study.can_differ(reach):
        return [f"This comparison can detect no difference at all (80 % power){_more(study, pair)}."]
    few = "Too few seeds to tell: this" if study.helps(pair) else "This"
    return [f"{few} comparison can detect {study.points(reach)} or more (80 % power){_more(study, pair)}."]


def _which(study: Study) -> list[str]:
    """Which f1 the sentences mean, where the f1 beside it in the tables tells another story."""
    if len(study.able) < 2 or not study.is_tested or not study.differs_from_official(study.leader, study.second):
        return []
    return [
        f"{study.word} is {study.metric} here, at thresholds that other questions set, not {study.word} at threshold 0."
    ]


def _more(study: Study, pair: Row) -> str:
    """What more seeds would detect."""
    reached = study.enough_seeds(pair)
    if reached is not None:
        return f"; {counted(reached[0], 'more seed')} per setting would detect {study.points(reached[1])}"
    found = pair[pair["metric"]]["minimum_detectable_with_more_seeds"]
    if not found:
        return ""
    number, points = list(found.items())[-1]
    if not study.can_differ(points):
        return f", and with {number} more seeds per setting no difference at all"
    return f", and with {number} more seeds per setting still {study.points(points)}"


def _reason(pair: Row) -> str:
    """What stands in the way of a test, as the contrast's own sentence ends."""
    return str(pair["sentence"]).rpartition("; ")[2]


def _no_skill(study: Study) -> list[str]:
    """The best setting scores hardly more than saying nothing would."""
    if not study.able or not study.lacks_skill(study.leader):
        return []
    nothing = f"answering nothing at all, which gives {study.leader['share_no_ans']:.1f}"
    if len(study.groups) == 1:
        return [f"That is less than {study.relevant} above {nothing}."]
    return [f"No setting is {study.relevant} or more above {nothing}."]


def _left_out(study: Study) -> list[str]:
    """Groups that answer nothing, beside others that answer."""
    silent = study.silent if study.able else []
    if not silent:
        return []
    first = silent[0]
    have = "has" if len(silent) == 2 else "have"
    more = f"; nor {have} {counted(len(silent) - 1, 'more setting')}" if len(silent) > 1 else ""
    return [f"{study.name(first)} has no verdict: {first['silence']}{more}."]


def _apart(study: Study) -> list[str]:
    found = study.apart
    if not found:
        return []
    (reason, number), *others = found.items()
    more = f"; {counted(sum(others_n for _, others_n in others), 'more run')} for other reasons" if others else ""
    stands = "stands" if number == 1 else "stand"
    return [f"{counted(number, 'run')} {stands} apart, measured differently: {reason}{more}."]


def _far(study: Study, group: Row) -> str:
    """What is to be said of a seed far from its siblings."""
    values = study.values(group)
    whose = "its" if group is study.leader else f"{study.name(group)}'s"
    if len(values) == 2 and study.is_percent and abs(values[0] - values[1]) > 20:
        return f", but {whose} two {study.siblings} are far apart ({min(values):.0f} and {max(values):.0f})"
    found = study.far(group)
    if found is None:
        return ""
    _, value, others = found
    count = NUMBERS_AS_WORDS.get(len(values), str(len(values)))
    how = "collapsed" if value < others else "lies far above the others"
    return f", but one of {whose} {count} {study.siblings} {how} ({value:.0f} against {others:.0f})"


def _these(study: Study, second: Row) -> str:
    """A verdict between single runs is about these runs."""
    pair = study.between(study.leader, second)
    return " in these runs; other seeds may say something else" if pair is not None and pair["kind"] == RUNS else ""


def _listed(study: Study, groups: Sequence[Row]) -> str:
    names = [study.name(group) for group in groups[:_MAX_NAMES]]
    if len(groups) > _MAX_NAMES:
        return f"{', '.join(names)} and {_others(len(groups) - _MAX_NAMES)}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _others(number: int) -> str:
    return f"{number} other{'' if number == 1 else 's'}"
