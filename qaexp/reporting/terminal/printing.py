"""The only way to stdout and stderr: sentences, texts and JSON, none of which controls the terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from qaexp.reporting.terminal.outlets import encodable, outlet
from qaexp.storage.formats import one_line, visible

_HUSHED: ContextVar[bool] = ContextVar("hushed", default=False)


@contextmanager
def hushed() -> Iterator[None]:
    """Let nothing be printed by the body; warnings and complaints are still shown."""
    token = _HUSHED.set(True)
    try:
        yield
    finally:
        _HUSHED.reset(token)


def is_hushed() -> bool:
    """Whether nothing is to be printed."""
    return _HUSHED.get()


def say(sentence: str) -> None:
    """Print one line."""
    if _HUSHED.get():
        return
    _put(sys.stdout, one_line(sentence) + "\n")


def complain(sentence: str) -> None:
    """Print one line to stderr."""
    _put(sys.stderr, one_line(sentence) + "\n")


def complain_text(text: str) -> None:
    """Print a text of several lines to stderr as it is, except for control characters."""
    _put(sys.stderr, visible(text))


def ask(prompt: str) -> None:
    """Print a prompt to stderr, so that it does not mix with the output."""
    _put(sys.stderr, one_line(prompt))


def say_text(text: str) -> None:
    """Print a text of several lines as it is, except for control characters."""
    _put(sys.stdout, visible(text))


def say_json(document: Any, indent: int | None = 1) -> None:
    """Print one JSON document; numbers that are not finite, which JSON cannot express, become null."""
    text = json.dumps(_finite(document), indent=indent, ensure_ascii=False, allow_nan=False)
    _put(sys.stdout, json_escaped(text, sys.stdout) + "\n")


def json_escaped(text: str, stream: Any) -> str:
    r"""Return JSON in which characters that are not printable, or not in the stream's encoding, are JSON escapes.

    >>> print(json_escaped('"\x9b \u20ac"', None))
    "\u009b €"
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        c if c == "\n" or (c.isprintable() and encodable(c, stream) == c) else json.dumps(c)[1:-1] for c in text
    )


def _put(stream: Any, text: str) -> None:
    way_out = outlet(stream)
    way_out.write_raw(text)
    way_out.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
