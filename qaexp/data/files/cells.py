"""What the cells of a table mean: answers as JSON or as Python and numpy print them, numbers, yes and no.

Nothing is evaluated: a cell is parsed into a syntax tree, of which only literals (and numpy's `array([...])` around a
list) are taken.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Mapping
from typing import Any

_MAX_CELL = 2**20
_MAX_DEPTH = 200
# A number beyond 64 bits is no place in a text, and Python does not write the longest ones.
_MAX_WHOLE = 2**63
_YES_NO = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "1.0": True, "0.0": False}
# pandas writes whole numbers so where one of their column is missing.
_GAPPED = re.compile(r"\d+\.0")
YES_NO_READ = "true, false, yes, no, 1 and 0"
_NOTHING = ("", "nan", "<na>", "none", "null", "n/a", "na")


def read_cells(row: dict[str, str], called: Mapping[str, str]) -> dict[str, Any]:
    """A row of texts as a flat JSON row would hold it.

    Args:
        row: The cells by the names of the file.
        called: What each of our names is called there.

    >>> names = {name: name for name in ("id", "answers", "answer_text", "answer_start", "title")}
    >>> read_cells({"answers": "{'text': ['a'], 'answer_start': array([0])}", "title": "7"}, names)
    {'answers': {'text': ['a'], 'answer_start': [0]}, 'title': '7'}
    """
    found: dict[str, Any] = dict(row)
    for name in ("answers", "answer_start"):
        if called[name] in row:
            found[called[name]] = read_cell(row[called[name]])
    if (id := called["id"]) in row:
        found[id] = row[id] if row[id].strip() else None
        if _GAPPED.fullmatch(row[id].strip()):
            found[id] = row[id].strip().removesuffix(".0")
    if (text := called["answer_text"]) in row:
        found[text] = _texts(row[text])
    for name in ("answers", "answer_text"):
        # Brackets that have a place are words of the context.
        if found.get(called[name]) in ([], {}) and is_place(found.get(called["answer_start"])):
            found[called[name]] = row[called[name]]
    return found


def is_place(start: Any) -> bool:
    """Whether the start of an answer, or one of several, is a place in a text.

    >>> is_place("11"), is_place([3]), is_place(-1), is_place(None), is_place([])
    (True, True, False, False, False)
    """
    starts = [whole_of(one) for one in (start if isinstance(start, list) else [start])]
    return any(type(one) is int and one >= 0 for one in starts)


def read_yes_no(value: Any) -> Any:
    """Yes or no as a table writes it, in any case of letters; None for an empty cell, anything else as it is.

    >>> read_yes_no("TRUE"), read_yes_no("no"), read_yes_no(1.0), read_yes_no(" "), read_yes_no("oui")
    (True, False, True, None, 'oui')
    """
    if not isinstance(value, str | int | float):
        return value
    text = str(value).strip().lower()
    return None if text in _NOTHING else _YES_NO.get(text, value)


def read_cell(text: str) -> Any:
    """The list or object that a cell holds; any other text stays text, an empty one is None.

    >>> read_cell('[{"text": "a", "answer_start": 0}]'), read_cell("a"), read_cell(" ")
    ([{'text': 'a', 'answer_start': 0}], 'a', None)
    """
    plain = text.strip()
    if not plain:
        return None
    if plain[0] not in "[{" or len(plain) > _MAX_CELL:
        return text
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        pass
    try:
        return _value(_parsed(plain), 0)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _parsed(text: str) -> ast.expr:
    """The tree of an expression of Python; its warnings, of an escape say, are about programs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _texts(cell: str) -> Any:
    """The texts of a cell that holds a list of them; any other cell is one text, bracket or not."""
    value = read_cell(cell)
    is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return value if is_list or value is None else cell


def _value(node: ast.expr, depth: int) -> Any:
    """The value of literals, and of numpy's `array` around them.

    Raises:
        ValueError: It is anything else.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(node, ast.Constant):
        return _plain(node.value)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, depth + 1) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(key, depth + 1) for key in node.keys if key is not None]
        return dict(zip(map(str, keys), (_value(item, depth + 1) for item in node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -_number(node.operand.value)
    if isinstance(node, ast.Name) and node.id in ("nan", "null"):
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "array" and node.args:
        return _value(node.args[0], depth + 1)
    raise ValueError("no literal")


def _plain(value: object) -> str | float | None:
    if value is None or isinstance(value, str | bool):
        return value
    return _number(value)


def _number(value: object) -> float:
    if isinstance(value, float) or (type(value) is int and value < _MAX_WHOLE):
        return value
    raise ValueError("no number of a table")


def answers_of_columns(row: Mapping[str, Any]) -> Any:
    """The answers of a row with `answer_text` and `answer_start`, as a flat row holds them; None for none.

    >>> answers_of_columns({"answer_text": "a", "answer_start": "3"})
    [{'text': 'a', 'answer_start': 3}]
    >>> answers_of_columns({"answer_text": None, "answer_start": None}) is None
    True
    """
    text, start = row.get("answer_text"), whole_of(row.get("answer_start"))
    if text is None and start is None:
        return None
    texts = text if isinstance(text, list) else [text]
    if isinstance(start, list):
        return {"text": texts, "answer_start": [whole_of(one) for one in start]}
    place = {"answer_start": start} if "answer_start" in row else {}
    return [{"text": one, **place} for one in texts]


def whole_of(value: Any) -> Any:
    """A whole number that a table wrote as text or with a point (a column with gaps); anything else as it is.

    >>> whole_of("53"), whole_of(53.0), whole_of(float("nan")), whole_of("x")
    (53, 53, None, 'x')
    """
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _NOTHING:
            return None
        try:
            value = int(text) if text.lstrip("+-").isdecimal() and len(text) < 20 else float(text)
        except ValueError:
            return value
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value
