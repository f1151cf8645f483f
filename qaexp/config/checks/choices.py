"""Check which files of config groups a command line chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra.core.override_parser.types import Override

from qaexp.config.checks.given_values import given_values
from qaexp.config.checks.suggest import did_you_mean
from qaexp.config.checks.texts import keep_texts

# Groups whose file is optional: `experiment=null` chooses none.
_OPTIONAL = ("experiment", "sweep", "debug")
_FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "arrow", "file", "files", "local", "squad")


def is_choice(override: Override, choices: Mapping[str, Sequence[str]]) -> bool:
    """Whether an override chooses a file of a group; `choices` has the names of each group's files."""
    key = override.key_or_group
    return "/" in key or key in choices or (key in _OPTIONAL and not override.is_delete())


def check_choice(override: Override, choices: Mapping[str, Sequence[str]], problems: list[str]) -> list[str]:
    """Check that the files which an override chooses are there.

    Args:
        override: What chooses, once or of a sweep several times.
        choices: Group name to the names of its files.
        problems: Gets one sentence per mistake.

    Returns:
        The override as a line, of a sweep with its first choice; nothing where it is wrong.
    """
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
