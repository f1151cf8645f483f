"""The scores of a run question by question, as arrays in the order of the question ids."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.errors import IntegrityError
from qaexp.runs.clusters import clusters
from qaexp.runs.directory import SCORES
from qaexp.runs.metrics import SCORE_COLUMNS, number_of
from qaexp.runs.number import Number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.slices import SLICES
from qaexp.storage.formats import unguarded
from qaexp.storage.reading import MAX_TABLE_BYTES, check_cells, read_bytes

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

DIFFS = "null_score_diff"
_TEXTS = ("id", "title", "paragraph", "question_word")
_REQUIRED = ("id", "title", "paragraph", "exact", "f1")
_REQUIRED_OF_OTHERS = ("id", "title", "paragraph", "f1")
_NUM_CACHED = 64
MAX_KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What belongs to the questions, not to the answers, in the order of the ids.

    Attributes:
        ids: Sorted.
        titles: The article of each.
        paragraphs: The hash of the context of each.
        slices: The columns of `SLICES` that the file has.
        clusters: The cluster of each question, counted from 0.
        cluster_kind: What a cluster is: `title` (the article) or `paragraph`.
        has_ans: Which questions have an answer; None if the file does not say.
        digest: Of all that must be alike for two runs to be paired: ids, paragraphs, which have an answer, and the
            clusters.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    paragraphs: tuple[str, ...]
    slices: Mapping[str, tuple[str | int, ...]]
    clusters: Codes
    cluster_kind: str
    has_ans: npt.NDArray[np.bool_] | None
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, questions: str | None) -> npt.NDArray[np.bool_] | None:
        """Which questions a metric is over: `has_ans`, `no_ans`, or None for all; None if the file does not say."""
        if questions is None:
            return np.ones(len(self), dtype=np.bool_)
        if self.has_ans is None:
            return None
        return self.has_ans if questions == "has_ans" else ~self.has_ans


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
        table = _table(path)
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
                values[column] = _floats(table.column(column))[order]
                low, high = number.bounds
                if not np.all((values[column] >= low) & (values[column] <= high)):
                    raise IntegrityError(f"{path}: {column} is not {number.range} everywhere")
        if missing := [column for column in ("exact", "f1") if column in required and column not in values]:
            raise IntegrityError(f"{path}: {missing[0]} is missing for some questions")
        if (diffs := _numbers(table, DIFFS)) is not None:
            values[DIFFS] = diffs[order]
        return Scores(questions, values)

    def _questions(self, table: Any) -> tuple[Questions, Codes]:
        names = [name for name in (*_TEXTS[:3], *SLICES) if name in table.column_names]
        digest = hashlib.sha256(repr(names).encode())
        for name in names:
            for buffer in table.column(name).combine_chunks().buffers():
                digest.update(buffer if buffer is not None else b"none")
        key = digest.digest()
        if key not in self._known:
            self._known[key] = _questions({name: table.column(name).to_pylist() for name in names})
            if len(self._known) > _NUM_CACHED:
                self._known.popitem(last=False)
        return self._known[key]


def _floats(column: Any) -> Floats:
    """A column of float64 without gaps as an array; pyarrow's own way imports pandas, which takes half a second."""
    chunk = column.combine_chunks()
    return np.frombuffer(chunk.buffers()[1], np.float64, count=len(chunk), offset=8 * chunk.offset)


def _numbers(table: Any, name: str) -> Floats | None:
    """An optional column; None if it is missing or holds anything but numbers."""
    import pyarrow as pa

    if name not in table.column_names or table.column(name).null_count:
        return None
    column = table.column(name)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return None
    return _floats(column.cast(pa.float64()))


def _measured(values: Floats, questions: Questions, chosen: npt.NDArray[np.bool_], row: Number) -> Measured:
    if chosen.all():
        return Measured(values, questions.clusters, questions.digest)
    codes = np.unique(questions.clusters[chosen], return_inverse=True)[1].astype(np.intp)
    return Measured(values[chosen], codes, f"{questions.digest} {row.questions}")


def _table(path: Path) -> Any:
    """The columns of a table of scores as pyarrow reads them: a thousand runs in a second."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        data = read_bytes(path, MAX_TABLE_BYTES)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing") from None
    check_cells(path, data.count(b"\n"), data.count(b","))
    types = {**dict.fromkeys(_TEXTS, pa.string()), **dict.fromkeys(SCORE_COLUMNS, pa.float64())}
    try:
        table = csv.read_csv(
            io.BytesIO(data.replace(b"\0", b"")),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
        table.column_names  # noqa: B018 (pyarrow decodes the names on access)
    except pa.ArrowException as error:
        raise IntegrityError(f"{path}: {str(error).splitlines()[0]}") from error
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: the names of its columns are not UTF-8") from error
    return table


def _questions(columns: Mapping[str, list[Any]]) -> tuple[Questions, Codes]:
    """Sort what belongs to the questions by id; also returns the order.

    Raises:
        ValueError: There are none, or an id appears twice.
    """
    ids = [unguarded(cell) for cell in columns["id"]]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    found = {
        name: tuple(unguarded(cells[place]) if isinstance(cells[place], str) else cells[place] for place in order)
        for name, cells in columns.items()
    }
    if not ids:
        raise ValueError("holds no questions")
    for one, other in zip(found["id"], found["id"][1:], strict=False):
        if one == other:
            raise ValueError(f"question {one!r} appears twice")
    labels, kind = clusters(found["title"], found["paragraph"])
    codes = np.unique(np.array(labels), return_inverse=True)[1].astype(np.intp)
    answerable = [words == 0 for words in found.get("answer_words", ())]
    alike = (found["id"], found["paragraph"], answerable, labels if kind == "title" else ())
    digest = hashlib.sha256(repr(alike).encode("utf-8", "backslashreplace")).hexdigest()
    slices = {name: found[name] for name in SLICES if name in found}
    words = found.get("answer_words")
    has_ans = None if words is None else np.array([count != 0 for count in words], dtype=np.bool_)
    questions = Questions(found["id"], found["title"], found["paragraph"], slices, codes, kind, has_ans, digest)
    return questions, np.array(order, dtype=np.intp)
