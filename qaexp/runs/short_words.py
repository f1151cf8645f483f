"""Keys, values and names in few characters, as long as they stay distinct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qaexp.storage.origins import expression_of, is_stored_expression

CUT = "…"
# Nodes whose keys say nothing without them.
_WHOLE = ("seeds", "inputs")

_MAX_LIST = 24


def short_keys(keys: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Each key by its last parts: as few as distinguish it from all others.

    Args:
        keys: The dotted keys to be named.
        known: All keys that there are.

    >>> short_keys(["optimizer.lr", "model._target_"], ["optimizer._target_", "model._target_"])
    {'optimizer.lr': 'lr', 'model._target_': 'model._target_'}
    """
    counts = Counter(end for key in {*keys, *known} for end in _ends(key))
    return {
        key: key
        if key.partition(".")[0] in _WHOLE
        else next(end for end in _ends(key) if counts[end] == 1 or end == key)
        for key in keys
    }


def meant_keys(words: str, known: Collection[str]) -> list[str]:
    """The keys that are, or end with, what somebody typed.

    >>> meant_keys("lr", ["optimizer.lr", "seed"]), meant_keys("x", ["seed"])
    (['optimizer.lr'], [])
    """
    return [words] if words in known else sorted(key for key in known if key.endswith(f".{words}"))


def value_texts(values: Sequence[Any]) -> list[str]:
    """The values of one key in few characters; different ones that read the same get a number.

    >>> value_texts([0.001, 3e-05, True, None, [1, 2], {"a": 1}])
    ['0.001', '3e-5', 'true', 'null', '[1,2]', '{1 key}']
    >>> value_texts([0.1 + 0.2, 0.4]), value_texts([0.1 + 0.2, 0.3])
    (['0.3', '0.4'], ['0.3 (2)', '0.3 (1)'])
    >>> value_texts([1, "1"]), value_texts(["${oc.env:LR}#sha256=" + "0" * 16])
    (['1 (2)', '1 (1)'], ['${oc.env:LR}'])
    """
    texts = [value_text(value) for value in values]
    same: dict[str, list[str]] = {}
    for value, text in zip(values, texts, strict=True):
        if repr(value) not in same.setdefault(text, []):
            same[text].append(repr(value))
    return [
        text if len(same[text]) == 1 else f"{text} ({sorted(same[text]).index(repr(value)) + 1})"
        for value, text in zip(values, texts, strict=True)
    ]


def value_text(value: Any) -> str:
    """A value as a command line has it; of a long list how many it holds, of a value of the environment where from."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return repr(_rounded(value)).replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    if isinstance(value, list | tuple):
        text = f"[{','.join(map(value_text, value))}]"
        is_short = len(text) <= _MAX_LIST and not any(isinstance(item, list | Mapping) for item in value)
        return text if is_short else f"[{len(value)}]"
    if isinstance(value, Mapping):
        return f"{{{len(value)} key{'' if len(value) == 1 else 's'}}}"
    text = str(value)
    return expression_of(text) if is_stored_expression(text) else text


def told_word(word: str) -> str:
    """An override as people read it: without the last digits of a number that only the adding up of steps made.

    >>> told_word("optimizer.momentum=0.30000000000000004"), told_word("optimizer.lr=1e-05"), told_word("tags=[a=1]")
    ('optimizer.momentum=0.3', 'optimizer.lr=1e-05', 'tags=[a=1]')
    """
    key, _, value = word.partition("=")
    try:
        number = float(value)
    except ValueError:
        return word
    return word if _rounded(number) == number or repr(number) != value else f"{key}={_rounded(number)!r}"


def _rounded(value: float) -> float:
    """The number of 15 digits beside it, where that needs fewer: steps of 0.1 add up to 0.30000000000000004."""
    near = float(f"{value:.15g}")
    return near if len(repr(near)) + 2 < len(repr(value)) else value


def shortened(text: str, width: int) -> str:
    """A text of at most `width` characters: what is too long is cut in the middle.

    >>> shortened("batches=fixed lr=0.001", 13)
    'batche…=0.001'
    """
    if len(text) <= width:
        return text
    if width < 2:
        return CUT[: max(width, 0)]
    right = (width - 1) // 2
    return text[: width - 1 - right] + CUT + (text[-right:] if right else "")


def all_shortened(names: Sequence[str], width: int) -> list[str]:
    """Names of at most `width` characters that differ where the names do: what they share is cut first.

    Where the middle cannot be left out, a number of so many names stays behind it.

    >>> all_shortened(["the_same_long_key=1 and more of it", "the_same_long_key=2 and more of it"], 16)
    ['…y=1 and more o…', '…y=2 and more o…']
    """
    found = [shortened(name, width) for name in names]
    if len(set(found)) == len(set(names)):
        return found
    start = _shared(names)
    if start > 0:
        found = [_around(name, start, width) for name in names]
    if len(set(found)) == len(set(names)):
        return found
    places = {name: place for place, name in enumerate(dict.fromkeys(names), 1)}
    return [f"{shortened(name, width - len(end))}{end}" for name in names for end in [f" ({places[name]})"]]


def _around(name: str, start: int, width: int) -> str:
    """A part of a name around the place where it begins to differ."""
    begin = max(0, min(start - 2, len(name) - width + 1))
    left = CUT if begin else ""
    rest = name[begin:]
    room = width - len(left)
    return left + (rest if len(rest) <= room else rest[: room - 1] + CUT)


def _shared(names: Sequence[str]) -> int:
    """How many characters all names begin with."""
    shortest = min(map(len, names))
    return next((place for place in range(shortest) if len({name[place] for name in names}) > 1), shortest)


def _ends(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[-number:]) for number in range(1, len(parts) + 1)]
