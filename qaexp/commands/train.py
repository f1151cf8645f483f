"""`qaexp train`: check the command line, then let Hydra compose each run and hand it to the experiment."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.commands.composed import RUNS, SWEEPS, run_composed, without_empty
from qaexp.commands.words.arguments import TrainArguments, parse_train_arguments, prefixes
from qaexp.errors import ConfigError, StorageError
from qaexp.runs.naming import check_name, default_name
from qaexp.storage.start import allowing
from qaexp.storage.version import __version__

if TYPE_CHECKING:
    from qaexp.config.schema import ExperimentConfig


def main(argv: Sequence[str]) -> int:
    """Train one run, or the runs of a sweep.

    Args:
        argv: Overrides and Hydra's flags, in any order.

    Returns:
        0; faults are raised.

    Raises:
        QaexpError: Whatever went wrong, with all problems of a config at once.
    """
    arguments = parse_train_arguments(argv)
    if arguments.wants_help or arguments.about:
        _tell(arguments)
        return 0
    with allowing(prefixes(arguments.allowed)):
        _begin(arguments, argv)
    return 0


def _tell(arguments: TrainArguments) -> None:
    """Print a help page, or the versions."""
    from qaexp.commands.words.modes import hydra_help
    from qaexp.commands.words.train_help import for_terminal, train_help
    from qaexp.reporting.terminal.printing import say_text

    if arguments.about == "--version" and not arguments.wants_help:
        import hydra

        text = f"qaexp {__version__}, Hydra {hydra.__version__}"
    else:
        text = for_terminal(train_help(arguments.config_dir) if arguments.wants_help else hydra_help())
    say_text(text + "\n")


def _begin(arguments: TrainArguments, argv: Sequence[str]) -> None:
    """Find the config to begin with, and run."""
    from qaexp.config.checks.texts import keep_texts

    lines = keep_texts(arguments.overrides)
    arguments = replace(arguments, overrides=tuple(lines), config_name=_primary(arguments, lines))
    if arguments.runs:
        from qaexp.config.compose import check_command_line
        from qaexp.training.processes import num_processes

        num_processes()  # refuses an environment that says too little of other processes, before a folder is made
        config = check_command_line(
            lines,
            config_name=arguments.config_name,
            config_dir=arguments.config_dir,
            is_sweep="--multirun" in arguments.flags,
        )
        check_name(config.name or "", lines)
        _tell_unused_weights(config)
        if config.name is None:
            _train_unnamed(arguments, argv)
        else:
            _through_hydra(arguments, lines)
    else:
        _show(arguments, lines)


def _show(arguments: TrainArguments, lines: Sequence[str]) -> None:
    """Show what was asked for instead of training."""
    from qaexp.config.guards.interpolations import bounded
    from qaexp.config.shown import check_shown, is_null_part
    from qaexp.reporting.terminal.printing import say

    if arguments.shows is not None:
        name, folder, part = arguments.config_name, arguments.config_dir, arguments.package
        check_shown(lines, arguments.shows, config_name=name, config_dir=folder)
        if part is not None and is_null_part(lines, arguments.shows, part, config_name=name, config_dir=folder):
            say("null")  # Hydra would say that there is no such part
            return
    with bounded():  # `--cfg job --resolve` resolves what nothing has looked at before
        _through_hydra(arguments, lines)


def _primary(arguments: TrainArguments, lines: Sequence[str]) -> str:
    """The name of the config to begin with; what it is made of is told where something runs."""
    from qaexp.config.primary import choose_primary

    if arguments.origin is None:
        _tell_own_primary(arguments)
        return choose_primary(arguments.config_name, arguments.config_dir, is_named=arguments.is_named)
    from qaexp.commands.origin import begin_with_run
    from qaexp.config.given import GIVEN
    from qaexp.reporting.terminal.printing import say
    from qaexp.training.processes import is_main_process

    for sentence in begin_with_run(arguments.origin, lines):
        if arguments.runs and is_main_process():
            say(sentence)
    return GIVEN


def _tell_own_primary(arguments: TrainArguments) -> None:
    """Say that a file is used which nobody named, since it is called like qaexp's own config."""
    from qaexp.config.guards.shadows import replaces_own
    from qaexp.reporting.terminal.printing import complain
    from qaexp.training.processes import is_main_process

    completes = "--shell-completion" in arguments.flags
    if not arguments.is_named and not completes and (file := replaces_own(arguments.config_dir)) and is_main_process():
        complain(
            f"{file} is used as the config to begin with, in place of qaexp's own, which is called so too; add "
            "--config-name=config if you mean it, or rename the file to begin with qaexp's own"
        )


def _tell_unused_weights(config: ExperimentConfig) -> None:
    """Say that a run begins with fresh weights though its checkpoint has trained ones, as under model=tiny_random."""
    from qaexp.config.checks.positions import checkpoint_folder
    from qaexp.reporting.terminal.printing import complain
    from qaexp.training.processes import is_main_process

    checkpoint = config.model.checkpoint
    folder = None if checkpoint.startswith("package://") else checkpoint_folder(checkpoint)
    if config.model.random_weights and folder and (folder / "model.safetensors").is_file() and is_main_process():
        complain(
            "model.random_weights=true: the weights of model.checkpoint are not used; write model.random_weights=false "
            "to begin with them"
        )


def _train_unnamed(arguments: TrainArguments, argv: Sequence[str]) -> None:
    """Train a run, or a sweep, whose command line gives no name."""
    from qaexp.training.processes import agreed

    parent = Path(SWEEPS if _is_sweep(arguments) else RUNS)
    name = agreed(lambda: default_name(argv, parent, environ=os.environ, now=datetime.now()))
    with without_empty(parent / name, parent):
        _through_hydra(arguments, [*arguments.overrides, f"name={name}"])


def _is_sweep(arguments: TrainArguments) -> bool:
    """Does -m ask for a sweep, or a preset, wherever it is chosen?"""
    from qaexp.config.compose import is_sweep_by_itself

    return "--multirun" in arguments.flags or is_sweep_by_itself(
        arguments.overrides, config_name=arguments.config_name, config_dir=arguments.config_dir
    )


class _PastHydra(BaseException):
    """Carries what a run raised past Hydra, which would print a line of its own for any Exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _through_hydra(arguments: TrainArguments, lines: Sequence[str]) -> None:
    """Run Hydra's own main with the flags in front, where its parser wants them.

    Raises:
        QaexpError: What a run raised, or Hydra's own error as one sentence.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from qaexp.config.checks.sentences import own_fault
    from qaexp.config.completion import register_completion
    from qaexp.config.compose import one_line, register_schema
    from qaexp.config.conf import conf_directory
    from qaexp.sweeps.plugins import register_plugins

    register_schema()
    register_plugins()
    register_completion()
    task = _Task(list(sys.argv))
    # The script that installs completion registers the program's name; everywhere else it names the command.
    program = "qaexp" if "--shell-completion" in arguments.flags else "qaexp train"
    sys.argv = [program, *arguments.flags, *lines]
    # With this, Hydra hands errors on instead of printing their traceback and leaving with exit code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    try:
        hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=arguments.config_name)(task)()
    except _PastHydra as passed:
        raise passed.error from passed.error.__cause__
    except (HydraException, OmegaConfBaseException) as error:
        raise own_fault(error) or ConfigError(one_line(error)) from error
    except BlockingIOError:
        raise  # no further process could be started
    except OSError as error:
        raise StorageError(
            f"{error.filename or 'the run directory'}: {error.strerror or error}; "
            "choose another name=, or a working directory that can be written"
        ) from error


class _Task:
    """What Hydra calls for a single run. Of a sweep our sweeper calls the parts itself, each job in a child.

    Attributes:
        parts: What runs the jobs of a sweep.
    """

    def __init__(self, command_line: Sequence[str]) -> None:
        from qaexp.sweeps import work
        from qaexp.sweeps.task import SweepParts

        self.parts = SweepParts(work.train, work.identify, work.PRELOAD, command_line, work.report)

    def __call__(self, composed: Any) -> None:
        try:
            _train_composed(composed, self.parts.command_line)
        except Exception as error:
            raise _PastHydra(error) from error


def _train_composed(composed: Any, command_line: Sequence[str]) -> None:
    """One run, and its end on the terminal."""
    from hydra.core.hydra_config import HydraConfig

    from qaexp.commands.shown import show_run

    settings = HydraConfig.get()
    ended = run_composed(composed, settings, Path(settings.runtime.output_dir), command_line)
    if ended.summary is not None:
        show_run(ended.directory, ended.summary)
