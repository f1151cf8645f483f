"""`qaexp track`: completed runs and sweeps, sent to a tracker from their folders alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError, QaexpError, StorageError
from qaexp.experiment.trackers import MissingPackageError
from qaexp.experiment.tracking.mirror import DESTINATIONS, Destination, mirror_run, sweep_directory, tracker_of
from qaexp.reporting.terminal.printing import complain, say
from qaexp.runs.directory import CONFIG, HISTORY, METRICS
from qaexp.runs.readers.collect import RunFiles, find, run_files
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, Folder, real_path
from qaexp.runs.readers.nearby import meant
from qaexp.runs.trust import changed_files
from qaexp.storage.formats import counted

Reasons = list[tuple[Path, str]]
# The files that what is sent is read from.
_SENT = (CONFIG, METRICS, HISTORY)


@dataclass(frozen=True, slots=True)
class _Found:
    """What some paths hold: runs to send, and what is not sent with its reason, damaged folders apart."""

    runs: list[RunFiles] = field(default_factory=list)
    skipped: Reasons = field(default_factory=list)
    damaged: Reasons = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Mirror completed runs into a tracker; nothing of a run is changed, and nothing is sent twice.

    Args:
        argv: Paths and options.

    Returns:
        0; what is not completed is skipped with its reason, and sent by the same command once it is.

    Raises:
        ConfigError: A path does not exist, there is no completed run, or the tracker's package is not installed.
        StorageError: The tracker refuses.
        IntegrityError: A run that is given by its own path is damaged, or all are; the others are sent.
    """
    arguments = _parser().parse_args(list(argv))
    if missing := [path for path in arguments.paths if not os.path.lexists(path)]:
        raise ConfigError(*(f"{path}: there is no such file or folder{meant(path)}" for path in missing))
    found = _found(arguments.paths)
    for path, reason in [*found.skipped, *found.damaged]:
        complain(f"qaexp track: {path}: skipped: {reason}")
    if not found.runs and not found.damaged:
        raise ConfigError("nothing was sent: there is no completed run in what was given")
    _mirror(found.runs, DESTINATIONS[arguments.to], arguments.project)
    given = {real_path(path) for path in arguments.paths}
    if found.damaged and (not found.runs or any(real_path(path) in given for path, _ in found.damaged)):
        raise IntegrityError(f"{counted(len(found.damaged), 'damaged run')} of those that were given not sent")
    return 0


def _parser() -> CommandParser:
    parser = CommandParser("track", "Send completed runs and sweeps to a tracker, again and again without doubles.")
    add = parser.add_argument
    add("paths", type=Path, nargs="+", metavar="PATH", help="runs, sweeps, or folders of them")
    add("--to", required=True, choices=sorted(DESTINATIONS), help="the tracker")
    add("--project", default="qaexp", metavar="NAME", help="the project, or experiment, in it (qaexp)")
    return parser


def _found(paths: Sequence[Path]) -> _Found:
    """Look at what is below some paths, each folder once."""
    there = find(*paths)
    found = _Found(skipped=list(there.skipped))
    for folder in {real_path(folder.path): folder for folder in there.folders}.values():
        if (reason := _damage(folder)) is not None:
            found.damaged.append((folder.path, reason))
        elif folder.state == COMPLETED:
            found.runs.append(run_files(folder))
        else:
            found.skipped.append((folder.path, folder.sentence))
    return found


def _damage(folder: Folder) -> str | None:
    """Why a folder is not what a run wrote; None where nothing speaks against it."""
    if folder.state == DAMAGED:
        return folder.sentence
    if folder.state != COMPLETED:
        return None
    if folder.problems:
        return folder.about
    try:
        changed = changed_files(folder.path, folder.summary, _SENT)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return f"{changed[0]} is not what the run wrote (its sha256 differs)" if changed else None


def _mirror(runs: Sequence[RunFiles], destination: Destination, project: str) -> None:
    """Send runs, then the comparison of each sweep that has some of them; say what became of each."""
    num_sent = 0
    for run in runs:
        with _told(run.path):
            is_new = mirror_run(run, tracker_of(destination, project))
        num_sent += is_new
        say(f"{run.path}: {'sent' if is_new else 'is there already'}")
    for sweep in dict.fromkeys(found for run in runs if (found := sweep_directory(run)) is not None):
        with _told(sweep):
            _send_comparison(sweep, destination, project)
    if runs:
        count = f"{counted(num_sent, 'run')} sent, {len(runs) - num_sent} there already"
        say(f"{count}; {destination.opened.format(project)}")


def _send_comparison(sweep: Path, destination: Destination, project: str) -> None:
    from qaexp.comparison.compare import Options, compare
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.readers.defaults import default_leaves
    from qaexp.sweeps.tracked import comparison_table

    comparison = compare([sweep], Options(neutral=neutral_keys(), defaults=default_leaves()))
    if comparison.entries:
        tracker_of(destination, project).comparison(comparison_table(sweep, comparison))
        say(f"{sweep}: its comparison is sent")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn whatever a tracker raises into a sentence about what it was sent."""
    try:
        yield
    except MissingPackageError as error:
        raise ConfigError(str(error)) from error
    except QaexpError:
        raise
    except Exception as error:
        again = "the same command sends what is missing"
        raise StorageError(f"{path}: not sent: {type(error).__name__}: {error}; {again}") from error
