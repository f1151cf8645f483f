"""The config of a run directory, read back as data: nothing in it is resolved, its targets are checked as always."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.as_typed import literal
from qaexp.config.checks.suggest import did_you_mean
from qaexp.config.compose import one_line, to_config
from qaexp.config.own_nodes import schema_node
from qaexp.config.schema import OPEN_NODES, ExperimentConfig, leaves, neutral_keys
from qaexp.config.variants import Change, OtherKeysError, Variants, differences
from qaexp.errors import ConfigError
from qaexp.runs.directory import CONFIG
from qaexp.storage.formats import dotted
from qaexp.storage.origins import (
    REDACTED,
    Origins,
    Place,
    expression_of,
    is_stored_expression,
    read_back,
    variables_in,
)
from qaexp.storage.reading import read_json
from qaexp.storage.start import start


def stored_config(directory: Path, overrides: Sequence[str] = ()) -> tuple[ExperimentConfig, Origins]:
    """Return the config that a run was started with, and what of it comes from the environment.

    Args:
        directory: The run directory.
        overrides: `key=value` for keys that cannot change results.

    Raises:
        ConfigError: A secret is missing from it, the environment is another one, an override is refused, or a key is
            not what it must be.
        IntegrityError: It names a target that no config may name, or cannot be read.
    """
    check_neutral(overrides, directory)
    return config_from(read_json(directory / CONFIG), directory / CONFIG, overrides)


class ConfigReader:
    """Reads stored trees of many jobs: of those that differ from the first in plain values, nothing else is read again.

    What `config_from` refuses is refused, in the same words: each config is checked as a whole.
    """

    def __init__(self, where: Path, overrides: Sequence[str] = ()) -> None:
        """Nothing is read yet; the arguments are those of `config_from`."""
        self._where, self._overrides = where, overrides
        self._given = frozenset(word.partition("=")[0] for word in overrides)
        self._first: Mapping[str, Any] | None = None

    def __call__(self, stored: Mapping[str, Any]) -> tuple[ExperimentConfig, Origins]:
        """Return what `config_from` returns."""
        if self._first is None:
            self._variants, self._config, self._origins = self._read(stored)
            self._first = stored
            return self._config, self._origins
        config = self._as_variant(stored, self._first)
        return (config, self._origins) if config is not None else config_from(stored, self._where, self._overrides)

    def _read(self, stored: Mapping[str, Any]) -> tuple[Variants, ExperimentConfig, Origins]:
        merged, origins = _merged(stored, self._where, self._overrides)
        config = to_config(merged)
        return Variants(merged, config), config, origins

    def _as_variant(self, stored: Mapping[str, Any], first: Mapping[str, Any]) -> ExperimentConfig | None:
        """The config of a tree that differs from the first in plain values alone; else None."""
        changes: dict[str, Change] = {}
        try:
            for place, value in differences(first, stored):
                is_secret = REDACTED in str(value) or (isinstance(value, str) and is_stored_expression(value))
                key = ".".join(place)
                is_other = is_secret or place in self._origins or key in self._given or key.count(".") >= len(place)
                change = None if is_other else self._variants.change(key, value)
                if change is None:
                    return None
                changes[key] = change
        except OtherKeysError:
            return None
        return self._variants.config(changes) if changes else self._config


def config_from(
    stored: Mapping[str, Any], where: Path, overrides: Sequence[str] = ()
) -> tuple[ExperimentConfig, Origins]:
    """Return the config that a stored tree describes, and what of it comes from the environment; see `stored_config`.

    Args:
        stored: The tree.
        where: The file that it was read from, for messages.
        overrides: `key=value` for keys that cannot change results, as `check_neutral` has found.
    """
    merged, origins = _merged(stored, where, overrides)
    return to_config(merged), origins


def _merged(stored: Mapping[str, Any], where: Path, overrides: Sequence[str]) -> tuple[DictConfig, Origins]:
    """The config of a stored tree as OmegaConf has it, its types right and nothing else checked."""
    given, origins = _with_variables(stored, where)
    hidden = [key for key, value in dotted(given).items() if REDACTED in str(value)]
    if hidden:
        raise ConfigError(
            f"{where}: {', '.join(hidden)} was a secret, which no run directory holds; give the command that "
            "started the run again"
        )
    try:
        merged = OmegaConf.merge(schema_node(), _literal(given), OmegaConf.from_dotlist(list(overrides)))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}: {one_line(error)}; made by another version of qaexp?") from error
    assert isinstance(merged, DictConfig)
    return merged, origins


def _with_variables(stored: Mapping[str, Any], where: Path) -> tuple[dict[str, Any], Origins]:
    """A stored tree with the values of the variables that it names, where they are what they were.

    Raises:
        ConfigError: A variable is not set, or to another value; or nothing in the tree shows whether it is the same.
    """
    origins: dict[Place, tuple[str, Sequence[str]]] = {}
    problems: list[str] = []

    def read(value: Any, place: Place) -> Any:
        if isinstance(value, Mapping):
            return {key: read(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [read(item, (*place, str(number))) for number, item in enumerate(value)]
        if not isinstance(value, str) or not is_stored_expression(value):
            return value
        names = variables_in(value)
        origins[place] = (expression_of(value), names)
        found = read_back(value, start().environ)
        if found is None:
            problems.append(
                f"{where}: {'.'.join(place)} came from the environment ({', '.join(names) or expression_of(value)}), "
                f"{_way_out(value, names)}"
            )
        return found

    given = read(stored, ())
    if problems:
        raise ConfigError(*problems)
    return given, origins


def _way_out(text: str, names: Sequence[str]) -> str:
    if REDACTED in text:
        return "and its value was a secret, which no run directory holds; give the command that started the run again"
    is_set = all(name in start().environ for name in names)
    return (
        f"where it {'has another value now' if is_set else 'is not set now'}; set it to what it was, or give the "
        "command that started the run again"
    )


def check_neutral(overrides: Sequence[str], directory: Path | None = None) -> None:
    """Refuse overrides of keys that can change results.

    Args:
        overrides: Override lines.
        directory: The run that another experiment can begin with, where it is one.

    Raises:
        ConfigError: Naming the first.
    """
    neutral, known = sorted(neutral_keys()), {name for name, _, _ in leaves()}
    for word in overrides:
        key, _, value = word.partition("=")
        if key not in neutral or not value or key == "name" or "${" in value:
            is_known = key in known or key.partition(".")[0] in OPEN_NODES
            way_out = (
                "; give the whole command with another name= for another experiment"
                if directory is None
                else "; for another experiment begin with this one: "
                f"{shlex.join(['qaexp', 'train', '--from', str(directory), word])}"
            )
            hint = ("" if is_known else did_you_mean(key, neutral)) or way_out
            raise ConfigError(f"{word}: only keys that cannot change results may be given here{hint}")


def _literal(value: Any) -> Any:
    """A tree in which OmegaConf finds no interpolation: `${` is written as it escapes it."""
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, str):
        return literal(value)
    return value
