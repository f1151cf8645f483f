"""What stands in the results of an annotation of Label Studio: typed texts, marked spans and choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import Exported, Span, as_list, is_question
from qaexp.data.exports.statements import asks_for_an_answer

Results = Sequence[Mapping[str, Any]]
# What is typed under such a name is about a question, and none.
_ABOUT = re.compile(
    "answer|comment|(?<![a-z])note|remark|reason|feedback|expla|rationale|evidence|justif|hint|title", re.IGNORECASE
)


def typed_questions(results: Results) -> dict[Any, str]:
    """Questions that annotators typed: by the region that they belong to, or (None) to the whole text."""
    found: dict[Any, str] = {}
    for result in results:
        value = result.get("value")
        if result.get("type") != "textarea" or not isinstance(value, Mapping):
            continue
        text = value.get("text")
        text = text[0] if isinstance(text, list) and text else text
        name = str(result.get("from_name", ""))
        is_about = "question" not in name.lower() and _ABOUT.search(name) is not None
        if isinstance(text, str) and text.strip() and not is_about:
            found[_region(result) if "start" in value else None] = text.strip()
    return found


def spans_by_question(
    results: Results, typed: Mapping[Any, str], whole: str | None, found: Exported
) -> dict[str, list[Span]]:
    """The marked spans of each question: that of their region, of the whole text, or their label.

    Args:
        results: The results of an annotation.
        typed: What `typed_questions` returns.
        whole: The question of the whole text, if it has one.
        found: Counts the spans without a question.
    """
    spans: dict[str, list[Span]] = {}
    for result in results:
        value = result.get("value")
        if not isinstance(value, Mapping) or "start" not in value or result.get("type") == "textarea":
            continue
        label = _label(value)
        region = _region(result)
        question = None if region is None else typed.get(region)
        question = question or whole or (label if is_question(label) else None)
        if question is None:
            found.left_out["marked span without a question"] += 1
            continue
        text = value.get("text")
        spans.setdefault(question, []).append(
            Span(
                str(value["start"]) if "startOffset" in value else value["start"],
                value.get("end"),
                label,
                text if isinstance(text, str) else None,
            )
        )
    return spans


def _region(result: Mapping[str, Any]) -> str | int | None:
    """The id of the region that a result belongs to."""
    id = result.get("id")
    return id if isinstance(id, str | int) else None


def _label(value: Mapping[str, Any]) -> str:
    labels: Any = next((value[key] for key in ("labels", "hypertextlabels", "paragraphlabels") if value.get(key)), [])
    return str(labels[0]) if isinstance(labels, list) and labels else ""


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
