"""The layouts of JSON data sets, told apart by their keys: articles, paragraphs, flat rows, tables of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

from qaexp.data.files.columnar import table_of
from qaexp.data.files.keys import check_nested, check_rows, peek
from qaexp.data.files.mrqa import is_header, is_mrqa, mrqa_reading
from qaexp.data.files.names import Columns, renamed, theirs
from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.validation import Faults, describe
from qaexp.errors import DataError

_NESTED = ("paragraphs", "qas")
# Contexts of rows that later rows may share: so many characters of them are held at a time.
_MAX_SHARED = 64 * 2**20


Values = Iterable[tuple[str, Any]]


def document_records(document: Any, reading: Reading) -> Iterator[Record]:
    """Yield the questions of one JSON document: the official nesting or a part of it, a list, a table, or one row."""
    if isinstance(document, list):
        yield from value_records(_numbered(document, reading.base), reading)
        return
    root = document
    if not isinstance(root, dict):
        raise _no_layout(reading, f"the document is {describe(document)}, it must be an object or a list")
    if (table := table_of(root, reading.columns)) is not None:
        yield from flat_records(_numbered(table, reading.base), reading)
    elif "data" not in root and any(key in root for key in _NESTED):
        check_nested([root], reading)
        yield from _nested(reading.base, root, reading)
    elif "data" not in root and _is_row(root, reading.columns):
        yield from flat_records([(reading.base, root)], reading)
    elif "data" not in root:
        found = ", ".join(map(str, root))[:200] or "none"
        raise _no_layout(reading, f"data is missing, and its keys are those of no known layout (found: {found})")
    elif not isinstance(root["data"], list):
        raise _no_layout(reading, f"data is {describe(root['data'])}, it must be a list")
    else:
        yield from value_records(_numbered(root["data"], f"{reading.base}data"), reading, is_article=True)


def _no_layout(reading: Reading, problem: str) -> DataError:
    """A fault of the file as a whole: no policy for faulty examples helps."""
    return DataError(f"{reading.file}: {problem}; docs/data_formats.md lists what is read, give such a file.")


def value_records(values: Values, reading: Reading, *, is_article: bool = False) -> Iterator[Record]:
    """Yield the questions of articles, paragraphs or flat rows, whichever the first of them are.

    Args:
        values: The values with their places.
        reading: How they are read.
        is_article: Whether a value whose keys tell nothing is taken for an article, and not for a row.
    """
    every = _unwrapped(values, reading.columns)
    first = peek(every, itemgetter(1))
    objects = [value for _, value in first if isinstance(value, dict)]
    is_nested = any(key in value for value in objects for key in _NESTED)
    if is_article and not is_nested:
        # With one key only, or none that rows have, it is an article that lost its paragraphs.
        is_nested = not any(_is_row(value, reading.columns) or len(set(value) - {"title"}) > 1 for value in objects)
    if not is_nested:
        yield from flat_records(chain(first, every), reading)
        return
    if is_mrqa(objects):
        reading = mrqa_reading(reading, objects)
    else:
        check_nested(objects, reading)
    for prefix, value in chain(first, every):
        # Files that were put behind one another bring theirs along.
        if is_header(value):
            continue
        record = reading.faults.object(value, prefix)
        reading.faults.num_skipped += record is None
        if record is not None:
            yield from _nested(prefix, record, reading)


def _unwrapped(values: Values, columns: Columns) -> Iterator[tuple[str, Any]]:
    """The values, with what whole documents among them hold in their place: JSON lines may have one a line."""
    for prefix, value in values:
        inner: Values | None = None
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = _numbered(value, "")
        elif isinstance(value, dict) and not any(key in value for key in _NESTED):
            # A question that is an object is no column of several, but one in another layout.
            table = None if isinstance(value.get(theirs(columns)["question"]), dict) else table_of(value, columns)
            inner = None if table is None else _numbered(table, "")
            if inner is None and isinstance(value.get("data"), list) and not _is_row(value, columns):
                inner = _numbered(value["data"], "data")
        if inner is None:
            yield prefix, value
        else:
            yield from ((f"{prefix}{place}", item) for place, item in inner)


def flat_records(rows: Values, reading: Reading) -> Iterator[Record]:
    """Check the names of rows, then the title (it may be absent) and the context of each; equal contexts become one."""
    every = iter(rows)
    first = peek(every, itemgetter(1))
    objects = [value for _, value in first if isinstance(value, dict)]
    if objects:
        check_rows(objects, reading)
    faults, contexts, num_characters = reading.faults, dict[str, str](), 0
    for prefix, value in chain(first, every):
        row = faults.object(value, prefix)
        faults.num_skipped += row is None
        if row is not None:
            fields = renamed(row, reading.columns)
            context = faults.text(fields, "context", prefix)
            shared = None if context is None else contexts.setdefault(context, context)
            if shared is context and context is not None:
                num_characters += len(context)
            if num_characters > _MAX_SHARED:
                contexts, num_characters = {}, 0
            yield Record(prefix, _title(fields, prefix, faults), shared, fields, is_flat=True, columns=reading.columns)


def _nested(prefix: str, value: dict[str, Any], reading: Reading) -> Iterator[Record]:
    """Walk the paragraphs and questions of an article, or the questions of a paragraph."""
    faults = reading.faults
    title = _title(renamed(value, reading.columns), prefix, faults)
    if "qas" in value:
        yield from _questions(prefix, value, title, reading)
        if "paragraphs" not in value:
            return
    for paragraph, inner in _children(value, "paragraphs", prefix, faults):
        yield from _questions(inner, paragraph, title, reading)


def _questions(prefix: str, paragraph: dict[str, Any], title: str | None, reading: Reading) -> Iterator[Record]:
    context = reading.faults.text(renamed(paragraph, reading.columns), "context", prefix)
    for question, innermost in _children(paragraph, "qas", prefix, reading.faults):
        fields = renamed(question, reading.columns)
        yield Record(innermost, title, context, fields, is_flat=False, columns=reading.columns)


def _title(record: dict[str, Any], prefix: str, faults: Faults) -> str | None:
    """The title, which many exports leave out: then it is empty."""
    return faults.text(record, "title", prefix) if record.get("title") is not None else ""


def _children(parent: dict[str, Any], key: str, prefix: str, faults: Faults) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the objects in a list with their prefixes; what is no list or no object counts as one skipped example."""
    items = faults.items(parent, key, prefix)
    faults.num_skipped += items is None
    for index, item in enumerate(items or ()):
        inner = f"{prefix}{key}[{index}]."
        record = faults.object(item, inner)
        faults.num_skipped += record is None
        if record is not None:
            yield record, inner


def _numbered(items: Iterable[Any], key: str) -> Iterator[tuple[str, Any]]:
    return ((f"{key}[{index}].", item) for index, item in enumerate(items))


def _is_row(value: dict[str, Any], columns: Columns) -> bool:
    called = theirs(columns)
    return called["question"] in value or called["context"] in value
