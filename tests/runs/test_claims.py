"""Claims of workers: one only has a job, a dead worker's job is taken over by one only, and no clock is asked."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs import claims as claims_module
from qaexp.runs import workers as workers_module
from qaexp.runs.claims import WORK, Claim, Claims
from qaexp.runs.owners import STALE_SECONDS
from qaexp.runs.workers import working

JOB = "a1b2c3d4"


def held(claims: Claims) -> Claim | None:
    return claims.newest().get(JOB)


def test_one_of_many_takes_a_job(tmp_path: Path) -> None:
    def taken(_: int) -> bool:
        with working(tmp_path) as claims:
            return claims.take(JOB, None) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(taken, range(8))) == 1


def test_a_job_that_was_given_back_is_taken_once_more(tmp_path: Path) -> None:
    with working(tmp_path) as claims, working(tmp_path) as other:
        first = claims.take(JOB, None)
        assert first is not None
        assert claims.is_alive(first)
        assert other.take(JOB, None) is None
        claims.end(first, "failed", "data", "the data are bad")
        over = held(claims)
        assert over is not None
        assert over.end == {"state": "failed", "kind": "data", "message": "the data are bad"}
        second = other.take(JOB, over)
        assert second is not None
        assert (second.number, claims.is_lost(first)) == (2, True)
        assert claims.take(JOB, over) is None


def _die_with_claim(folder: Path) -> None:
    with working(folder) as claims:
        claims.take(JOB, None)
        os._exit(9)


def test_a_worker_that_died_on_this_machine_is_known_at_once(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_with_claim, args=(tmp_path,))
    process.start()
    process.join()
    with working(tmp_path) as claims:
        lost = held(claims)
        assert lost is not None
        assert (lost.owner["pid"], lost.end, claims.is_alive(lost)) == (process.pid, None, False)
        assert claims.take(JOB, lost) is not None
        again = held(claims)
        assert again is not None
        assert again.num_lost == 1


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the body be on another machine, which this one's processes mean nothing to."""

    def be(name: str) -> None:
        here = {"host": name, "pid": 1, "boot_id": f"boot of {name}", "pid_namespace": "pid:[1]"}
        for module in (claims_module, workers_module):
            monkeypatch.setattr(module, "this_process", lambda: here)

    return be


def test_a_worker_elsewhere_is_dead_after_a_stated_time_by_the_file_system_s_clock(
    tmp_path: Path, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere("a")
    with working(tmp_path) as first:
        mine = first.take(JOB, None)
        assert mine is not None
        elsewhere("b")
        with working(tmp_path) as second:
            # No clock of a machine has a say.
            monkeypatch.setattr(time, "time", lambda: 0.0)
            seen = held(second)
            assert seen is not None
            assert second.is_alive(seen)
            own = tmp_path / WORK / "workers" / first.worker
            long_ago = own.stat().st_mtime - STALE_SECONDS - 1
            os.utime(own, (long_ago, long_ago))
            assert not second.is_alive(seen)
            assert second.take(JOB, seen) is not None
            # It was only suspended: its sign of life comes too late, and it is told.
            first.beat()
            assert first.is_lost(mine)


def test_a_file_system_without_links_has_one_claim_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with working(tmp_path) as claims, working(tmp_path) as other:
        taken = claims.take(JOB, None)
        assert taken is not None
        assert other.take(JOB, None) is None
        seen = held(other)
        assert seen is not None
        assert seen.owner["worker"] == claims.worker
        assert other.is_alive(seen)


def test_workers_are_told_with_their_jobs(tmp_path: Path) -> None:
    with working(tmp_path, {"engine": "slurm 12_3"}) as claims:
        claims.take(JOB, None)
        (one,) = Claims(tmp_path).workers()
        assert (one.told["engine"], one.is_alive, one.jobs) == ("slurm 12_3", True, (JOB,))
    assert Claims(tmp_path).workers() == []


def test_a_worker_s_file_that_was_deleted_comes_back(tmp_path: Path) -> None:
    with working(tmp_path) as claims:
        (tmp_path / WORK / "workers" / claims.worker).unlink()
        claims.beat()
        assert len(claims.workers()) == 1


def test_a_folder_without_workers_has_no_claims(tmp_path: Path) -> None:
    assert Claims(tmp_path).newest() == {}
    assert Claims(tmp_path).workers() == []
