"""The predictions of a run as its numbers and pictures need them: a hundredth of predictions.jsonl, without texts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from qaexp.reporting.numbers.quantities import CONFIDENCE, confidence
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.columns import Columns

_KEYS = (
    *("id", "title", "paragraph", "golds", "prediction_text", "null_score_diff"),
    *("exact", "f1", "span_exact", "span_f1", "n_best", CONFIDENCE),
)


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """What is known of all predictions.

    Attributes:
        rows: One row a prediction, with the keys of predictions.jsonl. `golds` and `prediction_text` only say whether
            there are any, and in place of `n_best` stands `CONFIDENCE`; a key that a record lacks its row lacks too.
        num_torn: Lines that were no record.
    """

    rows: Columns
    num_torn: int


def read_predictions(run: RunFiles) -> PredictionTable:
    """Read predictions.jsonl once, record by record; of records with the same id the last one counts.

    Raises:
        IntegrityError: It cannot be read, or has more records, or a longer one, than any run writes.
    """
    rows, num_torn = Columns(_KEYS, ("title", "paragraph")), 0
    places: dict[str | int, int] = {}
    for record in run.prediction_lines():
        if record is None:
            num_torn += 1
            continue
        place = places.setdefault(record["id"], len(rows))
        if place < len(rows):
            rows.replace(place, _reduced(record))
        else:
            rows.append(_reduced(record))
    return PredictionTable(rows, num_torn)


def _reduced(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: record[name] for name in _KEYS if name in record}
    found |= {name: bool(found[name]) for name in ("golds", "prediction_text") if name in found}
    with suppress(LookupError, TypeError, ValueError, ArithmeticError):  # what needs it says what is wrong with it
        found[CONFIDENCE] = confidence(record)
        del found["n_best"]
    return found
