"""`qaexp best`: the folder of the best run, for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.cli.arguments import CommandParser


def main(argv: Sequence[str]) -> int:
    """Print the folder of the best run and nothing else; what is to be said about the choice goes to stderr.

    Args:
        argv: Paths and options.

    Returns:
        0.

    Raises:
        ConfigError: There is no best run: none is completed, all answer nothing, or they were measured differently.
    """
    arguments = _parser().parse_args(list(argv))
    from qaexp.comparison.best import best_run
    from qaexp.comparison.options import Options
    from qaexp.config.schema import neutral_keys
    from qaexp.reporting.terminal.printing import complain, say

    options = Options(metric=arguments.metric, where=tuple(arguments.where), neutral=neutral_keys())
    found, notes = best_run(arguments.paths, options)
    for note in notes:
        complain(f"qaexp best: {note}")
    say(str(found))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "best", 'Print the folder of the best run, one line: qaexp answer "$(qaexp best multirun_outputs/x)" ...'
    )
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="run directories, sweep directories, folders of them, or patterns")
    add("--metric", default="crossfit_f1", help="a number of summary.json; of seconds the least is best (crossfit_f1)")
    add(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="keep runs such as 'optimizer.lr>=1e-4' or 'tags=paper'; repeatable",
    )
    return parser
