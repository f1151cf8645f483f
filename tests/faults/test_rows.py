"""The matrix and the tests are the same list: no row without a test, no test without a row."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import yaml

HERE = Path(__file__).parent
FIELDS = {"id", "promise", "injection", "exit", "artefacts"}


def rows_of_tests() -> list[str]:
    """The row of every test in this folder, read from its decorator; a test without one counts as its own name."""
    found = []
    for file in sorted(HERE.glob("test_*.py")):
        if file.name in ("test_rows.py", "test_fuzz.py"):
            continue
        body = ast.parse(file.read_text("utf-8")).body
        if whole := [ast.unparse(node) for node in body if ast.unparse(node).startswith("pytestmark = ")]:
            found.append(whole[0].split("'")[1])  # the tests of this file are one row
            continue
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                rows = [mark.split("'")[1] for mark in marks if mark.startswith("pytest.mark.fault(")]
                found.extend(rows or [f"{file.name}::{node.name}"])
    return found


def test_every_row_has_one_test_and_every_test_a_row() -> None:
    rows = yaml.safe_load((HERE / "rows.yaml").read_text("utf-8"))
    assert Counter(row["id"] for row in rows) == Counter(rows_of_tests())


def test_every_row_says_what_is_promised() -> None:
    for row in yaml.safe_load((HERE / "rows.yaml").read_text("utf-8")):
        assert set(row) == FIELDS, row["id"]
        assert all(row[field] or row[field] == 0 for field in FIELDS), row["id"]
        assert len(row["promise"]) <= 110, row["id"]
