"""What is found where seeds stand against each other: how far chance goes, and never which seed to take."""

from __future__ import annotations

from qaexp.comparison.shown.found import NUMBERS_AS_WORDS, Study
from qaexp.comparison.verdict import SEEDS_DIFFER
from qaexp.runs.metrics import number_of


def seeds_found(study: Study) -> str:
    """Return the sentence about two or more groups that are seeds of the same settings."""
    count = len(study.able)
    several = f"The {NUMBERS_AS_WORDS.get(count, str(count))} seeds"
    found = [group["metrics"][study.metric]["mean"] for group in study.able]
    number = number_of(study.metric)
    values = f"{number.shown(min(found))} to {number.shown(max(found))}"
    if not study.is_tested:
        return f"{several} have {values} {study.metric}, which is not tested: what differs between seeds is chance."
    pairs = (study.between(a, b) for place, a in enumerate(study.able) for b in study.able[place + 1 :])
    if any(pair is not None and pair["verdict"] == SEEDS_DIFFER for pair in pairs):
        return f"{several} differ, from {values} {study.word}: that is chance, and none is better than another."
    return f"{several} are not shown to differ (from {values} {study.word})."
