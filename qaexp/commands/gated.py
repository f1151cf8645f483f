"""`qaexp compare NEW --against BASE`: a gate, whose exit code is the verdict and whose table fits a pull request."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from qaexp.comparison.gate_rule import Rule
    from qaexp.comparison.options import Options
    from qaexp.runs.readers.fetched import Fetched

_FAIL_IF = ("worse", "not-better")
# Options of a comparison that a gate has no use for.
_OTHERS = ("baseline", "sort", "flips", "flips_csv", "csv", "html", "output", "latex", "allow_mixed", "all")

EXITS = """\
a gate (--against BASE --fail-if ...) exits with:
  verdict                         --fail-if worse   --fail-if not-better
  better                                       0                      0
  equivalent                                   0                     11
  worse                                       11                     11
  NEW answers nothing (collapsed)             11                     11
  same settings, seeds, scores                 0                     11
  cannot tell, or one seed each               12                     12
and with --by R, where the interval of NEW - BASE is
  above -R (worse), +R (not-better)            0                      0
  below it                                    11                     11
  on both sides of it, or nothing is tested   12                     12
2: usage, a path is missing; 8: a run is not completed, damaged, or measured
differently. docs/gate.md has a recipe for GitHub Actions.
"""


def add_gate_options(parser: argparse.ArgumentParser) -> None:
    """Add what makes a comparison a gate."""
    add = parser.add_argument
    add("--against", nargs="+", metavar="BASE", help="gate: judge PATH against these runs; needs --fail-if")
    add("--fail-if", choices=_FAIL_IF, help="gate: when to exit with 11; 12 when it cannot tell")
    add("--these-runs", action="store_true", help="gate: let a verdict on one run each count, about these runs only")


def is_gate(arguments: argparse.Namespace) -> bool:
    """Whether a gate is asked for.

    Raises:
        ConfigError: Only half of it is, or an option that has no effect on one.
    """
    if arguments.against is None and arguments.fail_if is None:
        if arguments.these_runs:
            raise ConfigError("--these-runs: is for a gate; give --against BASE and --fail-if worse or not-better too")
        return False
    if arguments.against is None:
        raise ConfigError(f"--fail-if {arguments.fail_if}: against which runs? Give --against BASE")
    if arguments.fail_if is None:
        raise ConfigError(
            "--against: when does the gate fail? Give --fail-if worse or not-better; qaexp compare NEW BASE only looks"
        )
    if given := [f"--{name.replace('_', '-')}" for name in _OTHERS if getattr(arguments, name)]:
        raise ConfigError(f"{', '.join(given)}: has no effect on a gate; qaexp compare NEW BASE takes it")
    return True


def run_gate(arguments: argparse.Namespace, options: Options) -> int:
    """Judge, print the table, and return the exit code of the answer.

    Raises:
        ConfigError: A side is missing or holds several settings, or an option is faulty.
        IntegrityError: Something that was given cannot be judged.
    """
    from qaexp.comparison.gate import gate
    from qaexp.comparison.gate_rule import PASSES
    from qaexp.comparison.others.folders import with_others
    from qaexp.comparison.shown.gate_table import gate_document, gate_markdown
    from qaexp.reporting.terminal.printing import complain, say_json, say_text
    from qaexp.runs.readers.fetched import fetched

    rule = _rule(arguments)
    with (
        fetched([*arguments.paths, *arguments.against], with_answers=arguments.gold is not None) as given,
        with_others(given, arguments.gold, arguments.na_prob) as source,
        source.spoken(),
    ):
        _check_fetched(source.left_out)
        new, base = (_places(paths, source) for paths in (arguments.paths, arguments.against))
        found = gate(new, base, rule, options)
        if arguments.json:
            say_json(source.tree(gate_document(found)))
        else:
            say_text(gate_markdown(found, source.told))
        if found.answer != PASSES:
            complain(f"qaexp compare: gate: {found.answer}: {source.told(found.reason)}")
    return found.exit_code


def _places(words: Sequence[str], source: Fetched) -> list[str]:
    """The folders of this machine that words mean: themselves, or what stands for URLs and other programs' results."""
    from qaexp.runs.readers.patterns import expanded

    standing = [(word, source.local(word)) for word in words]
    return [
        place for word, local in standing for place in ([local] if local != word else map(source.local, expanded(word)))
    ]


def _check_fetched(left_out: Sequence[tuple[Path, str]]) -> None:
    """Refuse what a store does not hold as a whole: a gate judges all that is given, or nothing."""
    if left_out:
        raise IntegrityError(*(f"{path}: {reason}" for path, reason in left_out))


def _rule(arguments: argparse.Namespace) -> Rule:
    from qaexp.comparison.gate_rule import Rule

    return Rule(arguments.fail_if, _margin(arguments.by), these_runs=arguments.these_runs)


def _margin(text: str | None) -> float | None:
    """The value of `--by` as a margin.

    Raises:
        ConfigError: It is not a number above 0.
    """
    if text is None:
        return None
    try:
        margin = float(text)
    except ValueError:
        margin = math.nan
    if not 0 < margin < math.inf:
        raise ConfigError(
            f"--by {text}: beside --fail-if it is a margin in points of the metric: a number above 0, such as 0.5; "
            "without it the verdict of qaexp compare decides"
        )
    return margin
