"""From a command line to one checked ExperimentConfig: compose, collect every mistake, convert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.hydra_settings import idle_settings
from qaexp.config.checks.numerals import numeral, read_numerals
from qaexp.config.checks.overrides import check_overrides
from qaexp.config.checks.sentences import NO_SCHEMA, own_fault, plain
from qaexp.config.checks.whole import check_config
from qaexp.config.checks.words import follows, key_of, parse_overrides
from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from qaexp.config.guards.interpolations import bounded, resolve_all
from qaexp.config.guards.sources import register_sources
from qaexp.config.guards.targets import refused_targets
from qaexp.config.guards.tellable import misfit, refused_values, told
from qaexp.config.guards.variables import register_variables
from qaexp.config.hydra_node import register_guard
from qaexp.config.origins import Origin, Place, all_origins
from qaexp.config.own_nodes import schema_node, unknown_keys, with_own_keys
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, IntegrityError

_TOO_DEEP = "the config is nested too deeply, or a value refers to itself; write out what is meant"


def register_schema() -> None:
    """Make the dataclasses known to Hydra as the config `schema`, the first entry of the defaults list.

    From then on Hydra reads YAML files through `qaexp.config.guards.sources` too, looks at its own node by
    `qaexp.config.hydra_node`, and the environment of the start is the one that configs see.
    """
    register_sources()
    register_guard()
    register_variables()
    ConfigStore.instance().store(name="schema", node=schema_node(), provider="qaexp")


def to_config(composed: DictConfig) -> ExperimentConfig:
    """Convert a composed config to dataclasses and check it.

    Raises:
        ConfigError: With every problem that was found.
        IntegrityError: It names an object that no config may name.
    """
    origins: dict[Place, Origin] = {}
    try:
        origins = all_origins(composed)  # before anything can be wrong: no message tells what came from there
        with bounded():
            config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(misfit(str(error.full_key), origins) or plain(error)) from error
    except RecursionError as error:
        raise ConfigError(_TOO_DEEP) from error
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(NO_SCHEMA)
    with_own_keys(config)
    for name in ("train_size", "dev_size"):
        setattr(config.data, name, numeral(getattr(config.data, name)))
    read_numerals(config, origins)
    tree = asdict(config)
    refused = refused_targets(tree)
    if refused:
        raise IntegrityError(*(told(sentence, tree, origins) for sentence in refused))
    problems = [*unknown_keys(tree), *refused_values(tree, origins), *check_config(config)]
    if problems:
        raise ConfigError(*(told(sentence, tree, origins) for sentence in problems))
    return config


def compose_config(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> DictConfig:
    """Compose the config of one run.

    Raises:
        ConfigError: When the YAML files or the overrides do not fit together.
        IntegrityError: Hydra's own node names an object that Hydra would build.
    """
    return without_hydra(_composed(lines, config_name, config_dir))


def without_hydra(composed: DictConfig) -> DictConfig:
    """Take Hydra's own node out of a composed config; returns the config."""
    with open_dict(composed):
        del composed["hydra"]
    return composed


def is_sweep_by_itself(lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None) -> bool:
    """Do the chosen files, for example those of the group `sweep`, make a sweep of the command line without -m?

    Raises:
        ConfigError: As `compose_config`.
        IntegrityError: As `compose_config`.
    """
    return is_sweep(compose_with_hydra(lines, config_name=config_name, config_dir=config_dir))


def is_sweep(composed: DictConfig) -> bool:
    """Do the chosen files make a sweep of what was composed with Hydra's node?"""
    return bool(composed.hydra.mode == RunMode.MULTIRUN)


def compose_with_hydra(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> DictConfig:
    """Compose with Hydra's own node; lines that sweep are left out.

    Raises:
        ConfigError: As `compose_config`.
        IntegrityError: As `compose_config`.
    """
    plain = [str(one.input_line) for one in parse_overrides(lines)[0] if not one.is_sweep_override()]
    return _composed(plain, config_name, config_dir)


def _composed(lines: Sequence[str], config_name: str, config_dir: Path | None) -> DictConfig:
    """Compose with Hydra's own node."""
    register_schema()
    GlobalHydra.instance().clear()
    with compose_errors(), initialize_config_dir(str(conf_directory()), version_base="1.3"):
        if config_dir:
            main_hydra(config_dir)
        composed = compose(config_name, list(lines), return_hydra_config=True)
        # Hydra resolves its own node later, where nothing is counted.
        resolve_all(composed.hydra)
    return composed


@contextmanager
def compose_errors() -> Iterator[None]:
    """Count what is resolved in the body, and turn Hydra's and OmegaConf's errors into ours.

    Raises:
        ConfigError: With their sentence.
    """
    try:
        with bounded():
            yield
    except (HydraException, OmegaConfBaseException, OSError) as error:
        raise own_fault(error) or ConfigError(plain(error)) from error
    except RecursionError as error:
        raise ConfigError(_TOO_DEEP) from error


def main_hydra(config_dir: Path | None) -> Hydra:
    """Return Hydra as it stands ready to compose: in one more folder too, the primary config among its files.

    Args:
        config_dir: The folder, as with Hydra's --config-dir.
    """
    search_path = create_config_search_path(str(conf_directory()))
    if config_dir is not None:
        search_path.prepend("command-line", f"file://{config_dir.resolve()}", "schema")
    GlobalHydra.instance().clear()
    return Hydra.create_main_hydra2(task_name="qaexp", config_search_path=search_path)


def check_command_line(
    lines: Sequence[str],
    *,
    config_name: str = CONFIG_NAME,
    config_dir: Path | None = None,
    is_sweep: bool | None = None,
) -> ExperimentConfig:
    """Collect all that is wrong with a command line, before Hydra stops at the first mistake.

    Args:
        lines: Overrides as typed; of a sweep's override the first value is composed, and all are checked.
        config_name: The primary config.
        config_dir: A folder of the user's that adds choices.
        is_sweep: -m was given; None where nobody knows.

    Returns:
        The config of the run (of a sweep: of its first job).

    Raises:
        ConfigError: With one sentence per mistake.
        IntegrityError: An object is named that no config may name.
    """
    overrides, problems = parse_overrides(lines)
    good: list[str] = []
    offered = choices([conf_directory(), *([config_dir] if config_dir else [])])

    def compose_lines(lines: list[str]) -> DictConfig:
        return _composed(lines, config_name, config_dir)

    try:
        good = check_overrides(overrides, offered, compose_lines, problems)
        composed = compose_lines(good)
        problems += idle_settings(overrides, composed, is_sweep)
        config = to_config(without_hydra(composed))
    except ConfigError as error:
        used = {key_of(line) for line in good}
        wrong = {key_of(line) for line in lines} - used
        own = [one for one in error.problems if not follows(one, problems, wrong, used)]
        raise ConfigError(*problems, *own) from error
    if problems:
        raise ConfigError(*problems)
    return config


def one_line(error: BaseException) -> str:
    """The sentence of a library's error."""
    return plain(error)
