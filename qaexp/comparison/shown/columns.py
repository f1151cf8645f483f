"""Tables for a terminal of a given width: numbers are never cut, names are cut in the middle, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from qaexp.runs.short_words import all_shortened, shortened
from qaexp.storage.formats import counted, one_line

_LEAST = 12
_MAX_CELL = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        title: Its head.
        cells: Its cells.
        is_text: Texts are aligned to the left, numbers to the right.
        rank: If there is no room, the lowest is dropped first; None always stays.
        is_flexible: It may be cut in the middle.
    """

    title: str
    cells: Sequence[str]
    is_text: bool = False
    rank: int | None = None
    is_flexible: bool = False

    @property
    def width(self) -> int:
        """The width of the widest cell in terminal columns: some characters take two."""
        return max(map(cell_len, (self.title, *self.cells)))


def fitted(columns: Sequence[Column], width: int | None) -> tuple[list[Column], list[str]]:
    """The columns for which there is room, in their order, and the titles of those that were left out.

    Args:
        columns: All columns.
        width: Of the terminal; None: no limit.
    """
    kept, left_out = list(columns), list[str]()
    if width is None:
        return kept, left_out
    while _total(kept) > width:
        leaving = min((one for one in kept if one.rank is not None), key=lambda one: one.rank or 0, default=None)
        if leaving is None:
            break
        kept.remove(leaving)
        left_out.append(leaving.title)
    fixed = sum(0 if one.is_flexible else one.width for one in kept) + len(kept) - 1
    room = max(_LEAST, width - fixed)
    titles = [one.title for one in columns if one.title in left_out]
    return [_cut(one, room) if one.is_flexible else one for one in kept], titles


def lines(columns: Sequence[Column], styles: Sequence[str] = ()) -> list[Text]:
    """The lines of a table, its head first; no line ends with blanks."""
    rows = zip(*(one.cells for one in columns), strict=True)
    head = Text(_line(columns, [one.title for one in columns]), style="bold")
    found = [Text(_line(columns, row)) for row in rows]
    for line, style in zip(found, styles, strict=False):
        line.stylize(style)
    return [head, *found]


def keyed_lines(
    title: str, rows: Sequence[tuple[str, Sequence[str]]], heads: Sequence[str], width: int | None
) -> list[Text]:
    """The lines of a table of keys by groups; groups without room are counted.

    Args:
        title: Its title.
        rows: A key and a cell for each group.
        heads: What groups are called.
        width: Of the terminal; None: no limit.
    """
    keys = Column("key", [one_line(key) for key, _ in rows], is_text=True)
    found, left = [keys], len(heads)
    for place, head in enumerate(heads):
        cells = [one_line(cells[place]) for _, cells in rows]
        cells = cells if width is None else [shortened(cell, _MAX_CELL) for cell in cells]
        column = Column(head, cells, is_text=True)
        if width is not None and len(found) > 1 and _total([*found, column]) > width:
            break
        found.append(column)
        left -= 1
    more = [Text(f"{counted(left, 'more group')} on a wider terminal", style="dim")] if left else []
    return [Text(title, style="bold"), *lines(found), *more]


def _total(columns: Sequence[Column]) -> int:
    least = (min(one.width, _LEAST + 8) if one.is_flexible else one.width for one in columns)
    return sum(least) + len(columns) - 1


def _cut(column: Column, room: int) -> Column:
    return Column(column.title, all_shortened(column.cells, room), column.is_text, column.rank, column.is_flexible)


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    return " ".join(_padded(one, cell) for one, cell in zip(columns, cells, strict=True)).rstrip()


def _padded(column: Column, cell: str) -> str:
    blanks = " " * (column.width - cell_len(cell))
    return cell + blanks if column.is_text else blanks + cell
