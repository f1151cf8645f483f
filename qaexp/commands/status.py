"""`qaexp status`: the state of runs, including those that run elsewhere and those that were killed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError
from qaexp.reporting.terminal.printing import complain, say, say_json
from qaexp.reporting.terminal.workers import worker_lines, workers_document
from qaexp.runs.owners import utc_now
from qaexp.runs.readers.nearby import meant
from qaexp.runs.readers.progress import Progress, Skipped, is_resumable, progress_of
from qaexp.runs.readers.race import race_lines, races_document

if TYPE_CHECKING:
    from qaexp.reporting.terminal.console import RunConsole

# Where qaexp leaves runs and sweeps by default.
PLACES = (Path("outputs"), Path("multirun_outputs"))
# Who looks at a table wants to see its end; the rest is for --all and --json.
MOST_SHOWN = 30

Found = tuple[Sequence[Progress], Sequence[Skipped]]


def main(argv: Sequence[str]) -> int:
    """Print the state of runs; nothing is written.

    Args:
        argv: Run directories, sweep directories, or folders of them; none: `outputs` and `multirun_outputs`.

    Returns:
        0.

    Raises:
        ConfigError: `--watch` and `--json` are both given, or a path that was typed does not exist.
    """
    parser = CommandParser("status", "Show the state of runs: stage, progress, last error.")
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="runs, sweeps, or folders of them (default: outputs and multirun_outputs)",
    )
    parser.add_argument("--watch", action="store_true", help="show it anew every second, until nothing runs or Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print one JSON document, of all runs")
    parser.add_argument("--all", action="store_true", help=f"show all runs; else {MOST_SHOWN} at most")
    arguments = parser.parse_args(list(argv))
    if arguments.watch and arguments.json:
        raise ConfigError("--watch draws a table for people; leave out --json, or --watch")
    paths = arguments.paths or [place for place in PLACES if place.is_dir()]
    found = progress_of(paths, utc_now())
    if arguments.json:
        workers, races = workers_document(_sweeps(found)), races_document(_sweeps(found))
        more = {"workers": workers, "races": races}
        say_json({**_document(*found), **{name: told for name, told in more.items() if told}})
    elif not arguments.paths and not any(found):
        say("no runs here: neither outputs/ nor multirun_outputs/ holds one; qaexp train starts one")
    else:
        _show(paths, found, is_watched=arguments.watch, limit=None if arguments.all else MOST_SHOWN)
    if missing := [str(path) for path in arguments.paths if not os.path.lexists(path)]:
        raise ConfigError(
            *(
                f"{path}: there is no such file or folder{meant(path) or '; give a run, a sweep or a folder of them'}"
                for path in missing
            )
        )
    return 0


def _document(runs: Sequence[Progress], skipped: Sequence[Skipped]) -> dict[str, object]:
    rows = [{**asdict(run), "path": str(run.path), "is_resumable": is_resumable(run)} for run in runs]
    told = [{"path": str(one.path), "state": one.state, "reason": one.reason} for one in skipped]
    return {"runs": rows, "skipped": told}


def _sweeps(found: Found) -> list[Path]:
    """The folders that hold runs, each once: those of sweeps may have workers."""
    return list(dict.fromkeys(run.path.parent for run in found[0]))


def _show(paths: Sequence[Path], found: Found, *, is_watched: bool, limit: int | None) -> None:
    from qaexp.reporting.terminal.console import RunConsole
    from qaexp.reporting.terminal.standing import pipe_lines, terminal_lines

    console = RunConsole()
    if not console.is_terminal:
        for line in [*pipe_lines(*found, limit), *race_lines(_sweeps(found)), *worker_lines(_sweeps(found))]:
            say(line)
        if is_watched:
            complain("qaexp status: --watch needs a terminal, and stdout is not one, so this was printed once")
        return
    if is_watched:
        found = _watched(paths, found, console)
    sweeps, width = _sweeps(found), console.width
    for line in [*terminal_lines(*found, width, limit), *race_lines(sweeps, width), *worker_lines(sweeps, width)]:
        say(line)


def _watched(paths: Sequence[Path], found: Found, console: RunConsole) -> Found:
    """Draw the state of runs until nothing is running or Ctrl-C comes; return what was found last."""
    from qaexp.commands.watching import watch

    return watch(lambda: progress_of([*paths], utc_now()), found, console)
