"""`qaexp resume`: go on with a run from its folder alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.errors import ConfigError


def main(argv: Sequence[str]) -> int:
    """Continue a run as the command that started it would.

    Args:
        argv: The run directory, and overrides that cannot change results.

    Returns:
        0; a run that is completed is shown and not touched.

    Raises:
        QaexpError: The directory is no run, or whatever stops the run.
    """
    parser = CommandParser("resume", "Go on with a run from its folder alone.")
    parser.add_argument("run", type=Path, metavar="DIR", help="a run directory")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="for example steal_lock=true, trainer.allow_drift=true"
    )
    arguments = parser.parse_args(list(argv))
    from qaexp.runs.collect import read_run
    from qaexp.runs.directory import RUN

    directory = arguments.run.resolve()
    if arguments.run.is_dir() and not (directory / RUN).exists():
        raise ConfigError(f"{arguments.run} is no run directory; qaexp status {arguments.run} lists the runs below it")
    stored = read_run(directory)

    from qaexp.commands.shown import show_run
    from qaexp.commands.stored import stored_config
    from qaexp.experiment import run_experiment

    config = stored_config(directory, arguments.overrides)
    with chdir(working_directory(stored.path)):
        _, summary = run_experiment(config, directory, command_line=sys.argv)
    show_run(directory, summary)
    return 0


def working_directory(directory: Path) -> Path:
    """Where the run was started, so that relative paths of its data mean the same; here, when that is gone."""
    from qaexp.runs.directory import ENVIRONMENT
    from qaexp.runs.reading import read_json

    try:
        stored = Path(str(read_json(directory / ENVIRONMENT).get("working_directory", "")))
    except FileNotFoundError:
        return Path.cwd()
    return stored if stored.is_dir() else Path.cwd()
