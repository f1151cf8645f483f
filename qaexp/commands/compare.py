"""`qaexp compare`: which run is better, and is it really?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.cli.written import check_folder, check_target
from qaexp.commands.gated import EXITS, add_gate_options, is_gate, run_gate
from qaexp.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from qaexp.comparison.compare import Comparison, Options

MOST_SHOWN = 30
MOST_POINTS = 100
# What each kind of file is called in the folder of --output.
_NAMES = {
    "csv": "groups.csv",
    "flips_csv": "flips.csv",
    "html": "report.html",
    "json": "comparison.json",
    "markdown": "table.md",
    "latex": "table.tex",
}


def main(argv: Sequence[str]) -> int:
    """Compare runs; nothing but the files that are asked for is written.

    Args:
        argv: Paths and options.

    Returns:
        0; as a gate also 11, when the verdict says no, and 12, when it cannot be told.

    Raises:
        StorageError: A file is asked for in a folder that does not exist.
        ConfigError: A path does not exist, a file is asked for where a folder is, an option names what no run has,
            or no run meets a condition.
        IntegrityError: With --strict and as a gate, when anything was passed over.
    """
    arguments = _parser().parse_args(list(argv))
    if is_gate(arguments):
        return run_gate(arguments, _options(arguments))
    for option in ("csv", "flips_csv", "html"):
        if path := getattr(arguments, option):
            check_target(path, f"--{option.replace('_', '-')}")
    if arguments.output:
        check_folder(arguments.output, "--output", tuple(_NAMES.values()))
    from qaexp.comparison.compare import compare
    from qaexp.comparison.others.folders import with_others
    from qaexp.runs.readers.fetched import fetched

    options = _options(arguments)
    shows_answers = bool(arguments.flips or arguments.flips_csv or arguments.html or arguments.output)
    with (
        fetched(arguments.paths, with_answers=shows_answers) as given,
        with_others(given, arguments.gold, arguments.na_prob) as source,
        source.spoken(),
    ):
        comparison = compare(source.paths, options, source)
        _write_files(comparison, arguments)
        _print(comparison, arguments)
        passed_over = [
            *(f"{path}: {reason}" for path, reason in comparison.skipped),
            *(f"{path}: {reason}" for paths, reason in comparison.refused for path in paths),
        ]
        if arguments.strict and passed_over:
            raise IntegrityError(*passed_over, f"--strict: {len(passed_over)} of what was given could not be compared")
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "compare", "Compare runs: a table, paired tests, what flipped, and a report.\nReads run directories alone."
    )
    # The table of exits keeps its columns.
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXITS
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        metavar="PATH",
        help="runs, sweeps, folders of them, patterns, URLs; other programs' results",
    )
    add("--metric", default="crossfit_f1", help="a number of summary.json to rank by (crossfit_f1)")
    add("--baseline", metavar="X", help="the group to compare with: its name or number, a part of the name, or a run")
    add("--by", metavar="KEY", help="group by one key, or by a choice: lr, model, seed; gate: the margin, such as 0.5")
    add(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="keep runs: 'lr>=1e-4', 'lr in 1e-4,3e-4 or tags=best', 'notes~word'; repeatable, all must hold",
    )
    add("--sort", metavar="METRIC", help="order the table by another metric")
    parser.add_number("--relevant", float, None, "smallest difference that matters (percentages: 2 points)", 0)
    add(
        "--intervals",
        choices=("anytime", "fixed"),
        default="anytime",
        help="verdicts that hold however often you look while adding seeds (anytime), or for one planned look (fixed)",
    )
    parser.add_number("--flips", int, 0, "print so many questions whose answers changed", 0)
    add("--flips-csv", type=Path, metavar="FILE", help="write all of them")
    add("--csv", type=Path, metavar="FILE", help="write one row a group")
    add("--html", type=Path, metavar="FILE", help="write the report: one page that needs no network")
    add("--output", type=Path, metavar="DIR", help="write the report and every table into a folder, in all formats")
    add("--all", action="store_true", help=f"show all groups; else {MOST_SHOWN} at most")
    add("--json", action="store_true", help="print one JSON document instead of the table")
    add("--markdown", action="store_true", help="print a Markdown table instead")
    add("--latex", action="store_true", help="print a LaTeX table instead")
    add("--allow-mixed", action="store_true", help="show runs that were measured differently in one table")
    add("--strict", action="store_true", help="exit with 8 when anything given is not a completed, comparable run")
    add("--gold", type=Path, metavar="FILE", help="gold answers of other programs' results: prediction files, logs")
    add("--na-prob", type=Path, metavar="FILE", help="null odds {id: number} of the one prediction file given")
    add_gate_options(parser)
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    from qaexp.comparison.compare import Options
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.readers.defaults import default_leaves

    if sum((arguments.json, arguments.markdown, arguments.latex)) > 1:
        raise ConfigError("--json, --markdown and --latex: stdout can be one of them only; give one")
    if (arguments.relevant or 0) > MOST_POINTS:
        raise ConfigError(
            f"--relevant {arguments.relevant:g}: two scores are never more than {MOST_POINTS} points apart; give a "
            f"number from 0 to {MOST_POINTS}"
        )
    return Options(
        metric=arguments.metric,
        baseline=arguments.baseline,
        by=None if arguments.against else arguments.by,
        where=tuple(arguments.where),
        sort=arguments.sort,
        allow_mixed=arguments.allow_mixed,
        relevant=arguments.relevant,
        any_look=arguments.intervals == "anytime",
        neutral=neutral_keys(),
        defaults=default_leaves(),
    )


def _write_files(comparison: Comparison, arguments: argparse.Namespace) -> None:
    """Write what was asked for, and name every file on stderr."""
    from qaexp.comparison.shown import paper
    from qaexp.reporting.terminal.printing import complain
    from qaexp.storage.files import write_text
    from qaexp.storage.folders import make_directory

    wanted = {name: getattr(arguments, name) for name in _NAMES}
    if folder := arguments.output:
        make_directory(folder)
        wanted = {key: value if isinstance(value, Path) else folder / _NAMES[key] for key, value in wanted.items()}
    written: list[Path] = []
    texts = {"csv": paper.csv, "markdown": paper.markdown, "latex": paper.latex, "json": _json}
    for key, text_of in texts.items():
        if isinstance(wanted[key], Path):
            write_text(wanted[key], text_of(comparison))
            written.append(wanted[key])
    if isinstance(wanted["flips_csv"], Path):
        written += _write_flips(comparison, wanted["flips_csv"], is_asked_for=arguments.flips_csv is not None)
    if isinstance(wanted["html"], Path):
        from qaexp.comparison.shown.report import write_report

        written += write_report(comparison, wanted["html"])
    for path in written:
        complain(f"wrote {path}")


def _json(comparison: Comparison) -> str:
    from qaexp.comparison.shown.document import document
    from qaexp.storage.formats import json_text

    return json_text(document(comparison))


def _write_flips(comparison: Comparison, path: Path, *, is_asked_for: bool) -> list[Path]:
    """Write the answers that changed; where there are no two groups, only who asks for them is refused."""
    from qaexp.comparison.flips import flip_rows, main_flips
    from qaexp.comparison.shown import paper
    from qaexp.storage.files import write_rows

    if not is_asked_for and comparison.main_pair is None:
        return []
    write_rows(path, paper.shown_rows(flip_rows(main_flips(comparison)[2])))
    return [path]


def _print(comparison: Comparison, arguments: argparse.Namespace) -> None:
    from qaexp.comparison.shown import paper, tables
    from qaexp.comparison.shown.document import document
    from qaexp.reporting.terminal.printing import say_json, say_text

    if arguments.json:
        say_json(document(comparison))
        return
    if arguments.markdown or arguments.latex:
        say_text(paper.markdown(comparison) if arguments.markdown else paper.latex(comparison))
        return
    from qaexp.reporting.terminal.console import RunConsole
    from qaexp.reporting.terminal.sentences import print_findings

    console = RunConsole()
    width = console.width if console.is_terminal else None
    if width is None:
        # A pipe has no width: a line would be cut off.
        console.width = 10_000
    print_findings(console, document(comparison)["findings"])
    console.print("")
    console.print(tables.terminal(comparison, limit=None if arguments.all else MOST_SHOWN, width=width))
    if arguments.flips:
        from qaexp.comparison.flips import main_flips

        a, b, found = main_flips(comparison)
        for line in tables.flip_lines(found[: arguments.flips], a, b):
            console.print(line)
