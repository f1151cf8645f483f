"""What a worker of Ray does with a job: it trains it in a child, in its folder or, unseen there, elsewhere."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.claims import WORK
from qaexp.runs.identity import code_hash
from qaexp.runs.owners import this_process
from qaexp.storage.files import write_json
from qaexp.storage.folders import make_directory
from qaexp.storage.reading import read_json
from qaexp.storage.signals import watched
from qaexp.storage.start import ALLOWED, variables
from qaexp.sweeps import forks
from qaexp.sweeps.bodies import PRELOAD, train_as_planned, train_away
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import FAILED, Outcome
from qaexp.sweeps.parcel import pack, unpack
from qaexp.sweeps.pool import PoolSettings, run_alone

_TOKEN = "ray.json"


@dataclass(frozen=True, slots=True)
class Errand:
    """A job, and what a worker must know to do it as it was planned.

    Attributes:
        job: The job.
        sweep: The sweep's directory, absolute.
        token: What a file in it says; a worker that does not read it sees another place, or none.
        is_begun: Whether there is something of the job to go on with.
        working_directory: Where the sweep was started: relative paths of data begin there.
        is_on_path: Whether modules are looked for there.
        allowed: Prefixes of targets that the user has allowed.
        code_hash: The code that planned.
        has_gpu: Whether it may use a GPU.
        timeout_seconds: A job that takes longer is stopped with a checkpoint; None: never.
        grace_seconds: What has not stopped after that is killed.
    """

    job: Job
    sweep: Path
    token: str
    is_begun: bool
    working_directory: Path
    is_on_path: bool
    allowed: str | None
    code_hash: str
    has_gpu: bool
    timeout_seconds: float | None
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker tells at the end.

    Attributes:
        outcome: How the job ended; None: it was not begun, as its folder is needed and is not seen.
        parcel: What Ray keeps of its folder for who sent the job; None: it is in the sweep's directory.
    """

    outcome: Outcome | None
    parcel: Sequence[Any] | None = None


def mark(sweep: Path, token: str) -> None:
    """Let workers find out whether they see a sweep's directory.

    Raises:
        StorageError: It cannot be written.
    """
    make_directory(sweep / WORK)
    write_json(sweep / WORK / _TOKEN, {"token": token})


def do(errand: Errand, parcel: Sequence[Any] | None = None) -> Told:
    """Do an errand; called by Ray, in its main thread.

    Args:
        errand: What is to be done.
        parcel: What Ray keeps of the job's folder, if it was asked for.
    """
    job = errand.job
    if code_hash() != errand.code_hash and not job.config.trainer.allow_drift:
        host = this_process()["host"]
        message = f"{host}: has other code of qaexp than planned; install the same, or add trainer.allow_drift=true"
        return Told(Outcome(FAILED, "config", message))
    with _at_its_place(errand) as is_there, watched(is_alone=False):
        if _sees(errand):
            seen = job if is_there else replace(job, directory=errand.sweep / job.folder.name)
            return Told(_run(seen, errand, train_as_planned))
        if errand.is_begun and parcel is None:
            return Told(None)
        return _away(job, errand, parcel)


@contextmanager
def _at_its_place(errand: Errand) -> Iterator[bool]:
    """Be where the sweep was started, if this machine has that folder, with what its user has allowed."""
    is_there = True
    try:
        os.chdir(errand.working_directory)
    except OSError:
        is_there = False
    if not errand.is_on_path:
        # Ray looks for modules there first: what lies beside the user's data would stand for libraries.
        sys.path[:] = [path for path in sys.path if path != str(errand.working_directory)]
    forks.prepare(PRELOAD)
    with variables({ALLOWED: errand.allowed}):
        yield is_there


def _sees(errand: Errand) -> bool:
    try:
        return bool(read_json(errand.sweep / WORK / _TOKEN).get("token") == errand.token)
    except (OSError, QaexpError):
        return False


def _run(job: Job, errand: Errand, body: Callable[[Job], None]) -> Outcome:
    settings = PoolSettings(
        timeout_seconds=errand.timeout_seconds,
        grace_seconds=errand.grace_seconds,
        # Ray shows all GPUs to those who asked for none.
        environments=() if errand.has_gpu else [{"CUDA_VISIBLE_DEVICES": ""}],
        body=body,
    )
    return run_alone(job, settings)


def _away(job: Job, errand: Errand, parcel: Sequence[Any] | None) -> Told:
    """Train in a folder of this machine, and hand it over, whatever it has come to."""
    import ray

    with tempfile.TemporaryDirectory(prefix="qaexp-ray-") as temp:
        folder = Path(temp) / job.folder.name
        if parcel is not None:
            unpack((ray.get(piece) for piece in parcel), folder)
        outcome = _run(replace(job, directory=folder), errand, train_away)
        found = pack(folder, ray.put) if folder.is_dir() else None
    return Told(replace(outcome, message=outcome.message.replace(str(folder), str(job.folder))), found)
