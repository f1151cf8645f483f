"""What a folder is: the one answer that every command gives, from small files and names alone; no byte is hashed twice.

summary.json exists if and only if the run completed, and it alone says so. run.json says `completed` a moment earlier:
a run that was killed between the two is not complete, and the same command completes it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.nodes import with_public
from qaexp.runs import directory as layout
from qaexp.runs.kept_checkpoints import newest_step, none_is_whole
from qaexp.runs.owners import is_alive, utc_now
from qaexp.runs.readers.nearby import meant
from qaexp.runs.trust import follow_chain
from qaexp.storage.formats import beginning
from qaexp.storage.reading import read_json, read_small

RUNNING, COMPLETED, FAILED, PREEMPTED = layout.STATES
# run.json says `running`, and the process is gone.
KILLED = "killed"
# run.json says `completed`, and there is no summary.json.
UNFINISHED_END = "unfinished end"
# What was written is not there any more, or is something else; no command mends it by itself.
DAMAGED = "damaged"
NEWER, NOT_A_RUN, SWEEP = "newer", "not a run", "sweep"

# The same command resumes a run in one of these states.
RESUMABLE = (FAILED, PREEMPTED, KILLED, UNFINISHED_END)

_BACK = "bring the run's own file back, or move the folder away and train again"
_TRACES = (layout.SUMMARY, layout.MANIFEST, layout.ENVIRONMENT, layout.DATA, layout.METRICS, layout.HISTORY)
_MAX_NAMES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder is.

    Attributes:
        path: The folder.
        state: `running`, `completed`, `failed`, `preempted`, `killed`, `unfinished end`, `damaged`, `newer`,
            `not a run` or `sweep`.
        about: What there is to know beside the state: what is wrong, and what resumes it from where; may be empty.
        record: run.json; None when it cannot be read.
        config: config.json; None when it cannot be read.
        summary: summary.json; None unless the run is completed.
        lacking: Files that the manifest names and that are not there.
        problems: What is wrong with run.json, config.json, summary.json and MANIFEST.json, a sentence each.
    """

    path: Path
    state: str
    about: str = ""
    record: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    lacking: Sequence[str] = field(default=())
    problems: Sequence[str] = field(default=())

    @property
    def sentence(self) -> str:
        """What the folder is, for a message that begins with its path."""
        if self.state == RUNNING or self.state in RESUMABLE:
            return f"not completed ({self.state}): {self.about}"
        if self.state in (NOT_A_RUN, SWEEP):
            return f"not a run directory: {self.about}"
        if self.state == NEWER:
            return self.about
        return f"{self.state}: {self.about}" if self.about else self.state

    @property
    def is_resumable(self) -> bool:
        """Whether the same command resumes it, rather than finds it completed, running or unusable."""
        return self.state in RESUMABLE

    def check_readable(self) -> None:
        """Raise when this is not a run, or one that cannot be read.

        Raises:
            ConfigError: It is not a run directory, or a newer qaexp made it.
            IntegrityError: It is damaged.
        """
        if self.state in (NOT_A_RUN, SWEEP, NEWER):
            raise ConfigError(f"{self.path}: {self.sentence}{meant(self.path)}")
        if self.state == DAMAGED:
            raise IntegrityError(f"{self.path}: {self.sentence}")

    def check_completed(self) -> None:
        """Raise when this is not a completed run; as `check_readable`, and a ConfigError when it is not completed."""
        self.check_readable()
        if self.state != COMPLETED:
            raise ConfigError(f"{self.path}: {self.sentence}")


def look(directory: Path, now: datetime | None = None) -> Folder:
    """Say what a folder is; never raises, and nothing is written.

    Args:
        directory: Any path.
        now: The time now, with its zone; None: the clock's.
    """
    try:
        return _look(directory, now or utc_now())
    except OSError as error:
        return _damaged(directory, [f"{error.filename or directory}: cannot be read: {error.strerror or error}"])


def real_path(path: Path) -> Path:
    """The path without links, as `Path.resolve` gives it; a link that leads to itself is left for `look` to refuse."""
    return Path(os.path.realpath(path))


def check_schema_version(directory: Path, record: Mapping[str, Any]) -> None:
    """Refuse a run directory of a newer qaexp.

    Raises:
        ConfigError: Naming both versions.
        IntegrityError: run.json has no version.
    """
    version = record.get("schema_version")
    if not isinstance(version, int):
        raise IntegrityError(
            f"{directory / layout.RUN}: schema_version is {version!r}, not a number: another program wrote the "
            "file, or it was changed"
        )
    if version > layout.SCHEMA_VERSION:
        raise ConfigError(
            f"{directory}: made by a newer qaexp (schema_version {version}, this one knows "
            f"{layout.SCHEMA_VERSION}); upgrade qaexp"
        )


def _look(directory: Path, now: datetime) -> Folder:
    if not directory.is_dir():
        about = "it is not a folder" if os.path.lexists(directory) else "there is nothing"
        return Folder(directory, NOT_A_RUN, about)
    try:
        record = read_json(directory / layout.RUN)
        check_schema_version(directory, record)
    except FileNotFoundError:
        return _without_record(directory)
    except ConfigError as error:
        return Folder(directory, NEWER, str(error).removeprefix(f"{directory}: "))
    except IntegrityError as error:
        return _damaged(directory, [str(error)])
    return _with_record(directory, record, now)


def _without_record(directory: Path) -> Folder:
    # One of these names alone may be anybody's: models of transformers have a config.json too.
    if sum(os.path.lexists(directory / name) for name in _TRACES) >= 2:
        config, _ = _config(directory)
        summary, problem = read_small(directory / layout.SUMMARY)
        problems = [f"{directory / layout.RUN}: is missing", *([problem] if problem else [])]
        if summary is not None:
            problems += follow_chain(directory, None, summary).problems
        return _damaged(directory, problems, config=config)
    if any((directory / name).is_file() for name in (layout.SWEEP_PLAN, layout.SWEEP)):
        return Folder(directory, SWEEP, f"it is a sweep; qaexp status {shlex.quote(str(directory))} lists its runs")
    return Folder(
        directory,
        NOT_A_RUN,
        f"it has no {layout.RUN}; qaexp status {shlex.quote(str(directory))} lists the runs below it",
    )


def _with_record(directory: Path, record: dict[str, Any], now: datetime) -> Folder:
    config, config_problem = _config(directory)
    if os.path.lexists(directory / layout.SUMMARY):
        return _ended(directory, record, config, config_problem)
    state = record.get("state")
    if state not in layout.STATES:
        return _damaged(directory, [f"{directory / layout.RUN}: its state is {state!r}"], record=record, config=config)
    problems = [config_problem] if config_problem else []
    forward = _way_forward(directory, has_config=config is not None)
    if state == COMPLETED:
        problems.append(f"{directory / layout.SUMMARY}: is missing, though {layout.RUN} says completed")
        missing = f"{layout.RUN} says completed, but {layout.SUMMARY} is missing"
        about = f"{missing}; bring it back from where the run was copied from, or {forward}"
        return Folder(directory, UNFINISHED_END, about, record, config, problems=problems)
    if state == RUNNING and is_alive(directory, record, now):
        about = f"process {record.get('pid')} on {record.get('host')} works in it"
        return Folder(directory, RUNNING, about, record, config, problems=problems)
    about = forward + (f"; {error}" if (error := first_line(record)) else "")
    return Folder(directory, KILLED if state == RUNNING else state, about, record, config, problems=problems)


def _config(directory: Path) -> tuple[dict[str, Any] | None, str | None]:
    """config.json as it would be written today, or what is wrong with it."""
    config, problem = read_small(directory / layout.CONFIG)
    return None if config is None else with_public(config), problem


def _ended(
    directory: Path, record: dict[str, Any], config: dict[str, Any] | None, config_problem: str | None
) -> Folder:
    """What a folder with a summary.json is."""
    summary, problem = read_small(directory / layout.SUMMARY)
    if summary is None:
        way_out = f"bring it back, or delete it, and {_way_forward(directory, has_config=config is not None)}"
        problem = problem or f"{directory / layout.SUMMARY}: is missing"
        return _damaged(directory, [problem], way_out, record=record, config=config)
    chain = follow_chain(directory, record, summary)
    if not chain.is_own:
        known = f"neither {layout.RUN} nor {layout.MANIFEST} knows its bytes"
        sentence = f"{directory / layout.SUMMARY}: is not the one that this run wrote ({known})"
        return _damaged(directory, [sentence], record=record, config=config)
    if config is None:
        problem = config_problem or f"{directory / layout.CONFIG}: is missing"
        return _damaged(directory, [problem, *chain.problems], record=record)
    lacking = [name for name in chain.names if not os.path.lexists(f"{directory}/{name}")]
    about = [_named(problem, directory) for problem in chain.problems]
    about += [f"a copy without {_shown(lacking, chain.names)}"] if lacking else []
    about += [f"qaexp verify {shlex.quote(str(directory))} tells more"] if about else []
    return Folder(directory, COMPLETED, "; ".join(about), record, config, summary, lacking, chain.problems)


def first_line(record: Mapping[str, Any]) -> str | None:
    """The first line of the error in a run.json; one that is followed by others ends in "…"."""
    error = record.get("error")
    if not isinstance(error, dict) or not error.get("message"):
        return None
    return beginning(str(error["message"]))


def _way_forward(directory: Path, *, has_config: bool) -> str:
    who = f"qaexp resume {shlex.quote(str(directory))}" if has_config else "the command that started it, given again,"
    if damaged := none_is_whole(directory):
        return f"move {directory / layout.CHECKPOINTS} away ({damaged}), and {who} starts over"
    step = newest_step(directory)
    return f"{who} {'starts over' if step is None else f'goes on after step {step}'}"


def _damaged(
    directory: Path,
    problems: Sequence[str],
    way_out: str = _BACK,
    *,
    record: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Folder:
    about = f"{_named(problems[0], directory)}; {way_out}"
    return Folder(directory, DAMAGED, about, record, config, problems=problems)


def _named(problem: str, directory: Path) -> str:
    """A problem without the path of the run, with which the message begins."""
    return problem.removeprefix(f"{directory}{os.sep}")


def _shown(names: Collection[str], all_names: Iterable[str]) -> str:
    """Names of files as people say them: a folder of which all are among them once, the first of many."""
    partly = {_top(name) for name in all_names if name not in names}
    tops = list(dict.fromkeys(name if _top(name) in partly else _top(name) for name in names))
    more = len(tops) - _MAX_NAMES_SHOWN
    return ", ".join(tops[:_MAX_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _top(name: str) -> str:
    """The folder of a run that a file is in, or the file.

    >>> _top("model/config.json"), _top("data.json")
    ('model/', 'data.json')
    """
    top, slash, _ = name.partition("/")
    return top + slash
