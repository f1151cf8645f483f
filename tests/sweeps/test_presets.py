"""conf/sweep: every preset plans the jobs that it names, and runs at tiny size."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from qaexp.config.conf import choices, conf_directory
from tests.fixtures import tiny_run

# Of these the jobs follow from those before: test_search.py, test_race.py.
PRESETS = [name for name in choices([conf_directory()])["sweep"] if name not in ("optuna", "race")]


def params_of(name: str) -> dict[str, str]:
    """The keys that a preset sweeps, with their values."""
    written = yaml.safe_load((conf_directory() / "sweep" / f"{name}.yaml").read_text("utf-8"))
    found: dict[str, str] = written["hydra"]["sweeper"]["params"]
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_plans_what_it_names(name: str, tmp_path: Path) -> None:
    num_jobs = math.prod(len(str(values).split(",")) for values in params_of(name).values())
    done = tiny_run.call(tmp_path, "train", f"sweep={name}", "sweep.dry_run=true", *tiny_run.MODEL)
    assert done.code == 0, done.err
    assert f"{num_jobs} jobs: {num_jobs} to run" in done.out
    assert not (tmp_path / "multirun_outputs").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_at_tiny_size(name: str, tmp_path: Path) -> None:
    fewer = {"data.train_size": "8,16", "optimizer.lr": "1e-3", "features.max_length": "32,48", "seed": "0,1"}
    params = params_of(name)
    swept = [f"{key}={values}" for key, values in fewer.items() if key in params]
    fixed = ["data.train_size=16"] if "data.train_size" not in params else []
    stride = ["features.doc_stride=8"] if "features.doc_stride" in params else []
    words = [*tiny_run.MODEL, "data.dev_size=8", "trainer.epochs=1", "data.subset=answerable", *fixed, *stride, *swept]
    done = tiny_run.call(tmp_path, "train", f"sweep={name}", "name=tiny", *words)
    assert done.code == 0, done.err
    sweep = tiny_run.read_json(tmp_path / "multirun_outputs" / "tiny" / "sweep.json")
    assert {job["state"] for job in sweep["jobs"]} == {"completed"}
    assert all(group["n"] == 2 for group in sweep["groups"])
