"""What can happen to a question: answered or not, answerable or not, right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.reporting.quantities import Group, group

Row = Mapping[str, Any]

RIGHT_SPAN = "right span"
WRONG_SPAN = "wrong span"
MISSED = "answered nothing though answerable"
FALSE_ANSWER = "answered though unanswerable"
RIGHT_NOTHING = "rightly nothing"

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
    found = {}
    for name, outcomes in (("has_ans", HAS_ANS_OUTCOMES), ("no_ans", NO_ANS_OUTCOMES)):
        kinds = [kind for kind in map(outcome, predictions) if kind in outcomes]
        if kinds:
            found[name] = [_share(kinds, kind) for kind in outcomes]
    return found


def _share(kinds: Sequence[str], kind: str) -> Group:
    share = group(kind, [100.0 * (found == kind) for found in kinds])
    return Group(kind, kinds.count(kind), share.mean, share.low, share.high)
