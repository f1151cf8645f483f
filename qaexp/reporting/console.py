"""The terminal that a run prints to: it may go away at any time, and the run does not care."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class RunConsole(Console):
    """A console whose reader may leave (`qaexp train | head`): from then on nothing is shown, and the run goes on."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Print to stdout; `quiet` in all processes but the main one."""
        super().__init__(quiet=quiet, highlight=False)

    def on_broken_pipe(self) -> None:
        """Show nothing any more, where rich would leave the program."""
        self.quiet = True
        discard_stdout()


def discard_stdout() -> None:
    """Send what is still to be written to stdout nowhere, so that Python's last flush does not fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
