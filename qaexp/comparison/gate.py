"""Decides whether a change may pass: one setting against another, judged by the verdict that `compare` gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qaexp.comparison.compare import cluster_kind, examine_all, observations
from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.earlier_looks import EarlierLooks
from qaexp.comparison.entries import Entry
from qaexp.comparison.group_tests import RUNS, SAME_SEEDS
from qaexp.comparison.groups import Group, form_groups, numbered
from qaexp.comparison.guard import blocks
from qaexp.comparison.machines import Machines
from qaexp.comparison.options import Options, with_metric
from qaexp.comparison.result import units
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import COPY, collected, where
from qaexp.comparison.statistics.difference import LEVEL
from qaexp.comparison.statistics.power import MOST_SEEDS, seeds_to_leave_out
from qaexp.comparison.verdict import BETTER, COLLAPSED, EQUIVALENT, WORSE, Tested
from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.directory import CONFIG, SCORES, SUMMARY, TEST_SCORES
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER, Number
from qaexp.runs.readers.recognised import recognised
from qaexp.runs.trust import changed_files, is_edited
from qaexp.storage.formats import counted

FAIL_IF_WORSE, FAIL_IF_NOT_BETTER = "worse", "not-better"
PASSES, FAILS, UNKNOWN = "passes", "fails", "cannot tell"
# The exit codes of the three answers.
EXIT_CODES = {PASSES: 0, FAILS: 11, UNKNOWN: 12}

NEW, BASE = "NEW", "--against"
_MAX_NAMED = 5
_ONE_RUN_EACH = (
    "one seed on each side: the difference is about these two runs, not about their settings; run several seeds of "
    "each, or give --these-runs to judge the two runs themselves"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a gate fails.

    Attributes:
        fail_if: `worse` or `not-better`.
        margin: By how much, in the unit of the metric's differences; None: the verdict of `compare` decides.
        these_runs: Whether a verdict on one run each counts: it is about these runs, not about other seeds.
    """

    fail_if: str
    margin: float | None = None
    these_runs: bool = False

    def words(self, number: Number) -> str:
        """The rule in words that follow "fails if"."""
        adverb = "worse" if self.fail_if == FAIL_IF_WORSE else "not better"
        return adverb if self.margin is None else f"{adverb} by more than {points_of(self.margin, number)}"


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """What a gate says.

    Attributes:
        answer: `passes`, `fails` or `cannot tell`.
        reason: Why, in a sentence without a full stop.
        rule: When it fails.
        contrast: NEW against BASE, as `compare` tests it.
        new: The runs that are judged.
        base: The runs that they are held against.
        unit: What a cluster of questions is, in the plural.
        notes: What a reader must know besides.
    """

    answer: str
    reason: str
    rule: Rule
    contrast: Contrast
    new: Group
    base: Group
    unit: str
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0 passes, 11 fails, 12 cannot tell."""
        return EXIT_CODES[self.answer]

    @property
    def tested(self) -> Tested:
        """The difference NEW - BASE in the metric."""
        return self.contrast.tests[self.contrast.metric]


def gate(new: Sequence[str | Path], base: Sequence[str | Path], rule: Rule, options: Options) -> Gate:
    """Judge one setting against another; nothing is written.

    Both sides are formed on their own, so that the same config may stand on both: what changed is then the code.

    Args:
        new: The runs to be judged: run directories, sweeps, folders of them or patterns; one setting, any seeds.
        base: The runs that they are held against.
        rule: When the gate fails.
        options: The metric, conditions on the runs of both sides, and the smallest difference that matters.

    Raises:
        ConfigError: A path does not exist, a side holds no run or several settings, both sides hold the same run, or
            the metric is not tested question by question.
        IntegrityError: Something that was given is not a completed, whole run, or the sides were measured differently.
    """
    reader = ScoreReader()
    sides = _whole_sides({NEW: new, BASE: base}, options, reader)
    entries = [entry for side in sides.values() for entry in side]
    _check_apart(sides)
    options, notes = with_metric(options, entries)
    _check_metric(sides, options.metric)
    _check_measured_alike(entries)
    groups = numbered(_told_apart(*(_only_group(name, sides[name], reader, options) for name in (BASE, NEW))), start=1)
    unit = units(cluster_kind(entries, options.metric, reader))
    (contrast,) = contrasts(
        groups,
        reader,
        groups[0],
        options.metric,
        relevant=options.relevant,
        unit=unit,
        machines=Machines(),
        looks=EarlierLooks(entries).of,
        any_look=options.any_look,
    )
    if contrast.metric != options.metric:
        raise ConfigError(
            f"--metric {options.metric}: it is not tested question by question, so there is no verdict on it; give a "
            "score such as f1 or crossfit_f1"
        )
    answer, reason = _decide(contrast, groups[0], groups[1], rule, reader)
    return Gate(answer, reason, rule, contrast, groups[1], groups[0], unit, notes)


def _whole_sides(
    given: dict[str, Sequence[str | Path]], options: Options, reader: ScoreReader
) -> dict[str, Sequence[Entry]]:
    """The runs of each side; whatever is not a whole, completed run is refused: leaving it out may decide a verdict."""
    sides: dict[str, Sequence[Entry]] = {}
    problems = []
    for name, paths in given.items():
        runs, skipped = collected(paths)
        runs, _ = where(recognised(runs), options.where)
        entries, refused, damaged = examine_all(runs, reader)
        lost = [(path, reason) for path, reason in skipped if not reason.startswith(COPY)]
        lost += [*damaged, *((path, reason) for paths, reason in refused for path in paths)]
        problems += [f"{name}: {path}: {reason}" for path, reason in lost]
        problems += [f"{name}: {problem}" for entry in entries for problem in _edited(entry)]
        sides[name] = observations(entries, options.neutral)[0]
    if problems:
        raise IntegrityError(*problems, "a gate judges all runs that are given, or none: bring them back or leave them")
    for name, side in sides.items():
        if not side:
            raise ConfigError(f"{name}: holds no completed run; give a run directory, a sweep or several runs")
    return sides


def _edited(entry: Entry) -> list[str]:
    """The files behind a verdict that are not those that the run wrote."""
    run = entry.run
    names = [SUMMARY] if is_edited(run.path, run.run) else []
    names += changed_files(run.path, run.summary, (CONFIG, SCORES, TEST_SCORES))
    return [f"{run.path / name}: is not the one that was written: qaexp verify {run.path} tells more" for name in names]


def _check_apart(sides: dict[str, Sequence[Entry]]) -> None:
    places = [{entry.run.path.resolve() for entry in side} for side in sides.values()]
    if shared := sorted(places[0] & places[1]):
        raise ConfigError(f"{shared[0]}: is on both sides; give the runs before the change after {BASE}")


def _check_metric(sides: dict[str, Sequence[Entry]], metric: str) -> None:
    problems = [
        f"{name}: {entry.run.path}: {entry.lack(metric)}"
        for name, side in sides.items()
        for entry in side
        if metric not in entry.metrics
    ]
    if problems:
        raise IntegrityError(*problems)


def _check_measured_alike(entries: Sequence[Entry]) -> None:
    parts = blocks(entries)
    if len(parts) > 1:
        reasons = "; ".join(part.reason for part in parts if part.reason)
        raise IntegrityError(f"the runs were measured differently, so there is no verdict: {reasons}")


def _only_group(name: str, side: Sequence[Entry], reader: ScoreReader, options: Options) -> Group:
    groups = form_groups(side, reader, options.neutral)
    if len(groups) > 1:
        names = ", ".join(group.name for group in groups[:_MAX_NAMED])
        more = ", ..." if len(groups) > _MAX_NAMED else ""
        raise ConfigError(
            f"{name}: holds {counted(len(groups), 'setting')} ({names}{more}), and a gate judges one; give the runs "
            "of one, or choose with --where"
        )
    return groups[0]


def _told_apart(base: Group, new: Group) -> list[Group]:
    """The two groups under different names, by which tests know them: sides of one config have the same."""
    if base.name != new.name:
        return [base, new]
    return [replace(base, name=f"{base.name} (base)"), replace(new, name=f"{new.name} (new)")]


def _decide(contrast: Contrast, base: Group, new: Group, rule: Rule, reader: ScoreReader) -> tuple[str, str]:
    """The answer of a gate, and why: only what was shown passes."""
    if contrast.verdict == COLLAPSED:
        return (FAILS if new.is_collapsed else UNKNOWN), contrast.sentence
    if contrast.kind == RUNS and not rule.these_runs:
        return UNKNOWN, _ONE_RUN_EACH
    if _is_reproduction(contrast, base, new, reader):
        answer = PASSES if rule.fail_if == FAIL_IF_WORSE else FAILS
        return answer, "the same settings and seeds gave the same score to every question: not worse, and not better"
    if rule.margin is not None:
        return _by_margin(contrast, rule, rule.margin)
    passing = (BETTER, EQUIVALENT) if rule.fail_if == FAIL_IF_WORSE else (BETTER,)
    failing = (WORSE,) if rule.fail_if == FAIL_IF_WORSE else (WORSE, EQUIVALENT)
    answer = PASSES if contrast.verdict in passing else FAILS if contrast.verdict in failing else UNKNOWN
    return answer, contrast.sentence


def _is_reproduction(contrast: Contrast, base: Group, new: Group, reader: ScoreReader) -> bool:
    """Whether both sides are the same computation with the same results."""
    if contrast.changed or contrast.kind not in (RUNS, SAME_SEEDS) or base.seeds != new.seeds:
        return False
    pairs = zip(base.entries, new.entries, strict=True)
    found = [(reader.measured(a.run, contrast.metric), reader.measured(b.run, contrast.metric)) for a, b in pairs]
    return all(a is not None and b is not None and np.array_equal(a.values, b.values) for a, b in found)


def _by_margin(contrast: Contrast, rule: Rule, margin: float) -> tuple[str, str]:
    """Hold the interval of the difference against the margin: it must lie on one side of it as a whole."""
    tested, number = contrast.tests[contrast.metric], number_of(contrast.metric)
    bound = -margin if rule.fail_if == FAIL_IF_WORSE else margin
    line = f"{-bound if number.better == LOWER else bound:+g}"
    if tested.low is None or tested.high is None or tested.p_verdict is None:
        return UNKNOWN, f"there is no interval to hold against {line}: {contrast.sentence}"
    low, high = (-tested.high, -tested.low) if number.better == LOWER else (tested.low, tested.high)
    shown = f"[{number.signed(tested.low)}, {number.signed(tested.high)}]"
    side = "worse" if rule.fail_if == FAIL_IF_WORSE else "better"
    what = f"by more than {points_of(margin, number)}"
    if low > bound:
        told = f"not {side} {what}" if side == "worse" else f"{side} {what}"
        return PASSES, f"shown to be {told}: the whole interval {shown} is on the good side of {line}"
    if high < bound:
        told = f"{side} {what}" if side == "worse" else f"not {side} {what}"
        return FAILS, f"shown to be {told}: the whole interval {shown} is on the bad side of {line}"
    value = -bound if number.better == LOWER else bound
    return UNKNOWN, f"the interval {shown} holds {line}; {_what_would_tell(tested, value, line)}"


def points_of(margin: float, number: Number) -> str:
    """A margin as it was typed, with its unit.

    >>> points_of(1, number_of("f1")), points_of(0.5, number_of("f1")), points_of(0.1, number_of("gold_nll"))
    ('1 point', '0.5 points', '0.1 nats')
    """
    return f"{margin:g} {'point' if margin == 1 and number.step == 'points' else number.step}".rstrip()


def _what_would_tell(tested: Tested, value: float, line: str) -> str:
    """How many seeds would leave the margin out of the interval, if the difference stays what it is."""
    if not tested.more_seeds:
        return "several seeds of each, or more dev questions, make it narrower"
    enough = seeds_to_leave_out(tested.difference, value, level=tested.level or LEVEL)
    if enough is None:
        return (
            f"the difference is too close to {line} for any number of seeds up to {MOST_SEEDS}: it takes another "
            "margin, or more dev questions"
        )
    planned = ", a number fixed before the next look," if tested.difference.looks is None else ""
    return f"{counted(enough, 'more seed')} of each{planned} would leave it out, if the difference stays what it is"
