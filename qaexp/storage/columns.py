"""A table that is held by its columns; its rows are made when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, overload

_MISSING: Any = object()
# By their text, as 0.0 equals -0.0.
_FREQUENT = {repr(value): value for value in (0.0, 100.0)}


class Columns(Sequence[dict[str, Any]]):
    """Rows with the same keys, a tenth as large as that many dicts; a row may lack a key.

    >>> table = Columns(["id", "f1"])
    >>> table.append({"id": "a", "f1": 100.0})
    >>> table.append({"id": "b"})
    >>> list(table)
    [{'id': 'a', 'f1': 100.0}, {'id': 'b'}]
    """

    def __init__(self, names: Sequence[str], repeated: Collection[str] = ()) -> None:
        """Begin without rows.

        Args:
            names: The keys, in their order.
            repeated: Keys whose texts repeat: each distinct one is held once.
        """
        self._columns: dict[str, list[Any]] = {name: [] for name in names}
        self._repeated = frozenset(repeated)
        self._known: dict[str, str] = {}
        self._num_rows = 0

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Columns:
        """A table of columns of one length."""
        made = cls(list(columns))
        made._columns = {name: list(column) for name, column in columns.items()}
        made._num_rows = max(map(len, made._columns.values()), default=0)
        return made

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; other keys than those of the table are left out."""
        for name, column in self._columns.items():
            column.append(self._held(name, row.get(name, _MISSING)))
        self._num_rows += 1

    def replace(self, place: int, row: Mapping[str, Any]) -> None:
        """Put another row in the place of one."""
        for name, column in self._columns.items():
            column[place] = self._held(name, row.get(name, _MISSING))

    def column(self, name: str) -> list[Any]:
        """The values of a key, row by row; None where a row lacks it."""
        return [None if value is _MISSING else value for value in self._columns[name]]

    def _held(self, name: str, value: Any) -> Any:
        """The value itself, or the equal one that is held already: most scores are 0 or 100."""
        if isinstance(value, float):
            return _FREQUENT.get(repr(value), value)
        return self._known.setdefault(value, value) if name in self._repeated and isinstance(value, str) else value

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._num_rows

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a row, or several, as dicts."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        found = ((name, column[place]) for name, column in self._columns.items())
        return {name: value for name, value in found if value is not _MISSING}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts."""
        gaps = {name: column.count(_MISSING) for name, column in self._columns.items()}
        held = {name: column for name, column in self._columns.items() if gaps[name] < len(self)}
        if any(gaps[name] for name in held):
            return (self[place] for place in range(len(self)))
        return (dict(zip(held, values, strict=True)) for values in zip(*held.values(), strict=True))

    def __eq__(self, other: object) -> bool:
        """Whether the other one has equal rows in the same order."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_are_equal, self, other))

    __hash__ = None  # type: ignore[assignment]


def _are_equal(one: Any, other: Any) -> bool:
    return bool(one == other)
