"""What `data.mix` says: the training sets by their names, each with its file and its weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_LEAST_WEIGHT = 1e-9


@dataclass(frozen=True, slots=True)
class MixedSet:
    """A training set of a mix.

    Attributes:
        file: Its file, or its shards, as `data.train_file` names them.
        weight: Its weight, as it was typed; None: none has one.
    """

    file: str
    weight: float | None


def mix_of(value: Any) -> dict[str, MixedSet]:
    """Return the sets of a legal mix, sorted by name; without one there are none.

    A set that is null is left out, so that one line can take a set out of the mix of a YAML file.

    >>> mix_of({"nq": {"file": "n.jsonl", "weight": 3}, "a": {"file": "a.json", "weight": 1}, "b": None})
    {'a': MixedSet(file='a.json', weight=1), 'nq': MixedSet(file='n.jsonl', weight=3)}
    >>> mix_of({"a": "a.json"})
    {'a': MixedSet(file='a.json', weight=None)}
    """
    found = {}
    for name, entry in sorted(sets_of(value).items()):
        if entry is not None:
            file, weight = (entry.get("file"), entry.get("weight")) if isinstance(entry, Mapping) else (entry, None)
            found[name] = MixedSet(str(file), weight)
    return found


def is_mix(value: Any) -> bool:
    """Whether a value is a legal mix; the config of a stored run may hold anything.

    >>> is_mix({"a": "a.json"}), is_mix({"a": {"file": "a.json", "weight": "much"}}), is_mix({})
    (True, False, False)
    """
    if not isinstance(value, Mapping):
        return False
    entries = [entry for entry in value.values() if entry is not None]
    wholes = [entry for entry in entries if isinstance(entry, Mapping)]
    files = [entry.get("file") if isinstance(entry, Mapping) else entry for entry in entries]
    weights = [weight for entry in wholes if (weight := entry.get("weight")) is not None]
    are_files = bool(files) and all(isinstance(file, str) for file in files)
    return are_files and all(map(is_weight, weights)) and len(weights) in (0, len(entries))


def is_weight(value: Any) -> bool:
    """Whether a value is a legal weight: a number from 1e-9 to 1e9."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and _LEAST_WEIGHT <= value <= 1 / _LEAST_WEIGHT


def whole_weights(weights: Mapping[str, float]) -> dict[str, int]:
    """Weights as whole numbers without a common factor, exactly as their decimals say.

    >>> whole_weights({"a": 0.7, "b": 0.3}) == whole_weights({"a": 70.0, "b": 30}) == {"a": 7, "b": 3}
    True
    """
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    common = math.lcm(*(weight.denominator for weight in exact.values()))
    whole = {name: int(weight * common) for name, weight in exact.items()}
    factor = math.gcd(*whole.values())
    return {name: weight // factor for name, weight in whole.items()}


def as_identified(value: Any) -> Any:
    """A mix as a run's identity holds it: names and exact shares, whatever the files are called.

    What is no legal mix stays as it is: the config of a stored run may have been edited.

    >>> as_identified({"b": {"file": "b.json", "weight": 3}, "a": {"file": "a.json", "weight": 6}})
    {'a': '2/3', 'b': '1/3'}
    >>> as_identified({"a": "a.json", "b": None})
    {'a': 'all'}
    """
    if not is_mix(value):
        return value
    sets = mix_of(value)
    weights = {name: one.weight for name, one in sets.items() if one.weight is not None}
    if not weights:
        return dict.fromkeys(sets, "all")
    whole = whole_weights(weights)
    return {name: str(Fraction(weight, sum(whole.values()))) for name, weight in whole.items()}


def sets_of(value: Any) -> dict[str, Any]:
    """The entries of a mix by their names, whatever they are; of anything else none."""
    return {str(name): entry for name, entry in value.items()} if isinstance(value, Mapping) else {}
