"""A whole command line, composed once and checked: all that is wrong with it is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from hydra._internal.hydra import Hydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from qaexp.config.checks.given_values import first_lines
from qaexp.config.checks.hydra_settings import idle_settings
from qaexp.config.checks.overrides import check_overrides
from qaexp.config.checks.words import follows, key_of, parse_overrides
from qaexp.config.compose import composed_by, main_hydra, to_config, without_hydra
from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from qaexp.config.hydra_node import GuardedLoader, override_dirname
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, QaexpError


class Checked(NamedTuple):
    """What a command line makes.

    Attributes:
        config: The checked config of the run; of a sweep that of its first job.
        composed: What it was made of, with Hydra's own node.
    """

    config: ExperimentConfig
    composed: DictConfig

    @property
    def is_sweep(self) -> bool:
        """Whether the chosen files, for example those of the group `sweep`, make a sweep without -m."""
        return bool(self.composed.hydra.mode == RunMode.MULTIRUN)

    def named(self, name: str) -> Checked:
        """Return the same as if `name=...` had been the last word of the command line."""
        composed = deepcopy(self.composed)
        with read_write(composed), open_dict(composed):
            composed.name = name
            composed.hydra.overrides.task.append(f"name={name}")
            composed.hydra.job.override_dirname = override_dirname(composed.hydra)
        return Checked(to_config(without_hydra(deepcopy(composed))), composed)


def check_command_line(
    lines: Sequence[str],
    *,
    config_name: str = CONFIG_NAME,
    config_dir: Path | None = None,
    is_sweep: bool | None = None,
) -> Checked:
    """Compose a command line, once where nothing is wrong with it; otherwise collect all that is wrong.

    Args:
        lines: Overrides as typed; of a sweep's override the first value is composed, and all are checked.
        config_name: The primary config.
        config_dir: A folder of the user's that adds choices.
        is_sweep: Whether -m was given; None where nobody knows.

    Returns:
        The config of the run (of a sweep: of its first job).

    Raises:
        ConfigError: With one sentence per mistake.
        IntegrityError: An object is named that no config may name.
    """
    overrides, problems = parse_overrides(lines)
    good: list[str] = []
    offered = choices([conf_directory(), *([config_dir] if config_dir else [])])
    hydra = main_hydra(config_dir)
    whole = None if problems else _tried(hydra, overrides, config_name)

    def compose_lines(lines: list[str]) -> DictConfig:
        return composed_by(hydra, lines, config_name)

    try:
        good = check_overrides(overrides, offered, compose_lines, problems, chosen=_chosen(hydra))
        if isinstance(whole, QaexpError) and not problems and len(good) == len(first_lines(overrides)):
            raise whole  # no word is wrong by itself, and composed again they would say the same
        composed = whole if isinstance(whole, DictConfig) and not problems else compose_lines(good)
        problems += idle_settings(overrides, composed, is_sweep)
        config = to_config(without_hydra(deepcopy(composed)))
    except ConfigError as error:
        used = {key_of(line) for line in good}
        wrong = {key_of(line) for line in lines} - used
        own = [one for one in error.problems if not follows(one, problems, wrong, used)]
        raise ConfigError(*problems, *own) from error
    if problems:
        raise ConfigError(*problems)
    return Checked(config, composed)


def _tried(hydra: Hydra, overrides: Sequence[Override], config_name: str) -> DictConfig | QaexpError | None:
    """Compose all words at once; returns what is wrong where they do not fit together, and each has to be looked at."""
    try:
        return composed_by(hydra, first_lines(overrides), config_name)
    except QaexpError as error:
        return error
    except HydraException:  # of a word whose first value is not known yet, as glob()
        return None


def _chosen(hydra: Hydra) -> DictConfig | None:
    """What the files that were chosen last make, before any key was set; None where they do not fit together."""
    assert isinstance(hydra.config_loader, GuardedLoader)
    return hydra.config_loader.chosen
