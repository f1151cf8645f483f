"""The questions whose answers differ between two groups, with their paragraphs and both answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.comparison.flips import FLIP_WORDS, FLIPS, Flip, changes, filled
from qaexp.comparison.groups import Group
from qaexp.comparison.scores import ScoreReader
from qaexp.errors import IntegrityError
from qaexp.runs.number import is_number

MAX_FLIPS = 1_000
Numbers = dict[str, Any]


def flip_data(a: Group, b: Group, reader: ScoreReader) -> Numbers | None:
    """Return the numbers of the figure of flips of `b` against `a`; None where a run's files cannot be read."""
    try:
        found = changes(a, b, reader)
        shown = filled(found[:MAX_FLIPS], a, b)
        contexts = {**b.entries[0].run.contexts(), **a.entries[0].run.contexts()}
    except IntegrityError:
        return None
    paragraphs = list(dict.fromkeys(flip.paragraph for flip in shown))
    return {
        "a": a.name,
        "b": b.name,
        "a_n": a.n,
        "b_n": b.n,
        "num_questions": len(reader.read(a.entries[0].run).questions),
        "num_found": len(found),
        "kinds": [FLIP_WORDS[kind] for kind in FLIPS],
        "counts": [sum(one.kind == kind for one in found) for kind in FLIPS],
        "contexts": [str(contexts.get(paragraph, "")) for paragraph in paragraphs],
        "rows": [_flip_row(flip, paragraphs.index(flip.paragraph)) for flip in shown],
    }


def _flip_row(flip: Flip, context: int) -> Numbers:
    return {
        "id": flip.id,
        "kind": FLIPS.index(flip.kind),
        "question": flip.question,
        "title": flip.title,
        "context": context,
        "golds": list(flip.golds),
        "a": flip.a,
        "b": flip.b,
        "scores": [round(score, 4) for score in (flip.a_exact, flip.b_exact, flip.a_f1, flip.b_f1)],
        "spans": [[_span(span) for span in spans] for spans in (flip.a_spans, flip.b_spans)],
    }


def _span(span: Mapping[str, Any]) -> list[Any]:
    score = span.get("score")
    return [span["text"], round(score, 2) if is_number(score) else None]
