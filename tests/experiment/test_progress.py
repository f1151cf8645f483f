"""The lines that a training prints."""

from __future__ import annotations

import os
import re
import signal
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Task, TaskID

from qaexp.errors import Stopped
from qaexp.experiment.screen import TrainingView
from qaexp.reporting.terminal.bars import STOPPING, _seconds_left
from qaexp.runs.directory import NO_ANSWER
from qaexp.storage.signals import deferred, watched

ROW = {"epoch": 1.0, "step": 7, "train_loss": 2.5, "train_accuracy": 12.5, "exact": 50.0, "f1": 60.25,
       "has_ans_f1": None, "no_ans_f1": 100.0, "probe_0": "[x]", "probe_1": NO_ANSWER}  # fmt: skip


def shown(terminal: bool) -> str:
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, width=200, highlight=False)
    with TrainingView(10, probes=["Is [/bold] a tag?", "And nothing?"], console=console) as view:
        view.step(7, 2.5, 1234.0)
        view.evaluation(ROW)
    return out.getvalue()


def test_a_log_file_gets_lines_and_no_bar() -> None:
    text = shown(terminal=False)
    assert text.splitlines() == [
        "epoch 1  step 7  train loss 2.500  train accuracy 12.5 %  dev exact 50.0  f1 60.2  (has_ans -, no_ans 100.0)",
        "  Is [/bold] a tag? [x]",
        f"  And nothing? {NO_ANSWER}",
    ]


def test_epochs_are_those_of_history_csv_and_nothing_trained_is_said() -> None:
    out = StringIO()
    view = TrainingView(10, console=Console(file=out, width=200, highlight=False))
    for epoch in (0.3529, 99.9999, 3):
        view.evaluation({**ROW, "epoch": epoch})
    view.evaluation({**ROW, "epoch": 0, "step": 0, "train_loss": None, "train_accuracy": None})
    shown_epochs = [line.split("  ")[0] for line in out.getvalue().splitlines()]
    assert shown_epochs == ["epoch 0.35", "epoch 99.99", "epoch 3", "epoch 0"]
    assert "nothing trained  dev exact" in out.getvalue().splitlines()[-1]


def test_a_terminal_gets_loss_speed_and_time_left() -> None:
    text = shown(terminal=True)
    assert "loss 2.500" in text
    assert "1,234 tokens/s" in text
    assert "left" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 170])
@pytest.mark.parametrize("loss", [2.5, 12345.678])
def test_lines_fit_a_terminal_and_break_between_numbers(width: int, loss: float) -> None:
    out = StringIO()
    row = {**ROW, "step": 123456, "train_loss": loss, "f1": 100.0, "exact": 100.0, "has_ans_f1": 100.0}
    TrainingView(10, console=Console(file=out, force_terminal=True, width=width, highlight=False)).evaluation(row)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert {"123456", f"{loss:,.3f}", "12.5", "100.0"} <= set(words)
    assert "100.0)" in words
    assert width < 80 or len(lines) <= 2
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_leave_room_for_the_key_that_stops(width: int) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    with TrainingView(123456, console=console) as view:
        view.step(99999, 12.345, 123456.0)
        with view.answering("dev", 11873) as seen:
            seen(8000, 11873)
            view._bars.refresh()
    text = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", out.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert any(re.search(r"answering dev .* 8000/11873 +features", line) for line in lines)
    assert any(re.search(r"training .* 99999/123456 +loss 12.345", line) for line in lines)
    assert max(map(len, lines)) <= width - 4
    assert "\u2026" not in text


def test_the_bar_moves_with_each_step_and_the_loss_with_each_record() -> None:
    out = StringIO()
    view = TrainingView(10, console=Console(file=out, force_terminal=True, width=100))
    for step in range(1, 8):
        view._bars._drawn = 0.0
        view.moved(step)
        assert view._bars.tasks[0].completed == step
    assert "-" in view._bars.tasks[0].fields["words"]
    view.step(7, 2.5, 10.0)
    assert view._bars.tasks[0].fields["words"] == "loss 2.500  10 tokens/s"


def test_more_steps_than_are_drawn_cost_nothing() -> None:
    view = TrainingView(10_000, console=Console(file=StringIO(), force_terminal=True, width=100))
    moved = [0.0]
    view._bars.update = lambda *args, **given: moved.append(given["completed"])  # type: ignore[method-assign]
    for step in range(10_000):
        view.moved(step)
    assert len(moved) < 1000


def test_what_is_left_counts_from_where_the_training_went_on() -> None:
    task = Task(TaskID(0), "", 100, 60, _get_time=lambda: 20.0, fields={"first": 50})
    task.start_time = 10.0
    assert _seconds_left(task) == 40.0
    task.completed = 50
    assert _seconds_left(task) is None


def test_a_stop_that_was_asked_for_stands_below_the_bar() -> None:
    out = StringIO()
    view = TrainingView(10, console=Console(file=out, force_terminal=True, width=80))
    with pytest.raises(Stopped), watched(), view, deferred():
        os.kill(os.getpid(), signal.SIGINT)
    assert STOPPING in out.getvalue()
    assert STOPPING == "stopping after this step; Ctrl-C again stops at once"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_that_moves_no_cursor_gets_lines_alone(environment: dict[str, str]) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=200, highlight=False, _environ=environment)
    with TrainingView(10, console=console) as view:
        view.step(7, 2.5, 1234.0)
        with view.answering("dev", 3):
            pass
        view.evaluation({**ROW, "probe_0": ""})
    assert "\x1b" not in out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert out.getvalue().startswith("epoch 1  step 7")


def test_an_evaluation_outside_of_the_training_has_a_bar_that_goes_away() -> None:
    out = StringIO()
    view = TrainingView(10, console=Console(file=out, force_terminal=True, width=80, color_system=None))
    with view:
        pass
    out.truncate(0)
    with view.answering("test", 4) as seen:
        seen(4, 4)
    assert "answering test" in out.getvalue()
    assert "training" not in out.getvalue()
    assert view._bars.tasks[1:] == []


def test_other_processes_show_nothing(capsys: object) -> None:
    view = TrainingView(10, is_main=False)
    view.evaluation(ROW)
    assert capsys.readouterr().out == ""  # type: ignore[attr-defined]
