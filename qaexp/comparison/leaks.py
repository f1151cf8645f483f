"""Evaluation sets whose questions a run was trained on: their scores show no skill, and count nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.runs.metrics import TEST
from qaexp.runs.number import is_number
from qaexp.storage.evaluation_sets import OVERLAP_SHARE


def leaked_sets(data: Mapping[str, Any]) -> dict[str, str]:
    """Each evaluation set with so many training questions that its score can be lifted by a point, and why it is one.

    Args:
        data: The content of data.json, which may hold anything.

    >>> shared = {"test_bio": {"questions": 12}, "test_news": {"questions": 0}}
    >>> audit = {"shared_with_train": shared, "test_bio": {"num_examples": 50}, "test_news": {"num_examples": 50}}
    >>> leaked_sets({"audit": audit})
    {'bio': '12 of the 50 questions of the set bio were trained on'}
    """
    audit = _tree(data.get("audit"))
    found = {}
    for split, shared in _tree(audit.get("shared_with_train")).items():
        num, total = _tree(shared).get("questions"), _tree(audit.get(split)).get("num_examples")
        if split.startswith(TEST) and is_number(num) and is_number(total) and num >= OVERLAP_SHARE * total > 0:
            name = split.removeprefix(TEST)
            found[name] = f"{num:,} of the {total:,} questions of the set {name} were trained on"
    return found


def _tree(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
