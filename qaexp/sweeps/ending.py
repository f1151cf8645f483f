"""After the process of a job is gone: the truth about its end, and no secret in what it printed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, IntegrityError, StorageError
from qaexp.runs.directory import OUTPUT_LOG, RUN, SUMMARY
from qaexp.runs.lock import hold
from qaexp.runs.owners import utc_now
from qaexp.storage.files import write_json, write_text
from qaexp.storage.folders import remove
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes, read_json
from qaexp.storage.redact import Redactor


def end_job(directory: Path, pid: int | None, kind: str, message: str, *, state: str, redactor: Redactor) -> None:
    """Write how a job ended where it could not do so itself; what cannot be written is left as it is.

    Args:
        directory: Its run directory.
        pid: The process that ran it.
        kind: The kind of error.
        message: What went wrong.
        state: How it ended; `timeout` is `failed` in run.json.
        redactor: Knows the secrets of the job.
    """
    with suppress(StorageError, IntegrityError, OSError):
        _tidy_output(directory / OUTPUT_LOG, redactor)
    write_end(directory, pid, kind, message, state=state)


def write_end(
    directory: Path, pid: int | None, kind: str, message: str, *, state: str, is_overruling: bool = False
) -> None:
    """Write into run.json how a run ended; what cannot be written, or is another process's, is left as it is.

    Args:
        directory: The run directory.
        pid: The process that wrote it.
        kind: The kind of error.
        message: What went wrong, without secrets.
        state: How it ended; `completed` is never written here.
        is_overruling: Also where the process itself has written another reason.
    """
    if state == "completed" or (directory / SUMMARY).exists() or not (directory / RUN).exists():
        return
    with suppress(StorageError, BusyError, IntegrityError, FileNotFoundError), hold(directory):
        record = read_json(directory / RUN)
        true_state = "preempted" if state == "preempted" else "failed"
        if record.get("pid") != pid:
            return
        if record.get("state") == true_state and state != "timeout" and not is_overruling:
            if state == "preempted":
                _say_why(directory, record, message)
            return
        now = utc_now().isoformat(timespec="seconds")
        end = {"state": true_state, "updated": now, "ended": now, "error": {"kind": kind, "message": message}}
        write_json(directory / RUN, {**record, **end})


def _say_why(directory: Path, record: Mapping[str, Any], message: str) -> None:
    """Write why a job stopped, which knows only the signal that the sweep gave it."""
    error = record.get("error")
    if isinstance(error, dict) and error.get("message") != message:
        write_json(directory / RUN, {**record, "error": {**error, "message": message}})


def _tidy_output(path: Path, redactor: Redactor) -> None:
    """Take the secrets out of what a job printed; delete it when it printed nothing."""
    try:
        text = read_bytes(path, MAX_TABLE_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    redacted = redactor.text(text)
    if not text:
        remove(path)
    elif redacted != text:
        write_text(path, redacted)
