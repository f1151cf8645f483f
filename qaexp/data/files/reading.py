"""A question as it stands in a file, and how its file is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qaexp.data.files.names import Columns
from qaexp.data.files.validation import Faults


@dataclass(frozen=True, slots=True)
class Record:
    """A question as it stands in the file: title and context are checked (None: faulty, told already), `fields` is raw.

    `prefix` is put before a key to name its place, such as `data[0].paragraphs[2].qas[1].` or `line 17: `; `columns`
    are the user's own names, under which the file knows the keys of `fields`.
    """

    prefix: str
    title: str | None
    context: str | None
    fields: dict[str, Any]
    is_flat: bool
    columns: Columns = field(default_factory=dict)

    def place(self, name: str) -> str:
        """Where the value of one of our names stands, under the name that the file has for it.

        >>> Record("line 2: ", "", "", {}, is_flat=True, columns={"is_impossible": "none"}).place("is_impossible")
        'line 2: none'
        """
        return f"{self.prefix}{self.columns.get(name, name)}"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: where its faults go, the user's own names, and whether answers are needed.

    `shard` is the file that is read where a split has several, and `base` its name in front of each place in it.
    """

    faults: Faults
    columns: Columns
    wants_answers: bool
    shard: str = ""
    base: str = ""

    @property
    def file(self) -> str:
        """The file that is read, for a fault of it as a whole."""
        return self.shard or self.faults.file
