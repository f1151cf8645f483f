"""The settings of a node from Python: the keys of the config, with the values of conf/ for those not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import yaml

from qaexp.config.checks.suggest import did_you_mean
from qaexp.config.conf import conf_directory
from qaexp.errors import ConfigError

Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], group: str, given: Mapping[str, Any]) -> Settings:
    """Make the settings of a node.

    Args:
        kind: The dataclass of the schema.
        group: The folder of conf/ whose `default.yaml` has the values of missing keys.
        given: Values by key.

    Raises:
        ConfigError: A key is unknown.
    """
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(given) - known):
        raise ConfigError(*(f"{key} is not a key of {group}{did_you_mean(key, known)}" for key in unknown))
    if known - set(given):
        file = conf_directory() / group / "default.yaml"
        given = {**yaml.safe_load(file.read_text("utf-8")), **given}
    return kind(**given)
