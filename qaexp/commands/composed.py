"""A composed run, whoever composed it: the command line by Hydra, or Python by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from qaexp.storage.start import start, variables

RUNS, SWEEPS = "outputs", "multirun_outputs"


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


def run_composed(composed: Any, settings: Any, directory: Path, command_line: Sequence[str]) -> Ended:
    """Train a composed run; of a dry run say what would be trained.

    Args:
        composed: The config without Hydra's node.
        settings: Hydra's node.
        directory: The run directory.
        command_line: The words that started the run.

    Returns:
        How it ended.

    Raises:
        QaexpError: Whatever went wrong, without secrets.
    """
    from qaexp.commands.words.untold import untold
    from qaexp.config.compose import to_config
    from qaexp.config.hydra_files import hydra_trees, task_words
    from qaexp.config.origins import find_origins
    from qaexp.experiment.greeting import announce
    from qaexp.runs.directory import RUN, SUMMARY
    from qaexp.runs.naming import check_path
    from qaexp.storage.reading import read_json
    from qaexp.storage.redact import redactor_of
    from qaexp.training.processes import is_main_process

    environment = {str(name): str(value) for name, value in settings.job.env_set.items()}
    # Hydra may have set them by now, and what a config sets has no say in how that config is read and built.
    with without_empty(directory), variables({name: start().environ.get(name) for name in environment}):
        config, words = to_config(composed), task_words(settings)
        trees, origins = hydra_trees(composed, settings, words), find_origins(composed)
        redactor = redactor_of(
            asdict(config), origins, [*words, *command_line], [*trees.values(), {"env_set": environment}]
        )
        with untold(redactor):
            check_path(directory, redactor)
            if config.sweep.dry_run:
                from qaexp.commands.rehearsal import tell_run

                with without_empty(directory, *_above(directory)):  # Hydra has made them
                    return Ended(directory, tell_run(config, origins, directory), None)
            if is_main_process() and not (directory / SUMMARY).exists():  # a completed run says that it is, first
                announce("run", directory)
            from qaexp.experiment.one_run import run_experiment  # takes seconds to be loaded

            directory, summary = run_experiment(
                config,
                directory,
                command_line=command_line,
                hydra_files=trees,
                origins=origins,
                environment=environment,
            )
            return Ended(directory, str(read_json(directory / RUN).get("run_id", "")), summary)


def _above(directory: Path) -> list[Path]:
    """The folders between the working directory and a directory, from the inside out."""
    here = Path.cwd()
    return [folder for folder in directory.absolute().parents if folder != here and folder.is_relative_to(here)]


@contextmanager
def without_empty(*folders: Path) -> Iterator[None]:
    """Take folders away after the body when they are empty: a run that was refused leaves none behind."""
    try:
        yield
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()
