"""Folders that this process works in: what is written below one goes through its handle, and no link is followed.

A path is looked up anew with each call: when a folder was moved, or a part of it is a link, the same path means another
place. A handle means the folder that was opened. Whoever works in a folder makes it a root; from then on every write
below it, by whatever path, walks from the root's handle, and asks first whether the root is still this process's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qaexp.errors import IntegrityError, StorageError
from qaexp.storage import points

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DESCRIPTORS = Path("/proc/self/fd")
_NEW_FOLDER_MODE = 0o777


@dataclass
class _Root:
    """A folder that is worked in.

    Attributes:
        path: How it is called, absolute.
        handle: Its descriptor.
        check: Raises when the folder is another process's now.
        is_known_to_be_gone: It was reported that the path means something else; what is written now says how it ended.
    """

    path: Path
    handle: int
    check: Callable[[], None]
    is_known_to_be_gone: bool = False


_ROOTS: list[_Root] = []


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    """Open a folder, or the one that a link means; yields its handle, or raises OSError."""
    handle = os.open(directory, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def rooted(directory: Path, check: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Make a folder a root for the body; one that is a root already stays what it is.

    Args:
        directory: An existing folder; a link to it, as its owner may have made, is followed here and nowhere below.
        check: Called before each write below the folder; raises when it must not be.

    Yields:
        The folder's handle.

    Raises:
        OSError: It cannot be opened.
    """
    path = _plain(directory)
    for root in _ROOTS:
        if root.path == path:
            yield root.handle
            return
    with opened(directory) as handle:
        root = _Root(path, handle, check)
        _ROOTS.append(root)
        try:
            yield handle
        finally:
            _ROOTS.remove(root)


def check_root(path: Path) -> None:
    """Check whether a path may still be written.

    Raises:
        BusyError: The root above it has another owner.
        StorageError: The root was moved or deleted; raised once, so that the end of a run can still be written.
    """
    root = _root_above(_plain(path))
    if root is not None:
        _check(root)


@contextmanager
def opened_parent(path: Path, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder that holds, or is to hold, a file.

    Args:
        path: The file.
        make: Make the folders above it that are missing; each is on the disk before the body begins.

    Yields:
        The folder's handle, and the file's name in it.

    Raises:
        IntegrityError: A folder between a root and the file is a link.
        BusyError: As `check_root`.
        OSError: A folder cannot be opened or made.
    """
    plain = _plain(path)
    root = _root_above(plain)
    if root is not None:
        _check(root)
        above, handle = root.path, os.dup(root.handle)
    else:
        above = _nearest_folder(plain.parent) if make else plain.parent
        handle = os.open(above, _FOLDER)
    try:
        for part in plain.relative_to(above).parts[:-1]:
            if make:
                _make(handle, part, path)
            inner = _open_below(handle, part, path)
            os.close(handle)
            handle = inner
        yield handle, plain.name
    finally:
        os.close(handle)


@contextmanager
def path_by_handle(folder: Path) -> Iterator[Path]:
    """Yield a path of an open folder for a library that knows paths only: it means this folder, wherever it is moved.

    Where the system shows no descriptors as paths, it is the path that was given.
    """
    with opened_parent(folder) as (parent, name):
        handle = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        try:
            yield _DESCRIPTORS / str(handle) if _DESCRIPTORS.is_dir() else folder
        finally:
            os.close(handle)


def make_folder(path: Path) -> None:
    """Create a folder, which must not exist; its parents, too, when they are missing.

    Raises:
        FileExistsError: Something is there.
        OSError: As `opened_parent`.
    """
    with opened_parent(path, make=True) as (parent, name):
        points.reached("mkdir", path)
        os.mkdir(name, _NEW_FOLDER_MODE, dir_fd=parent)
        sync(parent, path)


def sync(handle: int, path: Path) -> None:
    """Wait until a folder or file is on the disk; of a folder its list of names, which holds what was renamed into it.

    Args:
        handle: Its descriptor.
        path: What is committed.

    Raises:
        OSError: The system refuses.
    """
    points.reached("fsync", path)
    os.fsync(handle)


def is_folder(parent: int, name: str) -> bool:
    """Say whether a name in an open folder is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _plain(path: Path) -> Path:
    """The path from the top, without dots."""
    return Path(os.path.normpath(path.absolute()))


def _root_above(plain: Path) -> _Root | None:
    """The innermost root that a path lies below."""
    above = [root for root in _ROOTS if root.path in plain.parents]
    return max(above, key=lambda root: len(root.path.parts), default=None)


def _check(root: _Root) -> None:
    root.check()
    if root.is_known_to_be_gone or _is_at(root.path, root.handle):
        return
    root.is_known_to_be_gone = True
    raise StorageError(
        f"{root.path}: was moved or deleted while this process works in it{_now_at(root.handle)}; nothing is written "
        "under the old name; qaexp resume resumes it where it is"
    )


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


def _now_at(handle: int) -> str:
    try:
        place = str((_DESCRIPTORS / str(handle)).readlink())
    except OSError:
        return ""
    return "" if place.endswith(" (deleted)") else f" (it is {place} now)"


def _nearest_folder(folder: Path) -> Path:
    """The folder, or the lowest one above it that exists."""
    return next(one for one in (folder, *folder.parents) if one.is_dir() or one == one.parent)


def _make(parent: int, name: str, path: Path) -> None:
    try:
        points.reached("mkdir", path)
        os.mkdir(name, _NEW_FOLDER_MODE, dir_fd=parent)
    except FileExistsError:
        return
    sync(parent, path)


def _open_below(parent: int, name: str, path: Path) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if not stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise
        raise IntegrityError(
            f"{path}: {name} is a link, which is not followed: a run writes below its own folder only; remove the link"
        ) from error
