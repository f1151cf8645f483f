"""Who of several workers, on machines that share a folder, has a job: claims that need neither locks nor clocks.

A worker's file in `workers/` shows by its time that it is alive, and the file system sets that time: clocks of machines
may differ. A claim on a job is the next number of that job's name in `claims/`, a hard link to the file of the worker:
one only can make it. The highest number counts, and none is used twice, so that a worker that was suspended finds out
that it has lost its job, however long it slept. A claim ends with a file of its name that says how.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError, QaexpError, StorageError
from qaexp.runs.owners import STALE_SECONDS, is_known, is_process, this_process, utc_now
from qaexp.storage.files import storage_errors, write_json
from qaexp.storage.folders import make_directory
from qaexp.storage.reading import read_json
from qaexp.storage.roots import opened

WORK = ".work"
"""The folder of a sweep that holds what its workers tell each other."""

CLAIMS, WORKERS = "claims", "workers"
"""Its folders: a file a claim, and a file a worker."""

_END = ".end"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True, slots=True)
class Claim:
    """The newest claim on a job.

    Attributes:
        job: The job's run id.
        number: From 1 on.
        owner: What the file of its worker says: `worker`, `host`, `pid`, `boot_id`, ...
        end: How it ended (`state`, `kind`, `message`); None while its worker has the job.
        num_lost: So many claims before it in a row have no end: their workers died.
    """

    job: str
    number: int
    owner: Mapping[str, Any]
    end: Mapping[str, Any] | None = None
    num_lost: int = 0

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.job}.{self.number}"

    @property
    def place(self) -> str:
        """Where its worker runs, for people."""
        return f"process {self.owner.get('pid', '(unknown)')} on {self.owner.get('host', '(unknown)')}"


@dataclass(frozen=True, slots=True)
class WorkerFile:
    """A worker, as its file shows it.

    Attributes:
        told: What it said when it began.
        age_seconds: Since its last sign of life.
        is_alive: Whether it counts as alive.
        jobs: The run ids of the jobs that it has.
    """

    told: Mapping[str, Any]
    age_seconds: float
    is_alive: bool
    jobs: tuple[str, ...] = ()


@dataclass
class Claims:
    """The claims of one sweep, seen by one of its workers, or by a reader that claims nothing.

    Attributes:
        folder: The sweep's directory.
        worker: The name of this worker's file; empty for a reader.
        about: What its file tells beside who it is: `engine`, the scheduler's job that it is in, and `restarts`, how
            often the scheduler has started that job anew; or nothing.
    """

    folder: Path
    worker: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    _read: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _place: tuple[int, int] | None = None

    @property
    def _claims(self) -> Path:
        return self.folder / WORK / CLAIMS

    @property
    def _workers(self) -> Path:
        return self.folder / WORK / WORKERS

    @property
    def is_there(self) -> bool:
        """Whether the sweep ever had a worker."""
        return self._claims.is_dir()

    def newest(self) -> dict[str, Claim]:
        """The newest claim on each job that was ever claimed, by its run id."""
        names = set(_listed(self._claims))
        numbers: dict[str, int] = {}
        for name in names:
            job, _, number = name.partition(".")
            if number.isdecimal():
                numbers[job] = max(numbers.get(job, 0), int(number))
        return {job: self._claim(job, number, names) for job, number in numbers.items()}

    def take(self, job: str, after: Claim | None) -> Claim | None:
        """Claim a job; None where another worker was quicker.

        Args:
            job: Its run id.
            after: The newest claim that was seen on it, which is over; None: there was none.

        Raises:
            StorageError: The folder cannot be written.
        """
        claim = Claim(
            job,
            1 if after is None else after.number + 1,
            {**this_process(), "worker": self.worker, **self.about},
        )
        path = self._claims / claim.name
        with storage_errors(path):
            try:
                return self._taken(claim)
            except FileNotFoundError:  # somebody deleted the folder, or this worker's file in it
                self.show()
                return self._taken(claim)

    def _taken(self, claim: Claim) -> Claim | None:
        with opened(self._claims) as claims, opened(self._workers) as workers:
            try:
                os.link(self.worker, claim.name, src_dir_fd=workers, dst_dir_fd=claims)
            except FileExistsError:
                # Over a network the answer to a link that was made may be lost, and the question asked again.
                return claim if self._is_mine(claim) else None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._taken_without_link(claim, claims)
        return claim

    def end(self, claim: Claim, state: str, kind: str = "", message: str = "") -> None:
        """Say how a claim of this worker ended; the job is free, or done.

        Raises:
            StorageError: The folder cannot be written.
        """
        write_json(self._claims / f"{claim.name}{_END}", {"state": state, "kind": kind, "message": message})

    def is_lost(self, claim: Claim) -> bool:
        """Whether another worker took a job over that this one has, as this one seemed dead.

        Also where numbers began anew, as somebody deleted what the workers tell each other.
        """
        if os.path.lexists(self._claims / f"{claim.job}.{claim.number + 1}"):
            return True
        try:
            return read_json(self._claims / claim.name).get("worker") != self.worker
        except FileNotFoundError:
            return True
        except (IntegrityError, OSError):  # it cannot be known now
            return False

    def is_alive(self, claim: Claim) -> bool:
        """Whether the worker of a claim that has no end counts as alive."""
        if self._is_of_earlier_start(claim.owner):
            return False  # a scheduler starts a job again once the processes before are gone
        age = min(self._age(self._workers / str(claim.owner.get("worker"))), self._age(self._claims / claim.name))
        return _is_alive(claim.owner, age)

    def workers(self) -> list[WorkerFile]:
        """All workers that have a file, the oldest first."""
        jobs: dict[str, list[str]] = {}
        for claim in self.newest().values():
            if claim.end is None:
                jobs.setdefault(str(claim.owner.get("worker")), []).append(claim.job)
        found = []
        for name in _listed(self._workers):
            with suppress(FileNotFoundError, QaexpError, OSError):
                told = read_json(self._workers / name)
                age = self._age(self._workers / name)
                found.append(WorkerFile(told, age, _is_alive(told, age), tuple(jobs.get(name, ()))))
        return sorted(found, key=lambda worker: str(worker.told.get("started")))

    def beat(self) -> None:
        """Show that this worker is alive; a file that somebody took away is made anew.

        Raises:
            StorageError: The folder cannot be written.
        """
        own = self._workers / self.worker
        try:
            with storage_errors(own):
                os.utime(own)
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self.show()

    def show(self) -> None:
        """Write the file of this worker, into folders that are made where there are none.

        Raises:
            StorageError: The folder cannot be written, or another one stands where it was.
        """
        place = _place_of(self.folder)
        if self._place is not None and place != self._place:
            raise StorageError(
                f"{self.folder}: was moved or deleted while this process works in it; nothing is written under the old "
                "name; start the worker again where the folder is now"
            )
        for folder in (self._claims, self._workers):
            make_directory(folder)
        write_json(self._workers / self.worker, told_of(self.worker, self.about))
        self._place = _place_of(self.folder)

    def _claim(self, job: str, number: int, names: set[str]) -> Claim:
        name, lost = f"{job}.{number}", number - 1
        while lost and f"{job}.{lost}{_END}" not in names:
            lost -= 1
        end = self._content(name + _END) if name + _END in names else None
        return Claim(job, number, self._content(name), end, number - 1 - lost)

    def _content(self, name: str) -> Mapping[str, Any]:
        """What one of the files says, none of which ever changes; one that is being written says nothing yet."""
        if name not in self._read:
            try:
                self._read[name] = read_json(self._claims / name)
            except (FileNotFoundError, IntegrityError, OSError):
                return {}
        return self._read[name]

    def _is_of_earlier_start(self, owner: Mapping[str, Any]) -> bool:
        """Whether a worker was in this one's job of a scheduler when that was started before."""
        engine, restarts = self.about.get("engine"), owner.get("restarts", 0)
        is_same = engine is not None and owner.get("engine") == engine and isinstance(restarts, int)
        return is_same and restarts < self.about.get("restarts", 0)

    def _is_mine(self, claim: Claim) -> bool:
        try:
            return (self._claims / claim.name).samefile(self._workers / self.worker)
        except OSError:
            return False

    def _taken_without_link(self, claim: Claim, claims: int) -> Claim | None:
        """Claim a job where the file system has no hard links: a new file, which one only can make."""
        try:
            descriptor = os.open(claim.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=claims)
        except FileExistsError:
            return None
        try:
            os.write(descriptor, json.dumps(dict(claim.owner)).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return claim

    def _age(self, path: Path) -> float:
        """Seconds since a file was touched, by the file system's clock where this worker has a file on it."""
        try:
            touched = path.stat().st_mtime
        except FileNotFoundError:
            return math.inf
        except OSError:  # a file system that does not answer now says nothing about the worker
            return 0.0
        return max(0.0, self._now() - touched)

    def _now(self) -> float:
        """The time by the file system's clock; a reader, who touches nothing, has its own, and what others touched."""
        if self.worker:
            own = self._workers / self.worker
            try:
                os.utime(own)
                return own.stat().st_mtime
            except OSError:
                pass
        return max([utc_now().timestamp(), *_times(self._workers)])


def told_of(worker: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """What the file of a worker says: who it is, when it began, and what else it tells of itself."""
    return {**this_process(), "worker": worker, "started": utc_now().isoformat(timespec="seconds"), **about}


def _is_alive(owner: Mapping[str, Any], age: float) -> bool:
    """Under one kernel a process that is gone is dead at once; elsewhere, or where a pid was given anew, time tells."""
    here = this_process()
    is_same_kernel = here["boot_id"] != "" and owner.get("boot_id") == here["boot_id"]
    if is_same_kernel and is_known(owner) and not is_process(owner.get("pid")):
        return False
    return age < STALE_SECONDS


def _place_of(folder: Path) -> tuple[int, int] | None:
    """What a folder is, whatever its name; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _times(folder: Path) -> list[float]:
    """When the files of a folder were touched."""
    found = []
    for name in _listed(folder):
        with suppress(OSError):
            found.append((folder / name).stat().st_mtime)
    return found


def _listed(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:
        return []
