"""`qaexp resume`: continue a run or a sweep from its folder alone."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import chdir, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from qaexp.runs.readers.folder import Folder
    from qaexp.sweeps.again import Command
    from qaexp.sweeps.worker import Asked as AskedOfWorker


def main(argv: Sequence[str]) -> int:
    """Continue a run or a sweep as the command that started it would.

    Args:
        argv: The directory, and overrides that cannot change results.

    Returns:
        0; a run that is completed is shown and not touched.

    Raises:
        QaexpError: The directory is not a run, or whatever stops the run.
    """
    parser = CommandParser("resume", "Continue a run or a sweep from its folder alone.")
    parser.add_argument("run", type=Path, metavar="DIR", help="a run directory, or that of a sweep")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # without it argparse says that some are required
        metavar="SETTING",
        help="key=value, for example steal_lock=true, trainer.allow_drift=true",
    )
    arguments = parser.parse_args(list(argv))
    from qaexp.runs.directory import RUN, SWEEP_PLAN
    from qaexp.runs.readers.folder import SWEEP, look, real_path
    from qaexp.sweeps.optuna.journal import JOURNAL
    from qaexp.training.processes import num_processes

    num_processes()  # refuses an environment that says too little of other processes
    directory = real_path(arguments.run)
    is_sweep = any((directory / name).exists() for name in (SWEEP_PLAN, JOURNAL))
    if is_sweep and not (directory / RUN).exists():
        return _resume_sweep(directory, arguments.overrides)
    folder = look(directory)
    if folder.state == SWEEP:
        raise ConfigError(
            f"{arguments.run}: is a sweep without its {SWEEP_PLAN}, which says what its jobs are; bring it back, or "
            "give the command that started the sweep again: what is completed is reused"
        )
    folder.check_readable()
    if folder.config is None and not folder.problems:
        raise ConfigError(f"{arguments.run}: was stopped before its config was stored; {folder.about}")
    _resume_run(directory, folder, arguments.overrides)
    return 0


def _resume_run(directory: Path, folder: Folder, overrides: Sequence[str]) -> None:
    """Continue a run from its newest checkpoint, or from its start."""
    from qaexp.cli.untold import untold
    from qaexp.commands.planned import tell_unset_variables
    from qaexp.commands.shown import show_run
    from qaexp.commands.stored import stored_config
    from qaexp.experiment.greeting import announce
    from qaexp.experiment.uploading import check_destination, tell_destination, upload_completed
    from qaexp.runs.directory import SUMMARY
    from qaexp.runs.writing.resumption import stored_format
    from qaexp.storage.redact import redactor_of
    from qaexp.training.processes import is_main_process

    tell_unset_variables(directory)
    config, origins = stored_config(directory, overrides)
    check_destination(config.reporter.upload_to, directory)
    tell_destination(config.reporter.upload_to, overrides)
    if is_main_process() and not (directory / SUMMARY).exists():  # a completed run says that it is, first
        announce("run", directory, str((folder.record or {}).get("run_id", "")))
    from qaexp.experiment.command import Command
    from qaexp.sweeps.ranks import train_run

    begun = stored_format(directory)
    redactor = redactor_of(asdict(config), origins, sys.argv)
    with chdir(working_directory(directory)), untold(redactor):
        _, summary = train_run(config, directory, Command(sys.argv, origins=origins, begun=begun))
    show_run(directory, summary)
    upload_completed(config.reporter.upload_to, directory)


def _resume_sweep(directory: Path, overrides: Sequence[str]) -> int:
    """Run what is missing of a sweep, with the settings of its first start."""
    from qaexp.commands.planned import made_ready
    from qaexp.commands.stored import check_neutral
    from qaexp.experiment.greeting import announce
    from qaexp.experiment.uploading import tell_destination, uploaded_afterwards
    from qaexp.runs.directory import SWEEP_PLAN
    from qaexp.sweeps.again import command_of
    from qaexp.sweeps.execute import Manner, run_sweep
    from qaexp.sweeps.launching import Work, most_processes
    from qaexp.sweeps.plugins import planned_launcher
    from qaexp.sweeps.policy import read_policy
    from qaexp.training.processes import refuse_sweep

    refuse_sweep()
    check_neutral(overrides)
    if (command := command_of(directory)) is not None:
        return give_again(directory, command, overrides)
    announce("sweep", directory)
    with made_ready(directory, overrides) as ready:
        plan, num_gpus, processes = ready.plan, ready.num_gpus, most_processes(ready.jobs)
        if plan.launcher is None:
            raise ConfigError(
                f"{directory}: was started with another launcher; give the command that started it again"
                f"{': ' + shlex.join(['qaexp', *map(str, plan.command_line[1:])]) if plan.command_line[1:] else ''}"
            )
        try:
            launcher, policy = planned_launcher(plan.launcher), read_policy(plan.on_failure)
        except ConfigError:
            raise
        except (IntegrityError, ValueError) as error:
            raise IntegrityError(f"{directory / SWEEP_PLAN}: settings: {error}; give the command again") from error
        manner = Manner(
            at_once=launcher.at_once(num_gpus, processes),
            threads=plan.threads or launcher.threads(num_gpus, processes),  # an older qaexp planned none
            max_checkpoint_mib=plan.max_checkpoint_mib,
        )
        url = next((job.config.reporter.upload_to for job in ready.jobs), None)
        tell_destination(url, overrides)
        with uploaded_afterwards(url, directory), closing(launcher):
            run_sweep(
                directory,
                ready.jobs,
                lambda to_run, watcher: launcher.run(Work(directory, to_run, policy, num_gpus), watcher),
                manner,
            )
    return 0


def give_again(directory: Path, command: Command, overrides: Sequence[str], worker: AskedOfWorker | None = None) -> int:
    """Go on with a sweep by the command that started it, in the directory where the sweep is now.

    Args:
        directory: The sweep's directory.
        command: What started it.
        overrides: Further override lines.
        worker: What to do as one of several workers of a search; None: go on in its own command's place.
    """
    from qaexp.commands.train import main as train
    from qaexp.reporting.terminal.printing import say
    from qaexp.sweeps.again import again

    words = again(directory, command, overrides)
    say(f"goes on by its command: {command.shown}")
    mine = sys.argv
    # What is stored of the jobs is the command of the sweep, not this one.
    sys.argv = ["qaexp", "train", *command.words]
    try:
        with chdir(command.working_directory if command.working_directory.is_dir() else Path.cwd()):
            return train(words, worker)
    finally:
        sys.argv = mine


def working_directory(directory: Path) -> Path:
    """Where the run was started, so that relative paths of its data mean the same; here, when that is gone."""
    from qaexp.runs.directory import ENVIRONMENT
    from qaexp.storage.reading import read_json

    try:
        stored = Path(str(read_json(directory / ENVIRONMENT).get("working_directory", "")))
    except FileNotFoundError:
        return Path.cwd()
    return stored if stored.is_dir() else Path.cwd()
