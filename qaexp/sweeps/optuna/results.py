"""What a search leaves in its directory: sweep.json with its trials, the tables, pictures, and its end in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from qaexp.errors import IntegrityError, SweepError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.claims import Claims
from qaexp.runs.directory import PLOTS, REPORT, SWEEP, SWEEP_TABLE
from qaexp.runs.readers.collect import collect
from qaexp.runs.workers import forget
from qaexp.storage.files import write_bytes
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted, one_line
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.storage.signals import raise_stop, stop_is_requested
from qaexp.sweeps.health import collapsed_ids
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.optuna.made import MAX_FAILED_IN_A_ROW, Made
from qaexp.sweeps.optuna.winners import best_lines
from qaexp.sweeps.sweep_files import write_results

if TYPE_CHECKING:
    from qaexp.sweeps.optuna.study import Search


def stand(sweep: Path, search: Search, *, wants_page: bool) -> bool:
    """Whether the files of results tell of all trials as the study does: they need not be written again.

    Args:
        sweep: The directory of the search.
        search: The search.
        wants_page: Whether there is to be a report.
    """
    try:
        told = read_json(sweep / SWEEP, MAX_TABLE_BYTES).get("trials")
    except (FileNotFoundError, IntegrityError):
        return False
    others = [SWEEP_TABLE, *([REPORT] if wants_page else [])]
    return told == search.rows() and all((sweep / name).exists() for name in others)


def write_all(sweep: Path, search: Search, made: Made, console: RunConsole) -> None:
    """Write what came of all trials, and show it.

    Args:
        sweep: The directory of the search.
        search: The search.
        made: The jobs of its trials, and how those that were started here ended.
        console: Where to.

    Raises:
        StorageError: The directory cannot be written.
    """
    from qaexp.sweeps.optuna.pictures import draw_study

    jobs = list(made.jobs.values())
    rows, groups = write_results(sweep, jobs, made.outcomes, planned=search.run_ids(), more={"trials": search.rows()})
    print_end(console, rows, groups, sweep, jobs)
    for name, data in draw_study(search.study, list(search.objectives)).items():
        make_directory(sweep / PLOTS)
        write_bytes(sweep / PLOTS / name, data)
    for line in best_lines(search.best(), search.objectives, collapsed_ids(collect(sweep).runs)):
        console.print(Text(one_line(line), style="bold"), soft_wrap=True)


def close(sweep: Path, search: Search, claims: Claims) -> None:
    """Forget the workers of a search that is done.

    Args:
        sweep: The directory of the search.
        search: The search.
        claims: Of this process.

    Raises:
        Stopped: A signal came.
        SweepError: Trials were not made.
    """
    if stop_is_requested():
        raise_stop()
    if search.num_left > 0:
        were = f"{counted(search.num_left, 'trial')} {'was' if search.num_left == 1 else 'were'} not made"
        if search.is_hopeless:
            raise SweepError(
                f"{MAX_FAILED_IN_A_ROW} trials in a row failed, {were}; see {sweep}, mend what is wrong, and the same "
                "command goes on"
            )
        raise SweepError(f"{were}, and no worker is left; see {sweep}, and the same command goes on")
    forget(sweep, claims.worker)
