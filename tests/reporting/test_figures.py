"""Pictures show the points they are given, say their units and n, and leave matplotlib's settings alone."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from qaexp.reporting.figures import answer_figures, probe_figure, slice_figures
from qaexp.reporting.figures import training_figures as figures
from qaexp.reporting.figures.axes import score_range, spread
from qaexp.reporting.figures.style import DPI, fitting, label, look, png, width_inches
from qaexp.runs.metrics import number_of

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


def ticks(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


@pytest.mark.case("epochs_of_eval_every")
def test_epochs_are_those_of_history_csv() -> None:
    """With trainer.eval_every or max_steps they are no whole numbers."""
    epochs = (0.625, 1.25, 1.625)
    history = [{**HISTORY[0], "epoch": epoch, "step": int(8 * epoch)} for epoch in epochs]
    drawn = [
        figures.scores(history, "a run", 300, 1.625),
        figures.train_accuracy(history, "a run"),
        probe_figure.probes([{**row, "probe_0": "x"} for row in history], [], "a run"),
    ]
    for figure in drawn:
        assert figure is not None
        assert ticks(figure) == [number_of("epoch").shown(epoch) for epoch in epochs]
    loss = figures.loss(STEPS, history, "a run")
    assert loss is not None
    assert "mean of the epoch so far" in lines(loss)
    assert "end of epoch" not in texts(loss)
    assert "so far" in texts(drawn[1])  # type: ignore[arg-type]
    many = figures.train_accuracy([{**HISTORY[0], "epoch": number / 4} for number in range(1, 17)], "a run")
    assert many is not None
    assert ticks(many) == ["1", "2", "3", "4"]
    whole = figures.loss(STEPS, HISTORY, "a run")
    assert whole is not None
    assert "end of epoch" in texts(whole)


def answers(num_has_ans: int, num_no_ans: int) -> list[dict[str, Any]]:
    """Wrong answers; the higher the diff, the more often the question has none."""
    return [
        {
            "golds": ["a"] * (number < num_has_ans),
            "null_score_diff": -0.4 + 0.01 * number,
            "span_exact": 0.0,
            "span_f1": 5.0 * (number < num_has_ans),
        }
        for number in range(num_has_ans + num_no_ans)
    ]


def marks(figure: Figure) -> dict[str, list[float]]:
    """Name and place of each marked rule."""
    return {name: points[0] for name, points in lines(figure).items() if len(points) == 1}


def test_the_star_stands_where_best_f1_is() -> None:
    rows = answers(0, 15)
    silent = {"null_threshold": -1.4, "best_f1": 100.0, "best_f1_thresh": 0.0, "crossfit_f1": 0.0}
    figure = answer_figures.threshold(rows, silent, "a run")
    assert figure is not None
    found = marks(figure)
    assert found["oracle, answer nothing: f1 100.0"][1] == 100.0
    assert found["oracle, answer nothing: f1 100.0"][0] < -0.4
    assert found["tuned -1.40: f1 100.0, from other folds 0.0, answers nothing"] == [-1.4, 100.0]
    assert found["default 0.00: f1 0.0"] == [0.0, 0.0]
    best = 100 * (6 * 0.05 + 9) / 15
    figure = answer_figures.threshold(
        [*answers(6, 0), *({**row, "golds": [], "span_f1": 0.0} for row in answers(15, 0)[6:])],
        {"null_threshold": -0.345, "best_f1": best, "best_f1_thresh": -0.35},
        "a run",
    )
    assert figure is not None
    assert marks(figure)[f"oracle -0.35: f1 {best:.1f}"] == [-0.35, pytest.approx(best)]


def test_intervals_are_over_texts_and_only_where_there_are_five() -> None:
    rows = [{**row, "paragraph": f"p{number // 2}"} for number, row in enumerate(PREDICTIONS)]
    for given, words in ((rows, "95 % intervals over 5 paragraphs"), (PREDICTIONS, "no intervals: 1 paragraph")):
        drawn = [
            answer_figures.calibration(given, "a run"),
            answer_figures.risk_coverage(given, "a run"),
            slice_figures.slices(
                [{**row, "f1": 1.0, "question_word": "who", "answer_words": 1, "context_words": 9, "num_windows": 1}
                 for row in given],
                given,
                "a run",
            ),
        ]  # fmt: skip
        for figure in drawn:
            assert figure is not None
            assert words in texts(figure)
            assert png(figure)


def test_counts_have_whole_ticks() -> None:
    calibration = answer_figures.calibration([{**PREDICTIONS[0], "paragraph": "p"}], "a run")
    threshold = answer_figures.threshold(answers(1, 1), {"null_threshold": 0.1}, "a run")
    loss = figures.loss(STEPS[:2], [], "a run")
    rate = figures.learning_rate(STEPS[:2], [], "a run")
    assert calibration is not None
    assert threshold is not None
    assert loss is not None
    assert rate is not None
    for axis in (calibration.axes[1].yaxis, threshold.axes[1].yaxis, loss.axes[0].xaxis, rate.axes[0].xaxis):
        assert all(float(tick).is_integer() for tick in axis.get_majorticklocs())


def test_a_run_that_must_answer_has_no_threshold() -> None:
    for figure in (
        figures.scores(HISTORY, "a run", 300, 2, "always answered"),
        figures.train_accuracy(HISTORY, "a run", "always answered"),
    ):
        assert figure is not None
        assert "always answered" in texts(figure)
        assert "threshold" not in texts(figure)


@pytest.mark.parametrize(
    ("recorded", "says"),
    [
        (range(1, 11), "a run · highest 0.0001"),
        (range(1, 4), "a run · highest 0.0001"),
        ((4,), "a run · at 1 recorded step of 4"),
        ((3, 6, 9, 10), "a run · at 4 recorded steps of 10"),
    ],
)
def test_the_highest_rate_is_told_only_where_every_step_is_recorded(recorded: Sequence[int], says: str) -> None:
    figure = figures.learning_rate([STEPS[step - 1] for step in recorded], [], "a run")
    assert figure is not None
    assert figure.texts[1].get_text() == says


def test_one_dev_example_is_one() -> None:
    figure = figures.scores(HISTORY, "a run", 1, 2)
    assert figure is not None
    assert "1 dev example ·" in texts(figure)


def test_learning_rate_of_zero_is_marked() -> None:
    figure = figures.learning_rate(STEPS, HISTORY, "a run")
    assert figure is not None
    assert "0: nothing is learned here" in texts(figure)
    healthy = figures.learning_rate(STEPS[:5], HISTORY, "a run")
    assert healthy is not None
    assert "nothing is learned" not in texts(healthy)


@pytest.mark.parametrize(
    "figure",
    [
        figures.loss([], [], ""),
        figures.train_accuracy([], ""),
        figures.scores([], "", None, None),
        figures.learning_rate([{"step": 1, "learning_rate": None}], [], ""),
        answer_figures.threshold([], {}, ""),
        answer_figures.calibration([], ""),
        answer_figures.risk_coverage([], ""),
        slice_figures.slices([], [], ""),
        probe_figure.probes([], [], ""),
        probe_figure.probes(HISTORY, [{"question": "?"}], ""),
    ],
)
def test_nothing_to_draw_is_no_picture(figure: Figure | None) -> None:
    assert figure is None


PREDICTIONS: list[dict[str, Any]] = [
    {
        "golds": ["a"] if number % 2 else [],
        "prediction_text": "a" if number < 6 else "",
        "exact": 100.0 if number in (1, 3, 5, 6, 8) else 0.0,
        "null_score_diff": number - 5.5,
        "n_best": [{"score": 1.0}],
    }
    for number in range(10)
]


def test_risk_coverage_shows_the_run_and_its_oracle_with_their_areas() -> None:
    figure = answer_figures.risk_coverage(PREDICTIONS, "a run")
    assert figure is not None
    drawn = {name.split(":")[0]: points for name, points in lines(figure).items()}
    assert drawn["surest first"][-1] == pytest.approx([100.0, 50.0])
    assert [risk for _, risk in drawn["oracle, wrong ones last"]][4:6] == pytest.approx([0, 100 / 6])
    assert "10 dev examples" in texts(figure)
    assert "in any order: AURC 50.0" in texts(figure)


def test_slices_show_outcomes_and_lengths_that_take_short_contexts_apart() -> None:
    rows = [
        {"f1": 100.0, "question_word": "who", "answer_words": 1, "context_words": words, "num_windows": 1}
        for words in (12, 25, 26)
    ]
    figure = slice_figures.slices(rows, PREDICTIONS, "a run")
    assert figure is not None
    assert "3 dev examples" in texts(figure)
    for text in (
        "\u200760.0 % · 3 of 5 has_ans",
        "40.0 % · 2 of 5 no_ans",
        "up to 19",
        "20–29",
        "f1 by number of windows",
    ):
        assert text in texts(figure)
    alone = slice_figures.slices(rows, [], "a run")
    assert alone is not None
    assert "What became" not in texts(alone)


def test_probes_show_each_question_and_each_answer_for_as_long_as_it_stays() -> None:
    answers = ["(no answer)", "Paris", "Paris", ""]
    history = [{"epoch": epoch, "probe_0": answer, "probe_1": "x"} for epoch, answer in enumerate(answers, start=1)]
    figure = probe_figure.probes(history, [{"question": "Capital of France?"}], "a run")
    assert figure is not None
    shown = texts(figure).split(" | ")
    assert [shown.count(text) for text in ("Capital of France?", "Paris", "(no answer)", "probe 1", "x")] == [
        1,
        1,
        2,
        1,
        1,
    ]
    assert [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches] == [(0, 1), (1, 2), (3, 1), (0, 4)]


@pytest.mark.parametrize(
    "text", ["$\\frac$", "a\0b", "x" * 5000, "\x1b]0;x\x07", "\u202e東京🙂", "   ", "$", "{0} %s \\"]
)
@pytest.mark.parametrize("settings", [None, "x", [1], [{"question": None}], [{"question": 7}, {}]])
def test_probes_never_raise(text: str, settings: Any) -> None:
    history = [{"epoch": float(epoch), "probe_0": text * (epoch % 2), "probe_1": None} for epoch in range(40)]
    with look():
        for given in (settings, [{"question": text}] * 2):
            figure = probe_figure.probes(history, given, text)
            assert figure is not None
            assert png(figure)


@pytest.mark.parametrize("inches", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("text", ["i" * 500, "W" * 500, "a $x$ b", "NUL\0"])
def test_fitting_text_fits(text: str, inches: float) -> None:
    found = fitting(text, inches, 9)
    assert found == "…" or width_inches(found, 9) <= inches


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [99.0, 100.0, 98.0], [0.0, 50.0, 100.0], []])
def test_spread_numbers_stand_apart_in_their_order_and_inside(values: list[float]) -> None:
    found = spread(values, 5.0, 0.0, 100.0)
    ordered = [found[index] for index in sorted(range(len(values)), key=lambda index: values[index])]
    assert all(second - first >= 5.0 - 1e-9 for first, second in itertools.pairwise(ordered))
    assert all(0.0 <= height <= 100.0 for height in found)


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


def test_an_axis_of_scores_shows_the_difference_and_says_where_it_begins() -> None:
    near = [{**HISTORY[0], "epoch": epoch, "f1": 82.0 + epoch, "exact": 80.0 + epoch, "has_ans_exact": 84.0,
             "has_ans_f1": 85.0, "train_accuracy": 88.0} for epoch in (1, 2, 3)]  # fmt: skip
    for figure in (figures.scores(near, "a run", 300, 3), figures.train_accuracy(near, "a run")):
        assert figure is not None
        low, high = figure.axes[0].get_ylim()
        assert 75 < low < 81
        assert 85 < high < 92
        begin = figure.axes[0].get_ylabel().rpartition("axis begins at ")[2].rstrip(")")
        assert float(begin) == pytest.approx(low, abs=0.5)
    far = figures.scores([HISTORY[0], {**HISTORY[1], "f1": 90.0}], "a run", 300, 2)
    assert far is not None
    assert far.axes[0].get_ylim()[0] <= 0
    assert "begins" not in far.axes[0].get_ylabel()


@pytest.mark.parametrize(
    "values", [[0.0], [100.0], [0.0, 100.0], [37.0, 37.1], [99.9, 100.0], [0.0, 0.2], [33.0, 90.0]]
)
def test_the_range_of_scores_holds_them_and_is_possible(values: list[float]) -> None:
    low, high = score_range(values)
    assert 0 <= low <= min(values)
    assert max(values) <= high <= 100
    assert high - low >= 4


def test_risk_of_the_first_few_answers_has_no_interval() -> None:
    rows = [
        {"paragraph": f"p{number // 2}", "title": f"t{number // 2}", "golds": ["a"], "exact": 100.0 * (number % 3 > 0),
         "prediction_text": "a", "null_score_diff": -number / 50, "n_best": [{"score": 1.0}]}
        for number in range(200)
    ]  # fmt: skip
    answers = [(number, 100.0 - row["exact"]) for number, row in enumerate(rows)]
    low, high = answer_figures.interval_band(answers, [row["paragraph"] for row in rows])
    is_drawn = [math.isfinite(end) for end in high]
    assert is_drawn == [math.isfinite(end) for end in low] == [False] * 9 + [True] * 191
    figure = answer_figures.risk_coverage(rows, "a run")
    assert figure is not None
    assert "from 5 % on" in texts(figure)


def test_the_picture_of_two_scores_is_named_after_both() -> None:
    drawn = [figures.train_accuracy(HISTORY, "a run"), figures.train_accuracy([{**HISTORY[0], "exact": None}], "a run")]
    both, one = [figure.texts[0].get_text() for figure in drawn if figure is not None]
    assert (both, one) == ("Train accuracy and dev exact", "Train accuracy")


def test_a_single_step_is_seen_and_counted_as_one() -> None:
    for figure in (figures.loss(STEPS[:1], [], "a run"), figures.learning_rate(STEPS[:1], [], "a run")):
        assert figure is not None
        (line,) = figure.axes[0].lines
        assert line.get_marker() == "o"
    loss = figures.loss(STEPS[:1], HISTORY[:1], "a run")
    assert loss is not None
    assert "1 recorded step, 1 evaluation" in texts(loss)


def test_a_long_name_pushes_nothing_out_of_the_picture() -> None:
    figure = figures.loss(STEPS, HISTORY, "a-very-long-name-" * 12)
    assert figure is not None
    assert "10 recorded steps" in texts(figure)
    figure.draw_without_rendering()
    for text in figure.texts:
        assert text.get_window_extent().x1 <= figure.bbox.x1
