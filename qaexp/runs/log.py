"""The two logs of a run: train.log for people, debug.log for everything else, tracebacks included."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from qaexp.runs.directory import DEBUG_LOG, TRAIN_LOG
from qaexp.storage.appender import Appender
from qaexp.storage.formats import one_line, visible
from qaexp.storage.redact import Redactor

LOGGER = logging.getLogger("qaexp")
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class OneLineFormatter(logging.Formatter):
    """One record, one line: a text in a message forges no record. Tracebacks follow below it, as they are."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is that of logging)
        """Fill the format in."""
        record.message = one_line(record.message)
        return super().formatMessage(record)


class RunLogHandler(logging.Handler):
    """Appends to a log of the run, without secrets and control characters; a full disk is not ignored."""

    def __init__(self, path: Path, level: int, redactor: Redactor) -> None:
        """Open the log."""
        super().__init__(level)
        self.setFormatter(OneLineFormatter(_FORMAT))
        self._redactor = redactor
        self._file = Appender(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record.

        Raises:
            StorageError: When it cannot be written: no run continues without its records.
        """
        self._append(self.format(record))

    def add_traceback(self, error: BaseException) -> None:
        """Append the traceback of an exception."""
        self._append("".join(traceback.format_exception(error)).rstrip())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _append(self, text: str) -> None:
        self._file.append(visible(self._redactor.text(text)) + "\n")


@contextmanager
def open_logs(directory: Path, redactor: Redactor) -> Iterator[RunLogHandler]:
    """Send what qaexp logs to the run's logs while the body runs, and other packages' warnings to debug.log.

    Yields:
        The handler of debug.log.
    """
    with ExitStack() as opened:
        train_log = RunLogHandler(directory / TRAIN_LOG, logging.INFO, redactor)
        opened.callback(train_log.close)
        debug_log = RunLogHandler(directory / DEBUG_LOG, logging.DEBUG, redactor)
        opened.pop_all()
    # One record comes to the root logger once, whoever logged it; so debug.log stands there alone.
    root = logging.getLogger()
    level = LOGGER.level
    LOGGER.addHandler(train_log)
    root.addHandler(debug_log)
    LOGGER.setLevel(logging.DEBUG)
    try:
        yield debug_log
    finally:
        LOGGER.setLevel(level)
        LOGGER.removeHandler(train_log)
        root.removeHandler(debug_log)
        train_log.close()
        debug_log.close()
