"""Curves: what came since is told, and no file can be one that is waited for or held as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qaexp.board.curves import MOST_POINTS, curve_of
from tests.board.conftest import SMALL
from tests.fixtures import fake_run


def line(step: int, loss: object = 1.0) -> str:
    return json.dumps({"step": step, "loss": loss}) + "\n"


def write(run: Path, text: str, *, mode: str = "w") -> None:
    run.mkdir(exist_ok=True)
    with (run / "metrics.jsonl").open(mode) as file:
        file.write(text)


def test_the_curves_of_a_run(tmp_path: Path) -> None:
    run = fake_run.build(tmp_path / "a", **SMALL)
    found = curve_of(run, "")
    records = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
    assert found["loss"] == [(record["step"], record["loss"]) for record in records]
    assert [step for step, _ in found["f1"]] == [3, 6]
    assert (found["is_all"], found["problem"]) == (True, None)


def test_only_what_came_since_is_told_and_no_half_line(tmp_path: Path) -> None:
    run = tmp_path / "a"
    write(run, line(1) + line(2)[:9])
    first = curve_of(run, "")
    assert first["loss"] == [(1, 1.0)]
    write(run, line(2)[9:] + line(3), mode="a")
    second = curve_of(run, first["since"])
    assert (second["is_all"], second["loss"]) == (False, [(2, 1.0), (3, 1.0)])
    assert curve_of(run, second["since"])["loss"] == []


def test_a_file_that_is_another_one_begins_anew(tmp_path: Path) -> None:
    run = tmp_path / "a"
    write(run, line(1) + line(2))
    since = curve_of(run, "")["since"]
    write(tmp_path / "b", line(5))
    (tmp_path / "b" / "metrics.jsonl").replace(run / "metrics.jsonl")
    assert curve_of(run, since)["loss"] == [(5, 1.0)]
    since = curve_of(run, "")["since"]
    os.truncate(run / "metrics.jsonl", 0)
    found = curve_of(run, since)
    assert (found["is_all"], found["loss"]) == (True, [])


def test_long_curves_are_thinned_to_their_ends(tmp_path: Path) -> None:
    run = tmp_path / "a"
    write(run, "".join(line(step) for step in range(1, 5001)))
    found = curve_of(run, "")["loss"]
    assert len(found) <= MOST_POINTS + 1
    assert (found[0][0], found[-1][0]) == (1, 5000)


@pytest.mark.parametrize("since", ["", "x", "1.2.3", "-1.5", f"{10**30}.1", "1." + "9" * 10**4])
def test_anything_may_be_asked_for(tmp_path: Path, since: str) -> None:
    write(tmp_path / "a", line(1))
    assert curve_of(tmp_path / "a", since)["loss"] == [(1, 1.0)]


def test_lines_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    wrong = [
        '{"step": "1", "loss": 1}',
        "[1]",
        "{",
        '{"step": 1, "loss": NaN}',
        '{"step": true, "loss": 1}',
        "[" * 10**5,
    ]
    write(tmp_path / "a", "\n".join(wrong) + "\n" + line(7) + line(8, 10**400))
    assert curve_of(tmp_path / "a", "")["loss"] == [(7, 1.0)]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    assert curve_of(tmp_path / "nothing", "") == {"since": "", "is_all": True, "loss": [], "f1": [], "problem": None}
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "metrics.jsonl")
    assert "not a regular file" in curve_of(tmp_path / "pipe", "")["problem"]
    write(tmp_path / "a", line(1))
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "metrics.jsonl").symlink_to(tmp_path / "a" / "metrics.jsonl")
    assert curve_of(tmp_path / "link", "")["problem"]
    (tmp_path / "a" / "history.csv").write_text('epoch,f1\n"')
    assert curve_of(tmp_path / "a", "")["loss"] == [(1, 1.0)]
