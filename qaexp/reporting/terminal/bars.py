"""Progress bars on a terminal: training steps, and the questions answered in between."""

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
from qaexp.reporting.terminal.outlets import is_terminal
from qaexp.storage.signals import requested_signal

# Called with how much is done, and of how much.
Seen = Callable[[int, int], None]

STOPPING = "stopping after this step; Ctrl-C again stops at once"
_PER_SECOND = 5
# Columns that a bar leaves free for the `^C` that a terminal shows when it is typed: a line broken by it would appear
# twice.
_ECHO = 4
_WIDE, _USUAL = 100, 76


class _Left(ProgressColumn):
    """The time left, at the mean speed so far."""

    def render(self, task: Task) -> Text:
        return Text(f"left {duration(round(left)) if (left := _seconds_left(task)) is not None else '-'}")


class Bars(Progress):
    """Bars below what is printed; disabled if the console cannot move a cursor."""

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
        """Whether to update a bar: more often than it is drawn costs time and shows nothing."""
        now = time.monotonic()
        if now - self._drawn < 1 / _PER_SECOND / 2:
            return False
        self._drawn = now
        return True


def moves_cursor(console: Console) -> bool:
    """Whether bars can be drawn on a console."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def bar_on_stderr(description: str, num_features: int) -> Iterator[Seen]:
    """Show a bar on stderr while the body runs, if that is a terminal; stdout may be read by programs.

    Args:
        description: What is done, for example `answering`.
        num_features: How many are to be answered.

    Yields:
        What to call with the progress.
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
