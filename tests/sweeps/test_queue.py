"""The shared queue by itself: who gets which job, what others' jobs look like from here, and when nothing is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from qaexp.runs.claims import Claims
from qaexp.runs.workers import working
from qaexp.sweeps import queue as module
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, FAILED, PREEMPTED, Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.queue import MAX_LOST, JobQueue, give_another_try
from tests.fixtures.bodies import job as plain_job


class Seen:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.elsewhere_: list[str] = []
        self.over: dict[str, Outcome] = {}

    def started(self, job: Job) -> None:
        raise AssertionError("the queue starts nothing")

    def elsewhere(self, job: Job, place: str) -> None:
        self.elsewhere_.append(job.folder.name)

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self.over[job.folder.name] = outcome

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        return ()

    def say(self, sentence: str) -> None:
        raise AssertionError(sentence)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Claims]:
    with working(tmp_path) as claims:
        yield claims


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Claims]:
    with working(tmp_path) as claims:
        yield claims


def jobs_of(folder: Path, number: int) -> list[Job]:
    return [replace(plain_job(folder, "done", each), sha256=f"{each:08x}{0:056x}") for each in range(number)]


def test_two_workers_share_the_jobs(tmp_path: Path, here: Claims, other: Claims) -> None:
    jobs = jobs_of(tmp_path, 4)
    first, second = JobQueue(jobs, here), JobQueue(jobs, other)
    taken = [queue.take() for _ in range(2) for queue in (first, second)]
    assert [job.folder.name for job in taken if job] == ["0", "1", "2", "3"]
    assert first.take() is None
    assert not first.is_done
    seen = Seen()
    assert [job.folder.name for job in first.see(seen)] == ["1", "3"]
    assert seen.elsewhere_ == ["1", "3"]


def test_a_failure_elsewhere_is_told_and_counts(tmp_path: Path, here: Claims, other: Claims) -> None:
    jobs, seen = jobs_of(tmp_path, 2), Seen()
    first, second = JobQueue(jobs, here, FailurePolicy(1)), JobQueue(jobs, other)
    struck = second.take()
    assert struck is not None
    second.give_back(struck, Outcome(FAILED, "data", "the data are bad"))
    first.see(seen)
    assert seen.over["0"].message == "the data are bad"
    assert first.outcomes[struck.sha256].state == FAILED
    assert first.is_closed


def test_a_failed_job_is_left_alone_until_it_gets_another_try(tmp_path: Path, here: Claims) -> None:
    jobs = jobs_of(tmp_path, 1)
    queue = JobQueue(jobs, here)
    (struck,) = [queue.take()]
    assert struck is not None
    queue.give_back(struck, Outcome(FAILED))
    assert queue.is_done
    assert JobQueue(jobs, here).take() is None
    assert give_another_try(here, jobs) == 1
    assert JobQueue(jobs, here).take() is not None


def test_a_preempted_job_is_free_for_others_and_not_taken_twice_here(
    tmp_path: Path, here: Claims, other: Claims
) -> None:
    jobs = jobs_of(tmp_path, 1)
    queue = JobQueue(jobs, here)
    struck = queue.take()
    assert struck is not None
    queue.give_back(struck, Outcome(PREEMPTED))
    assert queue.is_done
    assert JobQueue(jobs, other).take() is not None


def test_what_another_worker_took_over_is_lost_here(
    tmp_path: Path, here: Claims, other: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of(tmp_path, 1)
    queue = JobQueue(jobs, here)
    mine = queue.take()
    assert mine is not None
    assert not queue.lost()
    monkeypatch.setattr(Claims, "is_alive", lambda self, claim: claim.owner["worker"] != here.worker)
    assert JobQueue(jobs, other).take() is not None
    assert queue.lost() == {mine.sha256}
    queue.give_back(mine, Outcome(PREEMPTED))
    assert not queue.is_done  # it is the other worker's now, and is waited for
    assert other.newest()[mine.run_id].end is None


def test_a_job_that_kills_its_workers_is_given_up(
    tmp_path: Path, here: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, seen = jobs_of(tmp_path, 1), Seen()
    monkeypatch.setattr(Claims, "is_alive", lambda self, claim: False)
    for _ in range(MAX_LOST):
        assert JobQueue(jobs, here).take() is not None
    last = JobQueue(jobs, here)
    assert last.take() is None
    last.see(seen)
    assert seen.over["0"].state == FAILED
    assert f"{MAX_LOST} workers died while they ran it" in seen.over["0"].message
    assert last.is_done


def test_a_worker_that_dies_frees_its_job_and_that_is_told(
    tmp_path: Path, here: Claims, other: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, seen = jobs_of(tmp_path, 1), Seen()
    assert JobQueue(jobs, other).take() is not None
    queue = JobQueue(jobs, here)
    assert queue.take() is None
    queue.see(seen)
    assert seen.elsewhere_ == ["0"]
    monkeypatch.setattr(Claims, "is_alive", lambda self, claim: False)
    queue.see(seen)
    assert seen.over["0"].message == "its worker has died"
    assert queue.take() is not None


def test_a_job_somebody_trains_without_a_claim_is_waited_for(
    tmp_path: Path, here: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, states = jobs_of(tmp_path, 1), ["running"]
    real = module.look
    monkeypatch.setattr(module, "look", lambda folder: replace(real(folder), state=states[-1]))
    queue, seen = JobQueue(jobs, here), Seen()
    assert queue.take() is None
    assert len(queue.see(seen)) == 1
    states.append(COMPLETED)
    queue.see(seen)
    assert seen.over["0"].state == COMPLETED
    assert queue.is_done


def test_a_busy_folder_is_looked_at_again(tmp_path: Path, here: Claims) -> None:
    queue = JobQueue(jobs_of(tmp_path, 1), here)
    struck = queue.take()
    assert struck is not None
    queue.give_back(struck, Outcome(FAILED, "busy", "process 1 on a works in it"))
    assert not queue.is_done
    assert queue.take() is not None


def test_a_limit_waits_for_nobody(tmp_path: Path, here: Claims, other: Claims) -> None:
    jobs = jobs_of(tmp_path, 1)
    assert JobQueue(jobs, other).take() is not None
    queue = JobQueue(jobs, here, limit=1)
    assert queue.take() is None
    assert queue.is_done
