"""Overrides of values that are mappings and are given whole: columns of files, evaluation sets, mixes of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from qaexp.config.checks.given_values import first_line
from qaexp.config.checks.unknown import columns_by_key, sets_by_key
from qaexp.config.checks.values import find_node
from qaexp.config.own_nodes import may_have_more
from qaexp.storage.evaluation_sets import KEY as SETS

MIX = "data.mix"
_COLUMNS = "data.columns"


def given_by_key(overrides: Sequence[Override], composed: DictConfig, problems: list[str]) -> list[Override]:
    """The overrides that set a mapping key by key where only the whole may be given.

    Args:
        overrides: All overrides.
        composed: The config that the choices compose.
        problems: Gets one sentence a mapping.
    """
    told = ((_COLUMNS, columns_by_key), (SETS, sets_by_key))
    return [one for key, words in told for one in _named_by_key(key, words, overrides, composed, problems)]


def whole_mix(overrides: Sequence[Override]) -> list[str]:
    """The override that gives a mix whole, where others change sets of it: without it they are no keys."""
    given = [one for one in overrides if one.key_or_group == MIX and not (one.is_delete() or one.is_add())]
    if not any(one.key_or_group.startswith(f"{MIX}.") for one in overrides):
        return []
    return [first_line(one) if one.is_sweep_override() else str(one.input_line) for one in given[-1:]]


def _named_by_key(
    mapping: str,
    told: Callable[[Mapping[str, str], Mapping[str, str]], str],
    overrides: Sequence[Override],
    composed: DictConfig,
    problems: list[str],
) -> list[Override]:
    """The overrides that set a mapping key by key, reported together: it is one value.

    Args:
        mapping: The key of the mapping.
        told: What is said of them.
        overrides: All overrides.
        composed: The config that the choices compose.
        problems: Gets the sentence.
    """
    found = [
        one
        for one in overrides
        if one.key_or_group.startswith(f"{mapping}.")
        and not (one.is_delete() or one.is_sweep_override() or may_have_more(composed, one.key_or_group))
        and isinstance(one.value(), str | int | float)
        and find_node(composed, one.key_or_group) is None
    ]
    if found:
        whole = [one.value() for one in overrides if one.key_or_group == mapping]
        node = find_node(composed, mapping)
        standing = whole[-1] if whole else OmegaConf.to_container(node) if isinstance(node, DictConfig) else {}
        standing = {str(ours): str(theirs) for ours, theirs in standing.items()} if isinstance(standing, dict) else {}
        given = {one.key_or_group.removeprefix(f"{mapping}."): str(one.value()) for one in found}
        problems.append(told(given, standing))
    return found
