"""The node `reporter`: draws a run's pictures and page from its files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from qaexp.errors import QaexpError
from qaexp.reporting.numbers.answering import null_rule
from qaexp.reporting.numbers.prediction_table import PredictionTable, read_predictions
from qaexp.runs.directory import PLOTS, REPORT
from qaexp.runs.readers.collect import RunFiles, read_run
from qaexp.storage.files import storage_errors, write_bytes
from qaexp.storage.folders import make_directory
from qaexp.storage.roots import rooted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")
Predictions = Callable[[], PredictionTable]
_LOGGER = logging.getLogger("qaexp")


class Reporter:
    """Draws what the config asks for; its files can be deleted and drawn again."""

    def __init__(self, *, plots: bool, html: bool) -> None:
        """Take the keys of the config group `reporter`."""
        self.plots = plots
        self.html = html

    def report(self, directory: Path, summary: Mapping[str, Any] | None = None) -> list[Path]:
        """Draw a run.

        Args:
            directory: The run directory.
            summary: The summary of a run that is about to complete; otherwise its summary.json counts.

        Returns:
            The files that were written.

        Raises:
            IntegrityError: When the run's files cannot be read.
            StorageError: When a file cannot be written.
        """
        files, undrawn = self.redraw(directory, summary)
        for sentence in undrawn:
            _LOGGER.warning("%s; qaexp plot tries again", sentence)
        return files

    def redraw(self, directory: Path, summary: Mapping[str, Any] | None = None) -> tuple[list[Path], list[str]]:
        """Draw a run as `report` does; also returns a sentence for each picture or page that could not be drawn."""
        if not (self.plots or self.html):
            return [], []
        run = read_run(directory)
        numbers = run.summary or {} if summary is None else summary
        undrawn: list[str] = []
        files = draw(run, numbers, undrawn, html=self.html)
        if not self.plots:
            files = {name: data for name, data in files.items() if name == REPORT}
        with storage_errors(directory), rooted(directory):
            if self.plots:
                make_directory(directory / PLOTS)
            for name, data in files.items():
                write_bytes(directory / name, data)
        return [directory / name for name in files], undrawn


def draw(run: RunFiles, summary: Mapping[str, Any], undrawn: list[str], *, html: bool) -> dict[str, bytes]:
    """Return every picture that the run has the numbers for, and its page, by file name in the run directory.

    Args:
        run: The run.
        summary: Its numbers.
        undrawn: Takes a sentence for each that could not be drawn.
        html: Draw the page.
    """
    # Read once, and only when something is drawn from it: a damaged file costs only its own pictures.
    predictions = cache(lambda: read_predictions(run))
    files = _attempt(PLOTS, lambda: _pictures(run, summary, predictions, undrawn), undrawn) or {}
    if html:
        text = _attempt(REPORT, lambda: _page(run, summary, predictions, files), undrawn)
        files |= {} if text is None else {REPORT: text.encode("utf-8", "backslashreplace")}
    return files


def _pictures(
    run: RunFiles, summary: Mapping[str, Any], predictions: Predictions, undrawn: list[str]
) -> dict[str, bytes]:
    from qaexp.reporting.figures.style import look

    files: dict[str, bytes] = {}
    with look():
        for name, make in _figures(run, summary, predictions).items():
            data = _attempt(name, partial(_png, make), undrawn)
            if data is not None:
                files[f"{PLOTS}/{name}.png"] = data
    return files


def _png(make: Callable[[], Figure | None]) -> bytes | None:
    from qaexp.reporting.figures.style import png

    figure = make()
    return None if figure is None else png(figure)


def _page(run: RunFiles, summary: Mapping[str, Any], predictions: Predictions, pictures: Mapping[str, bytes]) -> str:
    from qaexp.reporting.page.html import page

    return page(run, summary, {Path(name).stem: data for name, data in pictures.items()}, predictions())


def _attempt(name: str, make: Callable[[], T | None], undrawn: list[str]) -> T | None:
    """Return what `make` makes, or None if it fails: a picture must not fail a run, and can be drawn again."""
    try:
        return make()
    except Exception as error:
        reason = str(error) if isinstance(error, QaexpError) else f"{type(error).__name__}: {error}"
        if isinstance(error, KeyError):
            reason = f"the files hold no {error}"
        undrawn.append(f"{name} could not be drawn ({reason})")
        _LOGGER.debug("%s", name, exc_info=True)
        return None


def _figures(
    run: RunFiles, summary: Mapping[str, Any], predictions: Predictions
) -> dict[str, Callable[[], Figure | None]]:
    """Return what draws each picture, in the order of the page."""
    import qaexp.reporting.figures.answer_figures as answer_figures
    import qaexp.reporting.figures.probe_figure as probe_figure
    import qaexp.reporting.figures.slice_figures as slice_figures
    import qaexp.reporting.figures.training_figures as figures

    name, rule = str(run.config.get("name") or run.path.name), null_rule(run.config)
    history, steps = cache(run.history), cache(lambda: run.steps().rows)
    counted, kept = summary.get("num_dev_examples"), summary.get("kept_epoch")
    return {
        "loss": lambda: figures.loss(steps(), history(), name),
        "train_accuracy": lambda: figures.train_accuracy(history(), name, rule),
        "scores": lambda: figures.scores(history(), name, counted, kept, rule),
        "learning_rate": lambda: figures.learning_rate(steps(), history(), name),
        "threshold": lambda: answer_figures.threshold(predictions().rows, summary, name),
        "calibration": lambda: answer_figures.calibration(predictions().rows, name),
        "risk_coverage": lambda: answer_figures.risk_coverage(predictions().rows, name),
        "probes": lambda: probe_figure.probes(history(), run.config.get("probes"), name, rule),
        "slices": lambda: slice_figures.slices(run.scores(), predictions().rows, name, rule),
    }
