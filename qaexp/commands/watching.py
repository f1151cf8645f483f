"""`qaexp status --watch`: the table of runs, drawn anew until nothing runs any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.live import Live
from rich.text import Text

from qaexp.reporting.terminal.console import RunConsole
from qaexp.reporting.terminal.standing import tally, terminal_lines
from qaexp.runs.owners import is_locked
from qaexp.runs.readers.folder import COMPLETED, RUNNING
from qaexp.runs.readers.progress import PLANNED, Progress, Skipped

Found = tuple[Sequence[Progress], Sequence[Skipped]]

_SECONDS = 1.0
_FOOTER = "Ctrl-C ends the watch, and no run"


def watch(look: Callable[[], Found], found: Found, console: RunConsole, *, seconds: float = _SECONDS) -> Found:
    """Draw what there is until nothing is running, or Ctrl-C.

    Args:
        look: Looks at the runs again.
        found: What it found a moment ago.
        console: The terminal.
        seconds: Between two looks.

    Returns:
        What was found last.
    """
    try:
        # A screen of its own: a table that is taller than the terminal does not pile up above it.
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while is_under_way(found[0]):
                live.update(Text("\n".join(screen(found, console.width, console.height))), refresh=True)
                time.sleep(seconds)
                found = look()
    except KeyboardInterrupt:
        pass
    return found


def is_under_way(runs: Sequence[Progress]) -> bool:
    """Whether anything is running: one of the runs, or the sweep that planned one of them."""
    waiting = {run.path.parent for run in runs if run.state == PLANNED}
    return any(run.state == RUNNING for run in runs) or any(map(is_locked, waiting))


def screen(found: Found, width: int, height: int) -> list[str]:
    """Return at most `height` lines: where they are too many, those of runs that ended go, then the last ones."""
    runs, skipped = found
    last = f"{tally(runs)}; {_FOOTER}"
    lines = terminal_lines(runs, skipped, width)
    if len(lines) + 1 > height:
        lines = terminal_lines([run for run in runs if run.state not in (COMPLETED, PLANNED)], (), width)
    return [*lines[: max(0, height - 1)], last]
