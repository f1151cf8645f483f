"""Python's garbage collector in the process of a command, which loads libraries once and keeps them to its end."""

from __future__ import annotations

import atexit
import gc

# Python's own are 700, 10 and 10: seven full collections while torch and transformers were loaded.
_THRESHOLDS = (50_000, 20, 20)


def spare_libraries() -> None:
    """Search the objects of libraries for garbage rarely while they are loaded, and not at all when the process ends.

    Of the 8.8 s of processor time of the shortest run, searches took 1.0 s while libraries were loaded, and the search
    at the end, with the freeing of what it visits, 0.7 s.
    """
    gc.set_threshold(*_THRESHOLDS)
    # Called last: what was registered later is called before.
    atexit.register(gc.freeze)
