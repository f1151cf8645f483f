"""A sweep, from its override lines: Hydra's multirun, without what its command line does to the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.sentences import own_fault
from qaexp.config.compose import main_hydra, one_line
from qaexp.errors import ConfigError, StorageError
from qaexp.sweeps.plugins import register_plugins
from qaexp.sweeps.task import SweepTask
from qaexp.sweeps.worker import Asked


def multirun(
    lines: Sequence[str],
    command_line: Sequence[str],
    *,
    config_name: str,
    config_dir: Path | None,
    worker: Asked | None = None,
) -> None:
    """Run a sweep in this process, its jobs in children; arguments, loggers and variables stay as they are.

    Args:
        lines: Override lines.
        command_line: The words that started it, or would start it in a shell.
        config_name: The primary config.
        config_dir: The user's folder of more choices.
        worker: What to do as one of several workers of a search; None: this is the sweep's own command.

    Raises:
        QaexpError: As `qaexp.sweeps.execute.run_sweep`, or Hydra's own error as one sentence.
    """
    register_plugins()
    try:
        hydra = main_hydra(config_dir)
        hydra.multirun(config_name, SweepTask(tuple(command_line), worker), list(lines), with_log_configuration=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise own_fault(error) or ConfigError(one_line(error)) from error
    except BlockingIOError:
        raise  # no further process could be started
    except OSError as error:
        raise StorageError(
            f"{error.filename or 'the run directory'}: {error.strerror or error}; "
            "choose another name=, or a working directory that can be written"
        ) from error
    finally:
        GlobalHydra.instance().clear()
