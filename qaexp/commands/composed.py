"""From override lines to a run or a sweep, whoever gives them: the command line or Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qaexp.config.conf import CONFIG_NAME
from qaexp.errors import ConfigError, StorageError
from qaexp.runs.naming import check_name, check_path, default_name

if TYPE_CHECKING:
    from qaexp.config.command_line import Checked
    from qaexp.config.schema import ExperimentConfig
    from qaexp.sweeps.worker import Asked as AskedOfWorker

RUNS, SWEEPS = "outputs", "multirun_outputs"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to have run.

    Attributes:
        lines: Override lines.
        command_line: The words that started it, or would start it in a shell.
        words: What a drawn name follows from under Slurm.
        config_name: The primary config.
        config_dir: The user's folder of more choices.
        is_multirun: Whether -m was given; None where nobody can give it.
    """

    lines: Sequence[str]
    command_line: Sequence[str]
    words: Sequence[str]
    config_name: str = CONFIG_NAME
    config_dir: Path | None = None
    is_multirun: bool | None = None

    def checked(self) -> Checked:
        """Compose and check it.

        Raises:
            ConfigError: With all that is wrong.
            IntegrityError: An object is named that no config may name.
        """
        from qaexp.config.command_line import check_command_line
        from qaexp.training.processes import check_processes, num_processes

        num_processes()  # refuses an environment that says too little of other processes, before a folder is made
        checked = check_command_line(
            self.lines, config_name=self.config_name, config_dir=self.config_dir, is_sweep=self.is_multirun
        )
        check_name(checked.config.name or "", self.lines)
        check_processes(checked.config.trainer.processes)
        _tell_unused_weights(checked.config)
        return checked


class Ended(NamedTuple):
    """What came of a composed run.

    Attributes:
        directory: The run directory.
        run_id: The first eight hex digits of its identity.
        summary: The content of its summary.json; None after a dry run.
    """

    directory: Path
    run_id: str
    summary: dict[str, Any] | None


def run(asked: Asked, checked: Checked) -> Ended:
    """Train a run; of a dry run say what would be trained.

    Args:
        asked: What is wanted.
        checked: What it makes.

    Returns:
        How it ended.

    Raises:
        QaexpError: Whatever went wrong, without secrets.
    """
    from qaexp.config.compose import as_run

    with _named(asked, checked, Path(RUNS)) as named:
        composed, settings = as_run(named.composed)
        return _run(named.config, composed, settings, asked.command_line)


def _run(config: ExperimentConfig, composed: Any, settings: Any, command_line: Sequence[str]) -> Ended:
    """Run a config that was made of `composed`, with Hydra's node `settings`."""
    from qaexp.cli.untold import untold
    from qaexp.config.hydra_files import hydra_trees, task_words
    from qaexp.config.origins import find_origins
    from qaexp.experiment.greeting import announce
    from qaexp.experiment.uploading import check_destination
    from qaexp.runs.directory import RUN, SUMMARY
    from qaexp.storage.reading import read_json
    from qaexp.storage.redact import redactor_of
    from qaexp.training.processes import is_main_process

    directory, words = Path(str(settings.runtime.output_dir)), task_words(settings)
    environment = {str(name): str(value) for name, value in settings.job.env_set.items()}
    trees, origins = hydra_trees(composed, settings, words), find_origins(composed)
    redactor = redactor_of(
        asdict(config), origins, [*words, *command_line], [*trees.values(), {"env_set": environment}]
    )
    with without_empty(directory), untold(redactor):
        check_path(directory, redactor)
        _check_way(directory)
        if config.sweep.plan_only:
            raise ConfigError(
                "sweep.plan_only=true: plans a sweep, and this is a single run; add -m and the values to sweep, or "
                "leave it out"
            )
        check_destination(config.reporter.upload_to, directory)
        if config.sweep.dry_run:
            from qaexp.commands.rehearsal import tell_run

            return Ended(directory, tell_run(config, origins, directory), None)
        if is_main_process() and not (directory / SUMMARY).exists():  # a completed run says that it is, first
            announce("run", directory)
        from qaexp.experiment.command import Command
        from qaexp.sweeps.ranks import train_run

        directory, summary = train_run(config, directory, Command(command_line, trees, origins, environment))
        return Ended(directory, str(read_json(directory / RUN).get("run_id", "")), summary)


def _check_way(directory: Path) -> None:
    """Refuse a directory for which there is no room, before anything is said of a run.

    Raises:
        StorageError: It, or a folder above it, is a file, or there can be no folder of such a name.
    """
    try:
        there = next(folder for folder in (directory, *directory.parents) if folder.exists())
    except OSError as error:  # a name that is too long for any folder, or a folder that may not be looked into
        raise StorageError(f"{directory}: {error.strerror}; choose another name=, or another folder") from error
    if not there.is_dir():
        raise StorageError(
            f"{there}: is a file where the run needs a folder; choose another name=, or another working directory"
        )


def sweep(asked: Asked, checked: Checked, worker: AskedOfWorker | None = None) -> Path:
    """Run a sweep; returns its directory.

    Args:
        asked: What is wanted.
        checked: What its first job is.
        worker: What to do as one of several workers of a search; None: this is the sweep's own command.

    Raises:
        SweepError: Jobs failed; the others have been run.
        QaexpError: Whatever else went wrong.
    """
    from qaexp.experiment.uploading import uploaded_afterwards
    from qaexp.training.processes import refuse_sweep

    refuse_sweep()
    from qaexp.sweeps.multirun import multirun

    with _named(asked, checked, Path(SWEEPS)) as named:
        directory = Path(str(named.composed.hydra.sweep.dir)).resolve()
        lines = [*asked.lines, *([] if checked.config.name else [f"name={named.config.name}"])]
        lines += [] if checked.is_sweep else ["hydra.mode=MULTIRUN"]
        with uploaded_afterwards(checked.config.reporter.upload_to, directory):
            multirun(
                lines, asked.command_line, config_name=asked.config_name, config_dir=asked.config_dir, worker=worker
            )
        return directory


@contextmanager
def _named(asked: Asked, checked: Checked, parent: Path) -> Iterator[Checked]:
    """Give what has no name one of its own; its folder is taken away again where nothing came into it.

    Args:
        asked: What is wanted.
        checked: What it makes.
        parent: Where the run directory, or that of the sweep, will be.
    """
    from qaexp.training.processes import agreed

    now = datetime.now()
    drawn = checked.config.name or agreed(lambda: default_name(asked.words, parent, environ=os.environ, now=now))
    with without_empty(parent / drawn, parent):
        yield checked if checked.config.name else checked.named(drawn)


def _tell_unused_weights(config: ExperimentConfig) -> None:
    """Say that a run begins with fresh weights though its checkpoint has trained ones, as under model=tiny_random."""
    from qaexp.config.checks.positions import checkpoint_folder
    from qaexp.reporting.terminal.printing import complain
    from qaexp.storage.model_places import place_of
    from qaexp.training.processes import is_main_process

    checkpoint = config.model.checkpoint
    folder = None if place_of(checkpoint) == "package" else checkpoint_folder(checkpoint)
    if config.model.random_weights and folder and (folder / "model.safetensors").is_file() and is_main_process():
        complain(
            "model.random_weights=true: the weights of model.checkpoint are not used; write model.random_weights=false "
            "to begin with them"
        )


@contextmanager
def without_empty(*folders: Path) -> Iterator[None]:
    """Take folders away after the body when they are empty: a run that was refused leaves none behind."""
    try:
        yield
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()
