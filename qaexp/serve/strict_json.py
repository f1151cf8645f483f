"""JSON from anybody: what Python would read in a way of its own, or not survive, is refused by name."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from qaexp.web.refusals import RefusedError

# A request has three levels; far below what Python's own stack allows.
_MAX_DEPTH = 20


def read_object(body: bytes) -> dict[str, Any]:
    """Read a body that is one JSON object.

    >>> read_object(b'{"question": "Who?"}')
    {'question': 'Who?'}

    Raises:
        RefusedError: 400: it is not UTF-8 or not JSON, a key is there twice, a number is not finite, a text holds
            half a surrogate pair, or values are nested too deeply.
    """
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_a_number)
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is not UTF-8 (byte {error.start}); send JSON in UTF-8") from error
    except RecursionError as error:
        raise RefusedError(400, f"the body is nested deeper than {_MAX_DEPTH} levels") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RefusedError(400, f"the body is not JSON ({error.msg}: {place}); send one JSON object") from error
    except ValueError as error:  # an integer of thousands of digits
        raise RefusedError(400, "the body holds a number that is too long to be read") from error
    if not isinstance(found, dict):
        raise RefusedError(400, f"the body is {kind(found)}; send one JSON object")
    _check(found, 1)
    return found


def kind(value: object) -> str:
    """A JSON value in words.

    >>> kind(None), kind(True), kind(1.5), kind([])
    ('null', 'true or false', 'a number', 'a list')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    words = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return words[type(value)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise RefusedError(400, f"the key {_short(twice)} is there twice; which one counts is not guessed")
    return found


def _not_a_number(name: str) -> NoReturn:
    raise RefusedError(400, f"the body holds {name}, which is not JSON; numbers must be finite")


def _check(value: object, depth: int) -> None:
    """Refuse texts without UTF-8, and what is nested deeper than any request."""
    if depth > _MAX_DEPTH:
        raise RefusedError(400, f"the body is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            sentence = f"a text holds half a surrogate pair (character {error.start}), which is no character"
            raise RefusedError(400, sentence) from error
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)


def _short(key: str) -> str:
    return ascii(key if len(key) <= 40 else f"{key[:40]}...")
