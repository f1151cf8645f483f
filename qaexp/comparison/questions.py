"""What belongs to the questions of a table of scores: their ids, articles, contexts, slices and clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.statistics.difference import Codes
from qaexp.runs.clusters import clusters
from qaexp.runs.slices import SLICES
from qaexp.storage.formats import unguarded


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


def sorted_questions(columns: Mapping[str, list[Any]]) -> tuple[Questions, Codes]:
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
