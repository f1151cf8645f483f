"""The console for tables and bars: every text is plain text, and control characters are made visible."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from qaexp.reporting.terminal.outlets import terminal
from qaexp.storage.formats import visible

# A width outside this range (COLUMNS=0) is not believed.
NARROWEST, USUAL_WIDTH, WIDEST = 20, 80, 1000


class RunConsole(Console):
    """A console on stdout for texts of any origin: brackets are not markup, control characters become escapes."""

    def __init__(self, *, quiet: bool = False, on_stderr: bool = False) -> None:
        """Print to stdout, or to stderr; `quiet` in all processes but the main one."""
        stream = terminal(sys.stderr if on_stderr else sys.stdout)
        super().__init__(file=stream, quiet=quiet, highlight=False, markup=False, emoji=False)
        if not NARROWEST <= self.width <= WIDEST:
            self.width = USUAL_WIDTH

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, with every text made visible; the moves of the cursor are rich's own."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)
