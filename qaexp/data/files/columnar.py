"""JSON tables that were written column by column, or row by row under their keys, as pandas' `to_json` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qaexp.data.files.names import KNOWN, Columns, theirs


def table_of(root: dict[str, Any], columns: Columns) -> Iterator[dict[str, Any]] | None:
    """The rows of a table that pandas or `to_dict` wrote column by column, or by key; None for anything else."""
    names, data = root.get("columns"), root.get("data")
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        # A row that is longer or shorter than the header is told as one without its columns.
        return (dict(zip(map(str, names), row, strict=True)) if len(row) == len(names) else {} for row in data)
    called = theirs(columns)
    question, context = root.get(called["question"]), root.get(called["context"])
    if isinstance(question, list) and isinstance(context, list):
        lists = {name: value for name, value in root.items() if isinstance(value, list) and name in _known(columns)}
        return (
            (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)) if _even(lists) else None
        )
    if isinstance(question, dict) and isinstance(context, dict):
        maps = {name: value for name, value in root.items() if isinstance(value, dict) and name in _known(columns)}
        rows = dict.fromkeys(key for value in maps.values() for key in value)
        return ({name: value[key] for name, value in maps.items() if key in value} for key in rows)
    return _by_key(root, called)


def _by_key(root: dict[str, Any], called: dict[str, str]) -> Iterator[dict[str, Any]] | None:
    """The rows of an object that has one under each key, which is the id of a row without one."""
    needed = {called["question"], called["context"]}
    if not root or not all(isinstance(row, dict) and needed <= set(row) for row in root.values()):
        return None
    return ({called["id"]: key, **row} for key, row in root.items())


def _known(columns: Columns) -> set[str]:
    return {*KNOWN, *columns.values()}


def _even(lists: dict[str, list[Any]]) -> bool:
    return len({len(value) for value in lists.values()}) == 1
