"""Claims of workers: one only has a job, a dead worker's job is taken over by one only, and no clock is asked."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qaexp.errors import StorageError
from qaexp.runs import claims as claims_module
from qaexp.runs import workers as workers_module
from qaexp.runs.claims import WORK, Claim, Claims
from qaexp.runs.owners import STALE_SECONDS
from qaexp.runs.workers import forget, working

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


def test_workers_side_by_side_in_one_job_of_a_scheduler_are_alive(tmp_path: Path, elsewhere: Any) -> None:
    """`srun -n 2`; once the job was put back and is started again, none of them is, wherever it runs."""
    elsewhere("a")
    with working(tmp_path, {"engine": "slurm 12", "restarts": 0}) as first:
        assert first.take(JOB, None) is not None
        with working(tmp_path, {"engine": "slurm 12", "restarts": 0}) as second:
            seen = held(second)
            assert seen is not None
            assert second.is_alive(seen)
        elsewhere("b")
        with working(tmp_path, {"engine": "slurm 12", "restarts": 1}) as again:
            assert not again.is_alive(seen)


def test_numbers_that_began_anew_belong_to_others(tmp_path: Path) -> None:
    """Somebody deleted the folder: the worker goes on, and does not take another's claim for its own."""
    with working(tmp_path) as first:
        mine = first.take(JOB, None)
        assert mine is not None
        assert not first.is_lost(mine)
        shutil.rmtree(tmp_path / WORK)
        assert first.is_lost(mine)
        with working(tmp_path) as second:
            assert second.take(JOB, None) is not None
            assert first.is_lost(mine)
            first.beat()
            assert first.take("e5f6a7b8", None) is not None
            assert len(second.workers()) == 2


def test_a_folder_that_does_not_answer_kills_nobody(
    tmp_path: Path, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere("a")
    with working(tmp_path) as first, working(tmp_path) as second:
        assert first.take(JOB, None) is not None
        seen = held(second)
        assert seen is not None

        def stale(path: Path, **_: object) -> os.stat_result:
            raise OSError(116, "Stale file handle")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", stale)
            assert second.is_alive(seen)


def test_a_reader_whose_clock_is_late_sees_who_is_dead(
    tmp_path: Path, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere("a")
    with working(tmp_path) as first, working(tmp_path) as second:
        now = (tmp_path / WORK / "workers" / second.worker).stat().st_mtime
        os.utime(tmp_path / WORK / "workers" / first.worker, (now - STALE_SECONDS - 1,) * 2)
        late = datetime.fromtimestamp(now - 2 * STALE_SECONDS, UTC)
        monkeypatch.setattr(claims_module, "utc_now", lambda: late)
        alive = {worker.told["worker"]: worker.is_alive for worker in Claims(tmp_path).workers()}
        assert alive == {first.worker: False, second.worker: True}


def test_what_workers_told_each_other_stays_while_one_is_there(tmp_path: Path) -> None:
    with working(tmp_path) as mine:
        with working(tmp_path):
            forget(tmp_path, mine.worker)
            assert (tmp_path / WORK).is_dir()
        forget(tmp_path)
        assert (tmp_path / WORK).is_dir()
        forget(tmp_path, mine.worker)
        assert not (tmp_path / WORK).exists()


def test_a_folder_that_was_moved_is_not_made_anew(tmp_path: Path) -> None:
    sweep = tmp_path / "s"
    sweep.mkdir()
    with working(sweep) as claims:
        mine = claims.take(JOB, None)
        assert mine is not None
        sweep.rename(tmp_path / "moved")
        assert claims.is_lost(mine)
        with pytest.raises(StorageError, match="was moved or deleted"):
            claims.take("e5f6a7b8", None)
        with pytest.raises(StorageError, match="was moved or deleted"):
            claims.beat()
        assert not sweep.exists()
