"""What stands in the results of an annotation of Label Studio: typed texts, marked spans and choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import Exported, Span, as_list, is_question
from qaexp.data.exports.statements import asks_for_an_answer, labels_none, labels_wrong

Results = Sequence[Mapping[str, Any]]
Elsewhere = Callable[[Mapping[str, Any]], bool]
UNREAD = "unread"
"""The type of a result that stands for one that nobody can read."""

# A span that was marked without a label has no more than these.
_BARE = frozenset({"start", "end", "text", "startOffset", "endOffset", "globalOffsets"})
_BARE |= {"labels", "hypertextlabels", "paragraphlabels"}
# What is typed under such a name is about a question, and none.
_ABOUT = re.compile(
    "answer|comment|(?<![a-z])note|remark|reason|feedback|expla|rationale|evidence|justif|hint|title", re.IGNORECASE
)


def typed_questions(results: Results) -> dict[Any, list[str]]:
    """Questions that annotators typed: by the region that they belong to, or (None) to the whole text.

    What stands in a control that is named after questions goes before what stands in another one.
    """
    named: dict[Any, list[str]] = {}
    others: dict[Any, list[str]] = {}
    for result in results:
        value = result.get("value")
        if result.get("type") != "textarea" or not isinstance(value, Mapping):
            continue
        name = str(result.get("from_name", ""))
        is_named = "question" in name.lower()
        if not is_named and _ABOUT.search(name) is not None:
            continue
        text = value.get("text")
        texts = [one.strip() for one in (text if isinstance(text, list) else [text]) if isinstance(one, str)]
        where = _region(result) if "start" in value else None
        known = (named if is_named else others).setdefault(where, [])
        known += [one for one in dict.fromkeys(texts) if one and one not in known]
    return {where: texts for where, texts in {**others, **named}.items() if texts}


def spans_by_question(
    results: Results, typed: Mapping[Any, str], whole: str | None, found: Exported, elsewhere: Elsewhere
) -> dict[str, list[Span]]:
    """The marked spans of each question: that of their region, of the whole text, or their label.

    Args:
        results: The results of an annotation.
        typed: The question of each region.
        whole: The question of the whole text, if it has one.
        found: Counts the spans without a question.
        elsewhere: Whether a result is about another text of the task.
    """
    labels = _labels_by_region(results)
    spans: dict[str, list[Span]] = {}
    for result in results:
        region = _region(result)
        span = _span(result, labels.get(region, []) if region is not None else [], elsewhere)
        if span is None:
            continue
        question = None if region is None else typed.get(region)
        question = question or whole or (span.label if is_question(span.label) else None)
        if question is None:
            found.left_out["marked span without a question"] += 1
            continue
        spans.setdefault(question, []).append(span)
    return spans


def _span(result: Mapping[str, Any], labels: list[str], elsewhere: Elsewhere) -> Span | None:
    """The marked span that a result is; None where it is a word about one, or about the whole text."""
    value, type = result.get("value"), str(result.get("type", ""))
    if type == UNREAD or (type.endswith("labels") and not (isinstance(value, Mapping) and "start" in value)):
        return Span(None, None, "", unread="annotation that cannot be read")
    if not isinstance(value, Mapping) or "start" not in value or type == "textarea":
        return None
    own = _labels(value)
    if not own and labels:
        return None
    label = _told([*own, *labels])
    if not own and not _BARE.issuperset(value):
        return Span(None, None, label, unread="value of a marked span that has no label")
    if elsewhere(result):
        return Span(None, None, label, unread="marked span of another text than the context, such as the question")
    text = value.get("text")
    start = str(value["start"]) if "startOffset" in value else value["start"]
    return Span(start, value.get("end"), label, text if isinstance(text, str) else None)


def _labels_by_region(results: Results) -> dict[str | int, list[str]]:
    found: dict[str | int, list[str]] = {}
    for result in results:
        value, region = result.get("value"), _region(result)
        if isinstance(value, Mapping) and "start" in value and region is not None:
            found.setdefault(region, []).extend(_labels(value))
    return found


def _region(result: Mapping[str, Any]) -> str | int | None:
    """The id of the region that a result belongs to."""
    id = result.get("id")
    return id if isinstance(id, str | int) else None


def _labels(value: Mapping[str, Any]) -> list[str]:
    found = [as_list(value.get(key)) for key in ("labels", "hypertextlabels", "paragraphlabels")]
    return [str(label) for labels in found for label in labels]


def _told(labels: list[str]) -> str:
    """The label that decides what a span is: one that says that it is no answer goes before the others."""
    against = [label for label in labels if labels_none(label) or labels_wrong(label)]
    return next(iter([*against, *labels]), "")


def chooses(result: Mapping[str, Any], says: Callable[[str, str], bool]) -> bool:
    """Whether a result is a choice that says something, given its control and its word."""
    value = result.get("value")
    choices = value.get("choices") if isinstance(value, Mapping) else None
    return any(says(str(result.get("from_name", "")), str(choice)) for choice in as_list(choices))


def is_given_answer(result: Mapping[str, Any]) -> bool:
    """Whether a result is an answer that somebody typed or chose: it has no place in the text."""
    value, name = result.get("value"), str(result.get("from_name", ""))
    text = value.get("text") if isinstance(value, Mapping) else None
    texts = text if isinstance(text, list) else [text]
    is_typed = result.get("type") == "textarea" and "answer" in name.lower()
    is_typed = is_typed and any(isinstance(one, str) and one.strip() for one in texts)
    return is_typed or chooses(result, lambda control, _: asks_for_an_answer(control))
