"""`qaexp reproduce`: run a run again, and say whether it gave the same bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError
from qaexp.reporting.terminal.printing import say

if TYPE_CHECKING:
    from qaexp.runs.readers.folder import Folder


def main(argv: Sequence[str]) -> int:
    """Rerun a completed run into a new folder and compare.

    Args:
        argv: The run directory, and where to.

    Returns:
        0 when all results are alike, 8 when something differs, or the original is not what the run wrote.

    Raises:
        QaexpError: The run is not completed, its config was changed, the new folder is taken, or whatever stops the new
            run.
    """
    parser = CommandParser("reproduce", "Run a completed run again; the same bytes, or the first step that differs.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a completed run directory")
    parser.add_argument("--to", type=Path, metavar="DIR", help="the new folder (default: beside it, -reproduced-N)")
    arguments = parser.parse_args(list(argv))
    from qaexp.runs.readers.folder import look, real_path
    from qaexp.training.processes import num_processes

    num_processes()  # refuses an environment that says too little of other processes
    original = look(real_path(arguments.run))
    original.check_completed()
    directory = real_path(arguments.to or _beside(original.path))
    if os.path.lexists(directory):
        raise ConfigError(f"--to {directory}: exists; give a folder that is not there yet")

    from qaexp.cli.untold import untold
    from qaexp.commands.planned import tell_unset_variables
    from qaexp.commands.resume import working_directory
    from qaexp.commands.stored import stored_config
    from qaexp.runs.writing.resumption import stored_format
    from qaexp.storage.redact import redactor_of

    changed = _changes(original)
    tell_unset_variables(original.path)
    config, origins = stored_config(original.path)
    begun = stored_format(original.path)
    config.name, config.threads = directory.name, (original.record or {}).get("threads")
    say(f"running {original.path} again, into {directory}")
    from qaexp.experiment.command import Command
    from qaexp.sweeps.ranks import train_run

    redactor = redactor_of(asdict(config), origins, sys.argv)
    with chdir(working_directory(original.path)), untold(redactor):
        train_run(config, directory, Command(sys.argv, origins=origins, begun=begun))
    differs = _told(original.path, directory)
    say(f"the new run, with all its files: {directory}")
    return IntegrityError.exit_code if differs or changed else 0


def _beside(run: Path) -> Path:
    number = 1
    while os.path.lexists(path := run.parent / f"{run.name}-reproduced-{number}"):
        number += 1
    return path


def _changes(original: Folder) -> list[str]:
    """Print what was changed in a run since it was made; returns it.

    Raises:
        IntegrityError: Its config was changed: another run would be made.
    """
    from qaexp.runs.directory import CONFIG
    from qaexp.runs.readers.verification import verify_results

    changed = verify_results(original)[0]
    if told := [sentence for sentence in changed if sentence.startswith(f"{original.path / CONFIG}:")]:
        raise IntegrityError(f"{told[0]}; another run would be made: bring the run's own file back")
    say(f"changed in its folder since the run: {len(changed) or 'none'}")
    _print_indented(changed)
    return changed


def _told(original: Path, again: Path) -> bool:
    """Print what differs between two runs; True when results do."""
    from qaexp.runs.readers.collect import read_run
    from qaexp.runs.readers.reproduction import (
        LOSS_TOLERANCE,
        compare_files,
        differing_inputs,
        differing_world,
        first_difference,
        promises_same_bytes,
    )

    exact = promises_same_bytes(original, again)
    step = first_difference(original, again, 0.0 if exact else LOSS_TOLERANCE)
    files = compare_files(original, again, has_step=step is not None)
    say(f"first step that differs: {step or 'none'}")
    none = f"none of {files.num_compared}" if not files.not_compared else f"0 of the {files.num_compared} compared"
    say(f"files that differ: {len(files.different) or none}")
    _print_indented(files.different)
    if files.not_compared:
        say(f"files that were not compared: {len(files.not_compared)}")
        _print_indented(files.not_compared)
    inputs = list(differing_inputs(read_run(original), read_run(again)))
    say(f"inputs that differ: {len(inputs) or 'none'}")
    _print_indented(inputs)
    world = list(differing_world(read_run(original), read_run(again)))
    say(f"differences of code, packages, device and machine: {len(world) or 'none'}")
    _print_indented(world)
    if not exact:
        say(
            f"equal bytes are not promised for this device without trainer.deterministic=true; losses may differ by "
            f"{LOSS_TOLERANCE:.0%}, and files that differ do not count"
        )
    return step is not None or bool(inputs) or (exact and bool(files.different))


def _print_indented(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        say(f"  {sentence}")
