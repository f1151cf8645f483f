"""`qaexp status`: where runs stand, those that run elsewhere and those that were killed among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.reporting.printing import say_json
from qaexp.runs.folder import COMPLETED, RUNNING
from qaexp.runs.metrics import number_of
from qaexp.runs.owners import utc_now
from qaexp.runs.progress import Progress, Skipped, is_resumable, progress_of

_COLUMNS = ("run", "state", "stage", "step", "epoch", "loss", "f1", "checkpoint", "attempt", "note")


def main(argv: Sequence[str]) -> int:
    """Print a row a run; nothing is written.

    Args:
        argv: Run directories, sweep directories, or folders of them.

    Returns:
        0.
    """
    parser = CommandParser("status", "Show where runs stand: state, stage, progress, last error.")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="runs, sweeps, or folders of them")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args(list(argv))
    runs, skipped = progress_of(arguments.paths, utc_now())
    if arguments.json:
        rows = [{**asdict(run), "path": str(run.path), "is_resumable": is_resumable(run)} for run in runs]
        told = [{"path": str(one.path), "state": one.state, "reason": one.reason} for one in skipped]
        say_json({"runs": rows, "skipped": told})
    else:
        _print_table(runs, skipped)
    return 0


def _print_table(runs: Sequence[Progress], skipped: Sequence[Skipped]) -> None:
    from rich.table import Table
    from rich.text import Text

    from qaexp.reporting.console import RunConsole
    from qaexp.runs.formats import one_line

    console = RunConsole()
    if not console.is_terminal:
        # A pipe has no width: a table would be cut off.
        console.width = 10_000
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in _COLUMNS:
        table.add_column(
            column, no_wrap=column != "note", justify="right" if column in ("step", "loss", "f1") else "left"
        )
    for run in runs:
        table.add_row(*(Text(one_line(cell)) for cell in _cells(run)))
    if runs:
        console.print(table)
    for one in skipped:
        console.print(Text(one_line(f"{one.path}: skipped: {one.reason}")))


def _cells(run: Progress) -> tuple[str, ...]:
    total = f"/{run.total_steps}" if run.total_steps and run.state != COMPLETED else ""
    return (
        str(run.path),
        run.state,
        run.stage or "-",
        f"{0 if run.step is None else run.step}{total}",
        f"{number_of('epoch').shown(run.epoch)}{' (kept)' if run.state == COMPLETED and run.epoch is not None else ''}",
        number_of("train_loss").shown(run.loss),
        number_of("f1").shown(run.f1),
        "-" if run.checkpoint_step is None else f"step {run.checkpoint_step}",
        str(run.attempt or "-"),
        _note(run),
    )


def _note(run: Progress) -> str:
    if run.state == RUNNING:
        return run.about + (f", last sign of life {run.age_seconds:.0f} s ago" if run.age_seconds is not None else "")
    notes = [run.about]
    if run.state == COMPLETED and run.step and run.total_steps and run.step < run.total_steps:
        notes.insert(0, f"ended before step {run.total_steps}")
    return "; ".join(note for note in notes if note)
