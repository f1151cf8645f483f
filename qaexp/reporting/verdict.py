"""What a reader of a run should look at first: its flags, and what its numbers give away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

THRESHOLD_GAIN = 1.0
"""From so many points of f1 on, a tuned null threshold is worth a sentence."""

OVERFIT_GAP = 40.0
"""From so many points on, train accuracy above dev exact is worth a sentence."""

Numbers = Mapping[str, Any]


def is_collapsed(summary: Numbers, flags: Sequence[Numbers] = ()) -> bool:
    """Say whether a run answers nothing at all: its f1 is then the share of unanswerable questions.

    >>> is_collapsed({"has_ans_f1": 0.0, "no_ans_f1": 100.0})
    True
    """
    flagged = any(flag.get("name") == "null_collapse" for flag in flags)
    return flagged or (summary.get("has_ans_f1") == 0 and summary.get("no_ans_f1") == 100)


def what_to_look_at(summary: Numbers, flags: Sequence[Numbers] = ()) -> list[str]:
    """Return sentences, the most important first; at least one."""
    found = [*_flagged(summary, flags), *seen(summary, flags)]
    return found or ["crossfit_f1, the fair number to compare runs by, and the worst errors in report.html"]


def drift_sentence(drift: Sequence[Numbers]) -> str | None:
    """Return what keeps a run from having the bytes that the same command gives again; None where nothing does.

    >>> drift_sentence([{"key": "versions.torch", "old": "2.12", "new": "2.13", "step": 40}])
    "versions.torch was '2.12', from step 40 on '2.13'"
    """
    words = [
        f"{entry.get('key')} was {entry.get('old')!r}, from step {entry.get('step')} on {entry.get('new')!r}"
        for entry in drift
    ]
    return "; ".join(words) or None


def seen(summary: Numbers, flags: Sequence[Numbers] = ()) -> list[str]:
    """Return a sentence for each thing that the numbers give away, beside the flags."""
    # Of a collapsed run nothing else is worth a sentence: its other numbers follow from the collapse.
    return [] if is_collapsed(summary, flags) else list(_seen(summary))


def _flagged(summary: Numbers, flags: Sequence[Numbers]) -> Iterator[str]:
    if is_collapsed(summary, flags):
        yield (
            f"every prediction is empty: f1 {number(summary.get('f1'))} is the share of questions without an "
            "answer, no skill"
        )
    for flag in flags:
        yield f"{flag.get('name')}: {flag.get('advice')}"


def _seen(summary: Numbers) -> Iterator[str]:
    if _gap(summary, "crossfit_f1", "f1") >= THRESHOLD_GAIN:
        yield (
            f"the null threshold: cross-fitted it gives f1 {number(summary['crossfit_f1'])} instead of "
            f"{number(summary['f1'])} (plots/threshold.png); qaexp answer uses the tuned one"
        )
    if _gap(summary, "train_accuracy", "exact") >= OVERFIT_GAP:
        yield (
            f"the gap between train accuracy {number(summary['train_accuracy'])} and dev exact "
            f"{number(summary['exact'])}: more examples or fewer epochs (plots/train_accuracy.png)"
        )
    if _gap(summary, "best_epoch_f1", "f1") >= THRESHOLD_GAIN:
        yield (
            f"epoch {summary.get('best_epoch'):g} was better (f1 {number(summary['best_epoch_f1'])}): "
            "trainer.keep=best keeps it"
        )


def number(value: Any, digits: int = 1) -> str:
    """Return a number for people, `-` where there is none.

    >>> number(81.25), number(None)
    ('81.2', '-')
    """
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else "-"


def _gap(summary: Numbers, high: str, low: str) -> float:
    one, other = summary.get(high), summary.get(low)
    return one - other if isinstance(one, int | float) and isinstance(other, int | float) else 0.0
