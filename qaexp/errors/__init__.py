"""What may go wrong for a user: one class per exit code, each message says what, where and what to do."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qaexp.errors.advice import fewest_threads


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
    """The training produced NaN or Inf.

    Attributes:
        step: The first step (1-based) that was not finite; None when it was an evaluation.
        epoch: Its epoch, from 1.
        features: Indices of the training features that it read.
    """

    exit_code = 6
    kind = "diverged"

    def __init__(
        self, *problems: str, step: int | None = None, epoch: int | None = None, features: Sequence[int] = ()
    ) -> None:
        """Take one sentence per problem, and what the step read."""
        super().__init__(*problems)
        self.step, self.epoch, self.features = step, epoch, features


class OutOfMemoryError(QaexpError):
    """The model or its batch does not fit."""

    exit_code = 7
    kind = "memory"


class IntegrityError(QaexpError):
    """Stored bytes are not what was written, or a file or target is refused as unsafe."""

    exit_code = 8
    kind = "integrity"


class SweepError(QaexpError):
    """Jobs of a sweep failed; the others have been run."""

    exit_code = 10
    kind = "sweep"


class KilledError(QaexpError):
    """A process of a run was killed, or ended without a word; what was committed stays."""

    kind = "killed"


class Stopped(BaseException):
    """A signal asked a run to stop: nothing is wrong, what was committed stays, and the same command resumes.

    Not an `Exception`, so that no library takes it for an error of its own.

    Attributes:
        signal: Which one.
        is_abrupt: It was raised wherever the run was, even inside a step: what is in memory may be half a step.
    """

    def __init__(self, number: signal.Signals, *, is_abrupt: bool = False) -> None:
        """Take the signal."""
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}")
        self.signal, self.is_abrupt = number, is_abrupt

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C; else 75 (EX_TEMPFAIL), which schedulers read as "start me again"."""
        return 130 if self.signal == signal.SIGINT else 75


_MAY_NOT = "ask its owner for permission, or choose another folder"
_NO_ROOM = "free space or choose a folder that may be written, then run the same command again"
_BROKEN = "check the disk or its network, then run the same command again"
_ONE_MORE = "raise the limit (ulimit -u) or end other programs"
_REFUSALS: dict[int, tuple[type[QaexpError], str]] = {
    errno.EACCES: (StorageError, _MAY_NOT),
    errno.EPERM: (StorageError, _MAY_NOT),
    errno.EROFS: (StorageError, _NO_ROOM),
    errno.ENOSPC: (StorageError, _NO_ROOM),
    errno.EDQUOT: (StorageError, _NO_ROOM),
    errno.EIO: (StorageError, _BROKEN),
    errno.ESTALE: (StorageError, _BROKEN),
    errno.EMFILE: (StorageError, "raise the limit of the shell (ulimit -n)"),
    errno.ENFILE: (StorageError, "end other programs, or raise the limit of the system (fs.file-max)"),
    errno.ENAMETOOLONG: (ConfigError, "no folder can have such a name; give the path of one"),
    errno.EAGAIN: (OutOfMemoryError, _ONE_MORE),
}
# How Python and the thread pool of tokenizers, whose panics are not Exceptions, say that no thread could be started.
_NO_THREAD = ("can't start new thread", "ThreadPoolBuildError")

# How torch says that memory is short; only on a GPU has it a class of its own, a RuntimeError too.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def of_the_system(error: BaseException) -> QaexpError | None:
    """Say what the system refused, wherever it was asked; None for an error that is not the system's.

    >>> print(of_the_system(PermissionError(errno.EACCES, "Permission denied", "run.json")))
    run.json: Permission denied; ask its owner for permission, or choose another folder
    """
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        kind, way_out = _REFUSALS[error.errno]
        place = f"{error.filename}: " if error.filename is not None else ""
        more = f"; {fewest_threads()}" if way_out == _ONE_MORE else ""
        return kind(f"{place}{error.strerror}; {way_out}{more}")
    if any(words in str(error) for words in _NO_THREAD):
        return OutOfMemoryError(f"no further thread can be started; {_ONE_MORE}; {fewest_threads()}")
    return None


# What qaexp is installed with, by the names that are imported.
_INSTALLED_WITH = (
    "accelerate", "datasets", "hydra", "jinja2", "matplotlib", "numpy", "omegaconf", "pandas", "pyarrow", "rich",
    "safetensors", "scipy", "tokenizers", "torch", "transformers", "yaml",
)  # fmt: skip


def of_a_missing_package(error: BaseException) -> ConfigError | None:
    """Say which package is not installed that qaexp is installed with; None for any other error.

    >>> print(of_a_missing_package(ModuleNotFoundError("No module named 'torch'", name="torch")))
    torch is not installed, and this command needs it: pip install qaexp
    """
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name not in _INSTALLED_WITH:
        return None
    return ConfigError(f"{name} is not installed, and this command needs it: pip install qaexp")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of the ways in which torch and Python say that memory is short.

    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    True
    """
    words = str(error).lower()
    is_said = type(error).__name__ == "OutOfMemoryError" or any(message in words for message in _NO_MEMORY)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_said)


@contextmanager
def collected(problems: list[str], kind: type[QaexpError], prefix: str = "") -> Iterator[None]:
    """Note the problems of an error instead of raising it, so that those of the next part are reported with them.

    Args:
        problems: Gets one sentence a problem.
        kind: The errors that are noted; any other is raised.
        prefix: What is put before each sentence.
    """
    try:
        yield
    except kind as error:
        problems += [prefix + problem for problem in error.problems]
