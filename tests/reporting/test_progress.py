"""The lines that a training prints."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from qaexp.reporting.progress import NO_ANSWER, TrainingView

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
    for epoch in (0.625, 100.0625, 3):
        view.evaluation({**ROW, "epoch": epoch})
    view.evaluation({**ROW, "epoch": 0, "step": 0, "train_loss": None, "train_accuracy": None})
    shown_epochs = [line.split("  ")[0] for line in out.getvalue().splitlines()]
    assert shown_epochs == ["epoch 0.625", "epoch 100.0625", "epoch 3", "epoch 0"]
    assert "nothing trained  dev exact" in out.getvalue().splitlines()[-1]


def test_a_terminal_gets_loss_speed_and_time_left() -> None:
    text = shown(terminal=True)
    assert "loss 2.500" in text
    assert "1,234 tokens/s" in text
    assert "left" in text


def test_other_processes_show_nothing(capsys: object) -> None:
    view = TrainingView(10, is_main=False)
    view.evaluation(ROW)
    assert capsys.readouterr().out == ""  # type: ignore[attr-defined]
