"""Check the overrides of a command line one by one, so that every mistake is named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hydra.core.override_parser.types import Glob, Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from qaexp.config.checks.given_values import first_line, given_values
from qaexp.config.checks.holders import lacking_sentence
from qaexp.config.checks.suggest import did_you_mean, offered
from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.unknown import columns_by_key, sets_by_key, unknown_key
from qaexp.config.checks.values import find_node, value_problems
from qaexp.config.own_nodes import may_have_more
from qaexp.storage.evaluation_sets import KEY as SETS
from qaexp.storage.mix_problems import EXAMPLE as MIX_EXAMPLE

_COLUMNS = "data.columns"
_MIX = "data.mix"
# Groups whose file is optional: `experiment=null` chooses none.
_OPTIONAL = ("experiment", "sweep", "debug")
_FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "arrow", "file", "files", "local", "squad")


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
    groups = [override for override in overrides if _is_choice(override, choices)]
    checked = [(override.key_or_group, _check_choice(override, choices, problems)) for override in groups]
    good_groups = [line for _, lines in checked for line in lines]
    given_mix = _whole_mix(overrides)
    composed = compose([*good_groups, *given_mix]) if chosen is None or problems or given_mix else chosen
    keys = list_keys(composed)
    # A key that the default choice lacks may be one of the choice that was meant.
    refused = tuple(f"{group}." for group, lines in checked if not lines)
    by_key = [
        override
        for key, told in ((_COLUMNS, columns_by_key), (SETS, sets_by_key))
        for override in _named_by_key(key, told, overrides, composed, problems)
    ]
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


def _is_choice(override: Override, choices: Mapping[str, Sequence[str]]) -> bool:
    key = override.key_or_group
    return "/" in key or key in choices or (key in _OPTIONAL and not override.is_delete())


def _check_choice(override: Override, choices: Mapping[str, Sequence[str]], problems: list[str]) -> list[str]:
    group = override.key_or_group
    if group.startswith("hydra/"):
        return [] if override.is_sweep_override() else [str(override.input_line)]
    if group not in choices and group not in _OPTIONAL:
        hint = did_you_mean(group, choices) or f"; choose one of {', '.join(choices)}"
        problems.append(f"{group} is not a group of configs{hint}")
        return []
    if override.is_delete():
        problems.append(f"~{group}: a group cannot be left out; choose one of {', '.join(choices.get(group, []))}")
        return []
    legal = list(choices.get(group, []))
    names = given_values(override, legal)
    unknown = [name for name in names if not _legal_choice(name, group, legal)]
    offer = ", ".join(legal) or "nothing yet: add a file with --config-dir"
    problems.extend(
        f"{group}={name!s}: {group} has no {name!r}; it offers {offer}{_meant(group, str(name), legal)}"
        for name in unknown
    )
    if not names:
        problems.append(f"{override.input_line}: no file of {group} is called so; it offers {offer}")
    if unknown or not names:
        return []
    first = names[0] if not isinstance(names[0], list) else f"[{','.join(map(str, names[0]))}]"
    return keep_texts([f"{override.get_key_element()}={'null' if first is None else first}"])


def _meant(group: str, name: str, legal: Sequence[str]) -> str:
    """What was most likely meant by a choice that there is not."""
    if group == "data" and (name in _FORMATS or name.rpartition(".")[2] in _FORMATS):
        return "; files of your own are data=json data.train_file=FILE data.dev_file=FILE, whatever their format"
    return did_you_mean(name, legal)


def _legal_choice(name: object, group: str, legal: Sequence[str]) -> bool:
    if name is None:
        return group in _OPTIONAL
    if isinstance(name, list):
        return all(part in legal for part in name)
    return name in legal


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
        if key.startswith(f"{_MIX}.") and not isinstance(find_node(composed, _MIX), DictConfig):
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


def _whole_mix(overrides: Sequence[Override]) -> list[str]:
    """The override that gives a mix whole, where others change sets of it: without it they are no keys."""
    given = [one for one in overrides if one.key_or_group == _MIX and not (one.is_delete() or one.is_add())]
    if not any(one.key_or_group.startswith(f"{_MIX}.") for one in overrides):
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
