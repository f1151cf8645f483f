"""Check the overrides of a command line one by one, so that every mistake is named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hydra.core.override_parser.types import Glob, Override, OverrideType
from omegaconf import DictConfig

from qaexp.config.checks.choices import check_choice, is_choice
from qaexp.config.checks.given_values import first_line, given_values
from qaexp.config.checks.holders import lacking_sentence
from qaexp.config.checks.mappings import MIX, given_by_key, whole_mix
from qaexp.config.checks.suggest import offered
from qaexp.config.checks.unknown import unknown_key
from qaexp.config.checks.values import find_node, value_problems
from qaexp.config.own_nodes import may_have_more
from qaexp.storage.mix_problems import EXAMPLE as MIX_EXAMPLE


def check_overrides(
    overrides: Sequence[Override],
    choices: Mapping[str, Sequence[str]],
    compose: Callable[[list[str]], DictConfig],
    problems: list[str],
    chosen: DictConfig | None = None,
) -> list[str]:
    """Check choices first, then keys and types against the config that the good choices compose.

    Args:
        overrides: The parsed overrides.
        choices: Group name to the names of its files.
        compose: Composes a config, Hydra's node in it, from override lines.
        problems: Gets one sentence per mistake.
        chosen: What the choices compose, if all of them are good; None: they are composed here.

    Returns:
        The good overrides as lines; of a sweep only the first value.
    """
    groups = [override for override in overrides if is_choice(override, choices)]
    checked = [(override.key_or_group, check_choice(override, choices, problems)) for override in groups]
    good_groups = [line for _, lines in checked for line in lines]
    given_mix = whole_mix(overrides)
    composed = compose([*good_groups, *given_mix]) if chosen is None or problems or given_mix else chosen
    keys = list_keys(composed)
    # A key that the default choice lacks may be one of the choice that was meant.
    refused = tuple(f"{group}." for group, lines in checked if not lines)
    by_key = given_by_key(overrides, composed, problems)
    values = [
        one
        for one in overrides
        if one not in [*groups, *by_key] and (one.key_or_group in keys or not one.key_or_group.startswith(refused))
    ]
    good_values = [
        line
        for override in values
        if not _lacks(override, groups, choices, good_groups, compose, problems)
        for line in _check_value(override, composed, keys, choices, problems)
    ]
    return good_groups + good_values


def _lacks(
    override: Override,
    groups: Sequence[Override],
    choices: Mapping[str, Sequence[str]],
    lines: Sequence[str],
    compose: Callable[[list[str]], DictConfig],
    problems: list[str],
) -> bool:
    """Say whether some jobs of a sweep over choices have no such key; they are named.

    Args:
        override: What sets a key.
        groups: What chooses.
        choices: Group name to the names of its files.
        lines: The good choices as lines, one a group.
        compose: Composes a config from override lines.
        problems: Gets the sentence.
    """
    if override.is_add() or override.is_delete():
        return False
    swept = {
        one.key_or_group: [
            str(name) for name in given_values(one, choices.get(one.key_or_group, ())) if name is not None
        ]
        for one in groups
        if one.is_sweep_override() and any(line.startswith(f"{one.key_or_group}=") for line in lines)
    }

    def with_choice(choice: str) -> DictConfig:
        group = choice.partition("=")[0]
        return compose([*(line for line in lines if not line.startswith(f"{group}=")), choice])

    found = lacking_sentence(override.key_or_group, str(override.input_line), swept, with_choice)
    problems.extend([found] if found else [])
    return found is not None


def list_keys(composed: DictConfig) -> list[str]:
    """All dotted keys of a config, nodes and leaves.

    >>> from omegaconf import OmegaConf
    >>> list_keys(OmegaConf.create({"seed": 0, "data": {"train_size": 5}}))
    ['data', 'data.train_size', 'seed']
    """
    found: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for name in map(str, node):
            found.append(f"{prefix}{name}")
            # A missing or interpolated value is a leaf, and reading it could raise.
            child = node._get_node(name)
            if isinstance(child, DictConfig) and not (child._is_none() or child._is_missing()):
                walk(child, f"{prefix}{name}.")

    walk(composed, "")
    return sorted(found)


def _check_value(
    override: Override,
    composed: DictConfig,
    keys: Sequence[str],
    choices: Mapping[str, Sequence[str]],
    problems: list[str],
) -> list[str]:
    key = override.key_or_group
    line = str(override.input_line)
    if key == "hydra" or key.startswith("hydra."):
        return _check_hydra_value(override, composed, keys, problems)
    if override.is_delete():
        problems.append(f"{line}: a key cannot be left out; set it to null or to another value")
        return []
    if find_node(composed, key) is None:
        if override.is_add() and may_have_more(composed, key):
            return [f"+{first_line(override)}" if override.is_sweep_override() else line]
        if key.startswith(f"{MIX}.") and not isinstance(find_node(composed, MIX), DictConfig):
            problems.append(f"{line}: data.mix is null; name its training sets first, as '{MIX_EXAMPLE}'")
            return []
        problems.append(unknown_key(key, line, [*(name for name in keys if not name.startswith("hydra.")), *choices]))
        return []
    if override.is_add() and override.type is not OverrideType.FORCE_ADD:
        problems.append(f"{line}: {key} exists; leave out the '+'")
        return []
    wrong = [problem for value in given_values(override, ()) for problem in value_problems(composed, key, value)]
    if isinstance(override.value(), Glob):
        wrong = [f"{line}: glob() chooses files of a group, and {key} is a key; write its values, as {key}=1,2"]
    problems.extend(wrong)
    if wrong:
        return []
    return [
        f"{key}={override.get_value_element_as_str()}" if not override.is_sweep_override() else first_line(override)
    ]


def _check_hydra_value(override: Override, composed: DictConfig, keys: Sequence[str], problems: list[str]) -> list[str]:
    """Keys of Hydra's own node: that they are there; what they may say is looked at when all is composed."""
    key, line = override.key_or_group, str(override.input_line)
    is_new = override.is_add() or override.is_delete() or key == "hydra"
    if not is_new and find_node(composed, key) is None:
        of_hydra = [name for name in keys if name.startswith("hydra.")]
        hint = f"; write +{line}" if ".env_set." in key else offered(key, of_hydra)
        problems.append(f"{key} is not a key{hint}")
        return []
    return [] if override.is_sweep_override() else [line]
