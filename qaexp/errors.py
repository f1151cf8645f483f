"""What may go wrong for a user: one class per exit code, each message says what, where and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class QaexpError(ValueError):
    """A fault that qaexp understands; `exit_code` is what the command line returns for it (1 is kept for bugs)."""

    exit_code = 1
    kind = "error"

    def __init__(self, *problems: str) -> None:
        """Take one sentence per problem; all problems found together are raised together."""
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class ConfigError(QaexpError):
    """The config or the command line cannot be used as it is."""

    exit_code = 2
    kind = "config"


class DataError(QaexpError):
    """The data cannot be read, or it says something that cannot be true."""

    exit_code = 3
    kind = "data"


class BusyError(QaexpError):
    """Another process holds the run directory."""

    exit_code = 4
    kind = "busy"


class StorageError(QaexpError):
    """A file could not be written; what was committed before is still there."""

    exit_code = 5
    kind = "storage"


class DivergedError(QaexpError):
    """The training produced NaN or Inf."""

    exit_code = 6
    kind = "diverged"


class OutOfMemoryError(QaexpError):
    """The model or its batch does not fit."""

    exit_code = 7
    kind = "memory"


class IntegrityError(QaexpError):
    """Stored bytes are not what was written, or a file or target is refused as unsafe."""

    exit_code = 8
    kind = "integrity"


@contextmanager
def collected(problems: list[str], kind: type[QaexpError], prefix: str = "") -> Iterator[None]:
    """Note the problems of an error instead of raising it, so that those of the next part are told with them.

    Args:
        problems: Gets one sentence a problem.
        kind: The errors that are noted; any other is raised.
        prefix: What is put before each sentence.
    """
    try:
        yield
    except kind as error:
        problems += [prefix + problem for problem in error.problems]
