"""Launchers other than ours: what is said where one cannot be had, and that a sweep goes on whoever ran its jobs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from qaexp.config.build import check_plugins
from qaexp.errors import ConfigError
from qaexp.runs.lock import hold
from qaexp.sweeps.sweeper import _not_there
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.workers import planned

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1", "threads=1")


@pytest.mark.parametrize("node", ["launcher", "sweeper"])
def test_an_own_plugin_outside_of_hydra_plugins_is_told_where_it_must_stand(
    node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "collections.")
    with pytest.raises(ConfigError, match=r"hydra_plugins alone.*_target_: hydra_plugins\.mine\.OrderedDict"):
        check_plugins({node: {"_target_": "collections.OrderedDict"}})


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", r"qaexp\[launchers\]"),
        ("hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher", r"qaexp\[launchers\]"),
        ("hydra_plugins.mine.Mine", r"hydra_plugins\.mine\.Mine cannot be used \(Unknown plugin class\)"),
    ],
)
def test_a_launcher_that_is_not_there_is_told_by_its_true_cause(target: str, says: str) -> None:
    tree = {"hydra": {"launcher": {"_target_": target}, "runtime": {"choices": {"hydra/launcher": "chosen"}}}}
    said = _not_there(OmegaConf.create(tree), RuntimeError("Unknown plugin class"))
    with pytest.raises(ConfigError, match=says):
        raise ConfigError(said)
    assert said.startswith("hydra/launcher=chosen")
    assert ("pip install" in said) == ("mine" not in target)


WORKER = """
import pickle, sys, warnings
from hydra.types import RunMode
from qaexp.config.compose import main_hydra, register_schema
from qaexp.sweeps.plugins import register_plugins
register_schema()
register_plugins()
loader = pickle.loads(pickle.dumps(main_hydra(None).config_loader))
warnings.resetwarnings()
warnings.filterwarnings("ignore", category=DeprecationWarning)
for launcher in ("joblib", "basic", "submitit_local"):
    loader.load_configuration("config", [f"hydra/launcher={launcher}", "name=a"], run_mode=RunMode.MULTIRUN)
"""


def test_a_worker_says_nothing_of_schemas() -> None:
    """A worker of joblib composes its job with the loader that it got pickled, and none of our filters."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ConfigStore" not in done.stderr


def test_a_sweep_of_another_launcher_goes_on_from_its_folder(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", "-m", "name=s", "hydra/launcher=basic", *WORDS, "seed=0,1")
    assert done.code == 0, done.err
    assert "2 jobs handed to hydra/launcher=basic" in done.out
    sweep = tmp_path / "multirun_outputs" / "s"
    (lost,) = sweep.glob("seed=1-*")
    shutil.rmtree(lost)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = tiny_run.call(elsewhere, "resume", str(sweep))
    assert again.code == 0, again.err
    assert "goes on by its command: qaexp train -m name=s hydra/launcher=basic" in again.out
    assert (lost / "summary.json").exists()
    # A plan of an older qaexp does not know that its command is enough, and the command is said.
    plan = json.loads((sweep / "plan.json").read_text())
    del plan["settings"]["by_command"]
    (sweep / "plan.json").write_text(json.dumps(plan))
    older = tiny_run.call(elsewhere, "resume", str(sweep))
    assert (older.code, "started it again: qaexp train -m name=s hydra/launcher=basic" in older.last_line) == (2, True)


def test_a_job_that_another_process_trains_has_not_failed(tmp_path: Path) -> None:
    """Hydra's launchers claim nothing, and come upon the jobs of workers."""
    sweep = planned(tmp_path, *WORDS, "seed=0,1")
    theirs = sweep / json.loads((sweep / "plan.json").read_text())["jobs"][0]["path"]
    theirs.mkdir()
    with hold(theirs):
        done = tiny_run.call(tmp_path, "train", "-m", "name=s", "hydra/launcher=basic", *WORDS, "seed=0,1")
    assert done.code == 10, done.err
    assert f"another process trains it: {theirs.relative_to(tmp_path)}: process {os.getpid()} on" in done.out
    assert done.last_line.endswith("1 of 2 jobs was not run to the end; the same command runs what is missing")
    rows = json.loads((sweep / "sweep.json").read_text())["jobs"]
    assert [row["state"] for row in rows] == ["preempted", "completed"]
    assert rows[0]["error"]["message"].startswith("another process trains it")
    again = tiny_run.call(tmp_path, "train", "-m", "name=s", "hydra/launcher=basic", *WORDS, "seed=0,1")
    assert again.code == 0, again.err
