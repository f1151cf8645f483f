"""A config that is shown and not run: its overrides are checked as those of a run, what is not set yet may stay so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.overrides import check_overrides, list_keys
from qaexp.config.checks.suggest import did_you_mean
from qaexp.config.checks.words import follows, key_of, parse_overrides
from qaexp.config.compose import compose_with_hydra
from qaexp.config.conf import choices, conf_directory
from qaexp.errors import ConfigError


def check_shown(lines: Sequence[str], flag: str, *, config_name: str, config_dir: Path | None) -> None:
    """Collect what is wrong with the overrides of a config that is to be shown.

    Args:
        lines: Overrides as typed.
        flag: What shows it, for example `--cfg job`.
        config_name: The primary config.
        config_dir: A folder of the user's that adds choices.

    Raises:
        ConfigError: With one sentence per mistake.
    """
    overrides, problems = parse_overrides(lines)
    problems += [
        f"{one.input_line}: several values are a sweep, and {flag} shows one run; give one value, or write -m "
        f"sweep.dry_run=true in the place of {flag} to list the jobs"
        for one in overrides
        if one.is_sweep_override()
    ]

    def compose_lines(lines: list[str]) -> DictConfig:
        return compose_with_hydra(lines, config_name=config_name, config_dir=config_dir)

    try:
        compose_lines(
            check_overrides(
                overrides, choices([conf_directory(), *([config_dir] if config_dir else [])]), compose_lines, problems
            )
        )
    except ConfigError as error:
        wrong = {key_of(line) for line in lines}
        raise ConfigError(
            *problems, *(one for one in error.problems if not follows(one, problems, wrong, ()))
        ) from error
    if problems:
        raise ConfigError(*problems)


def is_null_part(lines: Sequence[str], flag: str, package: str, *, config_name: str, config_dir: Path | None) -> bool:
    """Say whether a part of a config that is to be shown is null.

    Args:
        lines: Overrides without a mistake.
        flag: What shows it, for example `--cfg job`.
        package: The part, dotted.
        config_name: The primary config.
        config_dir: A folder of the user's that adds choices.

    Raises:
        ConfigError: There is no such part.
    """
    composed = compose_with_hydra(lines, config_name=config_name, config_dir=config_dir)
    kind = flag.rpartition(" ")[2]
    keys = [key for key in list_keys(composed) if kind == "all" or (key.split(".")[0] == "hydra") == (kind == "hydra")]
    if package == "_global_":
        return False
    if package not in keys and not (package.split(".")[0].split("[")[0] in keys and _is_part(composed, package)):
        elsewhere = "; it is a part of --cfg all" if package in list_keys(composed) else did_you_mean(package, keys)
        raise ConfigError(f"--package {package or 'is empty, which'} is not part of the config{elsewhere}")
    try:
        return OmegaConf.select(composed, package) is None
    except OmegaConfBaseException:
        return False  # Hydra says why it cannot be shown


def _is_part(composed: DictConfig, package: str) -> bool:
    """Whether there is something at a place inside of a list or of a key with dots."""
    try:
        return OmegaConf.select(composed, package) is not None
    except (OmegaConfBaseException, ValueError, IndexError):
        return False
