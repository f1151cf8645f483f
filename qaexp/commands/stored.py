"""The config of a run directory, read back as data: nothing in it is resolved, its targets are checked as always."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.compose import one_line, to_config
from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.config.suggest import did_you_mean
from qaexp.errors import ConfigError
from qaexp.runs.directory import CONFIG
from qaexp.runs.formats import dotted
from qaexp.runs.reading import read_json
from qaexp.runs.redact import REDACTED

_INTERPOLATION = re.compile(r"(\\*)\$\{")


def stored_config(directory: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Return the config that a run was started with.

    Args:
        directory: The run directory.
        overrides: `key=value` for keys that cannot change results.

    Raises:
        ConfigError: A secret is missing from it, an override is refused, or a key is not what it must be.
        IntegrityError: It names a target that no config may name, or cannot be read.
    """
    return config_from(read_json(directory / CONFIG), directory / CONFIG, overrides)


def config_from(stored: Mapping[str, Any], where: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Return the config that a stored tree describes; see `stored_config`.

    Args:
        stored: The tree.
        where: The file that it stands in, for messages.
        overrides: `key=value` for keys that cannot change results.
    """
    hidden = [key for key, value in dotted(stored).items() if REDACTED in str(value)]
    if hidden:
        raise ConfigError(
            f"{where}: {', '.join(hidden)} was a secret, which no run directory holds; give the command that "
            "started the run again"
        )
    _check_overrides(overrides)
    try:
        schema = OmegaConf.structured(ExperimentConfig)
        merged = OmegaConf.merge(schema, _literal(stored), OmegaConf.from_dotlist(list(overrides)))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}: {one_line(error)}; made by another version of qaexp?") from error
    assert isinstance(merged, DictConfig)
    return to_config(merged)


def _check_overrides(overrides: Sequence[str]) -> None:
    neutral = sorted(neutral_keys())
    for word in overrides:
        key, _, value = word.partition("=")
        if key not in neutral or not value or key == "name" or "${" in value:
            hint = did_you_mean(key, neutral) or "; give the whole command with another name= for another experiment"
            raise ConfigError(f"{word}: only keys that cannot change results may be given here{hint}")


def _literal(value: Any) -> Any:
    """A tree in which OmegaConf finds no interpolation: `${` is written as it escapes it."""
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, str):
        return _INTERPOLATION.sub(lambda match: match[1] * 2 + r"\${", value)
    return value
