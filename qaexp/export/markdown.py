"""Markdown out of facts: tables, code, and the texts of strangers as nothing but texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qaexp.runs.short_words import shortened
from qaexp.storage.formats import one_line

MAX_CHARS = 120
_TICKS = re.compile("`+")


def code(text: str, width: int = MAX_CHARS) -> str:
    r"""Return a text of anybody as inline code, in which nothing is markup or a link: one line, not too long.

    >>> print(code("dev.json"), code("a`b\n# c"), code(""))
    `dev.json` ``a`b\n# c`` (empty)
    """
    text = shortened(one_line(text), width).strip()
    if not text:
        return "(empty)"
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, num_left: int = 1) -> str:
    r"""Return a table; its cells are Markdown, which may hold vertical bars.

    Args:
        header: A cell for each column.
        rows: As many cells in each.
        num_left: How many columns are flush left; the others are numbers.

    >>> print(table(["name", "n"], [["`a|b`", "3"]]))
    | name | n |
    | :--- | ---: |
    | `a\|b` | 3 |
    """
    marks = [":---" if column < num_left else "---:" for column in range(len(header))]
    # Renderers differ in what a backslash before an escaped bar means, so that none stands there.
    cells = [[cell.replace("\\|", "\\ |").replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, marks, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(language: str, text: str) -> str:
    """Return a block of code, whatever its lines hold."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)
