"""How a job ended, as its process told it, or as its death shows."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qaexp.errors import BusyError, QaexpError, Stopped, of_the_system
from qaexp.storage.formats import beginning

COMPLETED, FAILED, PREEMPTED, TIMEOUT, PRUNED = "completed", "failed", "preempted", "timeout", "pruned"
FAILURES = (FAILED, TIMEOUT)
"""The states that count against `sweep.on_failure`."""

WITH_THE_SWEEP = "stopped with the sweep"
TAKEN_OVER = (
    "its claim is gone: another worker took it over, as this one seemed dead, or the folder was moved or deleted"
)
"""Why a job was stopped."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: `completed`, `failed`, `preempted` (a signal stopped it, or another process trains it; it can go on),
            `timeout` or `pruned`.
        kind: The kind of error, as in run.json; empty when there was none.
        message: What went wrong, in one line.
        value: What the job's body returned.
    """

    state: str
    kind: str = ""
    message: str = ""
    value: Any = None


def told(error: BaseException) -> dict[str, Any]:
    """Describe what a body raised, as plain types that every process can read."""
    if isinstance(error, Stopped):
        return {"state": PREEMPTED, "kind": "preempted", "message": str(error), "signal": int(error.signal)}
    fault = error if isinstance(error, QaexpError) else of_the_system(error)
    if fault is not None:
        return {
            "state": FAILED,
            "kind": fault.kind,
            "message": "; ".join(fault.problems),
            "problems": list(fault.problems),
            "exit_code": fault.exit_code,
        }
    if isinstance(error, SystemExit):
        return {"state": FAILED, "kind": "exit", "message": f"called sys.exit({error.code!r})"}
    text = beginning(str(error))
    return {"state": FAILED, "kind": "bug", "message": ": ".join([type(error).__name__, *([text] if text else [])])}


def outcome_of(message: Mapping[str, Any] | None, exit_code: int | None, *, is_done: bool) -> Outcome:
    """Judge how a process ended: done is only what is done, whatever it says.

    Args:
        message: What it told before it ended; None when it could not.
        exit_code: Its exit code; negative for the signal that killed it.
        is_done: What it was to make is there.
    """
    if is_done:
        return Outcome(COMPLETED, value=message.get("value") if message else None)
    if message is not None and message.get("kind") == BusyError.kind:
        return Outcome(PREEMPTED, BusyError.kind, f"another process trains it: {message['message']}")
    if message is not None and "state" in message:
        return Outcome(message["state"], message["kind"], message["message"])
    if message is not None:
        return Outcome(FAILED, "bug", "ended without a result")
    return Outcome(FAILED, "killed", how_it_died(exit_code))


def how_it_died(exit_code: int | None) -> str:
    """Say how a process ended that told nothing.

    >>> how_it_died(-9), how_it_died(0)
    ('killed by SIGKILL (out of memory, or somebody did it)', 'ended in the middle of its work with exit code 0')
    """
    if exit_code is None or exit_code >= 0:
        return f"ended in the middle of its work with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"killed by {name}{' (out of memory, or somebody did it)' if name == 'SIGKILL' else ''}"
