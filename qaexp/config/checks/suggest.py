"""Did you mean: the legal word nearest to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from qaexp.config.checks.habits import known_habits

# A letter left out of a word of four, or two of its letters swapped, leave 0.75; `tags` and `betas` share 0.67.
_NEAR = 0.7
_SWAPPED = 0.8
_BEGUN = 3
_HABIT_NEAR = 0.85
_WRONG_GROUP = 0.1
_PART = 0.75
_FEWEST_LETTERS = 4


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """Find the legal word most like `word`, or None when nothing is like it: a bad guess is worse than none.

    A dotted word is compared with the keys of its group, or with those of the same last part in another one; a word
    without a dot also with the last parts of keys, so that `max_lenght` finds `features.max_length`.

    >>> nearest("optimizer.lrr", ["optimizer.lr", "trainer.epochs"])
    'optimizer.lr'
    >>> nearest("max_lenght", ["features.max_length", "seed"])
    'features.max_length'
    >>> nearest("lerning_rate", ["optimizer.lr", "seed"])
    'optimizer.lr'
    >>> nearest("optimizer.l", ["optimizer.lr", "optimizer.weight_decay"])
    'optimizer.lr'
    >>> nearest("zzz", ["optimizer.lr"]) is None, nearest("trainer.foo", ["trainer", "trainer.epochs"]) is None
    (True, True)
    """
    known = sorted(set(legal))
    begun = [name for name in known if name.startswith(word)] if len(word) >= _BEGUN else []
    if len(begun) == 1:
        return begun[0]
    best = max(known, key=lambda candidate: _likeness(word, candidate), default=None)
    likeness = _likeness(word, best) if best is not None else 0.0
    habits = {name: key for name, key in known_habits().items() if key in known and "." not in word}
    habit = max(sorted(habits), key=lambda name: _ratio(word, name), default=None)
    if habit is not None and _ratio(word, habit) >= max(_HABIT_NEAR, likeness):
        return habits[habit]
    return best if likeness >= _NEAR else None


def did_you_mean(word: str, legal: Iterable[str]) -> str:
    """The nearest legal word as the end of a sentence, or nothing.

    >>> did_you_mean("sead", ["seed", "name"]), did_you_mean("sdg", ["adamw", "sgd"])
    ('; did you mean seed?', '; did you mean sgd?')
    """
    found = nearest(word, legal)
    return f"; did you mean {found}?" if found else ""


def offered(key: str, legal: Iterable[str]) -> str:
    """What there is in place of an unknown key, as the end of a sentence: the nearest one, or those of its group.

    >>> offered("data.train_siz", ["data", "data.train_size"]), offered("data.foo", ["data", "data.train_size"])
    ('; did you mean data.train_size?', '; data has train_size')
    """
    known = sorted(set(legal))
    if found := did_you_mean(key, known):
        return found
    group = key.rpartition(".")[0]
    while group:
        inside = [name.removeprefix(f"{group}.") for name in known if name.startswith(f"{group}.")]
        names = [name for name in inside if "." not in name and not name.startswith("_")]
        if names:
            return f"; {group} has {', '.join(names)}"
        group = group.rpartition(".")[0]
    return "; qaexp train --help lists all keys, give one of them"


def _likeness(word: str, candidate: str) -> float:
    """How alike two keys are, 0 to 1; a key of the wrong group counts by its last part (`model.max_length`)."""
    group, dot, last = word.rpartition(".")
    other_group, other_dot, other = candidate.rpartition(".")
    if not dot:
        return max(_ratio(last, other), _part(last, other))
    if group == other_group:
        return max(_ratio(last, other), _part(last, other))
    whole = _ratio(word, candidate) if other_dot and _ratio(group, other_group) >= _NEAR else 0.0
    elsewhere = _ratio(last, other) - _WRONG_GROUP if len(last) >= _FEWEST_LETTERS or last == other else 0.0
    return max(whole, elsewhere)


def _part(word: str, candidate: str) -> float:
    """The likeness of a word that is a whole part of a longer one: `warmup` of `warmup_ratio`."""
    is_part = len(word) >= _FEWEST_LETTERS and f"_{word}_" in f"_{candidate}_"
    return _PART if is_part else 0.0


def _ratio(left: str, right: str) -> float:
    if len(left) > 2 and sorted(left.lower()) == sorted(right.lower()):
        return _SWAPPED if left.lower() != right.lower() else 1.0
    return SequenceMatcher(None, left.lower(), right.lower(), autojunk=False).ratio()
