"""What a terminal shows while a run trains: a bar with loss, tokens per second and time left; a line per evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from qaexp.reporting.console import RunConsole
from qaexp.reporting.verdict import shown
from qaexp.runs.formats import one_line

NO_ANSWER = "(no answer)"


class TrainingView:
    """Shows a training; the bar only where stdout is a terminal, so that a log file gets lines alone.

    Of several processes that train together only the main one shows anything.
    """

    def __init__(
        self, num_steps: int, *, probes: Sequence[str] = (), is_main: bool = True, console: Console | None = None
    ) -> None:
        """Take the number of steps that are planned, and the questions of the probes."""
        self._probes = probes
        self._console = console or RunConsole(quiet=not is_main)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[speed]} tokens/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=num_steps, loss="-", speed="-")

    def __enter__(self) -> TrainingView:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._progress.stop()

    def step(self, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Move the bar to a step."""
        seen = {"train_loss": loss, "tokens_per_second": tokens_per_second}
        words, speed = shown(seen, "train_loss"), shown(seen, "tokens_per_second")
        self._progress.update(self._task, completed=step, loss=words, speed=speed)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Print one line of metrics, and one line per probe.

        Args:
            row: A row of history.csv.
        """
        parts = [
            f"epoch {shown(row, 'epoch')}",
            f"step {row['step']}",
            f"train loss {shown(row, 'train_loss')}",
            f"train accuracy {shown(row, 'train_accuracy')} %",
            f"dev exact {shown(row, 'exact')}",
            f"f1 {shown(row, 'f1')}",
            f"(has_ans {shown(row, 'has_ans_f1')}, no_ans {shown(row, 'no_ans_f1')})",
        ]
        if not row["step"]:
            parts[2:4] = ["nothing trained"]
        self._console.print(Text("  ".join(parts)), soft_wrap=True)
        for number, question in enumerate(self._probes):
            answer = one_line(str(row[f"probe_{number}"]))
            self._console.print(Text(f"  {one_line(question)} ").append(answer, "bold"), soft_wrap=True)


def show_lines(lines: Sequence[str], *, is_main: bool = True, console: Console | None = None) -> None:
    """Print plain lines before a training; a terminal breaks them between words, a log file keeps them whole."""
    console = console or RunConsole(quiet=not is_main)
    for line in lines:
        # A Text, not markup: what stands in brackets in a text of the data is shown as it is.
        console.print(Text(one_line(line)), soft_wrap=not console.is_terminal)
