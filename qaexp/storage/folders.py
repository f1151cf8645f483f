"""Folders that appear as a whole at once, or not at all, with all that is in them on the disk; and what deletes.

As with files (`files`), every call goes through the handle of the folder above and comes after a named point.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qaexp.errors import QaexpError, StorageError
from qaexp.storage import points
from qaexp.storage.files import TEMP_PREFIX, commit_temp, storage_errors, temp_name
from qaexp.storage.roots import check_root, is_folder, make_folder, opened, opened_parent, sync
from qaexp.storage.signals import deferred


def make_directory(path: Path) -> None:
    """Create a folder and its missing parents; an existing one is fine.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: Below a run directory, it is a link.
    """
    with deferred(), storage_errors(path), opened_parent(path / "_", make=True):
        pass


def settle_directory(path: Path) -> None:
    """Create a folder that others may have created a moment ago, and wait until it and those above it are on the disk.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: Below a run directory, it is a link.
    """
    make_directory(path)
    with storage_errors(path):
        device = path.stat().st_dev
        for folder in path.absolute().parents:
            # A folder that may not be read was not made a moment ago; nor was one of another file system.
            if folder.stat().st_dev == device:
                with suppress(PermissionError), opened(folder) as handle:
                    sync(handle, folder)


def claim_directory(path: Path) -> bool:
    """Create a folder, and its missing parents; False when something is there."""
    try:
        with deferred(), storage_errors(path):
            make_folder(path)
    except StorageError as error:
        if isinstance(error.__cause__, FileExistsError):
            return False
        raise
    return True


@contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` when the body ends, and disappears when the body raises."""
    temp = final.with_name(temp_name(final.name))
    make_directory(temp)
    try:
        with storage_errors(final):
            yield temp
        commit_directory(temp, final)
    except BaseException:
        with suppress(QaexpError):
            remove(temp)
        raise


def commit_directory(temp: Path, final: Path) -> None:
    """Rename the folder `temp`, with all that is in it, to `final` beside it in place of what was there.

    A folder cannot be renamed over a full one: the old one is moved aside first and removed last.
    """
    with deferred(), storage_errors(final), opened_parent(final) as (folder, name):
        settle_tree(folder, temp)
        old = temp_name(name)
        if stands(folder, name):
            points.reached("rename_old", final)
            check_root(final)
            _move_aside(folder, name, old)
        commit_temp(folder, temp.name, name, final)
    remove(final.with_name(old))


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder; nothing there is fine."""
    if not os.path.lexists(path):
        return
    with deferred(), storage_errors(path), opened_parent(path) as (folder, name):
        points.reached("remove", path)
        if is_folder(folder, name):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def remove_temps(directory: Path) -> None:
    """Delete what a killed process left half-written in `directory`."""
    for path in directory.glob(f"{TEMP_PREFIX}*"):
        remove(path)


def settle_tree(folder: int, tree: Path) -> None:
    """Let all that a library wrote into a folder be as readable as the folder is, and wait until it is on the disk."""
    for _, _, names, handle in os.fwalk(tree.name, dir_fd=folder):
        mode = os.fstat(handle).st_mode & 0o666
        for name in names:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=handle)
            try:
                if os.fstat(descriptor).st_mode & 0o666 != mode:
                    os.fchmod(descriptor, mode)  # some make their files for their owner alone
                sync(descriptor, tree / name)
            finally:
                os.close(descriptor)
        sync(handle, tree)


def stands(folder: int, name: str) -> bool:
    """Say whether anything has a name in an open folder, a link that leads nowhere too."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move_aside(folder: int, name: str, old: str) -> None:
    try:
        os.rename(name, old, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # An overlay renames no folder of its lower layer. What replaces this one is whole, under its temporary name.
        shutil.rmtree(name, dir_fd=folder)
