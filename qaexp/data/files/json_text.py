"""JSON from text, strictly and within limits: one document, or one value a line, whatever the file is called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from qaexp.data.files.compression import suffix_of
from qaexp.data.files.encodings import SIGNS
from qaexp.errors import DataError
from qaexp.storage.formats import json_reason

LINE_SUFFIXES = (".jsonl", ".ndjson")
MAX_LINE_BYTES = 64 * 2**20
_VISIBLE = re.compile(r"\S")
# A list or object takes 60 bytes of memory and more, and may take 3 characters: questions take more characters.
_FREE_NESTED = 300_000
_CHARACTERS_OF_NESTED = 12


def json_values(path: Path, text: str) -> Iterator[tuple[int | None, Any]]:
    """Yield the values of a file with their lines: those of JSON lines, or one document (its line is None).

    JSON lines are known by their first line: it is a whole value, and more lines follow.

    Raises:
        DataError: It is neither; the place is named.
    """
    # A file may have gigabytes: no copy is made of it.
    begin, end = first_line(text)
    is_alone = _VISIBLE.search(text, end) is None
    is_lines = suffix_of(path) in LINE_SUFFIXES
    if not is_lines and (is_alone or not is_whole(path, text, begin, end)):
        yield None, parse_json(path, text, 1)
    elif is_alone:
        yield _only_line(path, text)
    else:
        yield from _lines(path, text)


def _only_line(path: Path, text: str) -> tuple[int | None, Any]:
    """A file of one line: a document, or the one row of a file of rows."""
    value = parse_line(path, text, 1)
    is_table = isinstance(value, dict) and all(isinstance(part, list | dict) for part in value.values())
    is_document = is_table or not isinstance(value, dict) or "data" in value or "paragraphs" in value
    return None if is_document else 1, value


def first_line(text: str) -> tuple[int, int]:
    r"""Where the first line that is not blank begins, and where it ends (exclusive, without its line end).

    >>> first_line("\n ab\ncd")
    (1, 4)
    """
    visible = _VISIBLE.search(text)
    begin = 0 if visible is None else text.rfind("\n", 0, visible.start()) + 1
    end = text.find("\n", len(text) if visible is None else visible.start())
    return begin, len(text) if end < 0 else end


def is_whole(path: Path, text: str, begin: int, end: int) -> bool:
    """Whether the first line of several is a JSON object, or a list of them, so that the file is JSON lines."""
    if end - begin > MAX_LINE_BYTES or not text[begin:end].rstrip().endswith(("}", "]")):
        return False
    try:
        parse_json(path, text[begin:end], 1)
    except DataError:
        return False
    return True


def _lines(path: Path, text: str) -> Iterator[tuple[int | None, Any]]:
    """Yield one value a line; a file that is one document, in spite of its name, as that."""
    is_first = True
    for number, line in enumerate(text.split("\n"), start=1):
        # Files that were put behind one another bring theirs along.
        line = line.strip(SIGNS)
        if not line.strip():
            continue
        try:
            value = parse_line(path, line, number)
        except DataError:
            document = _document(path, text) if is_first else None
            if document is None:
                raise
            yield None, document
            return
        is_first = False
        yield number, value


def _document(path: Path, text: str) -> Any:
    """The one document that a text is, or None."""
    try:
        return parse_json(path, text, 1)
    except DataError:
        return None


def parse_line(path: Path, text: str, line: int) -> Any:
    """Return the value of one line of JSON lines; raises as `parse_json`, and for a line longer than any."""
    if len(text) > MAX_LINE_BYTES:
        raise DataError(
            f"{path}: line {line} has {len(text) / 2**20:,.0f} MiB, and the line of a question may have "
            f"{MAX_LINE_BYTES // 2**20}; is there one question a line?"
        )
    return parse_json(path, text, line)


def parse_json(path: Path, text: str, line: int) -> Any:
    """Return the JSON value of a text that begins at a line of the file.

    Raises:
        DataError: It is none, has a key twice or NaN, is nested too deeply, or has more lists than a data set.
    """
    num_nested, limit = text.count("[") + text.count("{"), _FREE_NESTED + len(text) // _CHARACTERS_OF_NESTED
    if num_nested > limit:
        raise DataError(
            f"{path}: {num_nested:,} lists and objects in {len(text):,} characters, more than the {limit:,} that are "
            "read of such a text; is it a data set?"
        )
    try:
        return strict_decoder().decode(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {line + error.lineno - 1}, column {error.colno}: this is not JSON "
            f"({error.msg}{_unseen(error)}); {_question(error)}"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else json_reason(error)
        raise DataError(f"{path}: the JSON at line {line} is refused: {reason}; correct the file.") from error


def strict_decoder() -> json.JSONDecoder:
    """A decoder that refuses keys that are there twice, NaN and infinity by a ValueError."""
    return json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)


def has_too_many_lists(text: str, begin: int, end: int) -> bool:
    """Whether a part of a text has more lists and objects than a data set of its size has."""
    return text.count("[", begin, end) + text.count("{", begin, end) > _FREE_NESTED + (end - begin) // (
        _CHARACTERS_OF_NESTED
    )


def _unseen(error: json.JSONDecodeError) -> str:
    """The name of a character at which JSON ends, where nobody sees it."""
    sign = error.doc[error.pos : error.pos + 1]
    return "" if sign.isprintable() or sign.isspace() else f" at the character U+{ord(sign):04X}"


def _question(error: json.JSONDecodeError) -> str:
    sign = error.doc[error.pos : error.pos + 1]
    if sign == "'":
        return "JSON has double quotes: was it printed by Python? Write it with json.dump"
    if error.msg == "Extra data" and sign == ",":
        return "a whole value ends before it: leave out the comma behind each line, or make one list of all"
    if error.msg == "Extra data":
        return "a whole value ends before it: are these several files in one?"
    return "is the file complete?"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has the key {twice[:60]!a} more than once")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
