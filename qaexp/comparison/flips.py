"""Questions that two groups answer differently, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.comparison.group_answers import NEEDED, Answer, group_answers, most
from qaexp.comparison.groups import Group
from qaexp.comparison.result import Comparison
from qaexp.comparison.scores import ScoreReader
from qaexp.errors import ConfigError

FLIPS = ("fixed", "broken", "null to span", "span to null", "changed but equal")
# How readers see each.
FLIP_WORDS = {
    "fixed": "fixed",
    "broken": "broken",
    "null to span": "newly answered",
    "span to null": "newly unanswered",
    "changed but equal": "different text, as right or wrong as before",
}

NUM_SPANS = 3


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that two groups answer differently.

    Attributes:
        id: The question's.
        kind: One of `FLIPS`; an answer that becomes right or wrong is `fixed` or `broken`, whatever the texts.
        was_null: Most of a's runs answer nothing; None where as many do as do not.
        is_null: Most of b's do.
        question: Its text.
        title: Its article.
        paragraph: The key of its context.
        golds: Its gold answers, each once.
        a: The most frequent answer of those of a's runs that are right, or wrong, as most of them are.
        b: That of b's.
        a_exact: The share of a's runs that are right, in percent.
        b_exact: That of b's.
        a_f1: The mean f1 of a's runs.
        b_f1: That of b's.
        a_spans: The best spans of the run of a that gives this answer.
        b_spans: Those of the run of b.
    """

    id: str
    kind: str
    was_null: bool | None
    is_null: bool | None
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
    if comparison.main_pair is None:
        raise ConfigError("flips: no two groups were measured alike; give runs of two configs")
    a, b = comparison.main_pair
    return a.name, b.name, flips(a, b, comparison.reader)


def flips(a: Group, b: Group, reader: ScoreReader) -> list[Flip]:
    """The questions that two groups answer differently, the largest gain and loss of f1 first.

    Right or wrong, and answered or not, goes by more than half of a group's runs; where half of them are right a
    question is neither fixed nor broken. The texts are those of runs that agree with it. Threshold 0 throughout.

    Raises:
        IntegrityError: The predictions of a run cannot be read.
    """
    return filled(changes(a, b, reader), a, b)


def changes(a: Group, b: Group, reader: ScoreReader) -> list[Change]:
    """The same as `flips` without what is shown of a question, which takes far more room; raises as it does."""
    one, other = group_answers(a, reader), group_answers(b, reader)
    found = []
    for id in sorted(one.keys() & other.keys()):
        kind = _kind(one[id], other[id])
        if kind is not None:
            found.append(Change(id, kind, one[id], other[id]))
    return sorted(found, key=lambda one: (-abs(one.b.f1 - one.a.f1), FLIPS.index(one.kind), one.id))


def filled(found: Sequence[Change], a: Group, b: Group) -> list[Flip]:
    """The changes from group a to group b, with their questions, contexts, golds and best spans.

    Raises:
        IntegrityError: The predictions of a run cannot be read.
    """
    of_a, of_b = _rows(a, [(one.id, one.a) for one in found]), _rows(b, [(one.id, one.b) for one in found])
    return [_flip(one, of_a[one.id], of_b[one.id]) for one in found]


def flip_kind(a: str, b: str, a_exact: float, b_exact: float) -> str | None:
    """What happened to a question from answer a to answer b, with the share of runs that are right in percent.

    None where the answers are the same and equally right, or where a side has no majority.

    >>> flip_kind("Paris", "", 100, 0), flip_kind("", "Lyon", 0, 0), flip_kind("Paris", "in Paris", 0, 0)
    ('broken', 'null to span', 'changed but equal')
    >>> flip_kind("Paris", "Lyon", 100, 50) is None
    True
    """
    was_right, is_right = most(a_exact), most(b_exact)
    if was_right is None or is_right is None:
        return None
    if was_right != is_right:
        return "fixed" if is_right else "broken"
    if bool(a) != bool(b):
        return "null to span" if b else "span to null"
    return "changed but equal" if a != b else None


@dataclass(frozen=True, slots=True)
class Change:
    """A question that two groups answer differently, of which kind, and their answers."""

    id: str
    kind: str
    a: Answer
    b: Answer


def _kind(a: Answer, b: Answer) -> str | None:
    kind = flip_kind(a.text, b.text, a.exact, b.exact)
    if kind in ("null to span", "span to null") and (a.is_null is None or b.is_null is None):
        return "changed but equal"
    return kind


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


def _rows(group: Group, wanted: Sequence[tuple[str, Answer]]) -> dict[str, dict[str, Any]]:
    """What is shown of some questions, from the run whose answer is shown."""
    found = {}
    for place, entry in enumerate(group.entries):
        own = {id for id, answer in wanted if answer.place == place}
        for row in entry.run.each_prediction() if own else ():
            if str(row["id"]) in own and row.keys() >= NEEDED:
                kept = {name: str(row[name]) for name in ("question", "title", "paragraph")}
                found[str(row["id"])] = {**kept, "golds": _distinct(row["golds"]), "spans": _spans(row)}
    return found


def _distinct(golds: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, golds)))


def _flip(change: Change, of_a: Mapping[str, Any], of_b: Mapping[str, Any]) -> Flip:
    a, b = change.a, change.b
    return Flip(
        id=change.id,
        kind=change.kind,
        was_null=a.is_null,
        is_null=b.is_null,
        question=of_a["question"],
        title=of_a["title"],
        paragraph=of_a["paragraph"],
        golds=of_a["golds"],
        a=a.text,
        b=b.text,
        a_exact=a.exact,
        b_exact=b.exact,
        a_f1=a.f1,
        b_f1=b.f1,
        a_spans=of_a["spans"],
        b_spans=of_b["spans"],
    )


def _spans(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    spans = row.get("n_best")
    spans = [span for span in spans if isinstance(span, Mapping)] if isinstance(spans, list) else []
    return [{"text": str(span.get("text")), "score": span.get("score")} for span in spans[:NUM_SPANS]]
