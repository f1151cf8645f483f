"""Composes the jobs of a sweep: by Hydra where words choose files or add keys, by values alone where nothing else does.

Hydra takes 0.1 s for a config, and a thousand jobs differ in no more than the values of a few keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, open_dict

from qaexp.config.checks.words import key_of, parse_overrides
from qaexp.config.compose import compose_errors, to_config
from qaexp.config.hydra_files import hydra_trees
from qaexp.config.origins import find_origins
from qaexp.config.variants import Change, Variants, is_plain
from qaexp.sweeps.composing import Composed

ComposeByHydra = Callable[[Sequence[str]], DictConfig]
"""Makes of override lines a config with Hydra's own node."""

_CONFIG, _HYDRA, _WORDS = "config.yaml", "hydra.yaml", "overrides.yaml"


class Composer:
    """What Hydra makes of the words of each job; jobs that differ in plain values alone are composed once together."""

    def __init__(self, by_hydra: ComposeByHydra, is_group: Callable[[str], bool]) -> None:
        """Nothing is composed yet.

        Args:
            by_hydra: Composes a job's words.
            is_group: Whether a key is that of a config group.
        """
        self._by_hydra, self._is_group = by_hydra, is_group
        self._words: dict[str, _Word] = {}
        self._models: dict[tuple[str, ...], _Model] = {}

    def __call__(self, lines: Sequence[str]) -> Composed:
        """Compose a job.

        Raises:
            ConfigError: With every problem that was found.
            IntegrityError: It names an object that no config may name.
        """
        words = [self._word(line) for line in lines]
        kind = tuple(f"{word.key}=" if word.is_plain else word.line for word in words)
        model = self._models.get(kind)
        if model is not None and (made := model.job(words)) is not None:
            return made
        return self._composed(kind, words)

    def _composed(self, kind: tuple[str, ...], words: Sequence[_Word]) -> Composed:
        """Compose a job by Hydra; the first of its kind is the model of the others."""
        lines = [word.line for word in words]
        with compose_errors():
            composed = self._by_hydra(lines)
            environment = {str(name): str(value) for name, value in composed.hydra.job.env_set.items()}
        settings = composed.hydra
        with open_dict(composed):
            del composed["hydra"]
        config, trees = to_config(composed), hydra_trees(composed, settings, lines)
        made = config, trees, find_origins(composed), environment
        job = trees[_HYDRA]["hydra"]["job"]
        is_typed = "${" not in str([job["env_set"], job["config"]])
        if kind not in self._models and is_typed and all(word.override is not None for word in words):
            self._models[kind] = _Model(words, made, Variants(composed, config))
        return made

    def _word(self, line: str) -> _Word:
        """What a word is; each is read once."""
        if line not in self._words:
            parsed, problems = parse_overrides([line])
            override, key = None if problems else parsed[0], key_of(line)
            is_group = self._is_group(key)
            is_own = not is_group and key.partition(".")[0] != "hydra"
            self._words[line] = _Word(line, key, override, is_group, is_own and _gives_plain(override, key))
        return self._words[line]


def _gives_plain(override: Override | None, key: str) -> bool:
    """Whether an override does nothing but give a plain value to a key."""
    if override is None or override.type is not OverrideType.CHANGE or override.key_or_group != key:
        return False
    return override.package is None and not override.is_sweep_override() and is_plain(override.value())


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a job.

    Attributes:
        line: As it is typed.
        key: Its key or group.
        override: What the grammar makes of it; None where it is no override.
        is_group: Whether it chooses a file.
        is_plain: Whether it gives a plain value to a key that is there.
    """

    line: str
    key: str
    override: Override | None
    is_group: bool
    is_plain: bool


@dataclass(frozen=True, slots=True)
class _Model:
    """A job that Hydra composed, and what all make of it that differ in plain values."""

    words: Sequence[_Word]
    made: Composed
    variants: Variants

    def job(self, words: Sequence[_Word]) -> Composed | None:
        """The job of other words of the same kind; None where only Hydra can tell."""
        config, trees, origins, environment = self.made
        tree: Any = trees[_CONFIG]
        changes: dict[str, Change] = {}
        for before, word in zip(self.words, words, strict=True):
            if before.line == word.line:
                continue
            change = None if self._is_met(word.key) else self._change(word)
            tree = None if change is None else _with(tree, word.key.split("."), change.stored)
            if change is None or tree is None:
                return None
            changes[word.key] = change
        changed = self.variants.config(changes) if changes else config
        if changed is None:
            return None
        hydra = _with_words(trees[_HYDRA], words)
        return changed, {_CONFIG: tree, _HYDRA: hydra, _WORDS: [word.line for word in words]}, origins, environment

    def _change(self, word: _Word) -> Change | None:
        return self.variants.change(word.key, word.override.value()) if word.override is not None else None

    def _is_met(self, key: str) -> bool:
        """Whether another word is about the node that a key is in, so that their order counts."""
        others = (word.key for word in self.words if word.key != key and not word.is_group)
        return any(f"{key}.".startswith(f"{other}.") or other.startswith(f"{key}.") for other in others)


def _with(tree: Any, path: Sequence[str], value: Any) -> Any:
    """A tree with another value at a leaf; None where there is no such leaf. The rest is shared."""
    if not isinstance(tree, Mapping) or path[0] not in tree:
        return None
    inner = value if len(path) == 1 else _with(tree[path[0]], path[1:], value)
    return {**tree, path[0]: inner} if len(path) == 1 or inner is not None else None


def _with_words(tree: Mapping[str, Any], words: Sequence[_Word]) -> dict[str, Any]:
    """The tree of hydra.yaml with the words of another job."""
    node = tree["hydra"]
    spelling = node["job"]["config"]["override_dirname"]
    overrides = [word.override for word in words if word.override is not None]
    own = [override for override in overrides if not override.is_hydra_override()]
    dirname = get_overrides_dirname(own, spelling["exclude_keys"], spelling["item_sep"], spelling["kv_sep"])
    told = {**node["overrides"], "task": [str(override.input_line) for override in own]}
    return {"hydra": {**node, "overrides": told, "job": {**node["job"], "override_dirname": dirname}}}
