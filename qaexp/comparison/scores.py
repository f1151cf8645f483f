"""The scores of a run question by question, as arrays in the order of the question ids."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.questions import Questions, sorted_questions
from qaexp.comparison.score_table import TEXTS, floats, numbers, score_table
from qaexp.comparison.statistics.difference import Codes, Floats
from qaexp.errors import IntegrityError
from qaexp.runs.directory import SCORES
from qaexp.runs.metrics import SCORE_COLUMNS, number_of
from qaexp.runs.number import Number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.slices import SLICES

DIFFS = "null_score_diff"
_REQUIRED = ("id", "title", "paragraph", "exact", "f1")
_REQUIRED_OF_OTHERS = ("id", "title", "paragraph", "f1")
_NUM_CACHED = 64
MAX_KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One run's scores [questions] by name: those of `SCORE_COLUMNS`, and `DIFFS` in logits."""

    questions: Questions
    values: Mapping[str, Floats]

    @property
    def exact(self) -> Floats:
        """Exact of each question; where only f1 is known, an f1 of 100 counts as right."""
        return self.values["exact"] if "exact" in self.values else np.where(self.values["f1"] == 100, 100.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A metric question by question.

    Attributes:
        values: [questions], of the questions that the metric is over.
        clusters: The cluster of each, counted from 0.
        digest: Equal where two runs were measured on the same questions.
    """

    values: Floats
    clusters: Codes
    digest: str


class ScoreReader:
    """Reads scores.csv; what belongs to the questions is worked out once for all runs with the same questions.

    Up to `MAX_KEPT_BYTES` of scores are kept, about a thousand runs; beyond that they are read again when needed.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[Questions, Codes]] = OrderedDict()
        self._kept: dict[tuple[Path, str], Scores] = {}
        self._num_bytes = 0

    def read(self, run: RunFiles, name: str = SCORES) -> Scores:
        """Return the scores of a run on the dev set, or those of another table: of a test file, of an evaluation set.

        Raises:
            IntegrityError: The file is missing or damaged, an id appears twice, or a score is not possible.
        """
        if (run.path, name) not in self._kept:
            scores = self._read(run, name)
            size = sum(values.nbytes for values in scores.values.values())
            if self._num_bytes + size > MAX_KEPT_BYTES:
                return scores
            self._kept[run.path, name] = scores
            self._num_bytes += size
        return self._kept[run.path, name]

    def measured(self, run: RunFiles, metric: str) -> Measured | None:
        """Return a metric question by question; None where its run does not hold it so, as older ones of a test file.

        Raises:
            IntegrityError: As for `read`, where the file is there.
        """
        row = number_of(metric)
        found = self._values(run, row)
        return None if found is None else _measured(found[0], found[1], found[2], row)

    def mean(self, run: RunFiles, row: Number) -> float | None:
        """Return a metric's mean according to a run's scores; None, and raises, as `measured`."""
        found = self._values(run, row)
        return None if found is None else float(found[0][found[2]].mean())

    def _values(self, run: RunFiles, row: Number) -> tuple[Floats, Questions, npt.NDArray[np.bool_]] | None:
        """The column of a metric, the questions of its table, and over which of them the metric is."""
        if row.column is None or (row.table != SCORES and not (run.path / row.table).is_file()):
            return None
        scores = self.read(run, row.table)
        chosen = scores.questions.part(row.questions)
        values = scores.values.get(row.column)
        if values is None or chosen is None or not chosen.any():
            return None
        return values, scores.questions, chosen

    def _read(self, run: RunFiles, name: str) -> Scores:
        path = run.path / name
        table = score_table(path)
        # Other programs may say f1 alone.
        required = _REQUIRED if run.program is None else _REQUIRED_OF_OTHERS
        if missing := [column for column in required if column not in table.column_names]:
            raise IntegrityError(f"{path}: has no column {', '.join(missing)}")
        try:
            questions, order = self._questions(table)
        except (ValueError, TypeError) as error:
            raise IntegrityError(f"{path}: {error}") from error
        values = {}
        for column, number in SCORE_COLUMNS.items():
            if column in table.column_names and not table.column(column).null_count:
                values[column] = floats(table.column(column))[order]
                low, high = number.bounds
                if not np.all((values[column] >= low) & (values[column] <= high)):
                    raise IntegrityError(f"{path}: {column} is not {number.range} everywhere")
        if missing := [column for column in ("exact", "f1") if column in required and column not in values]:
            raise IntegrityError(f"{path}: {missing[0]} is missing for some questions")
        if (diffs := numbers(table, DIFFS)) is not None:
            values[DIFFS] = diffs[order]
        return Scores(questions, values)

    def _questions(self, table: Any) -> tuple[Questions, Codes]:
        names = [name for name in (*TEXTS[:3], *SLICES) if name in table.column_names]
        digest = hashlib.sha256(repr(names).encode())
        for name in names:
            for buffer in table.column(name).combine_chunks().buffers():
                digest.update(buffer if buffer is not None else b"none")
        key = digest.digest()
        if key not in self._known:
            self._known[key] = sorted_questions({name: table.column(name).to_pylist() for name in names})
            if len(self._known) > _NUM_CACHED:
                self._known.popitem(last=False)
        return self._known[key]


def _measured(values: Floats, questions: Questions, chosen: npt.NDArray[np.bool_], row: Number) -> Measured:
    if chosen.all():
        return Measured(values, questions.clusters, questions.digest)
    codes = np.unique(questions.clusters[chosen], return_inverse=True)[1].astype(np.intp)
    return Measured(values[chosen], codes, f"{questions.digest} {row.questions}")
