"""`qaexp train --from RUN`: the config of a run as the beginning of another one, and nothing of it is executed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from qaexp.errors import ConfigError
from qaexp.model import Checkpoint
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.checked import check_command_line

EXAMPLE = REPOSITORY / "multirun_outputs" / "example_sweep"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `base`."""
    folder = tmp_path_factory.mktemp("from")
    tiny_run.train(folder, "base", *tiny_run.DEMO, "trainer.epochs=1", "tags=[a]", "optimizer.lr=0.002")
    return folder


def shown(folder: Path, *words: str) -> dict[str, Any]:
    done = tiny_run.call(folder, "train", *words, "--cfg", "job")
    assert done.code == 0, done.err
    found: dict[str, Any] = yaml.safe_load(done.out)
    return found


@pytest.mark.parametrize(
    "origin", ["outputs/base", "outputs/base/config.json", "outputs/base/.hydra/config.yaml", "outputs/base/.hydra"]
)
def test_it_begins_with_the_config_of_a_run(work: Path, origin: str) -> None:
    found = shown(work, "--from", origin, "trainer.epochs=3")
    assert (found["optimizer"]["lr"], found["trainer"]["epochs"], found["tags"]) == (0.002, 3, ["a"])
    assert found["name"] is None
    assert found["seeds"]["init"] == "${seed}"


def test_the_same_config_is_the_same_run(work: Path) -> None:
    done = tiny_run.call(work, "train", "--from=outputs/base", "name=again")
    assert done.code == 0, done.err
    first, second = (tiny_run.read_json(work / "outputs" / name / "run.json") for name in ("base", "again"))
    assert first["run_id"] == second["run_id"]
    assert f"starts from the config of outputs/base (run {first['run_id']})" in done.out
    assert "does not have" not in done.out + done.err


def test_a_sweep_begins_with_it_too(work: Path) -> None:
    words = ("-m", "--from", "outputs/base", "name=s", "seed=0,1", "optimizer=sgd,adamw", "sweep.dry_run=true")
    done = tiny_run.call(work, "train", *words)
    assert done.code == 0, done.err
    assert "4 jobs" in done.out
    assert not (work / "multirun_outputs").exists()


def test_a_run_of_an_older_version(work: Path, tmp_path: Path) -> None:
    run = next(path for path in sorted(EXAMPLE.iterdir()) if (path / "config.json").exists())
    stored = tiny_run.read_json(run / "config.json")
    found = shown(work, "--from", str(run))
    assert found["optimizer"] == stored["optimizer"]
    assert found["tags"] == []
    del stored["trainer"]["layer_decay"], stored["decoding"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert shown(work, "--from", str(tmp_path / "config.json"))["trainer"]["layer_decay"] == 1.0


def test_what_is_no_run_is_refused(work: Path) -> None:
    (work / "list.yaml").write_text("defaults: [config]\n")
    for origin, says in {
        "outputs": "qaexp status outputs",
        "outputs/nope": "there is no such folder",
        "outputs/base/model": "give the run: --from outputs/base",
        "outputs/base/env.json": "is not a config",
        "outputs/base/model/config.json": "is not the config of a run",
        str(EXAMPLE): "is a sweep; give one of its runs, for example",
        "list.yaml": "--config-name=list",
    }.items():
        done = tiny_run.call(work, "train", "--from", origin)
        assert (done.code, says in done.err) == (2, True), done.err
    twice = tiny_run.call(work, "train", "--from", "outputs/base", "-cd", ".", "-cn", "my")
    assert (twice.code, "leave out one of them" in twice.err) == (2, True)


def changed(work: Path, tmp_path: Path, **changes: Any) -> Path:
    """A copy of the run's folder with another config."""
    copy = tmp_path / "copy"
    shutil.copytree(work / "outputs" / "base", copy)
    (copy / "config.json").write_text(json.dumps({**tiny_run.read_json(copy / "config.json"), **changes}))
    return copy


def test_secrets_live_again_or_are_asked_for(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": "qaexp.reporting.trackers.TensorBoard", "api_key": "<redacted>", "flush_seconds": 3}
    copy = changed(work, tmp_path, trackers={"mine": node})
    done = tiny_run.call(work, "train", "--from", str(copy))
    assert (done.code, "trackers.mine.api_key was a secret" in done.err, "give each again" in done.err) == (
        2,
        True,
        True,
    )
    given = shown(work, "--from", str(copy), "trackers.mine.api_key=new")
    assert given["trackers"]["mine"]["api_key"] == "new"
    monkeypatch.setenv("MY_TOKEN", "of the environment")
    node["api_key"] = "${oc.env:MY_TOKEN}#<redacted>"
    (copy / "config.json").write_text(
        json.dumps({**tiny_run.read_json(copy / "config.json"), "trackers": {"mine": node}})
    )
    assert shown(work, "--from", str(copy))["trackers"]["mine"]["api_key"] == "${oc.env:MY_TOKEN}"


def test_nothing_of_a_strangers_run_is_executed(work: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    hostile = {"_target_": "os.system", "_partial_": True, "command": f"touch {canary}", "lr": 1}
    copy = changed(work, tmp_path, optimizer=hostile)
    done = tiny_run.call(work, "train", "--from", str(copy), "name=x")
    assert (done.code, "os.system" in done.err) == (8, True), done.err
    probe = {"question": "What is ${oc.env:HOME}?", "context": "It is ${hydra:runtime.cwd}."}
    (copy / "config.json").write_text(
        json.dumps({**tiny_run.read_json(work / "outputs/base/config.json"), "probes": [probe]})
    )
    assert shown(work, "--from", str(copy), "--resolve")["probes"] == [probe]
    (copy / "config.json").write_text(
        json.dumps({**tiny_run.read_json(work / "outputs/base/config.json"), "hydra": {"callbacks": {"x": hostile}}})
    )
    assert shown(work, "--from", str(copy))["seed"] == 0
    assert not canary.exists()


def test_relative_paths_mean_what_they_meant(work: Path, tmp_path: Path) -> None:
    (work / "train.json").write_text("{}")
    data = {
        **tiny_run.read_json(work / "outputs/base/config.json")["data"],
        "train_file": "train.json",
        "source": "json",
    }
    copy = changed(work, tmp_path, data=data)
    assert shown(tmp_path, "--from", str(copy))["data"]["train_file"] == str(work / "train.json")
    assert shown(work, "--from", str(copy))["data"]["train_file"] == "train.json"


def test_a_run_folder_is_a_checkpoint_run_folder_as_checkpoint(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    prints = [Checkpoint(checkpoint=place).fingerprint() for place in ("outputs/base", "outputs/base/model")]
    assert prints[0] == prints[1]
    with pytest.raises(ConfigError, match="is more than the"):
        check_command_line(["model.checkpoint=outputs/base", "features.max_length=4096"])
    (tmp_path / "nomodel").mkdir()
    shutil.copy("outputs/base/run.json", tmp_path / "nomodel")
    for place, says in ((tmp_path / "nomodel", "is a run that has no model yet"), (EXAMPLE, "is a sweep; give one")):
        with pytest.raises(ConfigError, match=says):
            Checkpoint(checkpoint=str(place)).fingerprint()


def test_more_epochs_of_a_finished_run(work: Path) -> None:
    words = ("name=base", *tiny_run.DEMO, "optimizer.lr=0.002")
    longer = tiny_run.call(work, "train", *words, "trainer.epochs=2")
    assert (longer.code, "trainer.epochs was 1, now 2;" in longer.err) == (2, True), longer.err
    assert f"model.checkpoint={work / 'outputs' / 'base'} model.random_weights=false" in longer.err
    fresh = tiny_run.call(work, "train", *words, "trainer.epochs=2", "model.checkpoint=outputs/base")
    assert "the weights of model.checkpoint are not used" in fresh.err
    resumed = tiny_run.call(work, "resume", "outputs/base", "trainer.max_steps=3")
    assert (resumed.code, "did you mean" in resumed.err) == (2, False)
    assert "qaexp train --from" in resumed.err
