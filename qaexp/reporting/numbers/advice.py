"""What a reader of a run should look at first: its flags, and what its numbers reveal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qaexp.runs.directory import COLLAPSE
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_beyond_floats

if TYPE_CHECKING:
    from qaexp.reporting.numbers.answering import Answered  # loads scipy, and every start would wait for it

# Minimum f1 gain, in points, for mentioning a tuned null threshold.
THRESHOLD_GAIN = 1.0

# Minimum gap, in points, between train accuracy and dev exact for mentioning it.
OVERFIT_GAP = 40.0

_ROUNDING = 1e-6

Numbers = Mapping[str, Any]


def is_collapsed(summary: Numbers, flags: Sequence[Numbers] = ()) -> bool:
    """Say whether a run answers nothing, at threshold 0 or at its tuned one: it has counted, and raised the flag.

    The summary alone cannot show this: a run may answer every answerable question wrongly, and no other.

    >>> is_collapsed({"has_ans_f1": 0.0, "no_ans_f1": 100.0}), is_collapsed({}, [{"name": "null_collapse"}])
    (False, True)
    """
    return any(flag.get("name") == COLLAPSE for flag in flags)


def where_silent(summary: Numbers, answered: Answered | None) -> str:
    """Return the end of the sentence that a collapsed run answers nothing: where, unless it does so at both thresholds.

    >>> from qaexp.reporting.numbers.answering import Answered
    >>> where_silent({"null_threshold": -1.172}, Answered(40, 25, at_default=9, at_tuned=0))
    ' at its tuned threshold -1.17'
    >>> where_silent({"null_threshold": 0.512}, Answered(40, 25, at_default=0, at_tuned=3))
    ' at threshold 0, but 3 of 40 at its tuned 0.51'
    """
    if answered is None or bool(answered.at_default) == bool(answered.at_tuned):
        return ""
    tuned = shown(summary, "null_threshold")
    if answered.at_default:
        return f" at its tuned threshold {tuned}"
    return f" at threshold 0, but {answered.at_tuned} of {answered.num_examples} at its tuned {tuned}"


def what_to_look_at(summary: Numbers, flags: Sequence[Numbers] = (), answered: Answered | None = None) -> list[str]:
    """Return sentences, the most important first; at least one."""
    found = [*_flagged(summary, flags, answered), *seen(summary, flags, answered)]
    fair = "f1" if summary.get("crossfit_f1") is None else "crossfit_f1, the fair number to compare runs by,"
    return found or [f"look at {fair} and the worst errors in report.html"]


def drift_sentence(drift: Sequence[Numbers]) -> str | None:
    """Return why a run is not reproducible bit for bit by the same command; None if it is.

    >>> drift_sentence([{"key": "versions.torch", "old": "2.12", "new": "2.13", "step": 40}])
    "versions.torch was '2.12', from step 40 on '2.13'"
    """
    words = [
        f"{entry.get('key')} was {entry.get('old')!r}, from step {entry.get('step')} on {entry.get('new')!r}"
        for entry in drift
    ]
    return "; ".join(words) or None


def seen(summary: Numbers, flags: Sequence[Numbers] = (), answered: Answered | None = None) -> list[str]:
    """Return a sentence for each thing that the numbers reveal, besides the flags."""
    # The other numbers of a collapsed run follow from the collapse and need no sentence.
    return [] if is_collapsed(summary, flags) else list(_seen(summary, answered))


def _flagged(summary: Numbers, flags: Sequence[Numbers], answered: Answered | None) -> Iterator[str]:
    if is_collapsed(summary, flags):
        yield _no_skill(summary, answered)
    for flag in flags:
        yield f"{flag.get('name')}: {flag.get('advice')}"


def _no_skill(summary: Numbers, answered: Answered | None) -> str:
    """What the scores of a collapsed run mean."""
    if answered is None:
        return "the scores of answering nothing are the share of questions without an answer, no skill"
    if not answered.at_default:
        at = " at threshold 0" if answered.at_tuned else ""
        return (
            f"every prediction is empty{at}: f1 {shown(summary, 'f1')}{at and ' there'} is the share of questions "
            f"without an answer, no skill{_said_at_tuned(summary, answered)}"
        )
    return (
        f"qaexp answer has nothing to say to all {answered.num_examples} questions: at its threshold f1 is the share "
        f"of those without an answer, {answered.share_no_ans:.1f}, no skill"
    )


def _said_at_tuned(summary: Numbers, answered: Answered) -> str:
    if not answered.at_tuned:
        return ""
    return (
        f"; qaexp answer uses the tuned {shown(summary, 'null_threshold')}, where {answered.at_tuned} of "
        f"{answered.num_examples} questions are answered (crossfit_f1 {shown(summary, 'crossfit_f1')})"
    )


def _seen(summary: Numbers, answered: Answered | None) -> Iterator[str]:
    if answered is not None and answered.num_has_ans and summary.get("has_ans_f1") == 0:
        yield (
            f"no answerable question is answered rightly (0 of {answered.num_has_ans}), though "
            f"{answered.at_default} of {answered.num_examples} questions are answered"
        )
    yield from _threshold_gain(summary, answered)
    if _gap(summary, "train_accuracy", "exact") >= OVERFIT_GAP:
        yield (
            f"train accuracy {shown(summary, 'train_accuracy')} is far above dev exact {shown(summary, 'exact')}: take "
            "more examples or fewer epochs (plots/train_accuracy.png)"
        )
    if _gap(summary, "best_epoch_f1", "f1") >= THRESHOLD_GAIN and not _was_silent(summary, answered):
        yield (
            f"epoch {shown(summary, 'best_epoch')} was better (f1 {shown(summary, 'best_epoch_f1')}): "
            "trainer.keep=best keeps it"
        )


def _was_silent(summary: Numbers, answered: Answered | None) -> bool:
    """Whether the best epoch only scored what answering nothing gives: then there is nothing to keep."""
    best = summary.get("best_epoch_f1")
    return answered is not None and best is not None and abs(best - answered.share_no_ans) <= _ROUNDING


def _threshold_gain(summary: Numbers, answered: Answered | None) -> Iterator[str]:
    """What another threshold gains, unless it gains by answering nothing."""
    fitted = summary.get("crossfit_f1")
    if answered is not None and answered.at_tuned is not None and isinstance(fitted, int | float):
        nothing = answered.share_no_ans
        if 0 < nothing < 100 and fitted <= nothing + _ROUNDING:
            yield (
                f"f1 {shown(summary, 'crossfit_f1')} with the threshold from other folds: no better than answering "
                f"nothing at all, which gives {nothing:.1f}"
            )
            return
    if _gap(summary, "crossfit_f1", "f1") >= THRESHOLD_GAIN and (answered is None or answered.at_tuned != 0):
        count = "" if answered is None else f" and answers {answered.at_tuned} of {answered.num_examples} questions"
        yield (
            f"a tuned null threshold gives f1 {shown(summary, 'crossfit_f1')} instead of {shown(summary, 'f1')}, "
            f"judged on other folds than it is tuned on (plots/threshold.png); qaexp answer uses it{count}"
        )


def number(value: Any, digits: int = 1) -> str:
    """Return a number for people, `-` where there is none.

    >>> number(81.25), number(None)
    ('81.2', '-')
    """
    return f"{value:,.{digits}f}" if isinstance(value, int | float) and not is_beyond_floats(value) else "-"


def shown(row: Numbers, name: str) -> str:
    """Return a number of a summary, or of a row of history.csv, as people read it everywhere; `-` where there is none.

    >>> shown({"epoch": 0.3529}, "epoch"), shown({"train_loss": "x"}, "train_loss")
    ('0.35', '-')
    """
    value = row.get(name)
    is_value = isinstance(value, int | float) and not isinstance(value, bool)
    return number_of(name).shown(value if is_value else None)


def _gap(summary: Numbers, high: str, low: str) -> float:
    one, other = summary.get(high), summary.get(low)
    return one - other if isinstance(one, int | float) and isinstance(other, int | float) else 0.0
