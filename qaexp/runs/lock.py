"""One process per directory: a kernel lock, and a token for owners that wake up after they have lost it.

The kernel lock dies with its owner, but may not reach another machine; there a heartbeat shows who is alive. An owner
that was stopped and wakes up after another one took over finds another token than its own in the lock's file before its
next write, and ends. Between that look and the write itself it may be stopped too: so whoever takes over says so first,
then deletes the temporary names that wait to be renamed, then gives every file that grows a new place (`shut_out`).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, IntegrityError, StorageError
from qaexp.runs.directory import CHECKPOINTS, GROWING, LOCK
from qaexp.runs.owners import STALE_SECONDS, age_seconds, is_here, is_known, is_process, this_process
from qaexp.storage.files import storage_errors, write_bytes
from qaexp.storage.folders import remove_temps
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes
from qaexp.storage.roots import opened, rooted

_OWNER_WAIT_SECONDS = 2.0
_TRIES = 5
_OWNER_BYTES = 512
_TOKEN_BYTES = 8


@contextmanager
def hold(directory: Path, *, steal: bool = False, may_take: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep the directory's lock for the body, and make the directory a root: what is written there is ours to write.

    Args:
        directory: An existing folder.
        steal: Take it from an owner on another machine, whose kernel lock may outlive it.
        may_take: Called before the directory is taken; raises when it must not be.

    Raises:
        BusyError: When another process has it, naming that process.
        StorageError: When the lock file cannot be opened.
    """
    path = directory / LOCK
    token = secrets.token_hex(_TOKEN_BYTES)
    with ExitStack() as stack:
        with storage_errors(path):
            handle = stack.enter_context(opened(directory))
            descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=handle)
        stack.callback(os.close, descriptor)
        _lock(descriptor, directory, steal=steal)
        may_take()
        before, here = _owner(descriptor), this_process()
        _check_own(path, descriptor, before)
        with storage_errors(path):
            # Written through the descriptor that holds the lock: a renamed file would be another file, unlocked.
            os.pwrite(descriptor, json.dumps({**here, "token": token}).encode().ljust(_OWNER_BYTES), 0)
            os.fsync(descriptor)

        stack.enter_context(rooted(directory, lambda: _check_token(descriptor, directory, token)))
        if before and (before.get("boot_id") or before.get("host")) != (here["boot_id"] or here["host"]):
            shut_out(directory)
        yield


def shut_out(directory: Path) -> None:
    """See to it that an owner that wakes up cannot write, although it looked before the directory was taken over.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: A file is not one that a run can have.
    """
    for folder in (directory, directory / CHECKPOINTS):
        remove_temps(folder)
    for name in GROWING:
        with suppress(FileNotFoundError):
            write_bytes(directory / name, read_bytes(directory / name, MAX_TABLE_BYTES))


def check_heartbeat(directory: Path, record: Mapping[str, Any], now: datetime, *, steal: bool = False) -> None:
    """Refuse a directory whose run.json says that another machine works on it: kernel locks may not reach that far.

    Args:
        directory: The run directory, for the message.
        record: What run.json holds.
        now: The time now, with its zone.
        steal: Take it all the same.

    Raises:
        BusyError: When the heartbeat is younger than `STALE_SECONDS`.
    """
    if record.get("state") != "running" or is_here(record) or steal:
        return
    if age_seconds(record.get("heartbeat"), now) < STALE_SECONDS:
        raise _busy(directory, record)


def _lock(descriptor: int, directory: Path, *, steal: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if _lock_after_a_reader(descriptor):
            return
        owner = _wait_for_owner(descriptor)
        if not steal or is_here(owner):
            raise _busy(directory, owner) from None
    except OSError as error:
        raise StorageError(
            f"{directory}: its file system knows no locks ({error.strerror}); choose a folder on another one"
        ) from error


def _lock_after_a_reader(descriptor: int) -> bool:
    """Try again: who only asks whether a directory is held has its lock for a moment."""
    for _ in range(_TRIES):
        time.sleep(0.005)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _wait_for_owner(descriptor: int) -> dict[str, Any]:
    """Return who holds the lock: a winner of the same moment has yet to write its name over a dead owner's."""
    deadline = time.monotonic() + _OWNER_WAIT_SECONDS
    while True:
        owner = _owner(descriptor)
        if owner and (not is_here(owner) or not is_known(owner) or is_process(owner.get("pid"))):
            return owner
        if time.monotonic() > deadline:
            return {}
        time.sleep(0.02)


def _owner(descriptor: int) -> dict[str, Any]:
    """What the lock's file says, or an empty dict."""
    with suppress(ValueError, OSError):
        owner = json.loads(os.pread(descriptor, _OWNER_BYTES, 0))
        if isinstance(owner, dict):
            return owner
    return {}


def _check_own(path: Path, descriptor: int, owner: Mapping[str, Any]) -> None:
    """Refuse a file that somebody else keeps under the lock's name; an empty one, or one of zeros, is a torn lock."""
    if not owner and os.pread(descriptor, _OWNER_BYTES, 0).strip(b"\0 "):
        raise IntegrityError(
            f"{path}: is not a lock of qaexp, and is left alone; choose another name=, or move it away"
        )


def _check_token(descriptor: int, directory: Path, token: str) -> None:
    owner = _owner(descriptor)
    if owner.get("token") != token:
        pid, host = owner.get("pid", "(unknown)"), owner.get("host", "(unknown)")
        raise BusyError(
            f"{directory}: process {pid} on {host} has taken it over while this process was suspended; this process "
            "ends and writes nothing more; qaexp status shows the progress of that one"
        )


def _busy(directory: Path, owner: Mapping[str, Any]) -> BusyError:
    way_out = "wait for it or choose another name"
    if owner and not is_here(owner):
        way_out += "; if that machine is gone, steal_lock=true takes the directory over"
    pid, host = owner.get("pid", "(unknown)"), owner.get("host", "(unknown)")
    return BusyError(f"{directory}: process {pid} on {host} works in it; {way_out}")
