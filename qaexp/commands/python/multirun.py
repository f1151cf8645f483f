"""A sweep from Python: Hydra's multirun, without what its command line does to the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.compose import main_hydra, one_line, register_schema
from qaexp.config.conf import CONFIG_NAME
from qaexp.errors import ConfigError
from qaexp.sweeps import work
from qaexp.sweeps.plugins import register_plugins
from qaexp.sweeps.task import SweepParts


def multirun(lines: Sequence[str], command_line: Sequence[str], *, config_dir: Path | None = None) -> None:
    """Run a sweep in this process, its jobs in children; arguments, loggers and variables stay as they are.

    Args:
        lines: Override lines.
        command_line: The words that would start it in a shell.
        config_dir: The user's folder of more choices.

    Raises:
        QaexpError: As `qaexp.sweeps.execute.run_sweep`, or Hydra's own error as one sentence.
    """
    register_schema()
    register_plugins()
    version.setbase("1.3")
    try:
        hydra = main_hydra(config_dir)
        hydra.multirun(CONFIG_NAME, _Task(command_line), list(lines), with_log_configuration=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_line(error)) from error
    finally:
        GlobalHydra.instance().clear()


class _Task:
    """What Hydra hands to our sweepers; a sweep has no other task."""

    def __init__(self, command_line: Sequence[str]) -> None:
        self.parts = SweepParts(work.train, work.identify, work.PRELOAD, command_line, work.report)

    def __call__(self, composed: Any) -> None:
        raise AssertionError("a sweep calls its parts")
