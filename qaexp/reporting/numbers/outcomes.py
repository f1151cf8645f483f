"""What can happen to a question: answered or not, answerable or not, right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.reporting.numbers.intervals import Group, dependence, group

Row = Mapping[str, Any]

RIGHT_SPAN = "right span"
WRONG_SPAN = "wrong span"
MISSED = "missed answer"
FALSE_ANSWER = "answered though unanswerable"
RIGHT_NOTHING = 'correct "no answer"'

HAS_ANS_OUTCOMES = (RIGHT_SPAN, WRONG_SPAN, MISSED)
NO_ANS_OUTCOMES = (RIGHT_NOTHING, FALSE_ANSWER)
OUTCOMES = (*HAS_ANS_OUTCOMES, *NO_ANS_OUTCOMES)


def outcome(prediction: Row) -> str:
    """Return which of the `OUTCOMES` a prediction is; a span is right where it is exactly right.

    >>> outcome({"golds": [], "prediction_text": "Paris", "exact": 0.0})
    'answered though unanswerable'
    """
    if not prediction["golds"]:
        return FALSE_ANSWER if prediction["prediction_text"] else RIGHT_NOTHING
    if not prediction["prediction_text"]:
        return MISSED
    return RIGHT_SPAN if prediction["exact"] == 100 else WRONG_SPAN


def outcome_shares(predictions: Sequence[Row]) -> dict[str, list[Group]]:
    """Return the share of each outcome in percent, among the examples with and among those without an answer.

    Returns:
        `has_ans` and `no_ans`, each only where there are such examples. `num` of a group counts its outcome; mean and
        interval are over all examples of its kind.
    """
    found, labels = {}, dependence(predictions).labels
    pairs = [*zip(map(outcome, predictions), labels, strict=True)]
    for name, outcomes in (("has_ans", HAS_ANS_OUTCOMES), ("no_ans", NO_ANS_OUTCOMES)):
        own = [pair for pair in pairs if pair[0] in outcomes]
        if own:
            found[name] = [_share(own, kind) for kind in outcomes]
    return found


def _share(pairs: Sequence[tuple[str, str]], kind: str) -> Group:
    share = group(kind, [100.0 * (found == kind) for found, _ in pairs], [label for _, label in pairs])
    return Group(kind, sum(found == kind for found, _ in pairs), share.mean, share.low, share.high)
