"""The records of a run's files, sent as if it trained now: what a tracker has already it leaves out itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from qaexp.runs.readers.collect import RunFiles


class Listener(Protocol):
    """What records are sent to: a tracker that has started."""

    def step(self, record: Mapping[str, Any]) -> None:
        """Take a line of metrics.jsonl together with its line of timings.jsonl."""

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Take a row of history.csv."""


def replay_records(run: RunFiles, listener: Listener, up_to: float = math.inf) -> None:
    """Send the steps and the evaluations of a run in the order in which they were made.

    Args:
        run: A run directory, completed or not.
        listener: Takes them.
        up_to: The last step that is sent.
    """
    # Of a step with an evaluation the first line: the second one was measured after it.
    timings = {row.get("step"): row for row in reversed(run.timings().rows)}
    steps = [(row["step"], 0, {**timings.get(row["step"], {}), **row}) for row in run.steps().rows]
    rows = [(row["step"], 1, row) for row in run.history()]
    for step, kind, record in sorted([*steps, *rows], key=lambda found: found[:2]):
        if step <= up_to:
            (listener.evaluation if kind else listener.step)(record)
