"""Conditions on runs, as `--where` takes them: `optimizer.lr>=1e-4`, `lr in 1e-3,1e-4 or tags=best`, `notes~word`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.comparison.key_lookup import meant
from qaexp.errors import ConfigError
from qaexp.runs.short_words import shortened, value_text

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "==": operator.eq, "=": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(r"\s*([\w.@/+-]+?)\s*(>=|<=|!=|==|=|>|<|~|\s+in\s)\s*(.*?)\s*", re.DOTALL | re.IGNORECASE)
_QUOTED_OR_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\[[^\]]*\]|\([^)]*\)|(?P<word>(?<!\S)(?:or|and)(?!\S))|.", re.DOTALL)
_HOW = "give a key, one of >= <= != = > < ~ in, and a value: "
_OF_RUNS = "optimizer.lr>=1e-4, 'lr in 1e-3,1e-4', 'notes~word'"
YES_OR_NO = ("true", "false")

_MAX_ITEM = 40
_MAX_ITEMS = 8
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Test:
    """One key, one sign, one value."""

    key: str
    sign: str
    wanted: str

    def holds(self, values: Values) -> bool:
        """Whether a run meets it."""
        value = values.get(self.key)
        if self.sign == "in":
            return any(_is(value, item) for item in _items(self.wanted))
        if self.sign == "~":
            wanted = _unquoted(self.wanted).lower()
            several = value if isinstance(value, list | tuple) else [] if value is None else [value]
            return any(wanted in _shown(item).lower() for item in several)
        if self.sign in ("=", "=="):
            return _is(value, self.wanted)
        if self.sign == "!=":
            return not _is(value, self.wanted)
        number, limit = _number(value), _number(self.wanted)
        return number is not None and limit is not None and _OPERATORS[self.sign](number, limit)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: one of several, each of them tests that must all hold.

    Attributes:
        text: As it was typed.
        ways: The ways in which it can hold.
    """

    text: str
    ways: Sequence[Sequence[_Test]]

    def holds(self, values: Values) -> bool:
        """Whether a run meets it.

        >>> condition("lr in 1e-3,0.1 or tags=best", [{"lr": 1, "tags": []}]).holds({"lr": 0.001, "tags": []})
        True
        """
        return any(all(test.holds(values) for test in way) for way in self.ways)

    @property
    def keys(self) -> list[str]:
        """The keys that it is about, each once."""
        return list(dict.fromkeys(test.key for way in self.ways for test in way))


def condition(
    text: str,
    several: Sequence[Values],
    legal: Mapping[str, Collection[str]] | None = None,
    examples: str = _OF_RUNS,
) -> Condition:
    """Read a condition.

    Args:
        text: What was typed.
        several: The values of each run, among which its keys are looked for.
        legal: The words that a key can be, where they are known. A key of `YES_OR_NO` stands for itself: that it is
            true.
        examples: Conditions that can be typed here.

    Raises:
        ConfigError: It is not a condition, names a key that no run has, or asks for a value that cannot be.
    """
    known = legal or {}

    def test(part: str) -> _Test:
        if known.get(part) == YES_OR_NO:
            return _Test(part, "=", "true")
        found = _CONDITION.fullmatch(part)
        if not found:
            of = "" if part == text.strip() else f"{part!r} is no condition: "
            raise ConfigError(f"--where {text!r}: {of}{_HOW}{examples}")
        key, sign, wanted = found.groups()
        # Without any runs there is nothing to look the key up in.
        key = meant(f"--where {text}", key, several) if several else key
        return _Test(key, sign.strip().lower(), _possible(part, key, sign.strip().lower(), wanted, known.get(key)))

    return Condition(text, [[test(part.strip()) for part in _split(way, "and")] for way in _split(text, "or")])


def values_shown(keys: Sequence[str], several: Sequence[Values]) -> str:
    """What runs have under some keys, for the message that none of them meets a condition."""
    told = []
    for key in keys:
        texts = list(dict.fromkeys(_told(values.get(key)) for values in several))
        more = f" and {len(texts) - 8} more" if len(texts) > 8 else ""
        told.append(f"{key} is {', '.join(sorted(texts)[:8])}{more}")
    return "; ".join(told)


def _told(value: Any) -> str:
    """A value as a message shows it; a list by its items, as conditions are about single items."""
    if not isinstance(value, list | tuple) or any(isinstance(item, list | Mapping) for item in value):
        return value_text(value)
    shown = [shortened(value_text(item), _MAX_ITEM) for item in value[:_MAX_ITEMS]]
    more = [f"and {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else []
    return f"[{', '.join([*shown, *more])}]"


def _split(text: str, word: str) -> Iterator[str]:
    """The parts of a text between occurrences of a word outside quotes and brackets."""
    part = ""
    for found in _QUOTED_OR_WORD.finditer(text):
        if (found["word"] or "").lower() == word:
            yield part
            part = ""
        else:
            part += found[0]
    yield part


def _possible(part: str, key: str, sign: str, wanted: str, legal: Collection[str] | None) -> str:
    """The value that is asked for, as runs have it.

    Raises:
        ConfigError: Nothing can be more or less than it, or its key is never that.
    """
    if sign in (">", "<", ">=", "<="):
        if (number := _number(_unquoted(wanted))) is None or math.isnan(number):
            raise ConfigError(f"--where {part!r}: {wanted or 'nothing'} is not a number")
    elif legal is not None and sign != "~":
        asked = _items(wanted) if sign == "in" else [wanted]
        words = [_unquoted(item).lower() for item in asked]
        if legal == YES_OR_NO:
            words = [{"1": "true", "0": "false", "yes": "true", "no": "false"}.get(word, word) for word in words]
        if wrong := [item for item, word in zip(asked, words, strict=True) if word not in legal]:
            raise ConfigError(f"--where {part!r}: {key} is never {wrong[0] or 'empty'}; it is {' or '.join(legal)}")
        return ",".join(words)
    return wanted


def _is(value: Any, wanted: str) -> bool:
    """Whether a value is the one that was typed, or a list that contains it: `tags=best`."""
    if isinstance(value, list | tuple) and any(_is(item, wanted) for item in value):
        return True
    number = _number(value)
    if number is not None and number == _number(wanted):
        return True
    wanted = _unquoted(wanted)
    return _shown(value) == wanted or wanted.replace(" ", "") == value_text(value)


def _items(text: str) -> list[str]:
    """The items of a list: `[a, b]`, `(a, b)` or `a,b`."""
    inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    return [item.strip() for item in inner.split(",") if item.strip()]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
