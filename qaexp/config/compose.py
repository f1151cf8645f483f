"""Hydra composes override lines to a config, and a composed config becomes a checked ExperimentConfig."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.numerals import numeral, read_numerals
from qaexp.config.checks.sentences import NO_SCHEMA, own_fault, plain
from qaexp.config.checks.whole import check_config
from qaexp.config.conf import CONFIG_NAME, conf_directory
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
        origins = all_origins(composed)  # before anything can be wrong: no message shows what came from there
        with bounded():
            config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(misfit(str(error.full_key), origins) or plain(error)) from error
    except RecursionError as error:
        raise ConfigError(_TOO_DEEP) from error
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(NO_SCHEMA)
    check(finished(config, origins), origins)
    return config


def finished(config: ExperimentConfig, origins: Mapping[Place, Origin]) -> ExperimentConfig:
    """Give what OmegaConf made of a composed config the keys of own nodes, and numbers where texts spell them.

    Args:
        config: Gets them; returned.
        origins: All of it that came from the environment.
    """
    with_own_keys(config)
    for name in ("train_size", "dev_size"):
        setattr(config.data, name, numeral(getattr(config.data, name)))
    read_numerals(config, origins)
    return config


def check(config: ExperimentConfig, origins: Mapping[Place, Origin]) -> None:
    """Check a config whose types are right.

    Raises:
        ConfigError: With every problem that was found.
        IntegrityError: It names an object that no config may name.
    """
    tree = asdict(config)
    refused = refused_targets(tree)
    if refused:
        raise IntegrityError(*(told(sentence, tree, origins) for sentence in refused))
    problems = [*unknown_keys(tree), *refused_values(tree, origins), *check_config(config)]
    if problems:
        raise ConfigError(*(told(sentence, tree, origins) for sentence in problems))


def compose_config(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> DictConfig:
    """Compose the config of one run.

    Raises:
        ConfigError: When the YAML files or the overrides do not fit together.
        IntegrityError: Hydra's own node names an object that Hydra would build.
    """
    return without_hydra(compose_with_hydra(lines, config_name=config_name, config_dir=config_dir))


def without_hydra(composed: DictConfig) -> DictConfig:
    """Take Hydra's own node out of a composed config; returns the config."""
    with open_dict(composed):
        del composed["hydra"]
    return composed


def as_run(composed: DictConfig) -> tuple[DictConfig, DictConfig]:
    """Return the config and Hydra's node of one run as Hydra completes them before it starts a job.

    Args:
        composed: The config with Hydra's own node.
    """
    composed = deepcopy(composed)
    with read_write(composed), open_dict(composed):
        settings = composed.hydra
        if settings.mode is None:
            settings.mode = RunMode.RUN
            settings.overrides.hydra.append("hydra.mode=RUN")
        settings.runtime.output_dir = str(Path(str(settings.run.dir)).absolute())
    return without_hydra(deepcopy(composed)), settings


def compose_with_hydra(
    lines: Sequence[str], *, config_name: str = CONFIG_NAME, config_dir: Path | None = None
) -> DictConfig:
    """Compose the config of one run with Hydra's own node.

    Raises:
        ConfigError: As `compose_config`.
        IntegrityError: As `compose_config`.
    """
    return composed_by(main_hydra(config_dir), lines, config_name)


def composed_by(hydra: Hydra, lines: Sequence[str], config_name: str) -> DictConfig:
    """Compose override lines by Hydra that stands ready; raises as `compose_config`."""
    with compose_errors():
        try:
            composed = hydra.compose_config(config_name, list(lines), RunMode.RUN, from_shell=False)
            # Hydra resolves its own node later, where nothing is counted.
            resolve_all(composed.hydra)
        finally:
            GlobalHydra.instance().clear()
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
    """Return Hydra ready to compose, with qaexp's own files and those of one more folder.

    Args:
        config_dir: The folder, as with Hydra's --config-dir.
    """
    register_schema()
    version.setbase("1.3")
    search_path = create_config_search_path(str(conf_directory()))
    if config_dir is not None:
        search_path.prepend("command-line", f"file://{config_dir.resolve()}", "schema")
    GlobalHydra.instance().clear()
    return Hydra.create_main_hydra2(task_name="train", config_search_path=search_path)


def one_line(error: BaseException) -> str:
    """The sentence of a library's error."""
    return plain(error)
