"""Python's garbage collector during a run: existing objects are not scanned over and over."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from qaexp.storage.signals import deferred


@contextmanager
def settled_heap() -> Iterator[None]:
    """Exclude all existing objects from garbage collection until the body ends.

    torch and transformers bring half a million; a full collection visits each of them and took 0.2 s, several times an
    epoch. Visiting only newer objects takes a thousandth of that.
    """
    settle()
    try:
        yield
    finally:
        gc.unfreeze()


def settle() -> None:
    """Exclude what exists by now too, inside the body of `settled_heap`."""
    # An exception raised by a signal while objects are deleted would be lost, with a traceback on the terminal.
    with deferred():
        gc.collect()
        gc.freeze()
