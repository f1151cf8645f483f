"""JSON from text, strictly and within limits: one document, or one value a line, whatever the file is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from qaexp.errors import DataError
from qaexp.runs.formats import json_reason

LINE_SUFFIXES = (".jsonl", ".ndjson")
MAX_LINE_BYTES = 64 * 2**20
# A list or object takes 60 bytes of memory and more, and may take 3 characters: questions take more characters.
_FREE_NESTED = 300_000
_CHARACTERS_OF_NESTED = 12


def json_values(path: Path, text: str) -> Iterator[tuple[int | None, Any]]:
    """Yield the values of a file with their lines: those of JSON lines, or one document (its line is None).

    JSON lines are known by their first line: it is a whole value, and more lines follow.

    Raises:
        DataError: It is neither; the place is named.
    """
    text = text.rstrip()
    if path.suffix.lower() not in LINE_SUFFIXES and not _begins_with_a_whole_line(path, text):
        yield None, parse_json(path, text, 1)
    elif "\n" not in text:
        yield _only_line(path, text)
    else:
        yield from _lines(path, text)


def _only_line(path: Path, text: str) -> tuple[int | None, Any]:
    """A file of one line: a document, or the one row of a file of rows."""
    value = _parse_line(path, text, 1)
    is_table = isinstance(value, dict) and all(isinstance(part, list | dict) for part in value.values())
    is_document = is_table or not isinstance(value, dict) or "data" in value or "paragraphs" in value
    return None if is_document else 1, value


def _begins_with_a_whole_line(path: Path, text: str) -> bool:
    """Whether the first line of several is a JSON object, so that the file is JSON lines."""
    first, newline, _ = text.partition("\n")
    if not newline or len(first) > MAX_LINE_BYTES or not first.rstrip().endswith("}"):
        return False
    try:
        parse_json(path, first, 1)
    except DataError:
        return False
    return True


def _lines(path: Path, text: str) -> Iterator[tuple[int | None, Any]]:
    """Yield one value a line; a file that is one document, in spite of its name, as that."""
    is_first = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = _parse_line(path, line, number)
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


def _parse_line(path: Path, text: str, line: int) -> Any:
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
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {line + error.lineno - 1}, column {error.colno}: this is not JSON "
            f"({error.msg}); is the file complete?"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else json_reason(error)
        raise DataError(f"{path}: the JSON at line {line} is refused: {reason}; correct the file.") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has the key {twice[:60]!a} more than once")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
