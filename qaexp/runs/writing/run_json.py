"""run.json: the state of an open run, kept true while two threads (the run and its heartbeat) write it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError, Stopped, of_the_system
from qaexp.runs.directory import RUN, SCHEMA_VERSION
from qaexp.runs.identity import code_hash
from qaexp.runs.owners import this_process, utc_now
from qaexp.runs.writing.drift import entries
from qaexp.runs.writing.resumption import Resumption
from qaexp.runs.writing.run_start import RunStart
from qaexp.storage.files import write_json

_CTRL_C_EXIT_CODE = 130


class RunRecord:
    """The content of run.json; each change is committed at once."""

    def __init__(self, directory: Path, start: RunStart, *, previous: Mapping[str, Any], resumed: Resumption) -> None:
        """Commit the record of an attempt that begins now.

        Args:
            directory: The run directory.
            start: What the run is started with.
            previous: The run.json of the attempt before it; empty for the first.
            resumed: What the attempt resumes from.
        """
        identity, step = start.identity, resumed.step
        now = timestamp()
        self._path = directory / RUN
        self._mutex = threading.Lock()
        self._content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "run_id": identity.run_id,
            "state": "running",
            "stage": None,
            "attempt": int(previous.get("attempt", 0)) + 1,
            "started": now,
            "updated": now,
            "ended": None,
            **this_process(),
            "heartbeat": now,
            "error": None,
            "identity": identity.sha256,
            "inputs": identity.shown_inputs,
            "code_hash": code_hash(),
            "threads": start.threads,
            "resumed_step": step,
            "checkpoint_step": step,
            "total_steps": previous.get("total_steps"),
            "micro_batch_parts": 1,
            "summary_sha256": None,
            "drift": [] if step is None else [*previous.get("drift", []), *entries(resumed.changes, step)],
            "flags": [],
        }
        self.update()

    def update(self, **changes: Any) -> None:
        """Change some keys; `updated` and `heartbeat` follow."""
        with self._mutex:
            now = timestamp()
            self._content.update(changes, updated=now, heartbeat=now)
            write_json(self._path, self._content)

    def add_drift(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Note further changes that `trainer.allow_drift` let pass."""
        self.update(drift=[*self._content["drift"], *changes])

    def beat(self) -> None:
        """Say that the process lives."""
        with self._mutex:
            self._content["heartbeat"] = timestamp()
            write_json(self._path, self._content)

    def add_flag(self, name: str, step: int | None, advice: str) -> None:
        """Raise a health flag; one that is already raised is left as it is."""
        flags = self._content["flags"]
        if name not in (flag["name"] for flag in flags):
            self.update(flags=[*flags, {"name": name, "step": step, "advice": advice}])

    def end(self, state: str, error: dict[str, str] | None = None, summary_sha256: str | None = None) -> None:
        """Write the last state of this attempt, and the sha256 of the summary.json that follows."""
        self.update(state=state, ended=timestamp(), error=error, summary_sha256=summary_sha256)


def timestamp() -> str:
    """Return the time now in UTC as ISO 8601, to the second."""
    return utc_now().isoformat(timespec="seconds")


def describe_error(error: BaseException) -> tuple[str, dict[str, str]]:
    """Return the state that an exception leaves a run in, and what run.json says about it.

    >>> describe_error(KeyboardInterrupt())
    ('preempted', {'kind': 'interrupted', 'message': 'stopped by Ctrl-C'})
    """
    if isinstance(error, Stopped):
        kind = "interrupted" if error.exit_code == _CTRL_C_EXIT_CODE else "preempted"
        return "preempted", {"kind": kind, "message": str(error)}
    if isinstance(error, KeyboardInterrupt):
        return "preempted", {"kind": "interrupted", "message": "stopped by Ctrl-C"}
    fault = error if isinstance(error, QaexpError) else of_the_system(error)
    if fault is not None:
        return "failed", {"kind": fault.kind, "message": str(fault)}
    return "failed", {"kind": "bug", "message": f"{type(error).__name__}: {error}"}
