"""The config that a command line begins with: qaexp's own, a file of the user's, or that of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from qaexp.config.checks.open_nodes import SELF_CONTAINED
from qaexp.config.checks.sentences import known_keys
from qaexp.config.checks.suggest import did_you_mean, offered
from qaexp.config.compose import compose_config
from qaexp.config.conf import choices, conf_directory
from qaexp.config.given import GIVEN, give, store_primary
from qaexp.config.guards.sources import check_texts, check_yaml_file, not_yaml
from qaexp.config.guards.targets import TARGET
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError
from qaexp.nodes import UNNAMED

_PACKAGE = "# @package "


def choose_primary(name: str, folder: Path | None, *, is_named: bool) -> str:
    """Find the file that is to be the primary config, and make it one.

    Args:
        name: What --config-name gives, or that of qaexp's own config.
        folder: --config-dir.
        is_named: --config-name was given.

    Returns:
        The name under which Hydra finds it.

    Raises:
        ConfigError: There is no such file, or it would not be used as it is.
    """
    if "/" in name and name.partition("/")[0] in choices([conf_directory()]):
        raise ConfigError(_is_a_choice(name))
    own = conf_directory() / f"{name}.yaml"
    file = None if folder is None else folder / f"{name}.yaml"
    if file is None or not file.is_file():
        if own.is_file():
            _check_none_here(name, folder, is_named)
            return name
        raise ConfigError(_missing(name, folder))
    check_yaml_file(file, file.stat().st_mtime_ns, file.stat().st_size)
    tree = yaml_tree(file)
    if "defaults" in tree:
        return _with_defaults(name, file, tree, is_own=own.is_file())
    check_texts(file, _package(file), file.stat().st_mtime_ns)
    begin_with(_in_package(file, tree), str(file))
    return GIVEN


def begin_with(content: Mapping[str, Any], where: str) -> list[str]:
    """Make a config the primary one; what it does not say is as in qaexp's own.

    Args:
        content: Its keys.
        where: What it is called in messages.

    Returns:
        The dotted keys that it does not have, those that cannot change results aside.

    Raises:
        ConfigError: It has keys that no config has, or none.
    """
    problems = [
        f"{where}: {key} is not a key{offered(key, known_keys())}"
        for key in map(str, content)
        if key != "hydra" and key not in ExperimentConfig.__dataclass_fields__
    ]
    if not any(key in ExperimentConfig.__dataclass_fields__ for key in content) and not problems:
        problems = [f"{where}: holds no key of a run's config, so that the default run would start; give its keys"]
    if problems:
        raise ConfigError(*problems)
    usual = OmegaConf.to_container(compose_config([]))
    assert isinstance(usual, dict)
    missing: list[str] = []
    give({"hydra": content.get("hydra"), **_filled(usual, content, "", missing)})
    return [key for key in missing if key not in {f"{kind}.{TARGET}" for kind in UNNAMED}]


def yaml_tree(file: Path) -> dict[str, Any]:
    """The content of a YAML file that was looked at, nothing resolved.

    Raises:
        ConfigError: It is not a mapping, or no YAML that a config may hold.
    """
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(file))
    except yaml.YAMLError as error:
        raise not_yaml(file, error) from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file} holds no mapping; write `key: value` lines")
    return {str(key): value for key, value in loaded.items()}


def _filled(usual: Any, given: Any, place: str, missing: list[str]) -> Any:
    """What is given, and what is usual where nothing is given; open nodes with a target of their own are whole."""
    if not isinstance(usual, Mapping) or not isinstance(given, Mapping):
        return given
    if place in SELF_CONTAINED and TARGET in given:
        return dict(given)
    missing += [f"{place}.{key}".lstrip(".") for key in usual if key not in given]
    inside = {
        key: _filled(usual[key], value, f"{place}.{key}".lstrip("."), missing) if key in usual else value
        for key, value in given.items()
        if key != "hydra" or place
    }
    return {**usual, **inside}


def _with_defaults(name: str, file: Path, tree: Mapping[str, Any], *, is_own: bool) -> str:
    """A file with a defaults list is Hydra's to compose; one called like qaexp's own is found by another name."""
    if not _has_our_hydra(tree["defaults"], file.parent, {file.stem}):
        raise ConfigError(
            f"{file}: its defaults list is without qaexp's own config, so that Hydra would log and launch in its own "
            "ways; let the list begin with `- config`"
        )
    if not is_own:
        return name
    store_primary(tree)
    return GIVEN


def _has_our_hydra(defaults: Any, folder: Path, seen: set[str]) -> bool:
    """Whether a defaults list has qaexp's config, or a file that has, or chooses Hydra's own groups as that does."""
    entries = defaults if isinstance(defaults, list) else []
    keys = {str(key).split()[-1] for entry in entries if isinstance(entry, Mapping) for key in entry}
    if "config" in entries or "hydra/job_logging" in keys:
        return True
    files = [folder / f"{entry}.yaml" for entry in entries if isinstance(entry, str) and entry not in seen]
    seen |= {file.stem for file in files}
    return any(_has_our_hydra(yaml_tree(file).get("defaults"), folder, seen) for file in files if file.is_file())


def _check_none_here(name: str, folder: Path | None, is_named: bool) -> None:
    """Refuse to start by qaexp's own config where a name means a file that is here."""
    here = Path(f"{name}.yaml")
    if is_named and folder is None and here.is_file():
        raise ConfigError(
            f"--config-name {name} names qaexp's own config, and {here} in this folder would not be used; add "
            "--config-dir=. to use it, or leave out --config-name"
        )
    if is_named and folder is not None:
        raise ConfigError(
            f"--config-name {name}: there is no {folder / here}, and qaexp's own config would be used; give the name "
            "of a file of yours, or leave out --config-name"
        )


def _missing(name: str, folder: Path | None) -> str:
    if folder is None:
        if name in choices([conf_directory()]):
            return f"--config-name {name} names a group of configs; choose one of its files with {name}=..."
        for file in (Path(name), Path(f"{name}.yaml")):
            if file.is_file():
                return (
                    f"--config-name {name}: the folder of the file is not given; write --config-dir={file.parent} "
                    f"--config-name={file.stem}"
                )
        return f"--config-name {name}: qaexp has no such config; give the folder of yours by --config-dir"
    for file in (folder / name, folder / f"{name}.yml"):
        if file.is_file():
            return (
                f"--config-name {name}: {file} does not end with .yaml; rename it to {file.with_suffix('.yaml').name}"
            )
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    has = f"it has {', '.join(names[:20])}" if names else "it has no YAML file outside of its groups"
    return f"--config-name {name}: there is no {folder / name}.yaml; {has}{did_you_mean(name, names)}"


def _is_a_choice(name: str) -> str:
    group, _, choice = name.rpartition("/")
    return f"--config-name {name} names a file of the group {group}; write {group}={choice} instead"


def _package(file: Path) -> str:
    """Where the content of a file is in the config: `--cfg job -p optimizer` writes it into the first line."""
    first = file.read_text("utf-8-sig").splitlines()[:1]
    package = first[0].removeprefix(_PACKAGE).strip() if first and first[0].startswith(_PACKAGE) else ""
    return "" if package == "_global_" else package


def _in_package(file: Path, tree: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(tree)
    for key in reversed(_package(file).split(".") if _package(file) else []):
        found = {key: found}
    return found
