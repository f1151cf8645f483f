"""Which predictions a page holds: all of them, or as many of the worst errors and of a sample as it has room for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from qaexp.reporting.page.explorer import NUM_SPANS, script_json
from qaexp.runs.readers.collect import RunFiles

# Bytes of the predictions and their contexts; with the pictures a page stays below 5 MB.
MAX_BYTES = 3_900_000

# What the numbers of a prediction take at most: three scores, those of its best span, and the places of its spans.
_NUMBER_BYTES = 200

# Errors, and others, that are looked at for a place in the page: more have no room.
_MAX_CANDIDATES = 6_000

_SEED = "0"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The predictions in a page.

    Attributes:
        rows: Their records, with the spans that a page shows, in the order of the file.
        num_worst: How many are there as they have the lowest f1; None where all predictions are there.
    """

    rows: Sequence[Row]
    num_worst: int | None = None

    @property
    def num_sampled(self) -> int:
        """How many of the others were drawn."""
        return len(self.rows) - (self.num_worst or 0)


def embedded(run: RunFiles, table: Sequence[Row], contexts: Mapping[str, str]) -> Embedded:
    """Choose the predictions of a page.

    Args:
        run: The run, whose predictions are read one at a time.
        table: What is known of all of them; see `prediction_table`.
        contexts: The contexts by their hash.
    """
    room, rows = _Room(contexts, MAX_BYTES), {}
    for record in run.each_prediction():
        rows[record["id"]] = _shortened(record)
        if not room.take(record):
            return _part(run, table, contexts)
    return Embedded(list(rows.values()))


def worst_first(row: Row) -> tuple[Any, ...]:
    """The order of errors: the lowest f1 first, of these the surest."""
    return row["f1"], -abs(row["null_score_diff"]), row["id"]


def _part(run: RunFiles, table: Sequence[Row], contexts: Mapping[str, str]) -> Embedded:
    errors = ((worst_first(row), row["id"]) for row in table if row["f1"] < 100)
    worst = [id for _, id in nsmallest(_MAX_CANDIDATES, errors)]
    first = set(worst)
    others = ((_draw(row["id"]), row["id"]) for row in table if row["id"] not in first)
    drawn = [id for _, id in nsmallest(_MAX_CANDIDATES, others)]
    wanted = first.union(drawn)
    found = {record["id"]: _shortened(record) for record in run.each_prediction() if record["id"] in wanted}
    room = _Room(contexts, MAX_BYTES // 2)
    shown = {id for id in worst if room.take(found[id])}
    num_worst = len(shown)
    room.left += MAX_BYTES - MAX_BYTES // 2
    shown |= {id for id in drawn if room.take(found[id])}
    return Embedded([row for id, row in found.items() if id in shown], num_worst)


def _draw(id: Any) -> bytes:
    """A number that is random, but the same each time."""
    return hashlib.sha256(f"{_SEED} {id}".encode("utf-8", "surrogatepass")).digest()


def _shortened(record: Row) -> dict[str, Any]:
    spans = record.get("n_best")
    return {**record, "n_best": spans[:NUM_SPANS]} if isinstance(spans, list) else dict(record)


class _Room:
    """The bytes that are left for predictions; each context is counted once."""

    def __init__(self, contexts: Mapping[str, str], num_bytes: int) -> None:
        self.left = num_bytes
        self._contexts = contexts
        self._held: set[Any] = set()

    def take(self, row: Row) -> bool:
        """Count a prediction; False when it did not fit any more."""
        paragraph = row.get("paragraph")
        texts = [row.get(name) for name in ("id", "question", "golds", "prediction_text")]
        needed = _NUMBER_BYTES + _size(texts)
        if paragraph not in self._held:
            needed += _size([self._contexts.get(str(paragraph), ""), row.get("title")])
        if needed > self.left:
            return False
        self._held.add(paragraph)
        self.left -= needed
        return True


def _size(value: Any) -> int:
    return len(script_json(value).encode())
