"""The pool by itself: how jobs end, how many run at once, and when no more are started; no job trains anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

from qaexp.sweeps import forks, pool
from qaexp.sweeps.in_order import InOrder
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, FAILED, TIMEOUT, Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.pool import PoolSettings, run_alone, run_jobs
from tests.fixtures.bodies import body, job


@pytest.fixture(autouse=True, scope="module")
def _server() -> Iterator[None]:
    forks.prepare(("tests.fixtures.bodies",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "train", body)
        yield


class Told:
    """Notes what it is told; asks to stop what is in `unwanted`."""

    def __init__(self, unwanted: Collection[str] = ()) -> None:
        self.begun: list[str] = []
        self.over: dict[str, Outcome] = {}
        self._unwanted = unwanted

    def started(self, job: Job) -> None:
        self.begun.append(job.folder.name)

    def elsewhere(self, job: Job, place: str) -> None:
        raise AssertionError("nobody else runs these jobs")

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self.over[job.folder.name] = outcome
        assert seconds >= 0

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        return self._unwanted

    def say(self, sentence: str) -> None:
        raise AssertionError(sentence)


def test_each_end_is_told_for_what_it_is(tmp_path: Path) -> None:
    words = ("done", "raise", "die", "done")
    told = Told()
    found = run_jobs(InOrder([job(tmp_path, word, n) for n, word in enumerate(words)]), PoolSettings(at_once=2), told)
    assert [outcome.state for _, outcome in sorted(found.items())] == [COMPLETED, FAILED, FAILED, COMPLETED]
    assert told.begun == ["0", "1", "2", "3"]
    assert told.over["0"].value == "done"
    assert told.over["1"].message == "the data are bad; give others"
    assert told.over["2"].message


def test_a_summary_that_was_spoilt_before_is_not_taken_for_the_job_s_own(tmp_path: Path) -> None:
    failing = job(tmp_path, "raise", 0)
    (failing.folder / "run.json").write_text('{"schema_version": 1, "state": "completed"}')
    (failing.folder / "summary.json").write_text("{")
    (outcome,) = run_jobs(InOrder([failing]), PoolSettings(), Told()).values()
    assert (outcome.state, outcome.message) == (FAILED, "the data are bad; give others")


def test_no_more_run_at_once_than_allowed_and_each_in_a_place_of_its_own(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "short", number) for number in range(5)]
    places = [{"QAEXP_TEST_PLACE": "a"}, {"QAEXP_TEST_PLACE": "b"}]
    run_jobs(InOrder(jobs), PoolSettings(at_once=2, environments=places), Told())

    def at(job: Job, name: str) -> float:
        return float((job.folder / name).read_text())

    times = [(at(one, "began"), at(one, "ended"), (one.folder / "place").read_text()) for one in jobs]
    for began, _, place in times:
        others = [other for other in times if other[0] <= began < other[1]]
        assert len(others) <= 2
        assert [other[2] for other in others].count(place) == 1
    assert {place for _, _, place in times} == {"a", "b"}


def test_a_job_over_its_time_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "hang", 0), job(tmp_path, "done", 1)]
    found = run_jobs(InOrder(jobs), PoolSettings(timeout_seconds=1.0, grace_seconds=0.5), Told())
    assert [found[one.sha256].state for one in jobs] == [TIMEOUT, COMPLETED]


def test_the_policy_ends_a_sweep_after_so_many_failures(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "raise", number) for number in range(5)]
    told = Told()
    found = run_jobs(InOrder(jobs, FailurePolicy(2)), PoolSettings(), told)
    assert len(found) == 2
    assert told.begun == ["0", "1"]


def test_what_the_watcher_does_not_want_is_stopped(tmp_path: Path) -> None:
    one = job(tmp_path, "hang", 0)
    found = run_jobs(InOrder([one]), PoolSettings(), Told({one.sha256}))
    assert found[one.sha256].state != COMPLETED


def test_one_alone(tmp_path: Path) -> None:
    assert run_alone(job(tmp_path, "done", 0)).state == COMPLETED
