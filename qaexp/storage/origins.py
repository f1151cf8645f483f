"""How a config shows what came from the environment: by the expression that was typed, and at most a hash of the value.

${oc.env:DATA}/train.json#sha256=0123456789abcdef    resolved again where it gives the same text
${oc.env:HF_TOKEN}#<redacted>                        known only to whoever starts the run
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.storage.secret_forms import MIN_LENGTH, forms
from qaexp.storage.secret_names import is_secret_key, is_secret_variable

REDACTED = "<redacted>"

# The keys, and the numbers in lists, that lead to a value.
Place = tuple[str, ...]
# For each value that came from the environment: the expression that gave it, and the variables that it named.
Origins = Mapping[Place, tuple[str, Sequence[str]]]

_HASH_LENGTH = 16
_OPEN_AND_NEUTRAL = "trackers"
_PLAIN_WORD = re.compile(r"[^\W\d_]{1,19}")
_VARIABLE = re.compile(r"\$\{oc\.env:(?P<name>[A-Za-z_]\w*)\}")
_STORED = re.compile(
    rf"(?P<expression>.*\$\{{.*)#(?:sha256=(?P<hash>[0-9a-f]{{{_HASH_LENGTH}}})|{re.escape(REDACTED)})", re.DOTALL
)


def with_origins(config: Mapping[str, Any], origins: Origins, neutral: Collection[str]) -> dict[str, Any]:
    """Return a copy of a config in which texts that came from the environment are shown by their expressions.

    Numbers and truth values stay: they are settings, and the hash of a small number hides nothing. Only in the trackers
    every value is replaced, whole nodes too.

    Args:
        config: The resolved config, JSON-able.
        origins: What of it came from the environment.
        neutral: Dotted keys that cannot change results; a key of a group stands for the whole group.

    >>> with_origins({"trackers": {"x": "abc"}}, {("trackers", "x"): ("${oc.env:KEY}", ["KEY"])}, {"trackers"})
    {'trackers': {'x': '${oc.env:KEY}#<redacted>'}}
    """

    def told(value: Any, place: Place, outer: tuple[str, Sequence[str]] | None) -> Any:
        origin = origins.get(place, outer)
        if origin is not None and (isinstance(value, str) or place[0] == _OPEN_AND_NEUTRAL):
            return _stored(value, place, *origin, neutral=neutral)
        if isinstance(value, Mapping):
            return {key: told(item, (*place, str(key)), origin) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [told(item, (*place, str(number)), origin) for number, item in enumerate(value)]
        return value

    found: dict[str, Any] = told(config, (), None)
    return found


def shown_values(config: Mapping[str, Any], origins: Origins, environ: Mapping[str, str]) -> dict[str, str]:
    """What messages have in place of a text that came from the environment, by all forms of that text."""
    found = shown_variables({name for _, names in origins.values() for name in names}, environ)
    for place, (expression, _) in origins.items():
        for value in _texts(_value_at(config, place)):
            if not _PLAIN_WORD.fullmatch(value) and not _is_above_here(value):
                found |= dict.fromkeys(forms(value, with_places=True), expression)
    return found


def shown_variables(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What messages have in place of the values of variables; paths and plain words are shown."""
    found: dict[str, str] = {}
    for name in sorted(names):
        value = environ.get(name, "")
        if not value.startswith(("/", "~", ".")) and not _PLAIN_WORD.fullmatch(value):
            found |= dict.fromkeys(forms(value), f"${{oc.env:{name}}}")
    return found


def is_stored_expression(text: str) -> bool:
    """Whether a text of a stored config says where a value came from, in place of the value.

    >>> is_stored_expression("${oc.env:A}#<redacted>"), is_stored_expression("${oc.env:A}")
    (True, False)
    """
    return _STORED.fullmatch(text) is not None


def expression_of(text: str) -> str:
    """The expression alone of what a stored config has in place of a value."""
    stored = _STORED.fullmatch(text)
    assert stored is not None, text
    return stored["expression"]


def read_back(text: str, environ: Mapping[str, str]) -> str | None:
    """Return the value of a stored expression; None where this environment does not give that very value.

    Nothing but variables is looked up, and nothing comes out of it that whoever wrote the text did not know before.
    """
    stored = _STORED.fullmatch(text)
    assert stored is not None, text
    names = [match["name"] for match in _VARIABLE.finditer(stored["expression"])]
    if stored["hash"] is None or not all(name in environ for name in names):
        return None
    value = _VARIABLE.sub(lambda match: environ[match["name"]], stored["expression"])
    return value if _hash(value) == stored["hash"] else None


def variables_in(text: str) -> list[str]:
    """The variables that a stored expression names, each once."""
    return list(dict.fromkeys(match["name"] for match in re.finditer(r"\boc\.env:\s*(?P<name>[A-Za-z_]\w*)", text)))


def _stored(value: Any, place: Place, expression: str, names: Sequence[str], *, neutral: Collection[str]) -> str:
    is_secret = any(map(is_secret_variable, names)) or any(map(is_secret_key, (*names, ".".join(place))))
    is_neutral = any(".".join(place[:length]) in neutral for length in range(1, len(place) + 1))
    # Whoever tries all small numbers finds the one of a hash.
    is_guessed = place[0] == _OPEN_AND_NEUTRAL and (not isinstance(value, str) or value.isdecimal())
    if is_guessed or (is_secret and is_neutral):
        return f"{expression}#{REDACTED}"
    return f"{expression}#sha256={_hash(value)}"


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]


def _value_at(config: Any, place: Place) -> Any:
    for key in place:
        if isinstance(config, Mapping):
            config = config.get(key)
        elif isinstance(config, list | tuple) and key.isdigit() and int(key) < len(config):
            config = config[int(key)]
        else:
            return None
    return config


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _is_above_here(value: str) -> bool:
    """Whether it is a folder that holds this one: without it no path could be shown."""
    return len(value) < MIN_LENGTH or (value.startswith("/") and Path.cwd().is_relative_to(value))
