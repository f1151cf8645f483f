"""What groups of runs are called: by what was swept, as it was typed; a single run by its own name."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.runs.naming import is_drawn
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.typed import Typed
from qaexp.runs.short_words import short_keys, value_texts
from qaexp.storage.formats import dotted

# The content that a choice of these groups brings.
_CONTENT = {"model": "inputs.weights.", "data": "inputs.data."}

Changes = Mapping[str, Any]

# A word of a job's folder: `optimizer.lr=0.001`.
_WORD = re.compile(r"(?:^|,)([A-Za-z_][\w.@/]*)=(.*?)(?=,[A-Za-z_][\w.@/]*=|$)")

_SEEDS = ("seed", "seeds")

# A group that has none of the keys in which the others differ.
_UNNAMED = "the other settings"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a name is made of: the changed keys of a group, its choices, and the keys that were typed for it."""

    changes: Changes
    choices: Mapping[str, str]
    words: Collection[str]


def group_names(groups: Sequence[Sequence[RunFiles]], changes: Sequence[Changes]) -> list[str]:
    """Name groups by what sets them apart; no two names are equal, and the order of the groups changes none.

    A choice of a config group represents all keys that it brought: `optimizer=sgd`, and `optimizer=sgd lr=0.1` where
    one of them was typed as well. A single run that a user named has that name, and so has an only group.

    Args:
        groups: Runs that are equal up to their seeds.
        changes: Of each group the keys in which groups differ, with its values, as `differing` gives them.
    """
    if not any(changes):
        return unique([only_name(group) for group in groups])
    found = setting_names([group[0] for group in groups], changes, _typed_of(groups))
    own = own_names(groups)
    return unique([mine or name for mine, name in zip(own, found, strict=True)])


def setting_names(
    runs: Sequence[RunFiles], changes: Sequence[Changes], several: Sequence[Typed] | None = None
) -> list[str]:
    """Name settings by what was chosen and by the keys that differ, without any run's own name.

    Args:
        runs: One run of each.
        changes: Of each the keys in which they differ, with its values.
        several: What was typed for each; None: what the folders of the runs say.
    """
    several = [run.typed for run in runs] if several is None else several
    told = [_Told(one, of.choices, of.words) for one, of in zip(changes, several, strict=True)]
    known = dict.fromkeys(key for run in runs for key in dotted(run.config))
    names = short_keys(list(dict.fromkeys(key for one in changes for key in one)), [*known])
    texts = {key: value_texts([one.get(key) for one in changes]) for key in names}
    choices = _Choices(told, [*known])
    full, found = [], []
    for place, one in enumerate(told):
        words = {key: f"{names[key]}={texts[key][place]}" for key in one.changes}
        chosen = [f"{group}={one.choices[group]}" for group in choices.named if group in one.choices]
        full.append(" ".join(words.values()))
        found.append(" ".join([*chosen, *(word for key, word in words.items() if not choices.brought(key, one))]))
    counts = Counter(found)
    # Where choices and single keys do not distinguish two groups, all keys do.
    return unique([name if name and counts[name] == 1 else full[place] or _UNNAMED for place, name in enumerate(found)])


def own_names(groups: Sequence[Sequence[RunFiles]]) -> list[str | None]:
    """The names of single runs that a user named; None for jobs of a sweep, whose folders say what was swept."""
    names = [_given_name(group[0]) if len(group) == 1 else None for group in groups]
    counts = Counter(names)
    return [
        "/".join(group[0].path.resolve().parts[-2:]) if name is not None and counts[name] > 1 else name
        for name, group in zip(names, groups, strict=True)
    ]


def only_name(group: Sequence[RunFiles]) -> str:
    """The name of a group that no other one is beside: the run's, or what its sweep swept, or the sweep's name."""
    folders = sorted(run.path.resolve().name for run in group)
    if len(group) == 1:
        return folders[0]
    if swept := _swept(group):
        return swept
    parents = {run.path.resolve().parent.name for run in group}
    if len(parents) == 1 and all(map(is_job, group)):
        return parents.pop()
    names = {repr(run.config.get("name")) for run in group}
    name = group[0].config.get("name")
    if len(names) == 1 and isinstance(name, str) and name:
        return name
    return f"{folders[0]} and {len(group) - 1} more"


def _swept(group: Sequence[RunFiles]) -> str:
    """The swept keys that all jobs of a group have alike, from their folders; nothing where only seeds were swept."""
    if not all(map(is_job, group)):
        return ""
    names = [run.path.resolve().name.removesuffix(f"-{run.run_id}") for run in group]
    several = [{found[1]: found[2] for found in _WORD.finditer(name)} for name in names]
    alike = {key: value for key, value in several[0].items() if all(one.get(key) == value for one in several)}
    alike = {key: value for key, value in alike.items() if key.partition(".")[0] not in _SEEDS}
    shown = short_keys([*alike], [key for run in group for key in dotted(run.config)])
    return " ".join(f"{shown[key]}={value}" for key, value in alike.items())


def unique(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """The names; those that appear more than once, or are taken, with a count.

    >>> unique(["a", "b", "a"]), unique(["a"], {"a"})
    (['a (1)', 'b', 'a (2)'], ['a (2)'])
    """
    counts, found, used = Counter(names), list[str](), set(taken)
    used |= {name for name in names if counts[name] == 1} - set(taken)
    for name in names:
        if counts[name] > 1 or name in taken:
            first = 2 if name in taken else 1
            name = next(one for n in itertools.count(first) if (one := f"{name} ({n})") not in used)
            used.add(name)
        found.append(name)
    return found


def letter(number: int) -> str:
    """The letters of a group's number, from 1, for figures and their legends.

    >>> [letter(number) for number in (1, 2, 26, 27, 52, 53)]
    ['A', 'B', 'Z', 'AA', 'AZ', 'BA']
    """
    text = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def prefixes(group: str, keys: Collection[str]) -> tuple[str, ...]:
    """How keys begin that a choice of a config group brings; nothing for one that changes keys anywhere.

    >>> prefixes("optimizer", ["optimizer.lr"]), prefixes("experiment", ["optimizer.lr"])
    (('optimizer.',), ())
    """
    node = (group.partition("@")[2] or group).replace("/", ".") + "."
    found = [node] if any(key.startswith(node) for key in keys) else []
    return (*found, *([_CONTENT[group]] if group in _CONTENT else ()))


def _typed_of(groups: Sequence[Sequence[RunFiles]]) -> list[Typed]:
    """What was typed for all runs of each group alike, of those that say it."""
    found = []
    for group in groups:
        told = [one for run in group if (one := run.typed).choices or one.overrides] or [Typed()]
        choices = dict(set.intersection(*(set(one.choices.items()) for one in told)))
        keys = set.intersection(*(set(one.words) for one in told))
        found.append(Typed(choices, sorted(f"{key}=" for key in keys)))
    return found


class _Choices:
    """Which choices set groups apart, and which values they brought: nobody typed them, and they go with the choice."""

    def __init__(self, several: Sequence[_Told], keys: Collection[str]) -> None:
        self._able = [one for one in several if one.choices]
        groups = sorted({group for one in self._able for group in one.choices})
        varying = [group for group in groups if len({one.choices.get(group) for one in self._able}) > 1]
        self._begins = {group: prefixes(group, keys) for group in varying}
        was_typed = [group for group in varying if any(group in one.words for one in self._able)]
        # What another, typed choice brought along sets nothing apart.
        self.shown = [group for group in varying if group in was_typed or not self._follows(group, was_typed)]
        self._values: dict[tuple[str, tuple[str | None, ...]], set[str]] = {}
        for one in self._able:
            for key in one.changes:
                if key not in one.words:
                    self._values.setdefault((key, self._of(one)), set()).add(repr(one.changes[key]))
        brought = {key for one in self._able for key in one.changes if self.brought(key, one)}
        self.named = [group for group in self.shown if any(self._belongs(key, group) for key in brought)]

    def brought(self, key: str, told: _Told) -> bool:
        """Whether a group has a key's value from its choices."""
        if not told.choices or key in told.words:
            return False
        is_inside = any(key.startswith(begin) for begins in self._begins.values() for begin in begins)
        is_anywhere = any(not self._begins[group] for group in self.shown)
        return (is_inside or is_anywhere) and len(self._values[key, self._of(told)]) == 1

    def _belongs(self, key: str, group: str) -> bool:
        if own := self._begins[group]:
            return key.startswith(own)
        return not any(key.startswith(self._begins[other]) for other in self.shown if self._begins[other])

    def _of(self, told: _Told) -> tuple[str | None, ...]:
        return tuple(told.choices.get(group) for group in self.shown)

    def _follows(self, group: str, others: Sequence[str]) -> bool:
        """Whether a choice is the same wherever the other ones are."""
        found: dict[tuple[str | None, ...], set[str | None]] = {}
        for one in self._able:
            found.setdefault(tuple(map(one.choices.get, others)), set()).add(one.choices.get(group))
        return bool(others) and all(len(choices) == 1 for choices in found.values())


def _given_name(run: RunFiles) -> str | None:
    folder = run.path.resolve().name
    is_given = run.config.get("name") == folder and not is_job(run) and not is_drawn(folder)
    return folder if is_given else None


def is_job(run: RunFiles) -> bool:
    """Whether it is a job of a sweep; their folders end with the run's id."""
    return bool(run.run_id) and run.path.name.endswith(f"-{run.run_id}")
