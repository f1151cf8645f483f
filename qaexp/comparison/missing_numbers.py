"""Leaves out runs that lack the number compared, so that means, tests and tables are over the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.comparison.entries import Entry, measured_of
from qaexp.comparison.group_forming import gathered
from qaexp.comparison.guard import blocks
from qaexp.comparison.options import Options
from qaexp.comparison.scores import ScoreReader
from qaexp.storage.formats import counted

_MAX_NAMED = 3
Skipped = tuple[Path, str]


def leave_out_lacking(
    entries: Sequence[Entry], options: Options, reader: ScoreReader
) -> tuple[list[Entry], list[Skipped]]:
    """The runs that have the number compared, and the others with the reason.

    If only some runs of a group have it, the others are left out. A group in which no run has it stays, and is shown
    without the number.

    Args:
        entries: Whole, completed runs.
        options: What they are to be compared by, and how groups form.
        reader: Reads their scores.
    """
    lacking: dict[int, str] = {}
    of_run = {id(entry.run): entry for entry in entries}
    for block in blocks(entries):
        names = _compared(block.entries, options.metric, reader)
        for runs in gathered([entry.run for entry in block.entries], options.neutral, options.by):
            group = [of_run[id(run)] for run in runs]
            for name in names:
                without = [entry for entry in group if name not in entry.metrics]
                if len(without) < len(group):
                    lacking |= {id(entry.run): entry.lack(name) for entry in without if id(entry.run) not in lacking}
    kept = [entry for entry in entries if id(entry.run) not in lacking]
    return kept, [(entry.run.path, lacking[id(entry.run)]) for entry in entries if id(entry.run) in lacking]


def lacking_notes(rows: Sequence[Skipped]) -> list[str]:
    """Notes on runs that are left out because they lack a number; empty if there are none."""
    if not rows:
        return []
    shown = "; ".join(f"{path.name} {reason}" for path, reason in rows[:_MAX_NAMED])
    more = f"; and {counted(len(rows) - _MAX_NAMED, 'more run')}" if len(rows) > _MAX_NAMED else ""
    return [
        f"{counted(len(rows), 'run')} {'is' if len(rows) == 1 else 'are'} left out of everything below: {shown}{more}"
    ]


def _compared(entries: Sequence[Entry], metric: str, reader: ScoreReader) -> list[str]:
    """The metric, and f1 where verdicts are about that, as not all runs have the metric for the same questions."""
    having_it = [entry for entry in entries if metric in entry.metrics]
    found = [measured_of(entry, metric, reader) for entry in having_it]
    digests = {None if one is None else one.digest for one in found}
    return [metric] if None not in digests and len(digests) == 1 else list(dict.fromkeys((metric, "f1")))
