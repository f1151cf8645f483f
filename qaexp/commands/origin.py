"""`qaexp train --from RUN`: the config of a run as the beginning of another one, read as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.config.checks.as_typed import is_there, literal
from qaexp.config.schema import as_read
from qaexp.errors import ConfigError
from qaexp.runs.directory import CONFIG, ENVIRONMENT, HYDRA, MODEL, RUN
from qaexp.runs.readers.folder import NEWER, SWEEP, look
from qaexp.runs.readers.nearby import meant
from qaexp.storage.formats import dotted
from qaexp.storage.origins import REDACTED, expression_of, is_stored_expression
from qaexp.storage.reading import read_json
from qaexp.storage.sources import FILES

_HYDRA_CONFIG = "config.yaml"
_LISTED = "; qaexp status lists the runs"
# What belongs to that one start of the run.
_NOT_TAKEN = ("name", "steal_lock", "sweep", "hydra")
_NOT_TAKEN_INSIDE = (("trainer", "allow_drift"), ("trainer", "profile_steps"))
_PATHS = (*(("data", key) for key in FILES), ("model", "checkpoint"))
_FOLLOWING = ("subset", "init", "order", "dropout")


def begin_with_run(origin: Path, lines: Sequence[str]) -> list[str]:
    """Make the config of a run the primary one.

    Args:
        origin: A run directory, its config.json or its .hydra/config.yaml, or a YAML file with a whole config.
        lines: The overrides that come over it.

    Returns:
        What to say about it, a sentence each.

    Raises:
        ConfigError: It is none of these, or holds a secret that no override gives.
        IntegrityError: It cannot be read.
    """
    from qaexp.config.primary import begin_with

    file = _config_file(origin)
    content = _stored(file) if file.name == CONFIG else _yaml(file)
    folder = file.parent.parent if file.parent.name == HYDRA else file.parent
    for key in _NOT_TAKEN:
        content.pop(key, None)
    for node, key in _NOT_TAKEN_INSIDE:
        if isinstance(content.get(node), dict):
            content[node].pop(key, None)
    _refuse_redacted(content, file, lines)
    _find_paths(content, folder)
    told = [f"starts from the config of {origin}{_run_id(folder)}"]
    missing = [key for key in begin_with(content, str(file)) if _is_told(key)]
    if missing:
        told.append(f"{file} does not have {', '.join(missing)}: as in the default config")
    return told


def _config_file(origin: Path) -> Path:
    """The file that holds the config of what was pointed at.

    Raises:
        ConfigError: There is none.
    """
    if origin.is_file():
        if origin.suffix not in (".json", ".yaml", ".yml") or (origin.suffix == ".json" and origin.name != CONFIG):
            raise ConfigError(f"--from {origin}: is not a config; give a run directory, its {CONFIG} or a YAML file")
        return origin
    if not origin.is_dir():
        raise ConfigError(f"--from {origin}: there is no such folder or file{meant(origin) or _LISTED}")
    if origin.name == HYDRA and (origin / _HYDRA_CONFIG).is_file():
        return origin / _HYDRA_CONFIG
    if origin.name == MODEL and (origin.parent / RUN).is_file():
        raise ConfigError(f"--from {origin}: is the model of a run; give the run: --from {origin.parent}")
    folder = look(origin)
    if folder.state == NEWER:
        folder.check_readable()
    if folder.state == SWEEP:
        runs = sorted(path.parent for path in origin.glob(f"*/{CONFIG}"))
        example = f", for example --from {str(runs[0])!r}" if runs else ""
        raise ConfigError(f"--from {origin}: is a sweep; give one of its runs{example}")
    for file in (origin / CONFIG, origin / HYDRA / _HYDRA_CONFIG):
        if file.is_file():
            return file
    raise ConfigError(f"--from {origin}: {folder.sentence}; it holds no {CONFIG}")


def _stored(file: Path) -> dict[str, Any]:
    """The content of a config.json as a config that Hydra may read: values as they are, expressions live again."""
    stored = read_json(file)
    if not {"data", "model", "optimizer"} & set(stored):
        raise ConfigError(
            f"--from {file}: is not the config of a run (it has {', '.join(list(stored)[:5])}); give a run"
        )
    content = {key: _living(value) for key, value in as_read(stored).items()}
    seeds = content.get("seeds")
    if isinstance(seeds, dict):
        # The resolved config does not say whether a seed was set or followed: it follows where it was the same.
        content["seeds"] = {
            key: "${seed}" if key in _FOLLOWING and value == content.get("seed") else value
            for key, value in seeds.items()
        }
    return content


def _living(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _living(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_living(item) for item in value]
    if not isinstance(value, str):
        return value
    if is_stored_expression(value):
        return expression_of(value)
    return literal(value)


def _yaml(file: Path) -> dict[str, Any]:
    from qaexp.config.guards.sources import check_texts, check_yaml_file
    from qaexp.config.primary import yaml_tree

    check_yaml_file(file, file.stat().st_mtime_ns, file.stat().st_size)
    check_texts(file, "", file.stat().st_mtime_ns)
    tree = yaml_tree(file)
    if "defaults" in tree:
        raise ConfigError(
            f"--from {file}: has a defaults list; write --config-dir={file.parent} --config-name={file.stem} instead"
        )
    return tree


def _refuse_redacted(content: Mapping[str, Any], file: Path, lines: Sequence[str]) -> None:
    given = {line.lstrip("+").partition("=")[0] for line in lines}
    hidden = [key for key, value in dotted(content).items() if REDACTED in str(value)]
    unknown = [key for key in hidden if not _is_given(key, given)]
    if unknown:
        raise ConfigError(
            f"{file}: {', '.join(unknown)} was a secret, which no run directory holds; give each again on the command "
            "line, as key=value"
        )


def _is_given(key: str, given: set[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[:length]) in given for length in range(1, len(parts) + 1))


def _find_paths(content: dict[str, Any], folder: Path) -> None:
    """Let relative paths mean what they meant where the run was started, where they mean nothing here."""
    try:
        before = Path(str(read_json(folder / ENVIRONMENT).get("working_directory", "")))
    except (OSError, ValueError):
        return
    for inside, key in _places(content):
        value = inside.get(key)
        if isinstance(value, str) and value and "${" not in value and before.is_absolute():
            path, pin, sha256 = value.partition("#sha256=")
            if not is_there(path) and is_there(str(before / path)):
                inside[key] = f"{before / path}{pin}{sha256}"


def _places(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where paths stand: in nodes, and in the sets of a mix."""
    for node, key in _PATHS:
        if isinstance(inside := content.get(node), dict):
            yield inside, key
    data = content.get("data")
    mix = data.get("mix") if isinstance(data, dict) else None
    if isinstance(mix, dict):
        for name, entry in list(mix.items()):
            yield (entry, "file") if isinstance(entry, dict) else (mix, name)


def _run_id(folder: Path) -> str:
    try:
        found = read_json(folder / RUN).get("run_id")
    except (OSError, ValueError):
        return ""
    return f" (run {found})" if isinstance(found, str) and found.isalnum() else ""


def _is_told(key: str) -> bool:
    """Whether a key may change results, and the run had it."""
    from qaexp.config.schema import neutral_keys

    taken = [*_NOT_TAKEN, *(".".join(place) for place in _NOT_TAKEN_INSIDE)]
    return key not in taken and key.partition(".")[0] not in (*taken, "reporter") and key not in neutral_keys()
