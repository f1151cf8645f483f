"""From the bytes of a data file to one raw record per question: nested JSON, JSON lines, parquet and Arrow."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from qaexp.data.columns import column_rows
from qaexp.data.validation import Faults
from qaexp.errors import DataError
from qaexp.runs.formats import json_reason

MAX_FILE_BYTES = 4 * 2**30
MAX_LINE_BYTES = 64 * 2**20
# A list or object takes 60 bytes of memory and more, and may take 3 characters: questions take more characters.
_FREE_NESTED = 300_000
_CHARACTERS_OF_NESTED = 12


@dataclass(frozen=True, slots=True)
class Record:
    """A question as it stands in the file: title and context are checked (None: faulty, told already), `fields` is raw.

    `prefix` is put before a key to name its place, such as `data[0].paragraphs[2].qas[1].` or `line 17: `.
    """

    prefix: str
    title: str | None
    context: str | None
    fields: dict[str, Any]
    is_flat: bool


def read_regular_file(path: Path) -> bytes:
    """Read a whole file, but never a directory, pipe or device.

    Raises:
        DataError: It is missing, unreadable, empty, compressed, too large or no regular file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if path.is_dir() else "not a regular file (a pipe or a device)"
            raise DataError(f"{path} is {kind}; give the path of a data file.")
        if status.st_size > MAX_FILE_BYTES:
            size, limit = status.st_size / 2**30, MAX_FILE_BYTES // 2**30
            raise DataError(f"{path} has {size:,.1f} GiB, and a data file may have {limit}; split it.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path and its permissions.") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} is no legal path: {error}.") from error
    if not content:
        raise DataError(f"{path} is empty; download or export it again.")
    if content[:2] == b"\x1f\x8b":
        raise DataError(f"{path} is compressed with gzip; run `gunzip` on it first.")
    return content


def read_records(path: Path, content: bytes, faults: Faults) -> Iterator[Record]:
    """Yield the records of a file whose format follows from its suffix.

    `.jsonl`, `.ndjson`, `.parquet` and `.arrow` are flat (one row a question); anything else is JSON, either the
    official nesting or a list of flat rows.

    Raises:
        DataError: The file as a whole cannot be understood; the place is named.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow"):
        rows = ((f"row {number}: ", row) for number, row in enumerate(column_rows(path, content), start=1))
        yield from _flat(rows, faults)
    elif suffix in (".jsonl", ".ndjson"):
        lines = enumerate(_decode(path, content).split("\n"), start=1)
        yield from _flat(((f"line {n}: ", _parse_line(path, line, n)) for n, line in lines if line.strip()), faults)
    else:
        document = _parse(path, _decode(path, content), 1)
        if isinstance(document, list):
            yield from _flat(((f"[{index}].", row) for index, row in enumerate(document)), faults)
        else:
            yield from _nested(document, faults)


def _decode(path: Path, content: bytes) -> str:
    """Return the text of UTF-8 bytes, without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise DataError(
            f"{path}: line {line}, column {column}: the bytes are not UTF-8 ({error.reason}); "
            "is the file complete, and is it text?"
        ) from error


def _parse_line(path: Path, text: str, line: int) -> Any:
    if len(text) > MAX_LINE_BYTES:
        raise DataError(
            f"{path}: line {line} has {len(text) / 2**20:,.0f} MiB, and the line of a question may have "
            f"{MAX_LINE_BYTES // 2**20}; is there one question a line?"
        )
    return _parse(path, text, line)


def _parse(path: Path, text: str, line: int) -> Any:
    """Return the JSON value of a text that begins at a line of the file; keys given twice and NaN are refused."""
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


def _nested(document: Any, faults: Faults) -> Iterator[Record]:
    """Walk articles, paragraphs and questions of the official format."""
    root = faults.object(document, "the document")
    for article, prefix in _children(root, "data", "", faults):
        title = faults.text(article, "title", prefix)
        for paragraph, inner in _children(article, "paragraphs", prefix, faults):
            context = faults.text(paragraph, "context", inner)
            for question, innermost in _children(paragraph, "qas", inner, faults):
                yield Record(innermost, title, context, question, is_flat=False)


def _children(
    parent: dict[str, Any] | None, key: str, prefix: str, faults: Faults
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the objects in a list with their prefixes; what is no list or no object counts as one skipped example."""
    items = None if parent is None else faults.items(parent, key, prefix)
    faults.num_skipped += items is None
    for index, item in enumerate(items or ()):
        inner = f"{prefix}{key}[{index}]."
        record = faults.object(item, inner)
        faults.num_skipped += record is None
        if record is not None:
            yield record, inner


def _flat(rows: Iterator[tuple[str, Any]], faults: Faults) -> Iterator[Record]:
    """Check the title (it may be absent) and the context of each row; equal contexts become one object."""
    contexts: dict[str, str] = {}
    for prefix, value in rows:
        row = faults.object(value, prefix)
        faults.num_skipped += row is None
        if row is not None:
            title = faults.text(row, "title", prefix) if row.get("title") is not None else ""
            context = faults.text(row, "context", prefix)
            shared = None if context is None else contexts.setdefault(context, context)
            yield Record(prefix, title, shared, row, is_flat=True)
