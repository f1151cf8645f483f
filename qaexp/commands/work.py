"""`qaexp work`: one worker of a planned sweep; start as many as there are machines, whenever there are some."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, Stopped
from qaexp.storage.formats import counted

if TYPE_CHECKING:
    from qaexp.sweeps.worker import Asked

_ALLOWED = "trainer.allow_drift=true"
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)")


def main(argv: Sequence[str]) -> int:
    """Run jobs of a sweep that nobody has, until nothing is missing.

    Args:
        argv: The sweep's directory, and what to take.

    Returns:
        0; 75 when the given time is over and jobs are missing.

    Raises:
        QaexpError: The directory has no plan, the machine is not as planned, or jobs failed.
    """
    parser = CommandParser("work", "Run jobs of a planned sweep that nobody else has, until nothing is missing.")
    parser.add_argument("sweep", type=Path, metavar="SWEEP_DIR", help="the directory of a sweep with a plan.json")
    parser.add_argument("--one", action="store_true", help="take one job, and end")
    parser.add_argument("--job", metavar="ID", help="take this job: its run id, or the name of its folder")
    parser.add_argument("--for", dest="time", metavar="T", help="end after 90s, 45m, 3h or 1d, with a checkpoint")
    parser.add_argument("--retry", action="store_true", help="run jobs that failed once more")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="SETTING",
        help="key=value that cannot change results, for example trainer.allow_drift=true",
    )
    arguments = parser.parse_args(list(argv))
    seconds = None if arguments.time is None else seconds_of(arguments.time)
    if arguments.one and arguments.job is not None:
        raise ConfigError("--one and --job: --job names the one job that is taken; leave out --one")

    from qaexp.runs.slurm import await_end
    from qaexp.sweeps.worker import Asked

    asked = Asked(only=arguments.job, is_one=arguments.one, seconds=seconds, retries=arguments.retry)
    try:
        return _work(arguments.sweep, asked, arguments.overrides)
    except Stopped as stop:
        await_end(stop.signal)
        raise


def _work(given: Path, asked: Asked, overrides: Sequence[str]) -> int:
    from qaexp.commands.planned import made_ready
    from qaexp.commands.stored import check_neutral
    from qaexp.experiment.greeting import announce
    from qaexp.experiment.uploading import uploaded_afterwards
    from qaexp.reporting.terminal.printing import say
    from qaexp.runs.readers.folder import real_path
    from qaexp.runs.slurm import requeued
    from qaexp.storage.signals import raise_stop, stop_is_requested, watched
    from qaexp.sweeps.again import is_search
    from qaexp.sweeps.worker import check_code, check_inputs, work

    directory = real_path(given)
    _check_plan(given, directory)
    check_neutral(overrides)
    if is_search(directory):
        return _search(directory, asked, overrides)
    announce("sweep", directory)
    with requeued(is_main=True), watched(is_alone=False), made_ready(directory, overrides) as ready:
        check_code(ready.plan.code_hash, directory, allow_drift=_ALLOWED in overrides)
        check_inputs(ready.plan.run_ids, ready.jobs, directory)
        began = time.monotonic()
        with uploaded_afterwards(next((job.config.reporter.upload_to for job in ready.jobs), None), directory):
            worked = work(directory, ready.plan, ready.jobs, ready.num_gpus, asked)
            if stop_is_requested():
                raise_stop()
        is_over = asked.seconds is not None and time.monotonic() - began >= asked.seconds
        if not worked.is_enough:
            why = "the time that --for gives is over" if is_over else "jobs were stopped before their end"
            failed = f" ({worked.num_failed} failed)" if worked.num_failed else ""
            say(f"{why}; {counted(worked.num_left, 'job')} left{failed}, which the same command goes on with")
        elif not (asked.is_one or asked.only) and _planned_ids(directory) - set(ready.plan.run_ids):
            say("the sweep was planned anew meanwhile; the same command runs what is missing of the new plan")
        else:
            return 0
    return Stopped(signal.SIGTERM).exit_code


def _planned_ids(directory: Path) -> set[str]:
    """The run ids of the jobs of a plan, by the names of their folders."""
    from qaexp.runs.readers.planned import job_names

    return {name.rpartition("-")[2] for name in job_names(directory)}


def _search(directory: Path, asked: Asked, overrides: Sequence[str]) -> int:
    """Make trials of a search, or runs of a race, by its own command, beside other workers."""
    from qaexp.commands.resume import give_again
    from qaexp.runs.directory import SWEEP_PLAN
    from qaexp.runs.slurm import requeued
    from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
    from qaexp.storage.signals import watched
    from qaexp.sweeps.again import command_of
    from qaexp.sweeps.worker import check_code

    if asked.only is not None or asked.retries:
        raise ConfigError(
            "--job and --retry: the jobs of a search or a race follow from those before; leave them out (--one makes "
            "one trial, or one run of a race)"
        )
    planned = read_json(directory / SWEEP_PLAN, MAX_TABLE_BYTES).get("code_hash")
    check_code(planned, directory, allow_drift=_ALLOWED in overrides)
    command, began = command_of(directory), time.monotonic()
    assert command is not None, "a search goes on by its command"
    with requeued(is_main=True), watched(is_alone=False):
        give_again(directory, command, overrides, asked)
    is_over = asked.seconds is not None and time.monotonic() - began >= asked.seconds
    return Stopped(signal.SIGTERM).exit_code if is_over else 0


def _check_plan(given: Path, directory: Path) -> None:
    """Refuse a folder that no worker can work on.

    Raises:
        ConfigError: It is not a sweep, or has no plan, or its plan is a search.
    """
    from qaexp.runs.directory import RUN, SWEEP_PLAN
    from qaexp.runs.readers.nearby import meant

    if (directory / SWEEP_PLAN).is_file():
        return
    if (directory / RUN).exists():
        raise ConfigError(f"{given}: is a run, not a sweep; qaexp resume {given} continues it")
    if not directory.is_dir():
        raise ConfigError(f"{given}: there is no such folder{meant(given) or '; give the directory of a sweep'}")
    raise ConfigError(
        f"{given}: has no {SWEEP_PLAN}, which says what its jobs are; plan it with qaexp train -m ... "
        "sweep.plan_only=true, or give the command that started it again"
    )


def seconds_of(text: str) -> float:
    """Read a time such as `90s`, `45m`, `3h` or `1h30m`.

    Returns:
        Seconds, above 0.

    Raises:
        ConfigError: It is none.

    >>> seconds_of("90s"), seconds_of("1h30m"), seconds_of("0.5h")
    (90.0, 5400.0, 1800.0)
    """
    parts = _PARTS.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise ConfigError(f"--for {text}: is no time; write 90s, 45m, 3h, 1d or 1h30m")
    return seconds
