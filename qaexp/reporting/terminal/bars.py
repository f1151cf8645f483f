"""Bars of what takes long, on a terminal alone: of a training's steps, and of what is answered meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from qaexp.reporting.numbers.spans import duration
from qaexp.reporting.terminal.console import RunConsole
from qaexp.reporting.terminal.printing import is_terminal
from qaexp.storage.signals import requested_signal

# Is told how much is done, and of how much.
Seen = Callable[[int, int], None]

STOPPING = "stopping after this step; Ctrl-C again stops at once"
_PER_SECOND = 5
# Columns that a bar leaves free, where a terminal shows the `^C` that is typed: a line that is broken by it stands
# there twice.
_ECHO = 4
_WIDE, _USUAL = 100, 76


class _Left(ProgressColumn):
    """How long it will take: at the mean speed so far, which needs no window of steps."""

    def render(self, task: Task) -> Text:
        return Text(f"left {duration(round(left)) if (left := _seconds_left(task)) is not None else '-'}")


class Bars(Progress):
    """Bars that stand below what is printed; none where the console is no terminal that moves its cursor."""

    def __init__(self, console: Console) -> None:
        """Take the console; the columns follow from its width."""
        width, self._console = console.width, console
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[words]}"),
            *([TimeElapsedColumn()] if width >= _WIDE else []),
            _Left(table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            refresh_per_second=_PER_SECOND,
            disable=not moves_cursor(console),
        )
        self.is_wide = width >= _USUAL
        self._drawn = 0.0

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars, narrower than the terminal, and what a Ctrl-C has begun."""
        yield Constrain(self.make_tasks_table(self.tasks), max(1, self._console.width - _ECHO))
        if requested_signal() is not None:
            yield Text(STOPPING, style="bold yellow", overflow="ellipsis", no_wrap=True)

    def is_due(self) -> bool:
        """Is it time to move a bar again? More often than it is drawn costs time and shows nothing."""
        now = time.monotonic()
        if now - self._drawn < 1 / _PER_SECOND / 2:
            return False
        self._drawn = now
        return True


def moves_cursor(console: Console) -> bool:
    """Can bars be drawn there?"""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def bar_on_stderr(description: str, num_features: int) -> Iterator[Seen]:
    """Show a bar on stderr while the body runs, if that is a terminal: what stdout gets is for people and programs.

    Args:
        description: What is done, for example `answering`.
        num_features: So many are to be answered.

    Yields:
        What is to be told how much is done.
    """
    if not is_terminal(sys.stderr):
        yield lambda done, total: None
        return
    bars = Bars(RunConsole(on_stderr=True))
    task = bars.add_task(description, total=num_features, words="features")
    with bars:
        yield lambda done, _: bars.update(task, completed=done)


def _seconds_left(task: Task) -> float | None:
    if task.elapsed is None or not task.total or task.completed <= (first := task.fields.get("first", 0)):
        return None
    return float(task.elapsed / (task.completed - first) * (task.total - task.completed))
