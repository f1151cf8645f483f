"""`qaexp train`: a run, a sweep, or what Hydra shows of a config instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qaexp.cli.arguments import TrainArguments, parse_train_arguments, prefixes
from qaexp.commands.composed import Asked, run, sweep
from qaexp.errors import ConfigError
from qaexp.storage.start import allowing
from qaexp.storage.version import __version__

if TYPE_CHECKING:
    from qaexp.sweeps.worker import Asked as AskedOfWorker


def main(argv: Sequence[str], worker: AskedOfWorker | None = None) -> int:
    """Train one run, or the runs of a sweep.

    Args:
        argv: Overrides and Hydra's flags, in any order.
        worker: What to do as one of several workers of a search; None: this is the sweep's own command.

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
        _begin(arguments, argv, worker)
    return 0


def _tell(arguments: TrainArguments) -> None:
    """Print a help page, or the versions."""
    from qaexp.cli.modes import hydra_help
    from qaexp.cli.train_help import for_terminal, train_help
    from qaexp.reporting.terminal.printing import say_text

    if arguments.about == "--version" and not arguments.wants_help:
        import hydra

        text = f"qaexp {__version__}, Hydra {hydra.__version__}"
    else:
        text = for_terminal(train_help(arguments.config_dir) if arguments.wants_help else hydra_help())
    say_text(text + "\n")


def _begin(arguments: TrainArguments, argv: Sequence[str], worker: AskedOfWorker | None) -> None:
    """Find the config to begin with, and run."""
    from qaexp.config.checks.texts import keep_texts

    lines = keep_texts(arguments.overrides)
    arguments = replace(arguments, overrides=tuple(lines), config_name=_primary(arguments, lines))
    if not arguments.runs:
        _show(arguments, lines)
        return
    asked = Asked(
        lines, sys.argv, argv, arguments.config_name, arguments.config_dir, is_multirun="--multirun" in arguments.flags
    )
    checked = asked.checked()
    if asked.is_multirun or checked.is_sweep:
        sweep(asked, checked, worker)
    elif (ended := run(asked, checked)).summary is not None:
        from qaexp.commands.shown import show_run
        from qaexp.experiment.uploading import upload_completed

        show_run(ended.directory, ended.summary)
        upload_completed(checked.config.reporter.upload_to, ended.directory)


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
    """The name of the config to begin with; what it is made of is reported where something runs."""
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


def _through_hydra(arguments: TrainArguments, lines: Sequence[str]) -> None:
    """Let Hydra's own main show what is asked for, with the flags in front, where its parser wants them.

    Raises:
        ConfigError: Hydra's own error as one sentence.
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
    # The script that installs completion registers the program's name; everywhere else it names the command.
    program = "qaexp" if "--shell-completion" in arguments.flags else "qaexp train"
    sys.argv = [program, *arguments.flags, *lines]
    # With this, Hydra hands errors on instead of printing their traceback and leaving with exit code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    try:
        hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=arguments.config_name)(_shown)()
    except (HydraException, OmegaConfBaseException) as error:
        raise own_fault(error) or ConfigError(one_line(error)) from error


def _shown(composed: object) -> None:
    """Hydra names what it shows by the module of its task, and calls none."""
