"""Question by question: what one group gets right and the other does not, and how steady each is over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaexp.comparison.compare import Comparison
from qaexp.comparison.groups import Group
from qaexp.comparison.scores import ScoreReader
from qaexp.errors import ConfigError, IntegrityError

FLIPS = ("fixed", "broken", "null to span", "span to null", "changed but equal")
STABILITY = ("always right", "always wrong", "churn")
NUM_SPANS = 3


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that two groups answer differently.

    Attributes:
        id: The question's.
        kind: One of `FLIPS`; an answer that becomes right or wrong is `fixed` or `broken`, whatever the texts.
        was_null: a answers nothing.
        is_null: b answers nothing.
        question: Its text.
        title: Its article.
        paragraph: The key of its context.
        golds: Its gold answers, each once.
        a: What a answers, with the first seed.
        b: What b answers, with the first seed.
        a_exact: The share of a's runs that are right, in percent.
        b_exact: That of b's.
        a_f1: The mean f1 of a's runs.
        b_f1: That of b's.
        a_spans: The best spans of a.
        b_spans: Those of b.
    """

    id: str
    kind: str
    was_null: bool
    is_null: bool
    question: str
    title: str
    paragraph: str
    golds: Sequence[str]
    a: str
    b: str
    a_exact: float
    b_exact: float
    a_f1: float
    b_f1: float
    a_spans: Sequence[Mapping[str, Any]]
    b_spans: Sequence[Mapping[str, Any]]


def main_flips(comparison: Comparison) -> tuple[str, str, list[Flip]]:
    """The flips from the baseline to the best other group: their names, and the flips.

    Raises:
        ConfigError: There are no two groups that were measured alike.
        IntegrityError: The predictions of one cannot be read.
    """
    table = next((table for table in comparison.tables if table.baseline is not None), None)
    if table is None or table.baseline is None:
        raise ConfigError("flips: there are no two groups that were measured alike; give runs of two configs")
    best = min(
        (group for group in table.groups if group.name != table.baseline),
        key=lambda group: (table.ranks[group.name] is None, table.ranks[group.name] or 0, group.name),
    )
    return table.baseline, best.name, flips(table.group(table.baseline), best, comparison.reader)


def flips(a: Group, b: Group, reader: ScoreReader) -> list[Flip]:
    """The questions that two groups answer differently, the largest gain and loss of f1 first.

    The texts are those of each group's first run; right or wrong is decided by most of a group's runs.

    Raises:
        IntegrityError: The predictions of one cannot be read.
    """
    first, second = _predictions(a), _predictions(b)
    exact_a, f1_a = _means(a, reader)
    exact_b, f1_b = _means(b, reader)
    found = []
    for id in sorted(first.keys() & second.keys() & exact_a.keys() & exact_b.keys()):
        kind = flip_kind(
            str(first[id]["prediction_text"]), str(second[id]["prediction_text"]), exact_a[id], exact_b[id]
        )
        if kind is not None:
            scores = (exact_a[id], exact_b[id], f1_a[id], f1_b[id])
            found.append(_flip(id, kind, first[id], second[id], scores))
    return sorted(found, key=lambda flip: (-abs(flip.b_f1 - flip.a_f1), FLIPS.index(flip.kind), flip.id))


def flip_kind(a: str, b: str, a_exact: float, b_exact: float) -> str | None:
    """What happened to a question from a to b; None where the answers are the same and equally right.

    >>> flip_kind("Paris", "", 100, 0), flip_kind("", "Lyon", 0, 0), flip_kind("Paris", "in Paris", 0, 0)
    ('broken', 'null to span', 'changed but equal')
    """
    if (a_exact >= 50) != (b_exact >= 50):
        return "fixed" if b_exact >= 50 else "broken"
    if bool(a) != bool(b):
        return "null to span" if b else "span to null"
    return "changed but equal" if a != b else None


def stability(group: Group, reader: ScoreReader) -> dict[str, int] | None:
    """How many questions a group's runs answer always rightly, always wrongly, or now so, now so; None for one run."""
    if group.n < 2:
        return None
    exact = np.stack([reader.read(entry.run).values["exact"] for entry in group.entries]) == 100
    right, wrong = int(exact.all(axis=0).sum()), int((~exact).all(axis=0).sum())
    return dict(zip(STABILITY, (right, wrong, exact.shape[1] - right - wrong), strict=True))


def flip_rows(found: Sequence[Flip]) -> list[dict[str, Any]]:
    """The flips as rows of a table of texts and numbers."""
    return [
        {
            "id": flip.id,
            "flip": flip.kind,
            "question": flip.question,
            "golds": " | ".join(flip.golds),
            "a": flip.a,
            "b": flip.b,
            "a_exact": flip.a_exact,
            "b_exact": flip.b_exact,
            "a_f1": flip.a_f1,
            "b_f1": flip.b_f1,
            "title": flip.title,
            "paragraph": flip.paragraph,
        }
        for flip in found
    ]


def _predictions(group: Group) -> dict[str, dict[str, Any]]:
    run = group.entries[0].run
    rows = run.predictions().rows
    if not rows:
        raise IntegrityError(f"{run.path}: has no predictions.jsonl, so that no answers can be shown")
    needed = {"id", "question", "title", "paragraph", "golds", "prediction_text"}
    return {str(row["id"]): row for row in rows if needed <= row.keys()}


def _means(group: Group, reader: ScoreReader) -> tuple[dict[str, float], dict[str, float]]:
    read = [reader.read(entry.run) for entry in group.entries]
    exact, f1 = (np.mean([one.values[name] for one in read], axis=0).tolist() for name in ("exact", "f1"))
    ids = read[0].questions.ids
    return dict(zip(ids, exact, strict=True)), dict(zip(ids, f1, strict=True))


def _flip(
    id: str, kind: str, one: Mapping[str, Any], other: Mapping[str, Any], scores: tuple[float, float, float, float]
) -> Flip:
    texts = str(one["prediction_text"]), str(other["prediction_text"])
    return Flip(
        id=id,
        kind=kind,
        was_null=not texts[0],
        is_null=not texts[1],
        question=str(one["question"]),
        title=str(one["title"]),
        paragraph=str(one["paragraph"]),
        golds=tuple(dict.fromkeys(map(str, one["golds"]))),
        a=texts[0],
        b=texts[1],
        a_exact=scores[0],
        b_exact=scores[1],
        a_f1=scores[2],
        b_f1=scores[3],
        a_spans=_spans(one),
        b_spans=_spans(other),
    )


def _spans(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    spans = row.get("n_best")
    spans = [span for span in spans if isinstance(span, Mapping)] if isinstance(spans, list) else []
    return [{"text": str(span.get("text")), "score": span.get("score")} for span in spans[:NUM_SPANS]]
