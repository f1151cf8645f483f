"""The number format of a sweep: one for all jobs of `auto`, wherever they are planned, run and started again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from qaexp.sweeps import composing
from qaexp.sweeps.bodies import train
from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.launching import Work
from qaexp.sweeps.number_format import begun_formats
from qaexp.sweeps.outcome import COMPLETED, Outcome
from qaexp.sweeps.watcher import Watcher
from tests.fixtures import tiny_run
from tests.fixtures.processors import AMD, AMX, INTEL, OLD, Processor

WORDS = (
    *tiny_run.MODEL,
    "trainer.precision=auto",
    "data.train_size=8",
    "data.dev_size=8",
    "trainer.epochs=1",
    "threads=1",
)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Processor | None], None]:
    """Let jobs be named and run in this process; the result sets which processor the workers have from then on."""
    other: list[Processor | None] = [None]

    def call(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
        return {"value": function(*args)}

    def run(self: LocalLauncher, todo: Work, watcher: Watcher) -> Mapping[str, Outcome]:
        with pytest.MonkeyPatch.context() as patch:
            if other[0] is not None:
                other[0].stand_in(patch)
            for job in todo.jobs:
                train(job)
        return {job.sha256: Outcome(COMPLETED) for job in todo.jobs}

    monkeypatch.setattr(composing.isolate, "call", call)
    monkeypatch.setattr(LocalLauncher, "run", run)

    def set_worker(processor: Processor | None) -> None:
        other[0] = processor

    return set_worker


def sweep(folder: Path, *words: str) -> str:
    done = tiny_run.call(folder, "train", "-m", "name=s", *WORDS, *words)
    assert done.code == 0, done.err
    return done.out


def formats(folder: Path) -> list[tuple[str, str]]:
    """The format of every run of the sweep, by its config.json and by its env.json."""
    runs = [path.parent for path in sorted((folder / "multirun_outputs" / "s").glob("*/env.json"))]
    return [
        (
            tiny_run.read_json(run / "config.json")["trainer"]["precision"],
            tiny_run.read_json(run / "env.json")["device"]["precision"],
        )
        for run in runs
    ]


@pytest.mark.parametrize(
    ("planner", "runner", "found"),
    [
        (OLD, AMX, ("auto", "fp32")),
        (AMD, OLD, ("bf16", "bf16")),
        pytest.param(AMD, AMD, ("bf16", "bf16"), marks=pytest.mark.thorough),
    ],
)
def test_a_job_is_found_as_that_job_wherever_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker, planner: Processor, runner: Processor, found
) -> None:
    planner.stand_in(monkeypatch)
    worker(runner)
    out = sweep(tmp_path, "seed=0,1")
    assert "2 jobs: 2 to run" in out
    folder = tmp_path / "multirun_outputs" / "s"
    assert formats(tmp_path) == [found, found]
    for run in (path.parent for path in folder.glob("*/run.json")):
        assert run.name.endswith("-" + tiny_run.read_json(run / "run.json")["run_id"])
    rows = tiny_run.read_json(folder / "sweep.json")["jobs"]
    assert [(row["is_planned"], row["state"]) for row in rows] == [(True, "completed")] * 2
    assert "2 jobs: 2 to reuse" in sweep(tmp_path, "seed=0,1")
    assert '"state": "completed"' in tiny_run.call(tmp_path, "status", str(folder), "--json").out


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("first", "second", "found", "says"),
    [
        (INTEL, AMD, ("auto", "fp32"), "auto is fp32 in this sweep, as when it was begun, and would be bf16 on this"),
        (AMD, INTEL, ("bf16", "bf16"), "auto is bf16 in this sweep, as when it was begun, and would be fp32 on this"),
    ],
)
def test_a_second_start_on_another_machine_goes_on_in_the_format_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker, first: Processor, second: Processor, found, says: str
) -> None:
    first.stand_in(monkeypatch)
    assert says not in sweep(tmp_path, "seed=0,1")
    second.stand_in(monkeypatch)
    grown = sweep(tmp_path, "seed=0,1,2")
    assert grown.count(says) == 1
    assert "3 jobs: 2 to reuse, 1 to run" in grown
    assert formats(tmp_path) == [found] * 3
    resumed = tiny_run.call(tmp_path, "resume", "multirun_outputs/s")
    assert (resumed.code, "3 jobs: 3 to reuse" in resumed.out) == (0, True), resumed.err
    # A format that is typed is one of its own, as ever.
    typed = sweep(tmp_path, "seed=0", f"trainer.precision={found[1]}")
    assert ("1 job: 1 to reuse" in typed) == (found[1] == "bf16")


def test_a_sweep_of_before_is_in_the_format_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker
) -> None:
    INTEL.stand_in(monkeypatch)
    sweep(tmp_path, "seed=0,1", "trainer.attention=plain")
    folder = tmp_path / "multirun_outputs" / "s"
    plan = tiny_run.read_json(folder / "plan.json")
    assert plan["settings"].pop("precision") == {"cpu": "fp32"}
    (folder / "plan.json").write_text(json.dumps(plan))
    assert begun_formats(folder) == {"cpu": "fp32"}
    AMD.stand_in(monkeypatch)
    assert "3 jobs: 2 to reuse, 1 to run" in sweep(tmp_path, "seed=0,1,2")
    assert formats(tmp_path) == [("auto", "fp32")] * 3
    assert begun_formats(tmp_path / "nothing") == {}


def test_another_launcher_is_told_which_format_its_jobs_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker
) -> None:
    INTEL.stand_in(monkeypatch)
    done = tiny_run.call(
        tmp_path, "train", "-m", "name=s", *WORDS, "seed=0,1", "hydra/launcher=basic", "sweep.dry_run=true"
    )
    assert done.code == 0, done.err
    assert done.out.count("trainer.precision=auto is fp32 for all jobs, as on this machine; where workers have") == 1
    typed = (*WORDS, "trainer.precision=bf16", "seed=0,1", "hydra/launcher=basic", "sweep.dry_run=true")
    assert "trainer.precision=auto" not in tiny_run.call(tmp_path, "train", "-m", "name=s", *typed).out
