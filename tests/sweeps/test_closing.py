"""The table that ends a sweep, and what it says of runs that are ill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from qaexp.runs.readers.repeats import Group
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.plan import Plan, PlannedJob
from qaexp.sweeps.view import SweepView, print_results
from tests.fixtures import fake_run
from tests.fixtures.checked import check_command_line

METRICS = ("crossfit_f1", "f1", "exact", "train_seconds")


def group(name: str, value: float, *run_ids: str) -> Group:
    numbers: dict[str, float | int | None] = {"mean": value, "sd": 10.25, "n": len(run_ids)}
    return Group(name, {}, run_ids, len(run_ids), dict.fromkeys(METRICS, numbers))


GROUPS = [group("optimizer.lr=0.0005", 88.15, "a", "b"), group("optimizer.lr=0.003", 37.05, "c", "d")]


def shown(flags: dict[str, list[str]], width: int, *, color: bool = False, groups: Sequence[Group] = GROUPS) -> str:
    rows: list[dict[str, Any]] = [
        {"run_id": name, "flags": flags.get(name, []), "state": "completed", "is_planned": True} for name in "abcd"
    ]
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None)
    print_results(console, rows, groups, Path("multirun_outputs/s"))
    return out.getvalue()


def test_a_sweep_without_flags_has_no_column_of_them() -> None:
    text = shown({}, 80)
    assert "flags" not in text
    assert "null_collapse" not in text
    assert "optimizer.lr=0.0005 2" in text
    assert text.endswith("sweep directory multirun_outputs/s\n")


@pytest.mark.parametrize("width", [80, 100, 10_000])
def test_a_group_that_answers_nothing_is_no_success(width: int) -> None:
    text = shown({"c": ["null_collapse"], "d": ["null_collapse"], "a": ["gradient_explosion", "overfit_gap"]}, width)
    (ill,) = [line for line in text.splitlines() if line.startswith("optimizer.lr=0.003")]
    assert ill.rstrip().endswith("null_collapse")
    words = " ".join(text.split())
    assert "gradient_explosion 1/2" in words
    assert "overfit_gap 1/2" in words
    assert (
        "null_collapse: answers nothing, at threshold 0 or at its tuned one; its score there is the share of questions "
        "without an answer, no skill" in words
    )
    assert max(map(len, text.splitlines())) <= width
    # Whole names and whole numbers, in their own columns.
    assert "88.2" in text
    assert "37.0" in ill or "37.1" in ill
    assert text.count("optimizer.lr=0.0005") == 1


def test_one_collapsed_run_of_a_group_is_told() -> None:
    assert "null_collapse 1/2" in " ".join(shown({"d": ["null_collapse"]}, 100).split())


def test_its_scores_are_dim() -> None:
    lines = shown({"d": ["null_collapse"]}, 100, color=True).splitlines()
    dim = [line for line in lines if "\x1b[2m" in line]
    assert len(dim) == 1
    assert "optimizer.lr=0.003" in dim[0]


def test_a_job_that_collapsed_is_told_when_it_ends(tmp_path: Path) -> None:
    config = check_command_line(["model=tiny_random"])
    job = Job(("seed=0",), ("seed=0",), config).identified("0" * 64, tmp_path)
    fake_run.build(job.folder, num_examples=8, num_steps=6, num_epochs=1, collapsed=True)
    for is_terminal, says in ((False, "completed after 1 s: null_collapse"), (True, "completed, null_collapse")):
        out = StringIO()
        console = Console(file=out, force_terminal=is_terminal, width=200, color_system=None)
        with SweepView(console, Plan([PlannedJob(job, "run")])) as view:
            view.started(job)
            view.ended(job, Outcome("completed"), 1.0)
        assert says in out.getvalue()


def test_a_sweep_ends_with_its_finding_first_and_the_page_last(monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    row = {"flags": [], "state": "completed", "is_planned": True}
    rows: list[dict[str, Any]] = [{"run_id": name, **row} for name in "abcd"]
    found = ["No setting is shown to be better.", "Next: run more seeds: qaexp train -m name=s seed=0,1,2"]
    console = Console(file=out, width=60, color_system=None)
    monkeypatch.setattr("qaexp.sweeps.last_lines._compared", lambda *_: (found, Path("s/report.html")))
    print_end(console, rows, GROUPS, Path("s"), [])
    lines = out.getvalue().splitlines()
    assert lines[:3] == [found[0], "Next: run more seeds:", "  qaexp train -m name=s seed=0,1,2"]
    assert lines[3].startswith("means over seeds")
    assert lines[-1] == "comparison s/report.html"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("flags", [{}, {"c": ["null_collapse", "gradient_explosion"]}])
def test_no_swept_value_is_cut(width: int, flags: dict[str, list[str]]) -> None:
    rates = ("0.00025", "0.000125")
    names = [f"lr={rate} warmup_ratio=0.{n} max_length=384 batches=fixed" for n, rate in enumerate(rates, 1)]
    text = shown(flags, width, groups=[replace(one, name=name) for one, name in zip(GROUPS, names, strict=True)])
    words = text.split()
    assert all(words.count(word) == 1 for name in names for word in name.split()[:2])
    assert words.count("batches=fixed") == words.count("max_length=384") == 2
    assert {"88.2", "37.0"} <= set(words)
    assert "…" not in text
    assert max(map(len, text.splitlines()[:-2])) <= width


def test_a_word_that_is_wider_than_the_terminal_is_whole_over_several_lines() -> None:
    word = f"checkpoint={'/folder' * 12}"
    text = shown({}, 60, groups=[replace(GROUPS[0], name=word)])
    cells = [line.split()[0] for line in text.splitlines() if line[:1] != " "]
    assert word in "".join(cells)
