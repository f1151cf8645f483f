"""A new folder where nothing stands: one process at a time makes it, and what appears there meanwhile is kept.

While it is made it has a temporary name beside its own, and its descriptor is locked: so a folder that a killed process
left is told from one that is being written. The folder above is locked for the moment in which the two are looked for.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from qaexp.errors import BusyError, ConfigError, QaexpError
from qaexp.storage.files import TEMP_PREFIX, commit_temp, storage_errors, temp_name
from qaexp.storage.folders import remove, settle_tree, stands
from qaexp.storage.roots import make_folder, opened_parent
from qaexp.storage.signals import deferred

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_WAIT_SECONDS = 5.0
# What a rename says where something stands: a folder that holds something, or anything but a folder.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@contextmanager
def added_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` when the body ends, and disappears when the body raises.

    What processes that were killed left while they made `final` is deleted first.

    Args:
        final: A name where nothing stands; missing folders above it are made.

    Raises:
        ConfigError: Something stands there, now or when the body has ended; it is left as it is.
        BusyError: Another process is making it.
        StorageError: The system refuses, or knows no locks.
    """
    temp = final.with_name(temp_name(final.name))
    with _claimed(temp, final):
        try:
            with storage_errors(final):
                yield temp
            _put(temp, final)
        except BaseException:
            with suppress(QaexpError):
                remove(temp)
            raise


@contextmanager
def _claimed(temp: Path, final: Path) -> Iterator[None]:
    """Make the temporary folder, and hold its lock for the body."""
    with ExitStack() as held:
        with deferred(), storage_errors(final), opened_parent(temp, make=True) as (folder, name):
            _lock_above(folder, final)
            if stands(folder, final.name):
                raise ConfigError(f"{final} is there already, and nothing is written over it; give a new folder")
            _remove_leftovers(folder, final)
            make_folder(temp)
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _lock_above(folder: int, final: Path) -> None:
    """Lock the folder above, as long as its handle is open: whoever looks for others has it for a moment."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not _locked(folder):
        if time.monotonic() > deadline:
            raise BusyError(f"{final.parent}: another process has locked this folder; wait for it, or give another one")
        time.sleep(0.01)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_leftovers(folder: int, final: Path) -> None:
    """Delete what killed processes left of `final`; refuse where one of them lives."""
    pattern = re.compile(rf"{re.escape(TEMP_PREFIX + final.name)}-[0-9a-f]{{8}}")
    for name in filter(pattern.fullmatch, os.listdir(folder)):
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):  # it stands now, or was removed; or is no folder of ours
            continue
        try:
            if not _locked(descriptor):
                raise BusyError(
                    f"{final}: another process is writing this folder at this moment; wait for it, or give another one"
                )
            remove(final.with_name(name))
        finally:
            os.close(descriptor)


def _put(temp: Path, final: Path) -> None:
    """Rename the folder `temp`, with all that is in it, to `final` beside it, unless something stands there.

    A rename replaces no folder that holds something and nothing else than folders; an empty one it would replace.
    """
    with deferred(), storage_errors(final), opened_parent(final) as (folder, name):
        settle_tree(folder, temp)
        if stands(folder, name):
            raise _appeared(final)
        try:
            commit_temp(folder, temp.name, name, final)
        except OSError as error:
            if error.errno in _TAKEN:
                raise _appeared(final) from error
            raise


def _appeared(final: Path) -> ConfigError:
    return ConfigError(
        f"{final} appeared there in the meantime, and nothing was written over it; move it away, or give another "
        "folder, then run the same command again"
    )
