"""Named points before each call that changes the disk, where a test can stop the process or let the call fail."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def reached(name: str, path: Path) -> None:
    """A call that changes the disk follows.

    Die as a killed process does when `QAEXP_CRASH_AT` is `name:file name`: so tests stop a run between two calls.
    """
    if os.environ.get("QAEXP_CRASH_AT") == f"{name}:{path.name}":
        os.kill(os.getpid(), signal.SIGKILL)
