"""What sets groups apart, in as few dimensions as possible: a choice of a config group replaces the keys it brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.comparison.groups import Group
from qaexp.comparison.short_numbers import shorten_numbers
from qaexp.runs.number import is_number
from qaexp.runs.readers.group_names import prefixes
from qaexp.runs.readers.typed import Typed
from qaexp.runs.short_words import short_keys, value_texts
from qaexp.storage.formats import dotted


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing in which groups differ.

    Attributes:
        name: A config group, or a key by its last parts; keys that always change together are joined by `+`.
        keys: The dotted keys that it covers.
        texts: What each group has, in few characters.
        values: The same as numbers where all are numbers, else the texts.
        is_choice: It is the choice of a config group.
    """

    name: str
    keys: Sequence[str]
    texts: Sequence[str]
    values: Sequence[Any]
    is_choice: bool = False


def dimensions(groups: Sequence[Group]) -> list[Dimension]:
    """Return what sets groups apart, the choices of config groups first; each key belongs to one dimension at most."""
    keys = list(dict.fromkeys(key for group in groups for key in group.changes))
    told = [group.entries[0].run.typed for group in groups]
    found = [chosen for name in _varying(told) if (chosen := _choice(name, keys, groups, told))]
    taken = {key for one in found for key in one.keys}
    rest = [key for key in keys if key not in taken]
    known = dict.fromkeys(key for group in groups for entry in group.entries[:1] for key in dotted(entry.run.config))
    names = short_keys(rest, [*known])
    patterns: dict[tuple[tuple[int, ...], str], list[str]] = {}
    for key in rest:
        pattern = _pattern([repr(group.changes.get(key)) for group in groups])
        # Numbers that were drawn at random all differ, which does not make two such keys one dimension.
        is_own = len(set(pattern)) > 2 and all(is_number(group.changes.get(key)) for group in groups)
        patterns.setdefault((pattern, key if is_own else ""), []).append(key)
    return found + [_of_keys(twins, [names[key] for key in twins], groups) for twins in patterns.values()]


def effect_words(key: str, value: str, groups: Sequence[Group], found: Sequence[Dimension]) -> tuple[str, str]:
    """Return a row of the main effects in the words of the dimensions.

    Args:
        key: The keys of the row, joined by ` + `.
        value: Their values in a group, joined by blanks.
        groups: The groups of the dimensions.
        found: The dimensions.
    """
    keys = key.split(" + ")
    places = [
        place for place, group in enumerate(groups) if " ".join(str(group.changes.get(one)) for one in keys) == value
    ]
    own = [one for one in found if any(key in one.keys for key in keys)]
    if not places or not own:
        return key, value
    return " + ".join(one.name for one in own), " ".join(one.texts[places[0]] for one in own)


def _varying(told: Sequence[Typed]) -> list[str]:
    """The config groups whose choice is known of all, and not the same."""
    names = sorted({name for one in told for name in one.choices})
    return [name for name in names if len(kinds := {one.choices.get(name) for one in told}) > 1 and None not in kinds]


def _choice(name: str, keys: Sequence[str], groups: Sequence[Group], told: Sequence[Typed]) -> Dimension | None:
    """A choice with the keys that it brought: not typed by anybody, and the same wherever the choice is."""
    chosen = [one.choices[name] for one in told]
    begins = prefixes(name, keys)
    brought = [
        key
        for key in keys
        if begins
        and key.startswith(begins)
        and not any(key in one.words for one in told)
        and len({(choice, repr(group.changes.get(key))) for choice, group in zip(chosen, groups, strict=True)})
        == len(set(chosen))
    ]
    return Dimension(name, brought, chosen, chosen, is_choice=True) if brought else None


def _of_keys(keys: Sequence[str], names: Sequence[str], groups: Sequence[Group]) -> Dimension:
    columns = [[group.changes.get(key) for group in groups] for key in keys]
    texts = shorten_numbers([" ".join(cells) for cells in zip(*map(value_texts, columns), strict=True)])
    is_scale = len(keys) == 1 and all(map(is_number, columns[0]))
    return Dimension(" + ".join(names), keys, texts, columns[0] if is_scale else texts)


def _pattern(values: Sequence[str]) -> tuple[int, ...]:
    first: dict[str, int] = {}
    return tuple(first.setdefault(value, place) for place, value in enumerate(values))
