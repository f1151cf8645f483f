"""`qaexp plan-seeds`: how many seeds a comparison needs, before anything is run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError

if TYPE_CHECKING:
    from qaexp.comparison.seed_plan import Pilot, Plan

_POINTS, _POWER = 1.0, 0.8
_MOST_POINTS = 100
_MOST_DIGITS = 6
_KNOWN = ("seed_sd", "question_se", "questions", "texts")


def main(argv: Sequence[str]) -> int:
    """Print how many seeds find a difference, and what other numbers find; nothing is written.

    Args:
        argv: A pilot's runs, or what is known of the spread of seeds and questions.

    Returns:
        0, also where no number of seeds is enough: that is an answer.

    Raises:
        ConfigError: The pilot tells nothing about seeds, or an option is faulty or missing.
    """
    arguments = _parser().parse_args(list(argv))
    _check(arguments)
    from qaexp.comparison.seed_plan import plan
    from qaexp.reporting.terminal.printing import complain, say_json, say_text

    pilot = _pilot(arguments)
    found = plan(pilot, arguments.detect, arguments.power, any_look=arguments.intervals == "anytime")
    for note in pilot.notes:
        complain(f"qaexp plan-seeds: {note}")
    if arguments.json:
        say_json(_document(found))
    else:
        say_text(_text(found))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "plan-seeds",
        "How many seeds of each setting find a difference, from a pilot's runs or from known spreads:\n"
        "qaexp plan-seeds multirun_outputs/pilot --detect 1",
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="the pilot: two settings or more, two seeds or more of each")
    parser.add_number(
        "--detect", float, _POINTS, f"the difference to be found, in points of the metric ({_POINTS:g})", 0
    )
    parser.add_number("--power", float, _POWER, f"the probability with which it is found ({_POWER:g})", 0)
    parser.add_number("--settings", int, None, "how many settings will be compared (those of the pilot, else 2)", 2)
    add("--metric", default="crossfit_f1", help="a score of each question (crossfit_f1)")
    add(
        "--where", action="append", default=[], metavar="COND", help="keep runs of the pilot, as in compare; repeatable"
    )
    add("--intervals", choices=("anytime", "fixed"), default="anytime", help="for any number of looks, or for one")
    parser.add_number("--seed-sd", float, None, "without runs: standard deviation of a run's score between seeds", 0)
    parser.add_number(
        "--question-se", float, None, "without runs: standard error of a difference from the questions", 0
    )
    parser.add_number("--questions", int, None, "without runs: how many dev questions", 1)
    parser.add_number("--texts", int, None, "without runs: how many articles or paragraphs they are about", 4)
    add("--json", action="store_true", help="print one JSON document instead of the table")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.power < 1:
        raise ConfigError(f"--power {arguments.power:g}: it is a probability between 0 and 1, such as 0.8")
    if arguments.detect > _MOST_POINTS:
        raise ConfigError(f"--detect {arguments.detect:g}: two scores are never more than {_MOST_POINTS} points apart")
    if arguments.detect == 0:
        raise ConfigError("--detect 0: no number of seeds finds that; give the smallest difference that matters")
    known = {f"--{name.replace('_', '-')}": getattr(arguments, name) for name in _KNOWN}
    given = [name for name, value in known.items() if value is not None]
    if arguments.paths and given:
        raise ConfigError(f"{', '.join(given)}: the pilot's runs say that; give either runs or what is known")
    if not arguments.paths and len(given) < len(known):
        missing = ", ".join(name for name in known if name not in given)
        are = "is" if len(given) == len(known) - 1 else "are"
        raise ConfigError(f"give the runs of a pilot, or what is known without them: {missing} {are} missing")
    if not arguments.paths:
        _check_known(arguments)


def _check_known(arguments: argparse.Namespace) -> None:
    from qaexp.runs.metrics import number_of

    if number_of(arguments.metric).column is None:
        raise ConfigError(f"--metric {arguments.metric}: it is not tested; give a score such as f1")
    if arguments.seed_sd == arguments.question_se == 0:
        raise ConfigError(
            "--seed-sd 0 and --question-se 0: without any spread a single seed tells; one of them is above 0"
        )
    for name in ("seed_sd", "question_se"):
        if getattr(arguments, name) > _MOST_POINTS:
            option, given = f"--{name.replace('_', '-')}", getattr(arguments, name)
            raise ConfigError(f"{option} {given:g}: two scores are never more than {_MOST_POINTS} points apart")
    if arguments.texts > arguments.questions:
        raise ConfigError(
            f"--texts {arguments.texts}: {arguments.questions} questions are about {arguments.questions} texts at most"
        )


def _pilot(arguments: argparse.Namespace) -> Pilot:
    from qaexp.comparison.options import Options
    from qaexp.comparison.seed_plan import Pilot, pilot_of
    from qaexp.comparison.statistics.planning import Spread
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.readers.defaults import default_leaves

    if arguments.paths:
        options = Options(
            metric=arguments.metric,
            where=tuple(arguments.where),
            any_look=arguments.intervals == "anytime",
            neutral=neutral_keys(),
            defaults=default_leaves(),
        )
        return pilot_of(arguments.paths, options, arguments.settings)
    # Two runs differ by the seeds of both.
    spread = Spread(2**0.5 * arguments.seed_sd, arguments.question_se, arguments.texts - 1.0)
    about = f"known spreads; {arguments.questions:,} questions on {arguments.texts} texts"
    return Pilot(spread, arguments.metric, arguments.settings or 2, arguments.questions, about)


def _text(plan: Plan) -> str:
    from qaexp.runs.metrics import number_of
    from qaexp.storage.formats import counted

    number, spread = number_of(plan.pilot.metric), plan.pilot.spread
    lines = [
        f"{_answer(plan)}",
        f"The pilot: {plan.pilot.about}.",
        f"There the seeds of two runs move their difference by {number.size(spread.seed)} (sd), the questions by "
        f"{number.size(spread.questions)} (standard error).",
        f"The test: {'any number of looks' if plan.test.any_look else 'one planned look'}, "
        f"{counted(plan.contrasts, 'contrast')}, power {100 * plan.test.power:.12g} %.",
        "",
        f"seeds  detects ({plan.pilot.metric})",
    ]
    for num, points in plan.rows:
        shown = "nothing" if points is None or points > number.width else _detected(points, plan, number.decimals)
        lines.append(f"{num:>5}  {shown:>7}{'  <- enough' if num == plan.seeds else ''}")
    return "\n".join(lines) + "\n"


def _detected(points: float, plan: Plan, decimals: int) -> str:
    """What so many seeds detect, with as many digits as show that it is more than what is to be found, if it is."""
    is_enough = points <= plan.points
    while decimals < _MOST_DIGITS and (float(f"{points:.{decimals}f}") <= plan.points) != is_enough:
        decimals += 1
    return f"{points:.{decimals}f}"


def _answer(plan: Plan) -> str:
    """The plan in a sentence."""
    from qaexp.runs.metrics import number_of

    number = number_of(plan.pilot.metric)
    is_shown = float(f"{plan.points:.{number.decimals}f}") == plan.points
    size = number.size(plan.points) if is_shown else f"{plan.points:g} {number.step}".rstrip()
    if plan.seeds is not None:
        return f"{plan.seeds} seeds of each setting find a difference of {size}."
    if plan.more is not None:
        seeds, questions = plan.more
        told = f"{seeds} seeds and about {questions:,} questions would"
        return f"No number of seeds finds {size} on these questions; {told}."
    return f"Not even 100 seeds and a hundred times as many questions find {size}."


def _document(plan: Plan) -> dict[str, Any]:
    from qaexp.runs.directory import SCHEMA_VERSION

    return {
        "schema_version": SCHEMA_VERSION,
        "metric": plan.pilot.metric,
        "detect": plan.points,
        "power": plan.test.power,
        "intervals": "anytime" if plan.test.any_look else "fixed",
        "settings": plan.pilot.settings,
        "contrasts": plan.contrasts,
        "seeds_needed": plan.seeds,
        "more_needed": None if plan.more is None else dict(zip(("seeds", "questions"), plan.more, strict=True)),
        "questions": plan.pilot.questions,
        "seed_sd_of_difference": plan.pilot.spread.seed,
        "question_se": plan.pilot.spread.questions,
        "pilot": plan.pilot.about,
        "rows": [{"seeds": num, "detectable": points} for num, points in plan.rows],
        "notes": list(plan.pilot.notes),
    }
