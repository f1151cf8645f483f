"""What a run directory that exists already allows: show its result, resume, start over, or refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, ConfigError, IntegrityError
from qaexp.errors.advice import another_name
from qaexp.runs.directory import (
    CHECKPOINTS,
    CONFIG,
    CONTINUED,
    HISTORY,
    LOCK,
    METRICS,
    MODEL,
    OUTPUT_LOG,
    REBUILT,
    RUN,
    SUMMARY,
)
from qaexp.runs.identity import Identity
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, check_schema_version, look
from qaexp.runs.trust import changed_files
from qaexp.runs.writing.drift import config_changes, is_longer_training, shown
from qaexp.storage.files import TEMP_PREFIX
from qaexp.storage.folders import remove, remove_temps
from qaexp.storage.reading import read_json, read_small


def completed_summary(directory: Path, identity: Identity, *, allow_drift: bool = False) -> dict[str, Any] | None:
    """Return the summary of a completed run with this identity, or None when the run has yet to be completed.

    Raises:
        ConfigError: When it holds another run, or no run; the message names what differs.
        IntegrityError: When it is damaged.
    """
    folder = look(directory)
    check_same_run(directory, identity, allow_drift=allow_drift and folder.state not in (COMPLETED, DAMAGED))
    if folder.state == DAMAGED:
        folder.check_readable()
    return folder.summary


def check_same_run(directory: Path, identity: Identity, *, allow_drift: bool = False) -> dict[str, Any]:
    """Return the run.json of this very run, or an empty dict when there is nothing.

    Args:
        directory: The run directory.
        identity: What is to be run.
        allow_drift: Take a run of another config as well.

    Raises:
        ConfigError: When it holds another run, or no run; the message names what differs.
        IntegrityError: When run.json cannot be read, or config.json is not what the run wrote.
    """
    if not (directory / RUN).exists():
        _check_no_strange_files(directory)
        return {}
    try:
        record = read_json(directory / RUN)
        check_schema_version(directory, record)
    except IntegrityError as error:
        raise IntegrityError(f"{error}; {another_name()}") from error
    changes = config_changes(directory, record, identity)
    if changes and not allow_drift:
        if _failed_before_training(directory, record):
            return {}
        _check_own_config(directory)
        further = (
            f"; to train its model further: another name= and model.checkpoint={directory} model.random_weights=false"
            if is_longer_training(changes) and (directory / MODEL).is_dir()
            else ""
        )
        raise ConfigError(f"{directory}: holds another run: {shown(changes)}; {another_name()}{further}")
    return record


def _check_own_config(directory: Path) -> None:
    """Refuse to say what differs from a config that was changed since the run wrote it.

    Raises:
        IntegrityError: The run's manifest knows other bytes of it.
    """
    summary, _ = read_small(directory / SUMMARY)
    if changed_files(directory, summary, (CONFIG,)):
        raise IntegrityError(
            f"{directory / CONFIG} is not what the run wrote (its sha256 differs); bring back the run's own file"
        )


def _failed_before_training(directory: Path, record: dict[str, Any]) -> bool:
    """A run that was refused for its data or settings holds no result: the mended command may take its folder."""
    return record.get("state") == "failed" and not (directory / METRICS).exists() and not (directory / HISTORY).exists()


def clear(directory: Path, *, resumed: bool = False) -> None:
    """Take the results of an unfinished attempt away; logs and checkpoints stay.

    Args:
        directory: The run directory.
        resumed: The record files stay too: the training resumes from a checkpoint.

    Raises:
        BusyError: When another process has completed the run since it was looked at.
    """
    if (directory / SUMMARY).exists():
        raise BusyError(
            f"{directory}: another process has just completed this run; run the same command again to see its result"
        )
    remove_temps(directory)
    remove_temps(directory / CHECKPOINTS)
    for name in REBUILT:
        if not (resumed and name in CONTINUED):
            remove(directory / name)


def _check_no_strange_files(directory: Path) -> None:
    if not directory.is_dir():
        return
    names = sorted(path.name for path in directory.iterdir())
    strange = [name for name in names if name not in (LOCK, OUTPUT_LOG) and not name.startswith(TEMP_PREFIX)]
    folder = look(directory)
    # Another process of this run may have begun to write meanwhile, with run.json first of all.
    if strange and not (directory / RUN).exists():
        if folder.state == DAMAGED:
            folder.check_readable()
        raise ConfigError(f"{directory}: holds {strange[0]!r} but no run; {another_name()}")
