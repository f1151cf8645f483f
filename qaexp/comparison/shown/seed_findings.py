"""The finding of a comparison between seeds: how far chance goes, never which seed to use."""

from __future__ import annotations

from qaexp.comparison.shown.first_table import NUMBERS_AS_WORDS, FirstTable
from qaexp.comparison.verdict import SEEDS_DIFFER
from qaexp.runs.metrics import number_of


def seeds_found(table: FirstTable) -> str:
    """Return the sentence about two or more groups that are seeds of the same settings."""
    count = len(table.able)
    several = f"The {NUMBERS_AS_WORDS.get(count, str(count))} seeds"
    found = [group["metrics"][table.metric]["mean"] for group in table.able]
    number = number_of(table.metric)
    values = f"{number.shown(min(found))} to {number.shown(max(found))}"
    if not table.is_tested:
        return f"{several} have {values} {table.metric}, which is not tested: what differs between seeds is chance."
    pairs = (table.between(a, b) for place, a in enumerate(table.able) for b in table.able[place + 1 :])
    if any(pair is not None and pair["verdict"] == SEEDS_DIFFER for pair in pairs):
        more = "by more than the questions explain"
        return f"{several} differ, from {values} {table.word}, {more}: none is better than another."
    return f"{several} are not shown to differ (from {values} {table.word})."
