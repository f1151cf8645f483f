"""`qaexp reproduce`: run a run again, and say whether it gave the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError


def main(argv: Sequence[str]) -> int:
    """Rerun a completed run into a new folder and compare.

    Args:
        argv: The run directory, and where to.

    Returns:
        0 when all results are alike, 8 when something differs.

    Raises:
        QaexpError: The run is not completed, the new folder is taken, or whatever stops the new run.
    """
    parser = CommandParser("reproduce", "Run a completed run again; the same bytes, or the first step that differs.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a completed run directory")
    parser.add_argument("--to", type=Path, metavar="DIR", help="the new folder (default: beside it, -reproduced-N)")
    arguments = parser.parse_args(list(argv))
    from qaexp.runs.collect import read_run

    original = read_run(arguments.run.resolve())
    if original.summary is None:
        raise ConfigError(
            f"{arguments.run} is not completed (state {original.run.get('state')}); qaexp resume {arguments.run} first"
        )
    directory = (arguments.to or _beside(arguments.run)).resolve()
    if directory.exists():
        raise ConfigError(f"--to {directory}: exists; give a folder that is not there yet")

    from qaexp.commands.resume import working_directory
    from qaexp.commands.stored import stored_config
    from qaexp.experiment import run_experiment

    config = stored_config(original.path)
    config.name, config.threads = directory.name, original.run.get("threads")
    print(f"running {original.path} again, into {directory}")
    with chdir(working_directory(original.path)):
        run_experiment(config, directory, command_line=sys.argv)
    return IntegrityError.exit_code if _told(original.path, directory) else 0


def _beside(run: Path) -> Path:
    number = 1
    while (path := run.resolve().parent / f"{run.resolve().name}-reproduced-{number}").exists():
        number += 1
    return path


def _told(original: Path, again: Path) -> bool:
    """Print what differs between two runs; True when results do."""
    from qaexp.runs.collect import read_run
    from qaexp.runs.reproduction import (
        LOSS_TOLERANCE,
        differing_files,
        differing_world,
        first_difference,
        promises_same_bytes,
    )

    exact = promises_same_bytes(original)
    step = first_difference(original, again, 0.0 if exact else LOSS_TOLERANCE)
    files = list(differing_files(original, again))
    print(f"first step that differs: {step or 'none'}")
    print(f"files that differ: {len(files) or 'none'}")
    for sentence in files:
        print(f"  {sentence}")
    world = list(differing_world(read_run(original), read_run(again)))
    print(f"differences of code, packages, device and machine: {len(world) or 'none'}")
    for sentence in world:
        print(f"  {sentence}")
    if not exact:
        print(
            f"equal bytes are not promised for this device without trainer.deterministic=true; losses may differ by "
            f"{LOSS_TOLERANCE:.0%}, and files that differ do not count"
        )
    return step is not None or (exact and bool(files))
