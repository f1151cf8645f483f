"""The final table says what to look at, and a collapsed run does not look like a success."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from qaexp.reporting.tables import summary_table
from qaexp.reporting.verdict import is_collapsed, what_to_look_at

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


def shown(summary: dict[str, Any], flags: list[dict[str, Any]], directory: str = "outputs/a", width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(summary_table(summary, flags, Path(directory)))
    return out.getvalue()


def test_scores_stand_under_their_rules() -> None:
    text = shown(GOOD, [])
    rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if line}
    assert rows["default"] == ["default", "80.0", "84.0", "82.0", "87.0", "0.00"]
    assert rows["cross-fitted"] == ["cross-fitted", "80.2", "84.3", "-", "-", "-"]
    assert rows["oracle"] == ["oracle", "81.0", "85.0", "-", "-", "0.70"]
    assert "3 (best: 3, f1 84.0)" in text
    assert "1,234 s in all" in text
    assert "outputs/a" in text
    assert "look at" in text


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
    assert "cross-fitted" not in text


@pytest.mark.parametrize(("summary", "flags"), [(COLLAPSED, []), (GOOD, [FLAG])])
def test_collapse_is_the_first_thing_said(summary: dict[str, Any], flags: list[dict[str, Any]]) -> None:
    assert is_collapsed(summary, flags)
    text = shown(summary, flags)
    assert text.startswith("NULL COLLAPSE: the run answers nothing")
    assert "no skill" in text
    assert all(flag["advice"] in text for flag in flags)


def test_what_to_look_at_follows_the_numbers() -> None:
    assert "worst errors" in what_to_look_at(GOOD)[0]
    assert "the null threshold" in what_to_look_at({**GOOD, "crossfit_f1": 86.0})[0]
    assert "the gap" in what_to_look_at({**GOOD, "exact": 40.0})[0]
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
