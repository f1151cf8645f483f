"""Pictures show the points they are given, say their units and n, and leave matplotlib's settings alone."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from qaexp.reporting import answer_figures, figures
from qaexp.reporting.style import DPI, label, look, png

STEPS = [{"step": step, "loss": 5.0 / step, "learning_rate": 1e-4 if step < 6 else 0.0} for step in range(1, 11)]
HISTORY: list[dict[str, Any]] = [
    {
        "epoch": epoch,
        "step": 5 * epoch,
        "train_loss": 2.0 / epoch,
        "train_accuracy": 30.0 * epoch,
        "exact": 20.0 * epoch,
        "f1": 25.0 * epoch,
        "has_ans_exact": 10.0,
        "has_ans_f1": 15.0,
        "no_ans_exact": None,
        "no_ans_f1": None,
    }
    for epoch in (1, 2)
]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]  # type: ignore[attr-defined]
    return " | ".join(filter(None, found))


def lines(figure: Figure) -> dict[str, list[list[float]]]:
    found = [line for axes in figure.axes for line in axes.lines]
    return {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in found}


def test_loss_shows_steps_and_epochs() -> None:
    figure = figures.loss(STEPS, HISTORY, "a run")
    assert figure is not None
    assert lines(figure)["step"] == [[row["step"], row["loss"]] for row in STEPS]
    assert lines(figure)["mean of the epoch, at its end"] == [[5, 2.0], [10, 1.0]]
    assert "10 recorded steps" in texts(figure)
    assert "nats" in texts(figure)


def test_scores_leave_out_a_metric_over_no_examples() -> None:
    figure = figures.scores(HISTORY, "a run", 300, 2)
    assert figure is not None
    assert "300 dev examples" in texts(figure)
    assert "no_ans" not in lines(figure)
    assert lines(figure)["has_ans"] == [[1, 15.0], [2, 15.0]]


def test_learning_rate_of_zero_is_marked() -> None:
    figure = figures.learning_rate(STEPS, "a run")
    assert figure is not None
    assert "0: nothing is learned here" in texts(figure)
    healthy = figures.learning_rate(STEPS[:5], "a run")
    assert healthy is not None
    assert "nothing is learned" not in texts(healthy)


@pytest.mark.parametrize(
    "figure",
    [
        figures.loss([], [], ""),
        figures.train_accuracy([], ""),
        figures.scores([], "", None, None),
        figures.learning_rate([{"step": 1, "learning_rate": None}], ""),
        answer_figures.threshold([], {}, ""),
        answer_figures.calibration([], ""),
        answer_figures.slices([], ""),
    ],
)
def test_nothing_to_draw_is_no_picture(figure: Figure | None) -> None:
    assert figure is None


def test_values_that_are_no_numbers_are_left_out() -> None:
    rows = [{"step": step, "loss": value} for step, value in enumerate((float("nan"), "x", True, None, 1.0))]
    assert figures.finite(rows, "step", "loss") == [(4, 1.0)]


def test_png_has_its_size_and_neither_date_nor_version() -> None:
    with look():
        figure = figures.loss(STEPS, HISTORY, "a run")
        assert figure is not None
        image = Image.open(io.BytesIO(png(figure)))
    assert image.size == (round(7.4 * DPI), round(4.4 * DPI))
    assert set(image.info) <= {"dpi"}
    assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)


def test_the_look_leaves_no_trace() -> None:
    before = dict(matplotlib.rcParams)
    with look():
        figures.loss(STEPS, HISTORY, "a run")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("text", ["a\nb", "\x1b[0m", "🙂", "東", "y" * 500])
def test_labels_are_short_single_lines_of_known_glyphs(text: str) -> None:
    shown = label(text)
    assert shown.isprintable()
    assert len(shown) <= 60
