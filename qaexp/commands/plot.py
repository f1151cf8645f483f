"""`qaexp plot`: draw the pictures and the page of runs again, from their files alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from qaexp.cli.arguments import CommandParser
from qaexp.commands.faulty import faults
from qaexp.errors import ConfigError, IntegrityError
from qaexp.reporting.reporter import Reporter
from qaexp.reporting.terminal.printing import complain, say
from qaexp.runs.readers.collect import find, is_run, run_files
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, NOT_A_RUN, SWEEP, Folder, look, real_path
from qaexp.runs.readers.nearby import meant


def main(argv: Sequence[str]) -> int:
    """Rebuild plots/ and report.html.

    Args:
        argv: Run directories, sweep directories, or folders of them.

    Returns:
        0; what cannot be drawn below a folder is skipped with its reason.

    Raises:
        ConfigError: A given path is not a run, and there is none below it; then nothing is drawn.
        IntegrityError: A run that is given by its own path is damaged, or a file that is drawn; or none of the runs
            below a folder could be drawn as a whole.
    """
    parser = CommandParser("plot", "Draw plots/ and report.html of runs again, from their files.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="PATH", help="runs, sweeps, or folders of them")
    paths = parser.parse_args(list(argv)).runs
    named = {real_path(path) for path in paths}
    problems: dict[Path, list[str]] = {}
    folders = _folders(paths)
    for folder in folders:
        if found := _drawn(folder):
            verify = f"qaexp verify {shlex.quote(str(folder.path))}"
            way_out = f"bring back the run's own files; {verify} names those that were changed"
            problems[real_path(folder.path)] = [f"{folder.path}: {sentence}" for sentence in [*found, way_out]]
        if folder.state != COMPLETED:
            complain(f"qaexp plot: {folder.path}: drawn from what there is: {folder.sentence}")
        elif folder.problems:
            complain(f"qaexp plot: {folder.path}: {folder.about}")
    # Of runs that are only found below a folder one that is damaged does not spoil the others.
    is_failed = not named.isdisjoint(problems) or len(problems) == len(folders)
    sentences = [sentence for found in problems.values() for sentence in found]
    if is_failed:
        raise IntegrityError(*sentences)
    for sentence in sentences:
        complain(f"qaexp plot: {sentence}")
    return 0


def _drawn(folder: Folder) -> list[str]:
    """Draw a run and name its files; returns a sentence for what was not drawn, or only from a part of its file."""
    files, undrawn = Reporter(plots=True, html=True).redraw(folder.path)
    for file in files:
        say(str(file))
    if folder.state != COMPLETED:
        # A run that was killed may have written half a line.
        return undrawn
    undrawn += faults(run_files(folder), undrawn)
    return undrawn


def _folders(paths: Sequence[Path]) -> list[Folder]:
    """The runs that some paths mean, each once."""
    found: dict[Path, Folder] = {}
    for path in paths:
        folder = look(path)
        runs = _below(path) if folder.state in (NOT_A_RUN, SWEEP) else [folder]
        if not runs:
            raise ConfigError(
                f"{path}: holds no run to draw" if path.is_dir() else f"{path}: {folder.sentence}{meant(path)}"
            )
        for run in runs:
            run.check_readable()
            found.setdefault(real_path(run.path), run)
    return list(found.values())


def _below(path: Path) -> list[Folder]:
    """The runs below a folder; what else is there is skipped with its reason."""
    if not path.is_dir():
        return []
    found = find(path)
    drawn = [folder for folder in found.folders if is_run(folder) and folder.state != DAMAGED]
    skipped = [(folder.path, folder.sentence) for folder in found.folders if folder not in drawn]
    for where, why in [*skipped, *(found.skipped if drawn else [])]:
        complain(f"qaexp plot: {where}: skipped: {why}")
    return drawn
