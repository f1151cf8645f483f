"""What happens to jobs on a cluster, done to `hydra/launcher=slurm` on a real Slurm: each is told, each goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.attempts import THOROUGH
from tests.slurm.conftest import Slurm, Sweep, until

DONE = ["completed"] * 4


def attempts(sweep: Sweep) -> int:
    """How often a job went on from a checkpoint."""
    return sum(record.get("resumed_step") is not None for record in sweep.records())


def test_all_goes_well_and_the_same_command_does_nothing(sweep: Sweep, slurm: Slurm) -> None:
    said = sweep.run()
    assert sweep.states() == DONE
    assert re.search(r"submitted 2 workers as Slurm job \d+", said)
    assert "started by process" in said
    until(slurm.is_empty)
    again = sweep.run()[len(said) :]
    assert "4 jobs: 4 to reuse" in again
    assert "submitted" not in again


@pytest.mark.thorough
def test_workers_that_still_wait_at_the_end_leave_the_queue(sweep: Sweep, slurm: Slurm) -> None:
    """Nothing is left for them, and the folder of their logs is gone."""
    slurm("scontrol", "update", "nodename=n1", "state=drain", "reason=drill")
    said = sweep.end(sweep.start("hydra.launcher.workers=4", "hydra.launcher.cpus_per_task=8", "threads=1"), 0)
    assert "wait in the queue" in said
    assert "PENDING" not in slurm.tasks().values()
    assert sweep.states() == DONE
    until(slurm.is_empty, 60)


@pytest.mark.thorough
def test_a_worker_that_is_cancelled_costs_no_job(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    slurm("scancel", min(sweep.workers()))
    sweep.end(process, 0)
    assert sweep.states() == DONE
    assert attempts(sweep) == 1


@pytest.mark.thorough
def test_a_worker_that_is_killed_costs_no_job(sweep: Sweep) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    os.kill(min(sweep.workers().values()), signal.SIGKILL)
    said = sweep.end(process, 0)
    assert sweep.states() == DONE
    assert attempts(sweep) == 1
    assert "its worker has died" in said


@pytest.mark.thorough
def test_a_job_whose_process_is_killed_fails_alone_and_the_same_command_repeats_it(sweep: Sweep) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    struck = tiny_run.read_json(sweep.stored()[0] / "run.json")["pid"]
    os.kill(struck, signal.SIGKILL)
    said = sweep.end(process, 10)
    assert sweep.states() == [*DONE[:3], "failed"]
    assert "1 of 4 jobs failed: killed by SIGKILL" in said
    sweep.run()
    assert sweep.states() == DONE


@pytest.mark.thorough
def test_a_worker_that_is_put_back_goes_on(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start("hydra.launcher.workers=1")
    until(lambda: sweep.stored())
    slurm("scontrol", "requeue", min(sweep.workers()))
    sweep.end(process, 0)
    assert sweep.states() == DONE
    assert attempts(sweep) == 1


@pytest.mark.thorough
def test_the_signal_before_the_time_is_over_stores_and_puts_back_once(sweep: Sweep, slurm: Slurm) -> None:
    """What `--signal=B:USR1@120` sends, twice."""
    process = sweep.start("hydra.launcher.workers=1")
    until(lambda: sweep.stored())
    (task,) = sweep.workers()
    slurm("scancel", "--batch", "--signal=USR1", task)
    slurm("scancel", "--batch", "--signal=USR1", task)
    until(lambda: slurm.tasks().get(task) == "PENDING")
    assert sweep.records()[0]["state"] == "preempted"
    sweep.end(process, 0)
    assert sweep.states() == DONE
    assert attempts(sweep) == 1
    assert "Restarts=1 " in slurm("scontrol", "-o", "show", "job", task)


@pytest.mark.thorough
def test_preempted_workers_come_back(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start("seed=0", "trainer.epochs=2000", "trainer.eval_every=100000")
    until(lambda: len(sweep.stored()) == 2)
    tasks = sorted(sweep.workers())
    slurm("sbatch", "-p", "urgent", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    until(lambda: all(slurm.tasks().get(task) == "PENDING" for task in tasks))
    assert [record["state"] for record in sweep.records()] == ["preempted"] * 2
    until(lambda: attempts(sweep) == 2)
    os.killpg(process.pid, signal.SIGINT)
    sweep.end(process, 130)


@pytest.mark.thorough
def test_a_node_that_dies_as_the_jobs_start_costs_nothing(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start()
    until(lambda: "RUNNING" in slurm.tasks().values())
    for node in ("n1", "n2"):
        slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=drill")
    resumed(slurm)
    sweep.end(process, 0)
    assert sweep.states() == DONE


def drained(slurm: Slurm) -> None:
    for node in ("n1", "n2"):
        slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=drill")


def resumed(slurm: Slurm) -> None:
    for node in ("n1", "n2"):
        until(lambda node=node: is_back(slurm, node))


def is_back(slurm: Slurm, node: str) -> bool:
    with suppress(subprocess.CalledProcessError):  # refused where the node has come back by itself
        slurm("scontrol", "update", f"nodename={node}", "state=resume")
    (state,) = re.findall(r" State=(\S+)", slurm("scontrol", "-o", "show", "node", node))
    return "DOWN" not in state and "DRAIN" not in state


@pytest.mark.thorough
def test_a_node_that_is_drained_ends_its_jobs_and_gets_no_others(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    slurm("scontrol", "update", "nodename=n1", "state=drain", "reason=drill")
    sweep.end(process, 0)
    assert sweep.states() == DONE


@pytest.mark.thorough
def test_a_queue_that_never_starts_is_told_and_left_by_ctrl_c(sweep: Sweep, slurm: Slurm) -> None:
    drained(slurm)
    process = sweep.start()
    until(lambda: len(slurm.tasks()) == 2)
    until(lambda: "2 wait in the queue (" in (sweep.folder / "out").read_text())
    told = tiny_run.call(sweep.folder, "status", str(sweep.directory)).out
    assert "planned" in told
    os.killpg(process.pid, signal.SIGINT)
    said = sweep.end(process, 130)
    assert "Traceback" not in said
    assert slurm.is_empty()
    resumed(slurm)
    sweep.run()
    assert sweep.states() == DONE


@pytest.mark.thorough
def test_an_array_that_waits_is_taken_up_and_not_submitted_again(sweep: Sweep, slurm: Slurm) -> None:
    drained(slurm)
    first = sweep.start()
    until(lambda: len(slurm.tasks()) == 2)
    before = set(slurm.tasks())
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    process = sweep.start()
    until(lambda: "taken up again" in (sweep.folder / "out").read_text())
    assert set(slurm.tasks()) == before
    resumed(slurm)
    sweep.end(process, 0)
    assert sweep.states() == DONE


@pytest.mark.thorough
def test_ctrl_c_stores_checkpoints_and_cancels(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    os.killpg(process.pid, signal.SIGINT)
    said = sweep.end(process, 130)
    assert "waiting for the checkpoints" in said
    until(slurm.is_empty)
    assert [record["state"] for record in sweep.records()] == ["preempted"] * 2
    sweep.run()
    assert sweep.states() == DONE
    assert attempts(sweep) == 2


@pytest.mark.thorough
def test_a_second_ctrl_c_cancels_at_once(sweep: Sweep, slurm: Slurm) -> None:
    process = sweep.start()
    until(lambda: len(sweep.stored()) == 2)
    os.killpg(process.pid, signal.SIGINT)
    until(lambda: "asked Slurm to stop" in (sweep.folder / "out").read_text() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    said = sweep.end(process, 130)
    assert "Traceback" not in said
    until(slurm.is_empty)
    sweep.run()
    assert sweep.states() == DONE


@pytest.mark.thorough
def test_a_search_is_made_by_the_workers(sweep: Sweep, slurm: Slurm) -> None:
    """Its command makes no trial; one whose worker is cancelled is made again, and Ctrl-C leaves nothing behind."""
    pytest.importorskip("optuna")
    words = ("sweep=optuna", "optimizer.lr=tag(log,interval(1e-4,1e-2))", "seed=0", "hydra.sweeper.num_trials=4")
    process = sweep.start(*words)
    until(lambda: len(sweep.stored()) == 2)
    slurm("scancel", min(sweep.workers()))
    until(lambda: "ended: crossfit_f1" in (sweep.folder / "out").read_text())
    os.killpg(process.pid, signal.SIGINT)
    said = sweep.end(process, 130)
    assert "submitted 2 workers as Slurm job" in said
    until(slurm.is_empty)
    said = sweep.end(sweep.start(*words), 0)
    trials = tiny_run.read_json(sweep.directory / "sweep.json")["trials"]
    assert [trial["state"] for trial in trials if trial["state"] == "complete"] == ["complete"] * 4
    assert "best: crossfit_f1" in said


@pytest.mark.thorough
@pytest.mark.skipif(not THOROUGH, reason="takes five minutes: QAEXP_THOROUGH=1")
def test_a_time_limit_ends_no_sweep(sweep: Sweep, slurm: Slurm) -> None:
    """A minute for each worker, which is not enough: Slurm sends its signal, and the worker comes back."""
    words = ("hydra.launcher.workers=1", "hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=30")
    process = sweep.start(*words, "trainer.epochs=400")
    until(lambda: any(state == "PENDING" for state in slurm.tasks().values()) and bool(sweep.stored()), 600)
    assert process.wait(900) == 0, Path(sweep.folder / "out").read_text()
    assert sweep.states() == DONE
