"""What the terminal shows at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import IntegrityError

if TYPE_CHECKING:
    from qaexp.runs.readers.collect import RunFiles


def show_run(directory: Path, summary: dict[str, Any]) -> None:
    """Print the table at the end of a run; of several processes only the main one does."""
    from rich.text import Text

    from qaexp.reporting.terminal.console import RunConsole
    from qaexp.reporting.terminal.tables import summary_table
    from qaexp.runs.directory import PROFILE, PROFILE_TABLE
    from qaexp.runs.readers.collect import run_files
    from qaexp.runs.readers.folder import look
    from qaexp.storage.formats import one_line
    from qaexp.storage.reading import read_bytes
    from qaexp.training.processes import is_main_process

    if is_main_process():
        console, folder = RunConsole(), look(directory)
        found = run_files(folder)
        console.print(summary_table(summary, found.flags, directory, found.drift, _predictions(found)))
        if folder.about:
            console.print(Text(one_line(f"{directory}: {folder.sentence}")), soft_wrap=True)
        if not (directory / PROFILE).is_symlink():
            with suppress(FileNotFoundError, IntegrityError):
                console.print(Text(read_bytes(directory / PROFILE_TABLE).decode("utf-8", "backslashreplace")))


def _predictions(run: RunFiles) -> Sequence[dict[str, Any]]:
    """What is known of the run's predictions; none where they are damaged: the table says less, qaexp verify why."""
    from qaexp.reporting.numbers.prediction_table import read_predictions

    try:
        return read_predictions(run).rows
    except IntegrityError:
        return ()
