"""Hydra's own node, looked at each time that Hydra composes a config: Hydra builds, logs and sets things by it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import Container, DictConfig, ListConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.build import check_plugins
from qaexp.config.checks.sentences import NO_SCHEMA
from qaexp.config.checks.words import parse_overrides
from qaexp.config.given import GIVEN, prepare
from qaexp.config.guards.interpolations import bounded, watched_environment
from qaexp.config.guards.loggers import refused_loggers
from qaexp.config.guards.shadows import schemas, shadowed
from qaexp.config.guards.targets import items, refused_plugins
from qaexp.config.guards.tellable import refused_in_hydra, told_of_variables
from qaexp.config.guards.variables import refused_variables
from qaexp.config.hydra_files import task_words
from qaexp.config.own_nodes import unknown_keys
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, IntegrityError
from qaexp.storage.start import start

ALLOW_COMMANDS = "QAEXP_ALLOW_COMMANDS"
# What launchers hand to a shell, or to programs as flags that may name programs.
_COMMANDS = ("setup", "teardown", "python", "srun_args", "additional_parameters")


class GuardedLoader(ConfigLoaderImpl):
    """Hydra's loader of configs, with a look at each before anybody gets it; workers of launchers get it pickled.

    Attributes:
        chosen: What the files made that were chosen last, before the command line set any key.
    """

    chosen: DictConfig | None = None

    def load_configuration(self, *args: Any, **keywords: Any) -> DictConfig:
        """Load a config.

        Raises:
            IntegrityError: Hydra's own node would run code, open files or change what qaexp may do.
            ConfigError: It names a variable or a kind of source that does not exist, or would write what comes from the
                environment into paths and lines of jobs.
        """
        try:
            composed = self._loaded(*args, **keywords)
        except KeyError as error:  # of os.environ
            raise ConfigError(
                f"hydra.job.env_copy: {error} is not set in the environment; set it, or leave it out"
            ) from error
        except ValueError as error:
            if "No config source registered" not in str(error):
                raise
            raise ConfigError(f"hydra.searchpath: {error}; give folders as file:///path") from error
        assert isinstance(composed, DictConfig)
        if OmegaConf.get_type(composed) is not ExperimentConfig:
            raise ConfigError(NO_SCHEMA)
        with bounded():
            check_hydra(composed)
        begins_with = keywords.get("config_name", args[0] if args else None)
        shadows = shadowed(_users_folders(composed), begins_with_own=begins_with != GIVEN)
        if problems := [*shadows, *unknown_keys(_unresolved(composed))]:
            raise ConfigError(*problems)
        problems = list(refused_in_hydra(composed))
        if problems:
            raise ConfigError(*problems)
        return composed

    def _loaded(self, config_name: str | None, overrides: list[str], *args: Any, **keywords: Any) -> Any:
        """Load as Hydra does; what is wrong with the defaults is reported without values of the environment."""
        hush_hydra()
        with watched_environment() as names:
            try:
                folders = [Path(source.path) for source in self.get_sources() if source.scheme() == "file"]
                if problems := list(schemas(folders)):
                    raise ConfigError(*problems)
                if config_name == GIVEN:
                    prepare(lambda primary: self._choices(primary, overrides))
                return super().load_configuration(config_name, overrides, *args, **keywords)
            except (HydraException, OmegaConfBaseException) as error:
                if not names:
                    raise
                text = " ".join(str(part) for part in (error, error.__cause__) if part is not None)
                raise HydraException(told_of_variables(text, names)) from None

    def _compose_config_from_defaults_list(self, *args: Any, **keywords: Any) -> DictConfig:
        composed = super()._compose_config_from_defaults_list(*args, **keywords)
        self.chosen = deepcopy(composed)
        OmegaConf.set_struct(self.chosen, True)
        return composed

    def _choices(self, config_name: str, overrides: list[str]) -> Mapping[str, Any]:
        """What is chosen of each group."""
        found = self.compute_defaults_list(config_name, overrides, RunMode.MULTIRUN)
        return cast("Mapping[str, Any]", found.overrides.known_choices)


def override_dirname(settings: DictConfig) -> str:
    """The words of the command line as a part of a path, as Hydra spells them.

    Args:
        settings: Hydra's own node.
    """
    spelling = settings.job.config.override_dirname
    words = parse_overrides(task_words(settings))[0]
    return get_overrides_dirname(words, spelling.exclude_keys, spelling.item_sep, spelling.kv_sep)


def hush_hydra() -> None:
    """Leave out what Hydra warns of and nobody can mend, here and in the workers of launchers.

    Our files of launchers and of the sweeper are whole; Hydra and its plugins offer schemas of the same names. A search
    path that is not there is refused in a sentence of ours.
    """
    warnings.filterwarnings("ignore", r"provider=hydra\.searchpath.* is not available", UserWarning)
    warnings.filterwarnings("ignore", r"\s*'hydra/\w+/\w+' is validated against ConfigStore schema", UserWarning)


def register_guard() -> None:
    """Let Hydra load all configs by `GuardedLoader`."""
    hydra._internal.hydra.ConfigLoaderImpl = GuardedLoader  # type: ignore[attr-defined]


def check_hydra(composed: DictConfig) -> None:
    """Refuse a composed config whose node `hydra` is more than data.

    Raises:
        IntegrityError: With one sentence an entry.
    """
    whole = _unresolved(composed)
    node = whole["hydra"]
    texts = [(f"{place}{key}", value) for place, key, value in items(whole, "")]
    problems = [
        *refused_plugins(node),
        *refused_loggers(node),
        *refused_variables(node["job"].get("env_set"), texts),
        *_refused_launcher(node),
        *(sentence for name in ("launcher", "sweeper") for sentence in _unclear(composed.hydra, name)),
    ]
    if problems:
        raise IntegrityError(*problems)
    check_plugins(node)


def _users_folders(composed: DictConfig) -> list[Path]:
    """The folders that Hydra searched beside qaexp's own."""
    sources = composed.hydra.runtime.config_sources
    return [Path(one.path) for one in sources if one.schema == "file" and one.provider not in ("main", "schema")]


def _unresolved(composed: DictConfig) -> dict[str, Any]:
    whole = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(whole, dict)
    return {str(key): value for key, value in whole.items()}


def _refused_launcher(node: Mapping[str, Any]) -> Iterator[str]:
    """Name what a launcher would give to a shell."""
    launcher = node.get("launcher")
    is_allowed = start().environ.get(ALLOW_COMMANDS) == "1"
    for key, value in launcher.items() if isinstance(launcher, Mapping) else ():
        name = str(key).removeprefix("slurm_").removeprefix("local_")
        if name in _COMMANDS and value and not is_allowed:
            yield (
                f"hydra.launcher.{key}={value} is refused: launchers give it to a shell or to programs, and a config "
                f"is data; leave it out, or allow it by {ALLOW_COMMANDS}=1 in the environment"
            )


def _unclear(settings: DictConfig, name: str) -> Iterator[str]:
    """Name the values of a node that Hydra builds that are not plain: objects or lines hide behind them."""
    for node in _leaves(settings._get_node(name)):
        key, meant = node._get_full_key(None), _meant(node)
        if meant is None or (isinstance(meant, Container) and node._is_interpolation()):
            yield f"{key}: its interpolation is refused: it has no plain value yet; write out what is meant"
        elif isinstance(value := meant._value(), str) and not value.isprintable():
            yield f"{key}={value!r} is refused: a launcher's values have one line of printable text; correct it"


def _meant(node: Node) -> Node | None:
    """What a node resolves to; None while that is not known."""
    try:
        return node._dereference_node() if node._is_interpolation() else node
    except OmegaConfBaseException:
        return None


def _leaves(node: Any) -> Iterator[Node]:
    """The nodes inside a node that hold nothing more, or that are interpolations."""
    if isinstance(node, DictConfig | ListConfig) and not (
        node._is_none() or node._is_missing() or node._is_interpolation()
    ):
        for key in range(len(node)) if isinstance(node, ListConfig) else list(node):
            yield from _leaves(node._get_node(key))
    elif isinstance(node, Node):
        yield node
