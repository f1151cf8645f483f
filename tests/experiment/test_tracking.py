"""Each tracker for real: a sweep that is tracked live and one that is mirrored, read back from the trackers' stores."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run, tracked
from tests.fixtures.tracked import PACKAGES, Runs, started

pytestmark = pytest.mark.thorough

SWEEP = ("qaexp", "train", "-m", "name=s", "seed=0,1", "threads=1", "trainer.epochs=2")
TINY = (*tiny_run.MODEL[:2], "reporter=plots", "trainer.log_every=1", "data.train_size=24", "data.dev_size=16")
THERE = [name for name in PACKAGES if not tracked.missing(name)]


# The stores do not change any more once they are read.
read = cache(tracked.read)


def needs(name: str) -> None:
    """Skip the test of a tracker whose packages are not installed."""
    if lost := tracked.missing(name):
        pytest.skip(f"needs {', '.join(lost)}: pip install 'qaexp[{name}]'")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep that all trackers saw."""
    folder = tmp_path_factory.mktemp("live")
    done = started(folder, *SWEEP, *TINY, f"trackers=[{','.join(THERE)}]")
    assert done.returncode == 0, done.stderr
    logs = [path.read_text() for path in (folder / "multirun_outputs" / "s").glob("*/train.log")]
    assert not any("given up" in log for log in logs), logs
    return folder


@pytest.fixture(scope="module")
def mirrored(live: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another folder, into whose stores the same sweep was mirrored twice; the runs are as they were."""
    folder = tmp_path_factory.mktemp("mirrored")
    shutil.copytree(live / "multirun_outputs", folder / "multirun_outputs")
    before = tiny_run.snapshot(folder / "multirun_outputs")
    for name in THERE:
        for says in ("2 runs sent, 0 there already", "" if name == "tensorboard" else "0 runs sent, 2 there already"):
            done = started(folder, "qaexp", "track", "multirun_outputs/s", "--to", name)
            assert (done.returncode, says in done.stdout) == (0, True), done
    assert tiny_run.snapshot(folder / "multirun_outputs") == before
    return folder


def jobs_of(runs: Runs) -> dict[str, dict[str, Any]]:
    """The runs of jobs by the end of their name."""
    return {
        next(part for part in reversed(Path(name).parts) if part.startswith("seed=")): run
        for name, run in runs.items()
        if "seed=" in name
    }


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("how", ["live", "mirrored"])
def test_a_tracker_holds_what_the_runs_hold(name: str, how: str, live: Path, mirrored: Path) -> None:
    needs(name)
    folder = live if how == "live" else mirrored
    # Of TensorBoard, what was mirrored lies beside the runs.
    place = folder / "tensorboard" if (name, how) == ("tensorboard", "mirrored") else folder
    found = jobs_of(read(name, place))
    assert len(found) == 2
    for job, run in found.items():
        own = folder / "multirun_outputs" / "s" / job
        lines = tiny_run.read_lines(own / "metrics.jsonl")
        assert [step for step, _ in run["numbers"]["train/loss"]] == [line["step"] for line in lines]
        assert [value for _, value in run["numbers"]["train/loss"]] == pytest.approx([line["loss"] for line in lines])
        assert [step for step, _ in run["numbers"]["dev/f1"]] == [4, 8]
        summary = tiny_run.read_json(own / "summary.json")
        numbers = {key: value for key, value in summary.items() if isinstance(value, int | float)}
        sent = {key.removeprefix("summary/"): run["numbers"][key] for key in run["numbers"] if "summary/" in key}
        assert {key: values[-1][1] for key, values in sent.items()} == pytest.approx(numbers)
        assert all(len(values) == 1 for values in sent.values())
        assert sorted(run["pictures"]) == sorted(path.stem for path in (own / "plots").glob("*.png"))
        assert run["is_complete"]


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "tensorboard"])
def test_live_and_mirrored_are_alike(name: str, live: Path, mirrored: Path) -> None:
    needs(name)
    one, other = (read(name, folder) for folder in (live, mirrored))
    assert set(one) == set(other)
    assert jobs_of(one).keys() == jobs_of(other).keys()
    for job, run in jobs_of(one).items():
        again = jobs_of(other)[job]
        assert run["numbers"] == again["numbers"]
        assert run["group"] == again["group"] == "s"
        ours = {key: value for key, value in run["parameters"].items() if key != "folder"}
        assert ours == {key: again["parameters"][key] for key in ours}
        assert ours["optimizer.lr"] == "0.0003"
        assert ours["run_id"] == job.rpartition("-")[2]
        assert name == "mlflow" or run["id"] == again["id"]


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("how", ["live", "mirrored"])
def test_the_comparison_is_in_the_group(name: str, how: str, live: Path, mirrored: Path) -> None:
    needs(name)
    found = read(name, live if how == "live" else mirrored)
    run = found[{"mlflow": "s", "tensorboard": "tensorboard/s/comparison"}.get(name, "s/comparison")]
    assert any(text.startswith("comparison") for text in run["texts"])


def test_the_runs_are_those_without_trackers(live: Path, tmp_path: Path) -> None:
    """Every file of the manifest but those that say how the run was started, and nothing but what trackers' are."""
    assert started(tmp_path, *SWEEP, *TINY).returncode == 0
    for other in sorted((tmp_path / "multirun_outputs" / "s").glob("seed=*")):
        run = live / "multirun_outputs" / "s" / other.name
        files = set(tiny_run.read_json(other / "MANIFEST.json")["files"])
        assert set(tiny_run.read_json(run / "MANIFEST.json")["files"]) == files
        same = {name for name in files if (run / name).read_bytes() == (other / name).read_bytes()}
        assert files - same == {"config.json", "env.json"}
        configs = [tiny_run.read_json(folder / "config.json") for folder in (run, other)]
        assert [{**config, "trackers": {}} for config in configs] == [configs[1], configs[1]]
        own = {path.name for path in run.iterdir()} - {path.name for path in other.iterdir()}
        assert own == {"tensorboard"}


def test_a_run_that_was_killed_goes_on_in_the_same_tracker_run(tmp_path: Path) -> None:
    words = ("train", "name=a", *TINY, "trainer.epochs=12", "trainer.checkpoint_every=1")
    chosen = f"trackers=[{','.join(THERE)}]"
    log = tmp_path / "outputs" / "a" / "metrics.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "qaexp", *words, chosen],
        cwd=tmp_path,
        env=tracked.environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and not (log.exists() and log.read_text().count("\n") >= 12):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = started(tmp_path, "qaexp", "resume", "outputs/a")
    assert done.returncode == 0, done.stderr
    assert "going on after step" in (tmp_path / "outputs" / "a" / "train.log").read_text()
    steps = [line["step"] for line in tiny_run.read_lines(log)]
    for name in THERE:
        (run,) = read(name, tmp_path).values()
        assert [step for step, _ in run["numbers"]["train/loss"]] == steps, name
        assert len(run["numbers"]["dev/f1"]) == len({step for step, _ in run["numbers"]["dev/f1"]}) == 12, name
        assert run["is_complete"], name
