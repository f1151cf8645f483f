"""`qaexp resume`: continue a run or a sweep from its folder alone."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from qaexp.sweeps.again import Command


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
    from qaexp.runs.directory import RUN, SUMMARY, SWEEP_PLAN
    from qaexp.runs.readers.folder import SWEEP, look, real_path
    from qaexp.sweeps.optuna.journal import JOURNAL
    from qaexp.training.processes import is_main_process, num_processes

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

    from qaexp.cli.untold import untold
    from qaexp.commands.shown import show_run
    from qaexp.commands.stored import stored_config
    from qaexp.experiment.greeting import announce
    from qaexp.runs.writing.resumption import stored_format
    from qaexp.storage.redact import redactor_of

    tell_unset_variables(directory)
    config, origins = stored_config(directory, arguments.overrides)
    if is_main_process() and not (directory / SUMMARY).exists():  # a completed run says that it is, first
        announce("run", directory, str((folder.record or {}).get("run_id", "")))
    from qaexp.experiment.one_run import run_experiment  # takes seconds to be loaded

    begun = stored_format(directory)
    redactor = redactor_of(asdict(config), origins, sys.argv)
    with chdir(working_directory(directory)), untold(redactor):
        _, summary = run_experiment(config, directory, command_line=sys.argv, origins=origins, begun=begun)
    show_run(directory, summary)
    return 0


def _resume_sweep(directory: Path, overrides: Sequence[str]) -> int:
    """Run what is missing of a sweep, with the settings of its first start."""
    from qaexp.commands.stored import ConfigReader, check_neutral
    from qaexp.experiment.greeting import announce
    from qaexp.reporting.terminal.printing import say
    from qaexp.runs.directory import SWEEP_PLAN
    from qaexp.sweeps import forks, work
    from qaexp.sweeps.again import command_of
    from qaexp.sweeps.composing import identify_jobs
    from qaexp.sweeps.execute import run_sweep
    from qaexp.sweeps.launcher import LocalLauncher
    from qaexp.sweeps.policy import read_policy
    from qaexp.sweeps.sweep_files import read_plan

    check_neutral(overrides)
    if (command := command_of(directory)) is not None:
        return _give_again(directory, command, overrides)
    announce("sweep", directory)
    forks.prepare(work.PRELOAD)
    plan = read_plan(directory, ConfigReader(directory / SWEEP_PLAN, overrides))
    if plan.launcher is None:
        raise ConfigError(
            f"{directory}: was started with another launcher; give the command that started it again"
            f"{': ' + shlex.join(['qaexp', *map(str, plan.command_line[1:])]) if plan.command_line[1:] else ''}"
        )
    try:
        launcher, policy = LocalLauncher(**plan.launcher), read_policy(plan.on_failure)
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"{directory / SWEEP_PLAN}: settings: {error}; give the command again") from error
    with chdir(plan.working_directory if plan.working_directory.is_dir() else Path.cwd()):
        found = identify_jobs(plan.jobs, directory)
        jobs, num_gpus = found.jobs, found.num_gpus
        for sentence in found.remarks:
            say(sentence)
        tell_unset_variables(*(job.folder for job in jobs))
        run_sweep(
            directory,
            jobs,
            lambda to_run, watcher: launcher.run(to_run, watcher, policy=policy, num_gpus=num_gpus),
            at_once=launcher.at_once(num_gpus),
            max_checkpoint_mib=plan.max_checkpoint_mib,
        )
    return 0


def _give_again(directory: Path, command: Command, overrides: Sequence[str]) -> int:
    """Go on with a sweep by the command that started it, in the directory where the sweep is now."""
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
            return train(words)
    finally:
        sys.argv = mine


def tell_unset_variables(*directories: Path) -> None:
    """Say which variables the config set for a run, and nobody sets now."""
    from qaexp.reporting.terminal.printing import complain
    from qaexp.runs.writing.environment import no_longer_set

    names = dict.fromkeys(name for directory in directories for name in no_longer_set(directory))
    if names:
        complain(
            f"hydra.job.env_set gave {', '.join(names)} to the run, and no folder keeps such values: not set now; set "
            "them in the environment, or give the command that started the run again"
        )


def working_directory(directory: Path) -> Path:
    """Where the run was started, so that relative paths of its data mean the same; here, when that is gone."""
    from qaexp.runs.directory import ENVIRONMENT
    from qaexp.storage.reading import read_json

    try:
        stored = Path(str(read_json(directory / ENVIRONMENT).get("working_directory", "")))
    except FileNotFoundError:
        return Path.cwd()
    return stored if stored.is_dir() else Path.cwd()
