"""How far a whole sweep is: jobs that are done, the time it has taken, and the time that it will take."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from qaexp.reporting.numbers.spans import duration
from qaexp.runs.readers.progress import Progress
from qaexp.sweeps.outcome import COMPLETED

REUSED, RUNNING = "reused", "running"


def overall(states: Mapping[str, str], seen: Mapping[str, Progress], seconds: float) -> str:
    """Return a line such as `4 of 12 completed, 1 failed, 2 running; 5 min 10 s so far, about 9 min 0 s left`.

    Args:
        states: The state of each job; empty for one that waits.
        seen: What is known of those that run or ran.
        seconds: Since the first job was started.
    """
    done = [state for state in states.values() if state in (COMPLETED, REUSED)]
    others = [state for state in states.values() if state and state not in (COMPLETED, REUSED)]
    parts = [f"{len(done)} of {len(states)} completed"]
    parts += [f"{others.count(state)} {state}" for state in dict.fromkeys(others)]
    left = seconds_left(states, seen, seconds)
    times = f"{duration(round(seconds))} so far" + ("" if left is None else f", about {duration(round(left))} left")
    return f"{', '.join(parts)}; {times}"


def seconds_left(states: Mapping[str, str], seen: Mapping[str, Progress], seconds: float) -> float | None:
    """Return how long the rest will take if it goes on as so far; None before anything is known, or if nothing runs.

    Args:
        states: As for `overall`.
        seen: As for `overall`.
        seconds: As for `overall`.
    """
    if RUNNING not in states.values():
        return None
    own = {job: state for job, state in states.items() if state != REUSED}
    ended = [job for job, state in own.items() if state not in ("", RUNNING)]
    done = len(ended) + sum(_share(seen.get(job)) for job, state in own.items() if state == RUNNING)
    return seconds / done * (len(own) - done) if done > 0 and len(ended) < len(own) else None


def _share(seen: Progress | None) -> float:
    """How much of a job that runs is done."""
    if seen is None or not seen.step or not seen.total_steps:
        return 0.0
    return min(1.0, seen.step / seen.total_steps)


def count_words(states: Mapping[str, str]) -> str:
    """Return how many jobs have ended, for the line of one that does.

    >>> count_words({"a": "completed", "b": "failed", "c": ""})
    '2 of 3 jobs ended'
    """
    ended: Collection[str] = [state for state in states.values() if state not in ("", RUNNING)]
    return f"{len(ended)} of {len(states)} jobs ended"
