"""Words of a command line that Hydra's grammar refuses, each with the words that were most likely meant."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from qaexp.config.checks.as_typed import FOLDERS, is_there, quoted
from qaexp.config.checks.open_nodes import SELF_CONTAINED
from qaexp.config.checks.sentences import wanted
from qaexp.config.checks.values import shortened

_SECOND = re.compile(r"\s+(?=(?:[~+]{0,2}[A-Za-z_][\w./@]*=|--?[A-Za-z]))")
_EXPECTED = re.compile(r" expecting .*", re.DOTALL)
_AT = re.compile(
    r"(?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) (.+)"
)
_SEMICOLONS = re.compile(r"[\w.+-]+(?:;[\w.+-]+)+")
_COLON = re.compile(r"([A-Za-z_][\w.]*):\s*(\S+)")
_END = "'<EOF>'"
_PLAIN_WORD = re.compile(r"[A-Za-z_][\w./-]*")
_OPENING, _CLOSING = "[{(", "]})"

# Whether Hydra's grammar takes a word.
Reads = Callable[[str], bool]


def cut_apart(lines: Sequence[str], reads: Reads) -> tuple[int, str] | None:
    """Find words that a shell made of one override because it has blanks: `seed=0, 1` and `seed = 1`.

    Args:
        lines: The words from the one on that is not an override, or that ends too early.
        reads: Whether Hydra's grammar takes a word.

    Returns:
        How many words belong together, and the override that they make; None where they make none.

    >>> cut_apart(["seed=0,", "1,", "2", "name=a"], lambda word: word in ("seed=0,1,2", "name=a"))
    (3, 'seed=0,1,2')
    """
    whole = lines[0]
    if whole.startswith("-") or not ("=" in whole or (lines[1:2] and lines[1].startswith("="))):
        return None
    for number, word in enumerate(lines[1:], 2):
        if "=" in word.lstrip("=") or word.startswith("-"):
            return None
        whole += f" {word}" if whole.endswith(":") else word
        if "=" in whole and not whole.endswith(("=", ",")) and reads(whole):
            return number, whole
    return None


def cut(words: Sequence[str], whole: str) -> str:
    """What is said of words that belong together."""
    return f"{shortened(' '.join(words))!r}: the blanks make several words of it; write {shlex.quote(whole)}"


def no_override(line: str, reason: str, reads: Reads) -> str:
    """What is said of a word that Hydra's grammar refuses.

    Args:
        line: The word.
        reason: What the grammar says.
        reads: Whether it takes another word.
    """
    shown = shortened(line)
    if "=" not in line and line and is_there(line):
        return f"{shown!r} is not an override; to begin with the config that is there, write --from {shown}"
    if len(words := _SECOND.split(line)) > 1 and "=" in words[0]:
        return f"{shown!r} is several words in one argument; give them apart: {' '.join(map(shlex.quote, words))}"
    key, equals, value = line.partition("=")
    if not equals:
        if (yaml_like := _COLON.fullmatch(line)) and reads(whole := f"{yaml_like[1]}={yaml_like[2]}"):
            return f"{shown!r} is not an override; write {shlex.quote(whole)}"
        return f"{shown!r} is not an override; write key=value, and a value with blanks in quotes: 'notes=two words'"
    for meant in (*_of_signs(value), _of_mapping(value), value.strip() if key != key.strip() else None):
        if meant is not None and reads(whole := f"{key.strip()}={meant}"):
            return f"{shown!r} is not an override ({_reason(reason)}); write {shlex.quote(whole)}"
    return f"{shown!r} is not an override ({_reason(reason)}){_by_kind(key.lstrip('+'), value, reads)}"


def _by_kind(key: str, value: str, reads: Reads) -> str:
    """The way out by what the value of a key must be: quotes help a text alone."""
    kind = wanted(key)
    is_text = (
        "." in key and key.partition(".")[0] not in SELF_CONTAINED if kind is None else "text" in kind
    ) or key in FOLDERS
    if value and is_text and reads(line := f"{key}={quoted(value)}"):
        return f"; write it in quotes, also for a shell: {shortened(_for_a_shell(line))}"
    return f"; {key} must be {kind}" if kind else "; write key=value, and quote values with special characters"


def _for_a_shell(line: str) -> str:
    return f'"{line}"' if not re.search(r'["$`\\!]', line) else shlex.quote(line)


def _of_signs(value: str) -> Iterator[str | None]:
    """The value without the signs that are too many or mean something else: `1,,2`, `1;2`, `=1`."""
    yield _of_values(value)
    if _SEMICOLONS.fullmatch(value):
        yield value.replace(";", ",")
    if value.startswith("="):
        yield value.lstrip("=")


def _of_values(value: str) -> str | None:
    """The values of a sweep without empty ones between their commas."""
    if "," not in value or any(sign in value for sign in f"{_OPENING}{_CLOSING}'\""):
        return None
    values = [part.strip() for part in value.split(",")]
    return ",".join(filter(None, values)) if not all(values) else None


def _of_mapping(value: str) -> str | None:
    """A mapping, or a list of them, that is JSON or Python, as Hydra writes it: keys without quotes."""
    if not value.lstrip().startswith(("{", "[")):
        return None
    try:
        found = yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    has_keys = isinstance(found, dict) or (isinstance(found, list) and any(isinstance(one, dict) for one in found))
    return _written(found) if has_keys else None


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str) and not _PLAIN_WORD.fullmatch(value):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _reason(reason: str) -> str:
    """What the grammar says, without the names of its parts.

    >>> _reason("mismatched input '=' expecting <EOF>"), _reason("no viable alternative at input '{'")
    ("not understood at '='", "not understood at '{'")
    """
    match = _AT.match(_EXPECTED.sub("", reason))
    if match is None:
        return reason
    return "it ends too early" if match[1] == _END else f"not understood at {match[1]}"
