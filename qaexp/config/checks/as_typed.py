"""Free texts, tags and paths on a command line: what a shell hands over stays as it is, whatever signs are in it."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from qaexp.storage.sources import FILES

DATA_FILES = tuple(f"data.{key}" for key in FILES)
PATHS = ("model.checkpoint", *DATA_FILES)
# Of a run and of a sweep: they need not be there yet.
FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")

_FREE = ("notes", "group")
_LISTS = ("tags",)
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_PARTS = re.compile(rf"(?:^|,)\s*((?:{_QUOTED.pattern})(?=\s*(?:,|$))|[^,]*)", re.DOTALL)
# No sign of Hydra's grammar in it, and a colon or a percent sign is none inside a word.
_PLAIN = re.compile(r"[\w./:@%+-]+", re.ASCII)
# What is no function, list or interpolation either, though the grammar has no letters beyond ASCII and no tilde.
_PATH = re.compile(r"[\w./~:@%+-]+")
_HOME = "~"
_PIN = "#sha256="
_MAGIC = re.compile(r"[*?[]")
_INTERPOLATION = re.compile(r"(\\*)\$\{")


def as_typed(line: str) -> str:
    """Quote the value of an override that is a free text, a list of tags or a path, as Hydra's grammar wants it.

    `null`, `${...}` and what is quoted already keep their meaning.

    >>> as_typed("notes=free text, with = and (commas)"), as_typed("tags=a,b c"), as_typed("seed=1")
    ("notes='free text, with = and (commas)'", "tags=['a','b c']", 'seed=1')
    """
    key, equals, value = line.partition("=")
    if not equals or not value or _QUOTED.fullmatch(value) or "${" in value:
        return line
    if key in _FREE:
        return line if value == "null" and key != "notes" else f"{key}={quoted(value)}"
    if key in _LISTS:
        return f"{key}={_list(value)}"
    if key in PATHS and not _PLAIN.fullmatch(value):
        return f"{key}={_paths(value)}"
    if key in FOLDERS and not _PLAIN.fullmatch(value):
        # Path.expanduser raises where a home is not known.
        return f"{key}={quoted(os.path.expanduser(value))}"  # noqa: PTH111
    return line


def quoted(text: str) -> str:
    r"""A text in the quotes of Hydra's grammar.

    >>> print(quoted("it's"), quoted("a,b=c"))
    'it\'s' 'a,b=c'
    """
    inside = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", text)
    backslashes = len(inside) - len(inside.rstrip("\\"))
    return f"'{inside}{chr(92) * backslashes}'"


def literal(text: str) -> str:
    r"""A text in which OmegaConf finds no interpolation: `${` is written as it escapes it.

    >>> print(literal("cost ${a}"), literal(r"a\${b}"))
    cost \${a} a\\\${b}
    """
    return _INTERPOLATION.sub(lambda match: match[1] * 2 + r"\${", text)


def _list(value: str) -> str:
    """A list of texts, with or without its brackets; parts that are quoted stay so."""
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    parts = [match[1].strip() for match in _PARTS.finditer(inside)]
    return f"[{','.join(part if _QUOTED.fullmatch(part) else quoted(part) for part in parts if part)}]"


def _paths(value: str) -> str:
    """A path that is there or begins at home, or several with commas between; anything else as it is."""
    parts = _split(value.split(","))
    return value if parts is None else ",".join(quoted(part) if not _PLAIN.fullmatch(part) else part for part in parts)


def _split(words: list[str]) -> list[str] | None:
    """Put words together to paths that are there, the longest first; a plain word may name something else."""
    if not words:
        return []
    for length in range(len(words), 0, -1):
        part = ",".join(words[:length])
        if is_there(part) or (length == 1 and (_PATH.fullmatch(part) or part.startswith(_HOME))):
            rest = _split(words[length:])
            if rest is not None:
                return [part, *rest]
    return None


def is_there(value: str) -> bool:
    """Say whether a path is there, a hash behind it aside, or is a pattern that fits something."""
    try:
        path = Path(value.partition(_PIN)[0]).expanduser()
        return bool(value) and (path.exists() or _fits(str(path)))
    except (OSError, ValueError, RuntimeError):
        return False


def _fits(pattern: str) -> bool:
    return bool(_MAGIC.search(pattern)) and next(glob.iglob(pattern, recursive=True), None) is not None  # noqa: PTH207
