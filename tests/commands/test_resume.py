"""`qaexp resume`: a run goes on from its folder alone, and nothing that stands in the folder is believed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from qaexp.cli import COMMANDS, module_of
from qaexp.commands.stored import check_neutral
from qaexp.errors import ConfigError
from qaexp.runs.readers.typed import typed
from qaexp.storage.redact import Redactor
from tests import REPOSITORY
from tests.fixtures import drill, tiny_run

WORDS = (
    *tiny_run.MODEL,
    "data.train_size=12",
    "data.dev_size=8",
    "trainer.epochs=2",
    "trainer.checkpoint_every=1",
    "threads=1",
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was killed in its second epoch, and one that was left alone."""
    folder = tmp_path_factory.mktemp("resume")
    tiny_run.train(folder, "alone", *WORDS)
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "QAEXP_CACHE_DIR": str(folder / "cache"),
        "QAEXP_CRASH_AT": "renamed:step-0000003",
    }
    command = [sys.executable, "-m", "qaexp", "train", "name=killed", *WORDS]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    return folder


@pytest.fixture
def killed(work: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(work / "outputs" / "killed", tmp_path / "outputs" / "killed"))


def test_a_damaged_checkpoint_is_named_where_it_is_passed_over(work: Path, killed: Path) -> None:
    newest = max((killed / "checkpoints").iterdir())
    (newest / "model.safetensors").write_bytes(b"cut")
    done = tiny_run.call(work, "resume", str(killed))
    assert done.code == 0, done.err
    assert f"checkpoint left alone: {newest}/model.safetensors: " in done.out
    assert "goes on after step 2 of 4\n" in done.out
    assert drill.fingerprints(killed) == drill.fingerprints(work / "outputs" / "alone")


def change_config(run: Path, **changes: Any) -> None:
    (run / "config.json").write_text(json.dumps({**tiny_run.read_json(run / "config.json"), **changes}))


def test_it_goes_on_from_anywhere(work: Path, killed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    was_typed = typed(killed)
    assert "data.train_size=12" in was_typed.overrides
    done = tiny_run.call(elsewhere, "resume", str(killed))
    assert done.code == 0, done.err
    assert typed(killed) == was_typed
    assert tiny_run.read_json(killed / "env.json")["overrides"] == list(was_typed.overrides)
    run_id = tiny_run.read_json(killed / "run.json")["run_id"]
    assert f"  run killed {run_id} -> {killed}\n" in done.out
    assert "goes on after step 3 of 4\n" in done.out
    assert drill.fingerprints(killed) == drill.fingerprints(work / "outputs" / "alone")
    assert drill.steps_once(killed)
    record = tiny_run.read_json(killed / "run.json")
    assert (record["attempt"], record["resumed_step"] >= 2) == (2, True)
    # Completed: shown, and not touched.
    before = tiny_run.snapshot(killed)
    again = tiny_run.call(elsewhere, "resume", str(killed))
    assert again.code == 0
    first = again.out.splitlines()[0]
    assert re.fullmatch(
        r"already completed (at \d\d:\d\d|on 20\d\d-\d\d-\d\d); nothing to do \(another name= runs it again\)", first
    )
    assert str(killed) in again.out.replace("\n", "")
    tagged = tiny_run.call(elsewhere, "resume", str(killed), "tags=[late]", "notes=more")
    assert tagged.out.splitlines()[1].startswith("the tags and notes that you gave are not stored: ")
    assert "not stored" not in again.out
    assert tiny_run.snapshot(killed) == before


def test_other_examples_than_at_the_start_are_refused(killed: Path) -> None:
    data = tiny_run.read_json(killed / "data.json")
    (killed / "data.json").write_text(json.dumps({**data, "train_ids": ["other", *data["train_ids"][1:]]}))
    for _ in range(2):  # what it was started with is still known after a refusal
        done = tiny_run.call(killed, "resume", str(killed))
        assert done.code == 2, done.err
        assert "the data give other examples than when the run was started" in done.err
        assert "now 12 ids, 1 of them others" in done.err
    done = tiny_run.call(killed, "resume", str(killed), "trainer.allow_drift=true")
    assert done.code == 0, done.err
    (drift,) = tiny_run.read_json(killed / "run.json")["drift"]
    assert drift["key"] == "data.train_ids"
    assert tiny_run.read_json(killed / "data.json")["train_ids"] == data["train_ids"]


def test_only_keys_that_cannot_change_results_may_be_given(killed: Path) -> None:
    for word in ("optimizer.lr=1", "seed=3", "name=other", "trainer.log_every=${seed}", "data.train_file"):
        done = tiny_run.call(killed, "resume", str(killed), word)
        assert (done.code, word in done.err) == (2, True), done.err
    typo = tiny_run.call(killed, "resume", str(killed), "steal_lok=true")
    assert "steal_lock" in typo.last_line
    done = tiny_run.call(killed, "resume", str(killed), "steal_lock=true", "trainer.allow_drift=true")
    assert done.code == 0, done.err


def test_another_experiment_begins_with_the_run_or_with_the_whole_command_of_a_sweep(tmp_path: Path) -> None:
    run, sweep = tmp_path / "it's a run", tmp_path / "a sweep"
    sweep.mkdir()
    (sweep / "plan.json").write_text("{}")
    line = "qaexp train --from 'it'\"'\"'s a run' 'seeds.order=[1, 2]'"
    with pytest.raises(ConfigError, match=re.escape(f"begin with this one: {line}") + "$"):
        check_neutral(["seeds.order=[1, 2]"], Path(run.name))
    told = tiny_run.call(tmp_path, "resume", str(sweep), "seed=1").last_line
    assert "give the whole command with another name= for another experiment" in told
    assert "--from" not in told


def test_what_is_no_run_is_refused_with_a_way_out(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "resume", ".")
    assert (done.code, "qaexp status" in done.last_line) == (2, True)
    missing = tiny_run.call(tmp_path, "resume", "missing")
    assert (missing.code, "missing" in missing.last_line) == (2, True)


def test_a_stored_interpolation_stays_literal(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "value-of-the-environment")
    probe = {"question": "What is ${oc.env:PLANTED}?", "context": "It is ${hydra:runtime.cwd} and \\${seed}."}
    change_config(killed, probes=[probe])
    done = tiny_run.call(killed, "resume", str(killed), "trainer.allow_drift=true")
    assert done.code == 0, done.err
    assert tiny_run.read_json(killed / "config.json")["probes"] == [probe]
    files = [path.read_bytes() for path in killed.rglob("*") if path.is_file()]
    assert not any(b"value-of-the-environment" in content for content in files)
    assert "value-of-the-environment" not in done.out + done.err


def test_a_redacted_secret_must_be_given_again(killed: Path) -> None:
    change_config(killed, trackers={"mine": {"_target_": "qaexp.mine", "api_key": "<redacted>"}})
    done = tiny_run.call(killed, "resume", str(killed))
    assert (done.code, "trackers.mine.api_key" in done.last_line) == (2, True)
    assert "give the command" in done.last_line


def test_a_stored_target_is_checked(killed: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    change_config(
        killed, optimizer={"_target_": "os.system", "_partial_": False, "command": f"touch {canary}", "lr": 1}
    )
    done = tiny_run.call(killed, "resume", str(killed))
    assert (done.code, "os.system" in done.err) == (8, True)
    assert not canary.exists()


def test_a_run_of_a_newer_qaexp_is_refused(killed: Path) -> None:
    record = tiny_run.read_json(killed / "run.json")
    (killed / "run.json").write_text(json.dumps({**record, "schema_version": 99}))
    done = tiny_run.call(killed, "resume", str(killed))
    assert (done.code, "upgrade" in done.last_line) == (2, True)


def test_variables_that_a_config_had_set_are_asked_for(killed: Path, tmp_path: Path, monkeypatch: Any) -> None:
    environment = tiny_run.read_json(killed / "env.json")
    assert environment["env_set"] == []
    (killed / "env.json").write_text(json.dumps({**environment, "env_set": ["MY_PROJECT", "MY_KEY"]}))
    monkeypatch.setenv("MY_KEY", "k")
    done = tiny_run.call(tmp_path, "resume", str(killed))
    assert done.code == 0
    assert "hydra.job.env_set gave MY_PROJECT to the run, and no folder keeps such values: not set now" in done.err


def test_only_the_folder_is_required_and_nothing_of_the_usage_is_hidden(tmp_path: Path) -> None:
    said = tiny_run.call(tmp_path, "resume").err
    assert said == "qaexp resume: the following arguments are required: DIR (see qaexp resume --help)\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_usage_has_a_word_that_is_taken_for_a_secret(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        import_module(module_of(command)).main(["--help"])
    said = capsys.readouterr().out
    assert "usage: qaexp" in said
    assert Redactor({}).text(said) == said


@pytest.mark.parametrize("command", ["resume", "train"])
def test_a_config_that_the_run_did_not_write_is_named(work: Path, tmp_path: Path, command: str) -> None:
    run = Path(shutil.copytree(work / "outputs" / "alone", tmp_path / "outputs" / "alone"))
    change_config(run, seed=7)
    words = ["resume", str(run)] if command == "resume" else ["train", "name=alone", *WORDS, "seed=8"]
    failed = tiny_run.call(tmp_path, *words)
    assert failed.code == 8
    assert "alone/config.json is not what the run wrote (its sha256 differs); bring back the run's own" in failed.err
    assert "another version" not in failed.err
