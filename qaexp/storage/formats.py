"""How records look as text, and back: JSON, JSON lines, CSV that no spreadsheet runs, text that is safe to print."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Values of a long sequence that become text at a time.
_AT_ONCE = 4096


def json_text(obj: Any) -> str:
    """Return `obj` as JSON for people: keys in the given order, an indent of one, no NaN.

    Raises:
        ValueError: When a number is NaN or infinite.
    """
    return json.dumps(obj, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def json_table_text(obj: Mapping[str, Any], key: str, rows: Sequence[Any]) -> str:
    r"""Return a document as JSON whose last key is a list, each item of it on a line: short, and written fast.

    Args:
        obj: The document without that key.
        key: The key.
        rows: The list.

    Raises:
        ValueError: When a number is NaN or infinite.

    >>> json_table_text({"a": 1}, "rows", [{"b": [2]}, {}])
    '{\n "a": 1,\n "rows": [\n  {"b": [2]},\n  {}\n ]\n}\n'
    """
    head = json_text({**obj, key: []}).removesuffix("[]\n}\n")
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain) for row in rows)
    return f"{head}[\n  " + ",\n  ".join(lines) + "\n ]\n}\n" if rows else f"{head}[]\n}}\n"


def json_blocks(obj: Mapping[str, Any]) -> Iterator[str]:
    """Yield the text of `json_text` in parts; the values of a sequence that is no list are taken one after the other.

    >>> "".join(json_blocks({"a": [1], "ids": range(2)})) == json_text({"a": [1], "ids": [0, 1]})
    True
    """
    if not obj:
        yield json_text(obj)
    for number, (key, value) in enumerate(obj.items()):
        yield f"{',' if number else '{'}\n {json.dumps(key, ensure_ascii=False)}: "
        if isinstance(value, list | tuple | str) or not isinstance(value, Sequence) or not value:
            plain = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
            yield json_text(plain)[:-1].replace("\n", "\n ")
            continue
        for first in range(0, len(value), _AT_ONCE):
            some = json_text(list(value[first : first + _AT_ONCE]))[2:-3].replace("\n", "\n ")
            yield f"{',' if first else '['}\n {some}"
        yield "\n ]"
    yield "\n}\n" if obj else ""


def json_line(record: Any) -> str:
    r"""Return a record as one line of JSON, the same bytes for the same record.

    Raises:
        ValueError: When a number is NaN or infinite.

    >>> json_line({"step": 1, "loss": 0.5})
    '{"step": 1, "loss": 0.5}\n'
    """
    return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def json_object(items: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Yield the parts of an object's JSON as `json_text` writes it, an item each; no key comes twice.

    >>> "".join(json_object([("a", 1), ("b", "x")])) == json_text({"a": 1, "b": "x"})
    True
    """
    before = "{"
    for key, value in items:
        text = json_text({key: value})
        yield f"{before}{text[1:-3]}"
        before = ","
    yield "{}\n" if before == "{" else "\n}\n"


def beginning(text: str) -> str:
    r"""Return the first line of a text; one that is cut there ends in "…".

    >>> beginning("no GPU"), beginning("\nno GPU:\n  driver\n"), beginning(" ")
    ('no GPU', 'no GPU: …', '')
    """
    first, *others = text.strip().splitlines() or [""]
    return f"{first.rstrip()} …" if others else first


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return a CSV table: the keys of the first row, floats in full, None as an empty cell, `\n` line ends.

    A text that a spreadsheet would take for a formula gets a leading `'`, and so does a text that begins with `'`, so
    that `csv_rows` can take it off again; the names of columns are texts too. Numbers are left alone.

    Raises:
        ValueError: When a row has other keys than the first one.

    >>> csv_text([{"id": "a", "f1": -0.5, "answer": "=1+1"}, {"id": "b", "f1": None, "answer": "Paris"}])
    "id,f1,answer\na,-0.5,'=1+1\nb,,Paris\n"
    """
    return "".join(csv_lines(rows))


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of `csv_text`, each row as it comes; raises as it does."""
    columns: list[str] | None = None
    for row in rows:
        if columns is None:
            columns = list(row)
            yield _csv_line(columns)
        if row.keys() != set(columns):
            raise ValueError(f"a row has the keys {list(row)}, the first one has {columns}")
        yield _csv_line([row[column] for column in columns])
    if columns is None:
        yield _csv_line([])


def _csv_line(cells: Sequence[Any]) -> str:
    return ",".join(_quoted(_guarded(cell)) for cell in cells) + "\n"


def csv_rows(text: str) -> list[dict[str, str]]:
    r"""Read what `csv_text` wrote: one dict of texts per row.

    Raises:
        ValueError: When a row has not as many cells as the header, as after a torn write.

    >>> csv_rows("id,answer\na,'=1+1\nb,\n")
    [{'id': 'a', 'answer': '=1+1'}, {'id': 'b', 'answer': ''}]
    """
    return list(each_csv_row(text))


def each_csv_row(text: str) -> Iterator[dict[str, str]]:
    """Yield the rows that `csv_rows` returns, one at a time; raises as it does."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        header = next(reader, None)
        columns = list(map(unguarded, header or []))
        if len(set(columns)) < len(columns):
            twice = next(one for one in columns if columns.count(one) > 1)
            raise ValueError(f"the header names {twice!r:.80} twice; keep one of these columns")
        for number, row in enumerate(reader, start=2):
            if len(row) != len(columns):
                raise ValueError(f"row {number} has {len(row)} cells, the header has {len(columns)}")
            yield dict(zip(columns, map(unguarded, row), strict=True))
    except csv.Error as error:
        raise ValueError(f"not a CSV table: {error}") from error


def json_reason(error: ValueError) -> str:
    """Why Python does not read a JSON text, in words of the file; its own sentence about long numbers is for programs.

    >>> json_reason(ValueError("Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits"))
    'a number has too many digits'
    """
    return "a number has too many digits" if "integer string conversion" in str(error) else str(error)


def dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their dotted keys; a list and an empty mapping are leaves.

    >>> dotted({"seed": 1, "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "trackers": {}})
    {'seed': 1, 'optimizer.lr': 0.1, 'optimizer.betas': [0.9, 0.999], 'trackers': {}}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= dotted(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def counted(number: int, noun: str) -> str:
    """Return how many there are of what.

    >>> counted(1, "job"), counted(2, "job")
    ('1 job', '2 jobs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    r"""Return `text` with control characters as escapes, so that printing it cannot steer a terminal.

    Line feeds and tabs are left: it is the way to print a text of several lines. For text inside a line of ours
    there is `one_line`.

    >>> print(visible("a\x1b]0;b\n\u202ec"))
    a\x1b]0;b
    \u202ec
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    r"""Return `text` as `visible` does, and its line feeds and tabs as escapes too: no text forges a line of ours.

    >>> print(one_line("gone\nall 16 files are what was written"))
    gone\nall 16 files are what was written
    """
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str) -> str:
    # A space that is not U+0020 (say, between digits) is unprintable to Python, but harmless.
    return character if unicodedata.category(character) == "Zs" else repr(character)[1:-1]


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _quoted(value: Any) -> str:
    """Return a cell; csv.writer would leave a lone carriage return bare when lines end in a line feed."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def unguarded(cell: str) -> str:
    """Return a cell as it was before `csv_text` guarded it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA_STARTS) else cell


# The wide forms count as well where a spreadsheet speaks Chinese or Japanese.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy scalar or a path."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
