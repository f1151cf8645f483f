"""Decides whether a change may pass: one setting against another, judged by the verdict that `compare` gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qaexp.comparison.compare import cluster_kind
from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.earlier_looks import EarlierLooks
from qaexp.comparison.gate_rule import FAIL_IF_WORSE, FAILS, PASSES, UNKNOWN, Rule, by_margin
from qaexp.comparison.gate_sides import Sides, read_sides
from qaexp.comparison.group_tests import RUNS, SAME_SEEDS
from qaexp.comparison.groups import Group
from qaexp.comparison.machines import Machines
from qaexp.comparison.options import Options
from qaexp.comparison.result import units
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.verdict import BETTER, COLLAPSED, EQUIVALENT, WORSE, Tested
from qaexp.errors import ConfigError

# The exit codes of the three answers.
EXIT_CODES = {PASSES: 0, FAILS: 11, UNKNOWN: 12}

_ONE_RUN_EACH = (
    "one seed on each side: the difference is about these two runs, not about their settings; run several seeds of "
    "each, or give --these-runs to judge the two runs themselves"
)


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
    sides = read_sides(new, base, options, reader)
    metric = sides.options.metric
    unit = units(cluster_kind(sides.entries, metric, reader))
    (contrast,) = contrasts(
        [sides.base, sides.new],
        reader,
        sides.base,
        metric,
        relevant=sides.options.relevant,
        unit=unit,
        machines=Machines(),
        looks=EarlierLooks(sides.entries).of,
        any_look=sides.options.any_look,
    )
    if contrast.metric != metric:
        raise ConfigError(
            f"--metric {metric}: it is not tested question by question, so there is no verdict on it; give a "
            "score such as f1 or crossfit_f1"
        )
    answer, reason = _decide(contrast, sides, rule, reader)
    return Gate(answer, reason, rule, contrast, sides.new, sides.base, unit, sides.notes)


def _decide(contrast: Contrast, sides: Sides, rule: Rule, reader: ScoreReader) -> tuple[str, str]:
    """The answer of a gate, and why: only what was shown passes."""
    if contrast.verdict == COLLAPSED:
        return (FAILS if sides.new.is_collapsed else UNKNOWN), contrast.sentence
    if contrast.kind == RUNS and not rule.these_runs:
        return UNKNOWN, _ONE_RUN_EACH
    if _is_reproduction(contrast, sides.base, sides.new, reader):
        answer = PASSES if rule.fail_if == FAIL_IF_WORSE else FAILS
        return answer, "the same settings and seeds gave the same score to every question: not worse, and not better"
    if rule.margin is not None:
        return by_margin(contrast, rule, rule.margin)
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
