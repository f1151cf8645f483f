"""What was typed to make a run: which file of each config group was chosen, and the override lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from qaexp.errors import IntegrityError
from qaexp.runs.directory import ENVIRONMENT, HYDRA
from qaexp.storage.reading import MEBIBYTE, read_json, read_text

# The keys of env.json; the last where a later start had another command.
CHOICES, OVERRIDES, FLAGS = "choices", "overrides", "config_flags"

_OF_HYDRA = "hydra"
_MAX_YAML_BYTES = MEBIBYTE
_MAX_LENGTH = 2_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILES_FLAGS = ("-cd", "--config-dir", "-cn", "--config-name", "--from")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as far as a run's folder says.

    Attributes:
        choices: Config group to the chosen file: `{"optimizer": "sgd"}`; Hydra's own groups are left out.
        overrides: The override lines of the run, without secrets: `("optimizer=sgd", "seed=1")`.
        flags: The words of the command line that say what config it begins with; None where they are not known, or
            where it allowed own code, which only a person can do.
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    flags: Sequence[str] | None = ()

    @property
    def words(self) -> dict[str, str]:
        """Key to value of the override lines; of a key that comes twice the last counts.

        >>> Typed(overrides=("+myexp=a", "optimizer.lr=0.1")).words
        {'myexp': 'a', 'optimizer.lr': '0.1'}
        """
        return {word.partition("=")[0].lstrip("+~"): word.partition("=")[2] for word in self.overrides}


def told(hydra_files: Mapping[str, Any] | None) -> dict[str, Any]:
    """What env.json says of it, from the trees of the files of `.hydra/`; nothing without them."""
    if not hydra_files:
        return {}
    return {
        CHOICES: _choices(_tree_of(hydra_files.get("hydra.yaml"))),
        OVERRIDES: _words(hydra_files.get("overrides.yaml")),
    }


def kept(run: Path) -> dict[str, Any]:
    """What env.json keeps of the first start of a run, where a later one has no such words of its own."""
    first = typed(run)
    if not first.choices and not first.overrides:
        return {}
    flags = {} if first.flags is None else {FLAGS: list(first.flags)}
    return {CHOICES: dict(first.choices), OVERRIDES: list(first.overrides), **flags}


def typed(run: Path) -> Typed:
    """Read what was typed for a run: env.json, or the files that Hydra left; never raises, what is damaged is nothing.

    The files are data: no link is followed, nothing long is read, and nothing is built from them.

    Args:
        run: The run directory.
    """
    return _read(run, _stamp(run / ENVIRONMENT))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What distinguishes one content of a file from another."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)
def _read(run: Path, _: tuple[int, int, int] | None) -> Typed:
    try:
        environment = read_json(run / ENVIRONMENT)
    except (OSError, IntegrityError):
        environment = {}
    flags = _flags_of(environment)
    if isinstance(environment.get(CHOICES), Mapping):
        return Typed(_choices(environment[CHOICES]), _words(environment.get(OVERRIDES)), flags)
    return Typed(
        _choices(_tree_of(_yaml(run / HYDRA / "hydra.yaml"))), _words(_yaml(run / HYDRA / "overrides.yaml")), flags
    )


def _tree_of(hydra: Any) -> Any:
    """The choices in Hydra's own node; None where there are none."""
    for key in ("hydra", "runtime", "choices"):
        hydra = hydra.get(key) if isinstance(hydra, Mapping) else None
    return hydra


def _choices(tree: Any) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        return {}
    return {
        group: choice
        for group, choice in tree.items()
        if _is_word(group) and _is_word(choice) and group.partition("/")[0] != _OF_HYDRA
    }


def _words(lines: Any) -> tuple[str, ...]:
    return tuple(word for word in lines if _is_word(word)) if isinstance(lines, list | tuple) else ()


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_LENGTH and value.isprintable()


def _flags_of(environment: Mapping[str, Any]) -> tuple[str, ...] | None:
    first = environment.get(FLAGS)
    return _flags(["qaexp", "train", *first] if isinstance(first, list) else environment.get("command_line", ()))


def _flags(line: Any) -> tuple[str, ...] | None:
    """The flags of a command line that name configs, each with its value; nothing where no line is stored.

    Returns:
        None where the line is not `qaexp train`, allows own code, or a flag has no value that may be one.
    """
    if not line and isinstance(line, list | tuple):
        return ()
    if not isinstance(line, list) or not all(isinstance(word, str) for word in line) or line[1:2] != ["train"]:
        return None
    found: list[str] = []
    words = line[2:]
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--allow":
            return None
        if flag not in _FILES_FLAGS:
            continue
        if not equals:
            value = words[place + 1] if place + 1 < len(words) else ""
        if value.startswith("-") or not _is_word(value):
            return None
        found += [word] if equals else [word, value]
    return tuple(found)


def _yaml(path: Path) -> Any:
    if path.parent.is_symlink():
        return None
    try:
        return yaml.load(read_text(path, _MAX_YAML_BYTES), Loader=_LOADER)
    except (OSError, IntegrityError, yaml.YAMLError, RecursionError, ValueError):
        return None


def words_of_silence(config: Mapping[str, Any]) -> dict[str, str]:
    """What a command line of today has to say so that it means what a config from before some keys meant.

    Unpadded attention, the default on a CPU, came with `trainer.attention`. `plain` is written nowhere, but every
    config since has `trainer.processes`.

    >>> words_of_silence({"trainer": {"epochs": 2}}), words_of_silence({"trainer": {"epochs": 2, "processes": 1}})
    ({'trainer.attention': 'plain'}, {})
    """
    trainer = config.get("trainer")
    is_older = isinstance(trainer, Mapping) and trainer and not {"attention", "processes"} & trainer.keys()
    return {"trainer.attention": "plain"} if is_older else {}
