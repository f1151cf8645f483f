"""Where runs stand, in lines for terminals of any width: no number, no state and no name is cut."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from qaexp.reporting.terminal.standing import pipe_lines, terminal_lines
from qaexp.runs.readers.progress import Progress, Skipped

WIDTHS = (40, 60, 80, 100, 120, 170)
SWEEP = "seed={},optimizer.lr=0.0003-9c1a0966"


def run(path: str | Path, **values: Any) -> Progress:
    empty: dict[str, Any] = dict.fromkeys(field.name for field in fields(Progress)[:12])
    return Progress(**{**empty, "path": Path(path), **values})


@pytest.fixture
def runs(tmp_path: Path) -> list[Progress]:
    """Runs in every state, alone and in a sweep, with the widest numbers that there are."""
    sweep = tmp_path / "tty80"
    sweep.mkdir()
    names = [SWEEP.format(seed) for seed in range(3)]
    (sweep / "plan.json").write_text(json.dumps({"jobs": [{"path": name} for name in names]}))
    ended = {"stage": "report", "attempt": 1}
    return [
        run("outputs/mine", state="completed", step=324, total_steps=324, epoch=4.0, loss=0.412, f1=100.0, **ended),
        run("outputs/nb", state="failed", stage="data", attempt=12, about="no JSON; qaexp resume outputs/nb"),
        run("outputs/\u6771\u4eac", state="unfinished end", step=3, total_steps=1234567, epoch=0.3529, loss=12345.678),
        run(sweep / names[0], state="completed", step=88000, epoch=2.0, loss=0.5, f1=36.8, about="a copy", **ended),
        run(sweep / names[1], state="running", step=7, total_steps=88000, loss=1.25, f1=3.9, age_seconds=4.0,
            stage="training", checkpoint_step=6, attempt=2),
        run(sweep / names[2], state="planned"),
    ]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_states_numbers_and_names_stand_whole(runs: list[Progress], width: int) -> None:
    lines = terminal_lines(runs, [], width)
    text = "\n".join(lines)
    words = text.split()
    for one in runs:
        assert text.count(one.path.name) >= 1
        assert one.state in text
        assert one.f1 is None or f"{one.f1:.1f}" in words
        total = f"/{one.total_steps}" if one.total_steps and one.state != "completed" else ""
        assert f"{one.step or 0}{total}" in words
    # What looks like a number is a whole one.
    known = {"100.0", "36.8", "3.9", "0.412", "12,345.678", "0.500", "1.250", "0.35", "12", "2", "1", "4", "6", "3"}
    cells = [word for line in lines[1:] for word in re.sub(r"\S*[=/]\S*|of|,$", " ", line).split()]
    assert {word for word in cells if re.fullmatch(r"[\d.,]*\d", word)} <= known | {"324", "88000", "0"}
    assert "\u2026" not in text
    assert width < 60 or all(cell_len(line) <= width for line in lines)
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_leave_the_least_important_first(runs: list[Progress], width: int) -> None:
    titles = terminal_lines(runs, [], width)[0].split()
    order = ["stage", "attempt", "checkpoint", "epoch", "loss"]
    left = [name for name in order if name in titles]
    assert left == order[len(order) - len(left) :]
    assert [name for name in titles if name not in order] == ["run", "state", "step", "f1"]
    assert width < 170 or left == order


@pytest.mark.parametrize("width", WIDTHS)
def test_a_note_has_lines_of_its_own_and_a_sweep_its_tally(runs: list[Progress], width: int) -> None:
    lines = terminal_lines(runs, [Skipped(Path("x"), "not a run", "is empty")], width)
    text = " ".join(" ".join(lines).split())
    assert "1 of 3 completed, 1 running, 1 not started" in text
    assert "no JSON; qaexp resume outputs/nb" in text
    assert "no JSON; qaexp" in next(line for line in lines if line.startswith("    "))
    assert lines[-1] == "x: skipped: is empty"
    assert [line.split()[0] for line in lines[1:] if line.startswith("outputs/")] == ["outputs/"]


def test_a_sweep_of_which_some_jobs_are_shown_has_no_tally(runs: list[Progress]) -> None:
    assert "of 2 completed" not in " ".join(terminal_lines(runs[3:5], [], 80))


def test_what_is_known_of_several_runs_alike_is_said_once(tmp_path: Path) -> None:
    several = [run(tmp_path / name, state="completed", about=f"qaexp verify {tmp_path / name}") for name in "abc"]
    assert [line for line in terminal_lines(several, [], 80) if "verify" in line] == ["    3 runs: qaexp verify RUN"]
    failed = [run(path.path, state="failed", about=path.about) for path in several]
    assert sum("qaexp verify" in line for line in terminal_lines(failed, [], 400)) == 3


def test_a_long_folder_is_told_by_its_end() -> None:
    deep = Path("/", *[f"folder{number}" for number in range(20)], "outputs")
    lines = terminal_lines([run(deep / name, state="killed", step=1) for name in "ab"], [], 60)
    assert lines[1].startswith(".../folder1")
    assert lines[1].endswith("folder19/outputs/")
    assert max(map(len, lines)) <= 60


def test_a_pipe_gets_a_line_a_run_without_blanks_at_its_end(runs: list[Progress]) -> None:
    lines = pipe_lines(runs, [Skipped(Path("x"), "not a run", "is empty")])
    assert len(lines) == 1 + len(runs) + 1 + 1
    assert lines[0].split()[-1] == "note"
    assert [line.split()[0] for line in lines[1:7]] == [str(one.path) for one in runs]
    assert lines[2].endswith("no JSON; qaexp resume outputs/nb")
    assert lines[7].endswith("tty80: 1 of 3 completed, 1 running, 1 not started")
    assert all(line == line.rstrip() for line in lines)


def test_no_text_of_a_folder_steers_the_terminal() -> None:
    hostile = run("outputs/\x1b]0;x\n", state="failed", stage="\x1b[2J", about="\x9b1A\nqaexp: fine")
    lines = [*terminal_lines([hostile], [], 80), *pipe_lines([hostile], [])]
    assert all(line.isprintable() for line in lines)


def test_of_many_runs_those_that_need_a_look_are_shown_and_how_to_see_all(tmp_path: Path) -> None:
    states = {3: "running", 5: "failed", 7: "killed"}
    runs = [run(tmp_path / f"r{number:02}", state=states.get(number, "completed")) for number in range(12)]
    for number, one in enumerate(runs):
        one.path.mkdir()
        os.utime(one.path, (number, number))
    gone = [Skipped(Path(f"x{number}"), "not a run", "is empty") for number in range(7)]
    for lines in (pipe_lines(runs, gone, 5), terminal_lines(runs, gone, 80, 5)):
        shown = [word for line in lines for word in line.replace("/", " ").split() if re.fullmatch(r"r\d\d", word)]
        assert shown == ["r03", "r05", "r07", "r10", "r11"]
        assert "7 more runs; --all shows them" in lines
        assert lines[-1] == "2 more skipped folders; --all shows them"
    assert pipe_lines(runs[:5], [], 5) == pipe_lines(runs[:5], [])
    assert terminal_lines(runs[:5], [], 80, 5) == terminal_lines(runs[:5], [], 80)
