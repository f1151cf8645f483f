"""The page of a run, or of a comparison of several, made from their files in memory: nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.errors import ConfigError, QaexpError
from qaexp.runs.directory import REPORT
from qaexp.storage.formats import counted

_MOST_REASONS = 5


def page_of_run(path: Path) -> bytes:
    """The page that `qaexp plot` would write.

    Raises:
        QaexpError: It is no run, or its files cannot be read.
    """
    from qaexp.reporting.reporter import draw
    from qaexp.runs.readers.collect import read_run

    run, undrawn = read_run(path), list[str]()
    page = draw(run, run.summary or {}, undrawn, html=True).get(REPORT)
    if page is None:
        raise ConfigError(f"{path}: {'; '.join(undrawn)}")
    return page


def page_of_comparison(paths: Sequence[Path]) -> bytes:
    """The page that `qaexp compare --html` would write.

    Raises:
        QaexpError: None of the runs can be compared.
    """
    from qaexp.comparison.compare import compare
    from qaexp.comparison.options import Options
    from qaexp.comparison.shown.figure_data import figure_data
    from qaexp.comparison.shown.report import page
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.readers.defaults import default_leaves

    comparison = compare(paths, Options(neutral=neutral_keys(), defaults=default_leaves()))
    if not comparison.tables:
        reasons = [f"{path}: {reason}" for path, reason in comparison.skipped]
        reasons += [f"{path}: {reason}" for several, reason in comparison.refused for path in several]
        more = len(reasons) - _MOST_REASONS
        told = "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")
        raise ConfigError(f"nothing to compare among {counted(len(paths), 'run')}: {told}")
    return page(comparison, figure_data(comparison)).encode("utf-8", "backslashreplace")


def made(paths: Sequence[Path], *, is_comparison: bool) -> tuple[bytes | None, str]:
    """The page; None where there is none, and why."""
    try:
        return (page_of_comparison(paths) if is_comparison else page_of_run(paths[0])), ""
    except (QaexpError, OSError) as error:
        return None, str(error)
