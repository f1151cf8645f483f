"""From a command line to one checked ExperimentConfig: compose, collect every mistake, convert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qaexp.config.checks import check_config
from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from qaexp.config.overrides import check_overrides, parse_overrides
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError


def register_schema() -> None:
    """Make the dataclasses known to Hydra as the config `schema`, the first entry of the defaults list."""
    ConfigStore.instance().store(name="schema", node=ExperimentConfig, provider="qaexp")


def to_config(composed: DictConfig) -> ExperimentConfig:
    """Convert a composed config to dataclasses and check it.

    Raises:
        ConfigError: With every problem that was found.
    """
    try:
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(config, ExperimentConfig)
    problems = check_config(config)
    if problems:
        raise ConfigError(*problems)
    return config


def compose_config(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> DictConfig:
    """Compose the config of one run.

    Raises:
        ConfigError: When the YAML files or the overrides do not fit together.
    """
    register_schema()
    search = [f"hydra.searchpath=[file://{config_dir.resolve()}]"] if config_dir else []
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_directory()), version_base="1.3"):
            return compose(config_name, [*search, *lines])
    except (HydraException, OmegaConfBaseException, YAMLError, OSError) as error:
        raise ConfigError(one_line(error)) from error


def check_command_line(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> ExperimentConfig:
    """Collect all that is wrong with a command line, before Hydra stops at the first mistake.

    Args:
        lines: Overrides as typed; of a sweep's override the first value is composed, and all are checked.
        config_name: The primary config.
        config_dir: A folder of the user's that adds choices.

    Returns:
        The config of the run (of a sweep: of its first job).

    Raises:
        ConfigError: With one sentence per mistake.
    """
    overrides, problems = parse_overrides(lines)
    offered = choices([conf_directory(), *([config_dir] if config_dir else [])])
    kept = check_overrides(
        overrides,
        offered,
        lambda groups: compose_config(groups, config_name=config_name, config_dir=config_dir),
        problems,
    )
    try:
        config = to_config(compose_config(kept, config_name=config_name, config_dir=config_dir))
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from error
    if problems:
        raise ConfigError(*problems)
    return config


def as_plain(config: ExperimentConfig) -> dict[str, Any]:
    """The resolved config as plain JSON types, in the schema's order."""
    plain = OmegaConf.to_container(OmegaConf.structured(config), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def one_line(error: BaseException) -> str:
    """The sentence of a library's error: its lines joined, without the frame of paths that Hydra adds."""
    text = str(error)
    if error.__cause__ is not None and str(error.__cause__) not in text:
        text = f"{text} {error.__cause__}"
    return " ".join(part.strip() for part in text.splitlines() if part.strip())
