"""Python's garbage collector while a model trains: what stands already is not looked through again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from qaexp.storage.signals import deferred


@contextmanager
def settled_heap() -> Iterator[None]:
    """Leave all objects that stand now out of every garbage collection until the body ends.

    torch and transformers bring half a million; a full collection looks at each, and took 0.17 s several times an
    epoch, where all that is new since would take a thousandth of it.
    """
    # What a signal raises while objects are deleted would be lost, with a traceback on the terminal.
    with deferred():
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
