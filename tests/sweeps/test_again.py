"""A sweep that goes on by its own command: the words of it, wherever the sweep stands now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from qaexp.config.checks.words import parse_overrides
from qaexp.errors import ConfigError, QaexpError
from qaexp.sweeps.again import Command, again, command_of
from tests.fixtures.compared import edit, scores, write_run


@pytest.mark.parametrize("name", ["plain", "it's", "ends with \\", "a\\'b", "${seed}", "a\\${seed}", "a, b=(c)"])
def test_a_sweep_of_any_name_goes_on_where_it_stands(tmp_path: Path, name: str) -> None:
    words = again(tmp_path / name, Command(["-m", "seed=0,1"], tmp_path), ["threads=1"])
    assert words[:3] == ["-m", "seed=0,1", "threads=1"]
    overrides, problems = parse_overrides(words[3:])
    assert problems == []
    assert [one.key_or_group for one in overrides] == ["name", "hydra.sweep.dir"]
    found = OmegaConf.create({"values": [one.value() for one in overrides]})
    assert list(found["values"]) == [name, str(tmp_path / name)]


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """A search without a plan, of two runs that do not know their command."""
    for number in (0, 1):
        run = write_run(tmp_path / f"r{number}", scores(number, 50), changes={"seed": number})
        edit(run / "run.json", started=f"2026-01-0{number + 1}T00:00:00+00:00")
        (run / "env.json").unlink()
    (tmp_path / "optuna.journal").touch()
    return tmp_path


def knows(run: Path, *words: str) -> None:
    (run / "env.json").write_text(json.dumps({"command_line": ["qaexp", "train", *words]}))


def test_a_search_without_a_plan_says_why_no_run_knows_its_command(search: Path) -> None:
    with pytest.raises(ConfigError, match="is not known"):
        command_of(search)
    knows(search / "r0", "sweep=optuna", "hf_token=<redacted>")
    with pytest.raises(ConfigError, match=r"r0/env\.json: the command held a secret, .* sweep=optuna"):
        command_of(search)
    (search / "r1" / "env.json").write_text(json.dumps({"command_line": ["qaexp", "resume", "r1"]}))
    with pytest.raises(QaexpError, match=r"r1/env\.json: holds no command of a sweep"):
        command_of(search)
    knows(search / "r0", "sweep=optuna")
    found = command_of(search)
    assert found is not None
    assert found.shown == "qaexp train sweep=optuna"


def test_the_flags_that_say_where_configs_are_belong_to_the_command(search: Path) -> None:
    words = ("-m", "--multirun", "-cd", "conf", "--config-dir=conf", "-cn", "mine", "--from=outputs/a", "seed=0,1")
    knows(search / "r0", *words)
    found = command_of(search)
    assert found is not None
    assert found.words == list(words)
