"""What `reporter.upload_to` does: the store is looked at before the training, and completed runs go there afterwards.

A store that refuses costs no result: the run stays completed, and the same command uploads it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qaexp.errors import ConfigError, IntegrityError, QaexpError, StorageError, SweepError
from qaexp.reporting.terminal.printing import say
from qaexp.runs.directory import SWEEP
from qaexp.runs.readers.collect import collect
from qaexp.runs.writing.upload import place_of, upload_beside, upload_run
from qaexp.storage.formats import counted
from qaexp.storage.reading import MEBIBYTE
from qaexp.storage.store import Store
from qaexp.training.processes import is_main_process

_KEY = "reporter.upload_to="
_AGAIN = "the same command uploads what is missing"


def check_destination(url: str | None, directory: Path) -> None:
    """Find before the training what is wrong with where a run, or a sweep, is going to be uploaded to.

    Args:
        url: `reporter.upload_to`.
        directory: The run directory, or that of the sweep.

    Raises:
        ConfigError: It is no URL of a store, its package is missing, there is no such place or it may not be listed,
            or it is in the directory itself.
    """
    if url is None or not is_main_process():
        return
    store = Store(url, _KEY)
    folder, own = store.local_path(), Path(directory).resolve()
    if folder is not None and (folder / place_of(directory)).is_relative_to(own):
        raise ConfigError(f"{_KEY}{url}: is where the run itself is, in {own}; choose another folder")
    store.check()


def tell_destination(url: str | None, overrides: Sequence[str]) -> None:
    """Say where a run is going to be uploaded to when its own config says so, and not who goes on with it."""
    if url is not None and not any(word.startswith(_KEY) for word in overrides) and is_main_process():
        say(f"will be uploaded to {url}, as its config says; {_KEY}null leaves that out")


def upload_completed(url: str | None, directory: Path) -> None:
    """Upload a completed run; only what is missing or differs is sent.

    Args:
        url: `reporter.upload_to`; None uploads nothing.
        directory: The run directory.

    Raises:
        StorageError: The store refuses; the run is completed all the same.
        IntegrityError: The run's files are not what it wrote.
    """
    if url is None or not is_main_process():
        return
    try:
        found = upload_run(directory, Store(url, _KEY))
    except StorageError as error:
        raise StorageError(f"{directory}: is completed, but not uploaded: {error}; {_AGAIN}") from error
    sent = f"uploaded {counted(found.num_files, 'file')}, {found.num_bytes / MEBIBYTE:.1f} MiB"
    say(f"{sent if found.num_files else 'uploaded already'}: {found.url}")


def upload_early(url: str | None, directory: Path) -> None:
    """Upload a job of a sweep as soon as it is completed; where that fails, the end of the sweep tries again."""
    if url is None:
        return
    try:
        upload_run(directory, Store(url, _KEY))
    except QaexpError as error:
        logging.getLogger("qaexp").warning("%s: not uploaded yet: %s", directory, error)


@contextmanager
def uploaded_afterwards(url: str | None, sweep: Path) -> Iterator[None]:
    """Upload the completed runs of a sweep after the body, which runs it, and what it leaves beside them.

    Args:
        url: `reporter.upload_to`; None uploads nothing.
        sweep: The sweep's directory.

    Raises:
        ConfigError: Before the body: as `check_destination`.
        StorageError: The store refuses; the runs are completed all the same.
        IntegrityError: Files of a run are not what it wrote; the others are uploaded.
        SweepError: That of the body, with what could not be uploaded.
    """
    check_destination(url, sweep)
    try:
        yield
    except SweepError as error:
        raise SweepError(*error.problems, *_problems(upload_sweep(url, sweep))) from error
    if problems := upload_sweep(url, sweep):
        kind = StorageError if any(isinstance(problem, StorageError) for problem in problems) else IntegrityError
        raise kind(*_problems(problems))


def upload_sweep(url: str | None, sweep: Path) -> list[QaexpError]:
    """Upload what is completed of a sweep; returns what could not be, and says what was.

    Args:
        url: `reporter.upload_to`; None uploads nothing.
        sweep: The sweep's directory; one that a dry run did not make has nothing.
    """
    if url is None or not (sweep / SWEEP).is_file():
        return []
    problems: list[QaexpError] = []
    store, runs = Store(url, _KEY), collect(sweep).runs
    for number, run in enumerate(runs):
        try:
            upload_run(run.path, store)
        except StorageError as error:
            if error.__cause__ is not None:  # the store itself: it would refuse the others too
                left = len(runs) - number
                return [*problems, StorageError(f"{left} of {counted(len(runs), 'run')} not uploaded: {error}")]
            problems.append(error)
        except QaexpError as error:
            problems.append(error)
    try:
        beside = upload_beside(sweep, store)
    except QaexpError as error:
        return [*problems, error]
    say(f"uploaded {counted(len(runs) - len(problems), 'run')}: {beside.url}")
    return problems


def _problems(found: Sequence[QaexpError]) -> list[str]:
    sentences = [sentence for error in found for sentence in error.problems]
    return [*sentences[:-1], f"{sentences[-1]}; {_AGAIN}"] if sentences else []
