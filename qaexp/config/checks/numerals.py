"""What the environment gives is text: in an open node it is read as the number that it spells, as in a typed one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from qaexp.config.origins import Origin, Place
from qaexp.config.schema import ExperimentConfig

_NODES = ("optimizer", "schedule")
_TRUTHS = {"true": True, "false": False}


def numeral(value: Any) -> Any:
    """Return the number that a text spells; whatever is not a text, or spells none, as it is.

    >>> numeral("3"), numeral("1e-4"), numeral("many"), numeral(None)
    (3, 0.0001, 'many', None)
    """
    for kind in (int, float) if isinstance(value, str) else ():
        with suppress(ValueError):
            return kind(value)
    return value


def read_numerals(config: ExperimentConfig, origins: Mapping[Place, Origin]) -> None:
    """Read what came from the environment into `optimizer` and `schedule` as numbers and truth values.

    What a tracker or a class of the user's own takes is read when it is built, by what its signature says.

    Args:
        config: Gets the values.
        origins: What of it came from the environment.
    """
    for place in origins:
        if place[0] in _NODES and len(place) > 1:
            node: Any = getattr(config, place[0])
            for key in place[1:-1]:
                node = node[int(key)] if isinstance(node, list) else node[key]
            last: Any = int(place[-1]) if isinstance(node, list) else place[-1]
            node[last] = _value(node[last])


def _value(value: Any) -> Any:
    return _TRUTHS.get(value.strip().lower(), numeral(value)) if isinstance(value, str) else value


def as_annotated(value: Any, annotation: Any) -> Any:
    """Return a text as what a signature says that it is: a whole number, a number, a truth value; else as it is.

    >>> as_annotated("7", int), as_annotated("7", "float | None"), as_annotated("7", str), as_annotated("no", bool)
    (7, 7.0, '7', 'no')
    """
    kinds = {part.strip() for part in str(getattr(annotation, "__name__", annotation)).split("|")} - {"None"}
    if not isinstance(value, str) or len(kinds) != 1:
        return value
    kind = kinds.pop()
    if kind == "bool":
        return _TRUTHS.get(value.strip().lower(), value)
    with suppress(ValueError):
        return {"int": int, "float": float}.get(kind, str)(value)
    return value
