"""A run that is named without its folder, by its id or nearly right is proposed, by every command that takes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.runs.readers.nearby import meant
from tests.fixtures import tiny_run

COMMANDS = (
    "answer {} -q x -c y", "rescore {}", "plot {}", "verify {}", "reproduce {}", "status {}", "resume {}", "best {}",
    "compare {}", "train --from {} --cfg job", "train --from={}",
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("outputs/a1", "outputs/long-name", "multirun_outputs/rates/seed=0-34baec53", "mine/b1"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_proposes_the_run_that_stands_there(command: str, here: Path) -> None:
    for given, proposed in (("a1", "outputs/a1"), ("rates", "multirun_outputs/rates")):
        done = tiny_run.call(here, *command.format(given).split())
        assert done.code == 2
        assert f"; did you mean {proposed}?" in done.err
        assert "a1" not in done.last_line.partition("did you mean")[2] or given == "a1"


def test_what_may_be_meant(here: Path) -> None:
    for given, proposed in {
        "a1": "outputs/a1",
        str(here / "a1"): "outputs/a1",
        "outputs/long-nmae": "outputs/long-name",
        "long_name": "outputs/long-name",
        "seed=0-34baec53": "multirun_outputs/rates/seed=0-34baec53",
        "34baec53": "multirun_outputs/rates/seed=0-34baec53",
        "rates/seed=0-34baec53": "multirun_outputs/rates/seed=0-34baec53",
        "mine/b2b1": None,
        "outputs/a1": None,
        "zzz": None,
        "../zzz": None,
        "a\0b": None,
        "x" * 5000: None,
    }.items():
        assert meant(given) == ("" if proposed is None else f"; did you mean {proposed}?"), given


def test_a_sweep_in_the_place_of_a_run_is_called_a_sweep(here: Path) -> None:
    (here / "multirun_outputs" / "rates" / "sweep.json").write_text("{}")
    for command in ("answer", "rescore", "verify"):
        done = tiny_run.call(here, command, "multirun_outputs/rates")
        assert "it is a sweep; qaexp status multirun_outputs/rates lists its runs" in done.err
    done = tiny_run.call(here, "resume", "multirun_outputs/rates")
    assert done.code == 2
    assert "multirun_outputs/rates: is a sweep without its plan.json" in done.err
