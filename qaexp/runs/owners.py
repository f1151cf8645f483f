"""Who a process is among all machines, and whether it is still alive, as far as that can be seen from outside.

Under one kernel the lock of its directory shows it, in other containers too; of another machine only a heartbeat does.
"""

from __future__ import annotations

import fcntl
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, StorageError
from qaexp.runs.directory import LOCK

HEARTBEAT_SECONDS = 60.0
# An owner on another machine counts as dead after this long without a heartbeat.
STALE_SECONDS = 300.0

_PID_NAMESPACE = Path("/proc/self/ns/pid")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> dict[str, Any]:
    """Return what names this process among all machines.

    Returns:
        host; pid; boot_id, the same for all processes under one kernel; and pid_namespace, within which a pid means a
        process (a container has its own). The last two are empty where the system has none.
    """
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return {"host": socket.gethostname(), "pid": os.getpid(), "boot_id": boot_id, "pid_namespace": _pid_namespace()}


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def age_seconds(heartbeat: Any, now: datetime) -> float:
    """The distance from a time stamp in either direction, as clocks differ; infinite for anything else."""
    try:
        return abs((now - datetime.fromisoformat(heartbeat)).total_seconds())
    except (TypeError, ValueError):
        return math.inf


def is_here(owner: Mapping[str, Any]) -> bool:
    """Say whether an owner ran under this kernel, or on this machine before it was started anew."""
    here = this_process()
    same_kernel = here["boot_id"] != "" and owner.get("boot_id") == here["boot_id"]
    return same_kernel or bool(owner.get("host") == here["host"])


def is_known(owner: Mapping[str, Any]) -> bool:
    """Whether its pid and ours mean the same processes; records of older versions count as yes."""
    here = _pid_namespace()
    return bool(owner.get("pid_namespace", here) == here)


def is_process(pid: Any) -> bool:
    """Say whether a pid is that of a process here and now; one that has ended and waits to be collected is not."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, TypeError, OverflowError):
        return False
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether a process only waits for its parent to ask how it ended; False where the system does not say."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:1]
    except OSError:
        return False
    return state in ([b"Z"], [b"X"])


def is_alive(directory: Path, record: Mapping[str, Any], now: datetime) -> bool:
    """Say whether the process of a run.json still lives.

    Under this kernel the lock shows it, also for a process in another container. Without the lock a pid counts, of a
    process that has shown a sign of life since it may have been given to another one.

    Args:
        directory: The run directory.
        record: What its run.json holds.
        now: The time now, with its zone.
    """
    is_fresh = age_seconds(record.get("heartbeat"), now) < STALE_SECONDS
    if not is_here(record):
        return is_fresh
    if record.get("boot_id") != this_process()["boot_id"]:
        return False
    return is_locked(directory) or (is_fresh and is_known(record) and is_process(record.get("pid")))


@contextmanager
def heartbeat(beat: Callable[[], None], seconds: float = HEARTBEAT_SECONDS) -> Iterator[None]:
    """Call `beat` every `seconds` while the body runs; a beat that cannot be written is skipped."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(seconds):
            with suppress(StorageError, BusyError):  # the run itself finds it out before its next write
                beat()

    thread = threading.Thread(target=work, name="qaexp-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def is_locked(directory: Path) -> bool:
    """Whether a process under this kernel holds the directory; False where the lock cannot be read."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _pid_namespace() -> str:
    try:
        return str(_PID_NAMESPACE.readlink())
    except OSError:
        return ""
