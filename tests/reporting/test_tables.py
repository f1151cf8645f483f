"""The final table says what to look at, and a collapsed run does not look like a success."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from qaexp.reporting.numbers.advice import is_collapsed, what_to_look_at
from qaexp.reporting.numbers.answering import Answered
from qaexp.reporting.terminal.tables import facts, score_rows, summary_table

GOOD: dict[str, Any] = {
    "exact": 80.0,
    "f1": 84.0,
    "has_ans_f1": 82.0,
    "no_ans_f1": 87.0,
    "crossfit_exact": 80.2,
    "crossfit_f1": 84.3,
    "best_exact": 81.0,
    "best_f1": 85.0,
    "best_f1_thresh": 0.7,
    "null_threshold": 0.65,
    "kept_epoch": 3,
    "best_epoch": 3,
    "best_epoch_f1": 84.0,
    "train_accuracy": 88.0,
    "total_seconds": 1234.5,
}
COLLAPSED = {**GOOD, "f1": 52.0, "has_ans_f1": 0.0, "no_ans_f1": 100.0}
FLAG = {"name": "null_collapse", "step": 10, "advice": "train on answerable questions first [/b]"}


def shown(
    summary: dict[str, Any], flags: list[dict[str, Any]], directory: str = "outputs/a", rows: Any = (), width: int = 260
) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(summary_table(summary, flags, Path(directory), predictions=rows))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_scores_stand_under_their_rules() -> None:
    text = shown(GOOD, [])
    rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if line}
    assert rows["default"] == ["default", "80.0", "84.0", "82.0", "87.0", "0.00"]
    assert rows["threshold from other folds"][-5:] == ["80.2", "84.3", "-", "-", "-"]
    assert rows["oracle"] == ["oracle", "81.0", "85.0", "-", "-", "0.70"]
    assert "of epoch 3 saved (best epoch: 3, f1 84.0)" in text
    assert "20 min 34 s in all" in text
    assert "outputs/a" in text
    assert "next steps" in text


def test_a_run_that_went_on_in_another_world_says_so() -> None:
    out = io.StringIO()
    drift = [
        {"key": "versions.torch", "old": "1.0", "new": "2.0", "step": 40},
        {"key": "seed", "old": 1, "new": "[/b]\x1b", "step": 50},
    ]
    Console(file=out, width=200).print(summary_table(GOOD, [], Path("outputs/a"), drift))
    (line,) = [line for line in out.getvalue().splitlines() if "not bit-exact" in line]
    assert "versions.torch was '1.0', from step 40 on '2.0'; seed was 1, from step 50 on '[/b]" in line
    assert "\x1b" not in line
    assert "bit-exact" not in shown(GOOD, [])


def test_run_that_must_answer_has_no_threshold_rules() -> None:
    text = shown({**GOOD, "null_threshold": None, "best_f1": None}, [])
    assert "oracle" not in text
    assert "other folds" not in text


def predictions(num_has_ans: int, num_no_ans: int, diff: float = -0.5) -> list[dict[str, Any]]:
    """Answers that are all wrong, each given up below a threshold of `diff`."""
    return [
        {
            "golds": ["a"] * (number < num_has_ans),
            "prediction_text": "b" if diff <= 0 else "",
            "null_score_diff": diff,
            "span_exact": 0.0,
            "span_f1": 0.0,
        }
        for number in range(num_has_ans + num_no_ans)
    ]


def test_collapse_is_the_first_thing_said() -> None:
    text = shown(COLLAPSED, [FLAG])
    assert text.startswith("NULL COLLAPSE: the run answers nothing")
    assert "no skill" in text
    assert FLAG["advice"] in text


@pytest.mark.parametrize(
    ("diff", "tuned", "title", "answers"),
    [
        (0.7, -0.65, "the run answers nothing", "0 of 40 questions at threshold 0, 0 at the tuned -0.65"),
        (-0.5, -1.5, "the run answers nothing at its tuned threshold -1.50", "40 of 40 questions at threshold 0, 0 at"),
        (
            0.7,
            1.5,
            "the run answers nothing at threshold 0, but 40 of 40 at its tuned 1.50",
            "0 of 40 questions at threshold 0, 40 at the tuned 1.50",
        ),
    ],
)
def test_a_collapse_names_the_threshold_that_silences(diff: float, tuned: float, title: str, answers: str) -> None:
    summary = {**GOOD, "null_threshold": tuned, "f1": 20.0, "crossfit_f1": 37.5}
    text = shown(summary, [FLAG], rows=predictions(25, 15, diff))
    assert text.splitlines()[0].strip() == f"NULL COLLAPSE: {title}"
    assert answers in text
    assert ("silences the model" in text) == (tuned < diff)
    assert ("every prediction is empty" in text) == (diff > 0)
    is_heard = "qaexp answer uses the tuned 1.50, where 40 of 40 questions are answered (crossfit_f1 37.5)" in text
    assert is_heard == ("every prediction is empty at threshold 0: f1 20.0 there is" in text) == (tuned > diff > 0)
    assert "instead of" not in text
    assert "no skill" in text


def test_no_right_answer_is_not_no_answer() -> None:
    summary = {**GOOD, "has_ans_f1": 0.0, "no_ans_f1": 100.0, "null_threshold": 0.0}
    assert not is_collapsed(summary, [])
    rows = [*predictions(14, 0), *predictions(0, 11, 0.5)]
    text = shown(summary, [], rows=rows)
    assert "COLLAPSE" not in text
    assert "empty" not in text
    assert "no answerable question is answered rightly (0 of 14), though 14 of 25 questions are answered" in text


def test_a_threshold_that_silences_is_not_praised_whatever_the_flags() -> None:
    better = {**GOOD, "crossfit_f1": 90.0, "null_threshold": -1.0}
    assert "instead of 84.0" in shown(better, [])
    assert "answers 25 of 25 questions" in shown({**better, "null_threshold": 1.0}, [], rows=predictions(14, 11))
    assert "instead of 84.0" not in shown(better, [], rows=predictions(14, 11))
    silence = {**GOOD, "f1": 4.3, "crossfit_f1": 44.0, "null_threshold": 1.0}
    text = shown(silence, [], rows=predictions(14, 11))
    assert "instead of" not in text
    assert (
        "f1 44.0 with the threshold from other folds: no better than answering nothing at all, which gives 44.0" in text
    )
    assert "instead of 4.3" in shown({**silence, "crossfit_f1": 44.1}, [], rows=predictions(14, 11))


@pytest.mark.case("oracle_at_threshold_zero")
def test_an_oracle_that_answers_nothing_says_so_in_place_of_a_threshold() -> None:
    silent = {**GOOD, "f1": 4.3, "best_exact": 37.5, "best_exact_thresh": 0.0, "best_f1": 37.5, "best_f1_thresh": 0.0}
    rows = [{**row, "span_f1": 6.9} for row in predictions(25, 15)]
    for given in ((), rows):
        (line,) = [line for line in shown(silent, [], rows=given).splitlines() if line.startswith("oracle")]
        assert line.split()[:3] == ["oracle", "37.5", "37.5"]
        assert line.endswith("answer nothing")
    real = [{**row, "null_score_diff": 0.0, "span_f1": 80.0, "span_exact": 80.0} for row in predictions(15, 0)]
    found = score_rows(
        {**GOOD, "best_exact": 80.0, "best_exact_thresh": 0.0, "best_f1": 80.0, "best_f1_thresh": 0.0}, real
    )
    assert dict(found)["oracle"] == ["80.0", "80.0", "-", "-", "0.00"]


def test_a_best_exact_stands_beside_its_own_threshold() -> None:
    rows = dict(score_rows({**GOOD, "best_exact_thresh": 0.004}))
    assert rows["oracle"] == ["-", "85.0", "-", "-", "0.70"]
    assert rows["oracle for exact"] == ["81.0", "-", "-", "-", "0.004"]


def test_a_cut_within_a_tie_is_not_a_threshold() -> None:
    """The official script counts one question after the other, also those that no threshold tells apart."""
    rows = [*predictions(1, 0, 0.5), *predictions(0, 1, 0.5)]
    rows[0] |= {"span_exact": 100.0, "span_f1": 100.0}
    summary = {**GOOD, "best_exact": 100.0, "best_exact_thresh": 0.5, "best_f1": 100.0, "best_f1_thresh": 0.5}
    assert dict(score_rows(summary, rows))["oracle"] == ["100.0", "100.0", "-", "-", "within a tie"]


def test_facts_of_a_run_without_a_step() -> None:
    found = dict(facts({**GOOD, "num_steps": 0, "kept_epoch": 0, "best_epoch": 0}))
    assert "weights" not in found
    assert found["training"] == "none: 0 steps, the model answers as it was loaded"
    assert dict(facts({**GOOD, "kept_epoch": 100.0625}))["weights"] == "of epoch 100.06 saved (best epoch: 3, f1 84.0)"


def test_what_was_written_is_named_and_a_long_time_is_in_minutes(tmp_path: Path) -> None:
    assert "report.html" not in shown({**GOOD, "crossfit_f1": 86.0}, [], str(tmp_path)).splitlines()[-1]
    (tmp_path / "report.html").touch()
    lines = shown({**GOOD, "total_seconds": 354.2}, [], str(tmp_path)).splitlines()
    assert lines[-2].split() == ["page", str(tmp_path / "report.html")]
    assert lines[-1].split() == ["run", "directory", str(tmp_path)]
    assert any("5 min 54 s in all" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_scores_stand_whole_at_every_width(width: int) -> None:
    out = io.StringIO()
    table = summary_table({**GOOD, "best_exact_thresh": -0.0041, "exact": 100.0}, [], Path("outputs/a"))
    Console(file=out, width=width, highlight=False).print(table)
    words = out.getvalue().split()
    assert {"100.0", "84.0", "82.0", "87.0", "80.2", "84.3", "81.0", "85.0", "0.70", "-0.0041"} <= set(words)
    assert "\u2026" not in out.getvalue()


def test_a_picture_that_was_not_drawn_is_not_just_named(tmp_path: Path) -> None:
    assert "qaexp plot draws report.html" in shown(GOOD, [], str(tmp_path))
    (tmp_path / "report.html").touch()
    assert "qaexp plot" not in shown(GOOD, [], str(tmp_path))


def test_what_to_look_at_follows_the_numbers() -> None:
    assert "worst errors" in what_to_look_at(GOOD)[0]
    assert "a tuned null threshold gives f1 86.0 instead of 84.0" in what_to_look_at({**GOOD, "crossfit_f1": 86.0})[0]
    assert "is far above dev exact" in what_to_look_at({**GOOD, "exact": 40.0})[0]
    assert "epoch 2 was better" in what_to_look_at({**GOOD, "best_epoch": 2, "best_epoch_f1": 86.0})[0]
    assert what_to_look_at({})


def test_text_is_no_markup_and_steers_no_terminal() -> None:
    text = shown(GOOD, [{"name": "[red]x", "advice": "\x1b]0;title\x07 [/y]"}], "outputs/[bold]a\x1b[2J")
    assert "[red]x" in text
    assert "[/y]" in text
    assert "outputs/[bold]a\\x1b[2J" in text
    assert "\x1b" not in text


def test_empty_summary_is_shown() -> None:
    assert "default" in shown({}, [])


def test_an_epoch_that_answered_nothing_is_not_recommended() -> None:
    summary = {**GOOD, "f1": 20.0, "best_epoch": 1, "best_epoch_f1": 36.0}
    answered = Answered(num_examples=100, num_has_ans=64, at_default=36, at_tuned=30)
    assert "trainer.keep=best" not in " ".join(what_to_look_at(summary, [], answered))
    assert "trainer.keep=best" in " ".join(what_to_look_at({**summary, "best_epoch_f1": 40.0}, [], answered))
