"""Writing a large file past the page cache: pages for what nobody reads soon cost more than the disk."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable

# What one call writes: a multiple of every disk's block, from memory that begins at a page, as the kernel wants it.
BLOCK_BYTES = 4 * 2**20

_DIRECT = getattr(os, "O_DIRECT", 0)


def write_blocks(descriptor: int, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a whole file; where the file system knows no direct writes, and for its tail, the ordinary way.

    Args:
        descriptor: Of the new file, open for writing, at its start.
        chunks: Its content.

    Raises:
        OSError: The system refuses.
    """
    with mmap.mmap(-1, BLOCK_BYTES) as block:
        begin = 0
        for chunk in chunks:
            rest = memoryview(chunk).cast("B")
            while rest:
                taken = min(BLOCK_BYTES - begin, len(rest))
                block[begin : begin + taken] = rest[:taken]
                begin, rest = begin + taken, rest[taken:]
                if begin == BLOCK_BYTES:
                    _write_block(descriptor, block)
                    begin = 0
        _set_direct(descriptor, False)
        _write_all(descriptor, memoryview(block[:begin]))


def _write_block(descriptor: int, block: mmap.mmap) -> None:
    _set_direct(descriptor, True)
    try:
        written = os.write(descriptor, block)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        written = 0
    if written < BLOCK_BYTES:
        # After a short write, a direct write may not begin at the next place; and an error appears at the second try.
        _set_direct(descriptor, False)
        _write_all(descriptor, memoryview(block[written:]))


def _write_all(descriptor: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _set_direct(descriptor: int, is_direct: bool) -> None:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | _DIRECT if is_direct else flags & ~_DIRECT
    if wanted != flags:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, wanted)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
