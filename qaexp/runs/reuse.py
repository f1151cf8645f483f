"""What a run directory that exists already allows: show its result, start over, or refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, ConfigError, IntegrityError
from qaexp.runs.directory import CONFIG, HISTORY, LOCK, METRICS, REBUILT, RUN, SCHEMA_VERSION, SUMMARY
from qaexp.runs.files import TEMP_PREFIX, remove, remove_temps
from qaexp.runs.identity import Identity
from qaexp.runs.reading import read_json

_MAX_CHANGES = 10
_WAY_OUT = "take another name=, or move the folder away"


def completed_summary(directory: Path, identity: Identity) -> dict[str, Any] | None:
    """Return the summary of a completed run with this identity, or None when the run has yet to be completed.

    Raises:
        ConfigError: When another run stands there, or no run; the message names what differs.
        IntegrityError: When its files cannot be read.
    """
    check_same_run(directory, identity)
    return read_json(directory / SUMMARY) if (directory / SUMMARY).exists() else None


def check_same_run(directory: Path, identity: Identity) -> dict[str, Any]:
    """Return the run.json of this very run, or an empty dict when nothing stands there.

    Raises:
        ConfigError: When another run stands there, or no run; the message names what differs.
        IntegrityError: When run.json cannot be read.
    """
    if not (directory / RUN).exists():
        _check_no_strange_files(directory)
        return {}
    record = read_json(directory / RUN)
    check_schema_version(directory, record)
    if record.get("identity") != identity.sha256:
        if _failed_before_training(directory, record):
            return {}
        raise ConfigError(f"{directory}: holds another run: {_differences(directory, record, identity)}; {_WAY_OUT}")
    return record


def _failed_before_training(directory: Path, record: dict[str, Any]) -> bool:
    """A run that was refused for its data or settings holds no result: the mended command may take its folder."""
    return record.get("state") == "failed" and not (directory / METRICS).exists() and not (directory / HISTORY).exists()


def check_schema_version(directory: Path, record: dict[str, Any]) -> None:
    """Refuse a run directory of a newer qaexp.

    Raises:
        ConfigError: Naming both versions.
    """
    version = record.get("schema_version")
    if not isinstance(version, int):
        raise IntegrityError(f"{directory / RUN}: schema_version is {version!r}, not a number; {_WAY_OUT}")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{directory}: made by a newer qaexp (schema_version {version}, this one knows "
            f"{SCHEMA_VERSION}); upgrade qaexp"
        )


def clear(directory: Path) -> None:
    """Take the results of an unfinished attempt away; logs and checkpoints stay.

    Raises:
        BusyError: When another process has completed the run since it was looked at.
    """
    if (directory / SUMMARY).exists():
        raise BusyError(
            f"{directory}: another process has just completed this run; run the same command again to see its result"
        )
    remove_temps(directory)
    for name in REBUILT:
        remove(directory / name)


def _check_no_strange_files(directory: Path) -> None:
    if not directory.is_dir():
        return
    names = sorted(path.name for path in directory.iterdir())
    strange = [name for name in names if name != LOCK and not name.startswith(TEMP_PREFIX)]
    # Another process of this run may have begun to write meanwhile, with run.json first of all.
    if strange and not (directory / RUN).exists():
        raise ConfigError(f"{directory}: holds {strange[0]!r} but no run; {_WAY_OUT}")


def _differences(directory: Path, record: dict[str, Any], identity: Identity) -> str:
    """Name what differs; a directory that was killed before config.json stood can only say that something does."""
    config = directory / CONFIG
    if not config.exists():
        return "it was stopped before its config was stored"
    changes = identity.changes(read_json(config), record.get("inputs", {}))
    shown = [f"{key} was {old!r}, now {new!r}" for key, (old, new) in list(changes.items())[:_MAX_CHANGES]]
    more = len(changes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "made by another version of qaexp"
