"""What a terminal shows during training: a progress bar, another one while answering, and a line per epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from qaexp.reporting.numbers.advice import shown
from qaexp.reporting.terminal.bars import Bars, Seen
from qaexp.reporting.terminal.console import RunConsole
from qaexp.storage.formats import one_line

_GAP = "  "


class TrainingView:
    """Shows a training; bars only where stdout is a terminal, so a log file gets plain lines.

    Of several processes that train together, only the main one shows anything.
    """

    def __init__(
        self,
        num_steps: int,
        *,
        first_step: int = 0,
        probes: Sequence[str] = (),
        is_main: bool = True,
        console: Console | None = None,
    ) -> None:
        """Take the planned number of steps, the step to start after, and the questions of the probes."""
        self._probes = probes
        self._console = console or RunConsole(quiet=not is_main)
        self._bars = Bars(self._console)
        self._task = self._bars.add_task(
            "training", total=num_steps, completed=first_step, first=first_step, words=_words({}, is_wide=False)
        )
        self._is_open = False

    def __enter__(self) -> TrainingView:
        """Show the bar."""
        self._is_open = True
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._is_open = False
        self._bars.stop()
        self._bars.update(self._task, visible=False)

    def moved(self, step: int) -> None:
        """Move the bar to a step; cheap enough to call after every step."""
        if self._bars.is_due():
            self._bars.update(self._task, completed=step)

    def step(self, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Show the record of a step."""
        words = _words({"train_loss": loss, "tokens_per_second": tokens_per_second}, is_wide=self._bars.is_wide)
        self._bars.update(self._task, completed=step, words=words)

    @contextmanager
    def answering(self, what: str, num_features: int) -> Iterator[Seen]:
        """Show a second bar while the body answers questions.

        Args:
            what: Which questions, for example `dev`.
            num_features: Of these questions.

        Yields:
            A callback that takes the number of answered features and their total.
        """
        task = self._bars.add_task(f"answering {what}", total=num_features, words="features")
        if not self._is_open:
            self._bars.start()
        try:
            yield lambda done, _: self._bars.update(task, completed=done)
        finally:
            self._bars.remove_task(task)
            if not self._is_open:
                self._bars.stop()

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Print the result of an evaluation, and one line per probe.

        Args:
            row: A row of history.csv.
        """
        trained, dev = _parts(row)
        line = _GAP.join([*trained, *dev])
        lines = [line]
        if self._console.is_terminal and len(line) > self._console.width:
            lines = [*_packed(trained, self._console.width, ""), *_packed(dev, self._console.width, _GAP)]
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)
        for number, question in enumerate(self._probes):
            answer = one_line(str(row[f"probe_{number}"]))
            self._console.print(Text(f"  {one_line(question)} ").append(answer, "bold"), soft_wrap=True)


def _parts(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The words for the training, and for the dev questions."""
    trained = [f"train loss {shown(row, 'train_loss')}", f"train accuracy {shown(row, 'train_accuracy')} %"]
    return [
        f"epoch {shown(row, 'epoch')}",
        f"step {row['step']}",
        *(trained if row["step"] else ["nothing trained"]),
    ], [
        f"dev exact {shown(row, 'exact')}",
        f"f1 {shown(row, 'f1')}",
        f"(has_ans {shown(row, 'has_ans_f1')}, no_ans {shown(row, 'no_ans_f1')})",
    ]


def _packed(parts: Sequence[str], width: int, indent: str) -> list[str]:
    """Parts in lines that break between them."""
    lines = [indent + parts[0]]
    for part in parts[1:]:
        if len(longer := f"{lines[-1]}{_GAP}{part}") <= width:
            lines[-1] = longer
        else:
            lines.append(_GAP + part)
    return lines


def _words(seen: Mapping[str, Any], *, is_wide: bool) -> str:
    """The bar's words for the last record."""
    speed = f"  {shown(seen, 'tokens_per_second')} tokens/s" if is_wide else ""
    return f"loss {shown(seen, 'train_loss')}{speed}"


def show_lines(lines: Sequence[str], *, is_main: bool = True, console: Console | None = None) -> None:
    """Print plain lines before training; a terminal wraps them between words, a log file does not."""
    console = console or RunConsole(quiet=not is_main)
    for line in lines:
        # A Text, not markup: brackets in the data are shown as they are.
        console.print(Text(one_line(line)), soft_wrap=not console.is_terminal)
