"""From a command line to one checked ExperimentConfig: compose, collect every mistake, convert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.hydra_settings import idle_settings
from qaexp.config.checks.numerals import numeral, read_numerals
from qaexp.config.checks.overrides import check_overrides, first_lines
from qaexp.config.checks.sentences import NO_SCHEMA, own_fault, plain
from qaexp.config.checks.whole import check_config
from qaexp.config.checks.words import follows, key_of, parse_overrides
from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from qaexp.config.guards.interpolations import bounded, resolve_all
from qaexp.config.guards.sources import register_sources
from qaexp.config.guards.targets import refused_targets
from qaexp.config.guards.tellable import misfit, refused_values, told
from qaexp.config.guards.variables import register_variables
from qaexp.config.hydra_node import GuardedLoader, override_dirname, register_guard
from qaexp.config.origins import Origin, Place, all_origins
from qaexp.config.own_nodes import schema_node, unknown_keys, with_own_keys
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, IntegrityError, QaexpError

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
    return _composed(main_hydra(config_dir), lines, config_name)


def _composed(hydra: Hydra, lines: Sequence[str], config_name: str) -> DictConfig:
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
        return _composed(hydra, lines, config_name)

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
        return _composed(hydra, first_lines(overrides), config_name)
    except QaexpError as error:
        return error
    except HydraException:  # of a word whose first value is not known yet, as glob()
        return None


def _chosen(hydra: Hydra) -> DictConfig | None:
    """What the files that were chosen last make, before any key was set; None where they do not fit together."""
    assert isinstance(hydra.config_loader, GuardedLoader)
    return hydra.config_loader.chosen


def one_line(error: BaseException) -> str:
    """The sentence of a library's error."""
    return plain(error)
