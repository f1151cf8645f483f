"""One run in several processes of this machine: a parent starts them, watches over them, and ends as they do."""

from __future__ import annotations

import io
import multiprocessing.connection
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, KilledError, QaexpError, Stopped
from qaexp.experiment.command import Command
from qaexp.reporting.terminal.printing import complain_text, hushed, is_hushed
from qaexp.runs.writing.run_json import describe_error
from qaexp.storage.signals import SIGNALS, raise_stop, requested_signal, stop_is_requested, watched
from qaexp.sweeps import forks
from qaexp.sweeps.ending import write_end
from qaexp.sweeps.isolate import Child, World
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import how_it_died, told
from qaexp.training.processes import num_processes, share_of_threads

_POLL_SECONDS = 0.2
# After one has failed, so long has the one that writes to notice and to write that it ended; the others write nothing.
_WRITER_SECONDS, _OTHERS_SECONDS = 10.0, 2.0
# After the one that writes has ended well, or was stopped, so long have the others to end too.
_END_SECONDS = 30.0
_TAIL_BYTES = 8192
_GOES_ON = "the same command goes on after its newest checkpoint"
# What gloo, NCCL and the store say in a process whose neighbour has gone: never the cause of an end.
_OF_A_NEIGHBOUR = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "recvValue", "TCPStore")


def train_run(
    config: ExperimentConfig,
    directory: Path,
    command: Command,
) -> tuple[Path, dict[str, Any]]:
    """Do what `run_experiment` does, in as many processes of this machine as `trainer.processes` says.

    Args:
        config: A checked config.
        directory: The run directory.
        command: What started it.

    Returns:
        The run directory and its summary.

    Raises:
        QaexpError: What went wrong in the process that failed first; `KilledError` where it could not tell.
        Stopped: A signal came, to whichever process; all have stopped after the same step.
    """
    trees, origins = command.hydra_files or {}, command.origins or {}
    job = Job((), (), config, tuple(command.words), trees, origins, command.environment, directory=directory)
    if config.trainer.processes == 1 or num_processes() > 1:
        return directory, _train(job, command)
    with watched(is_alone=False), TemporaryDirectory(prefix="qaexp-", ignore_cleanup_errors=True) as folder:
        forks.prepare(forks.PRELOAD)
        forks.begin()
        with _store() as port:
            if stop_is_requested():
                raise_stop()
            return directory, _Group(job, command, port, Path(folder)).summary()


def _train(job: Job, command: Command) -> dict[str, Any]:
    from qaexp.experiment.one_run import run_experiment  # takes seconds to be loaded

    return run_experiment(job.config, job.folder, command)[1]


def train_rank(job: Job, command: Command, *, is_quiet: bool) -> dict[str, Any]:
    """Be one of the processes of a run.

    Args:
        job: The run.
        command: What started it.
        is_quiet: Nothing is printed.

    Returns:
        Its `summary`, or what `told` makes of an `error`, with the traceback of a bug as `trace`.
    """
    import torch

    # Until the run watches for signals. Python's own answer to Ctrl-C is a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if job.config.threads is None:
        torch.set_num_threads(share_of_threads(torch.get_num_threads()))
    with hushed() if is_quiet else nullcontext(), redirect_stdout(io.StringIO()) if is_quiet else nullcontext():
        try:
            return {"summary": _train(job, command)}
        except BaseException as error:  # SystemExit and the panics of Rust are no Exceptions
            found = told(error)
            is_bug = "exit_code" not in found and not isinstance(error, Stopped)
            return {"error": found, "trace": job.redactor.text(traceback.format_exc()) if is_bug else ""}


@dataclass
class _Rank:
    """One of the processes.

    Attributes:
        index: Its number, from 0.
        child: The process.
        output: The file with what it printed; None for the first one, which prints for all.
        answer: What `train_rank` returned; None where it has not, or could not.
        exit_code: Once it has ended.
        is_ended_here: It was killed because another one had ended.
    """

    index: int
    child: Child
    output: Path | None
    answer: Mapping[str, Any] | None = None
    exit_code: int | None = None
    is_ended_here: bool = False

    @property
    def is_well(self) -> bool:
        """Whether it has done all that it had to do."""
        return self.answer is not None and "summary" in self.answer

    @property
    def stop(self) -> signal.Signals | None:
        """The signal that stopped it, also before it began to watch for signals."""
        if self.answer is not None:
            number = self.answer.get("error", {}).get("signal")
        else:
            number = -self.exit_code if self.exit_code is not None and -self.exit_code in SIGNALS else None
        return None if number is None else signal.Signals(number)

    def reap(self) -> None:
        """Take what it left behind."""
        message, self.exit_code = self.child.ended()
        self.answer = message.get("value") if message else None


class _Group:
    """The processes of a run, from their start to their end."""

    def __init__(self, job: Job, command: Command, port: int, folder: Path) -> None:
        """Start them.

        Args:
            job: The run.
            command: What started it.
            port: Where the store is that they meet in.
            folder: For what they print.
        """
        self._job, self._number = job, job.config.trainer.processes
        self._ranks: list[_Rank] = []
        self._signalled = self._first_end = 0.0
        sys.stdout.flush()  # before the first process prints
        try:
            for index in range(self._number):
                output = folder / f"rank{index}.txt" if index else None
                world = World(output, self._variables(index, port), has_session=False)
                child = Child(train_rank, job, command, world=world, is_quiet=is_hushed())
                self._ranks.append(_Rank(index, child, output))
        except BaseException:
            self._kill(self._ranks)
            raise

    def summary(self) -> dict[str, Any]:
        """Wait for all; the first one's summary.

        Raises:
            QaexpError: See `train_run`.
            Stopped: See `train_run`.
        """
        try:
            self._wait()
        except BaseException as error:  # a second Ctrl-C
            self._kill([rank for rank in self._ranks if rank.exit_code is None])
            self._write_end(error)
            raise
        writer = self._ranks[0]
        if writer.is_well and writer.answer is not None:
            return dict(writer.answer["summary"])
        raise self._cause()

    def _variables(self, index: int, port: int) -> dict[str, str]:
        """What torchrun sets for each of its processes."""
        places = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": self._number, "LOCAL_WORLD_SIZE": self._number}
        store = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GROUP_RANK": 0}
        agent = {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0}
        return {**_loopback(), **{name: str(value) for name, value in {**places, **store, **agent}.items()}}

    def _wait(self) -> None:
        """Wait until all have ended: hand on a signal, and end those that are left after one has failed."""
        while running := [rank for rank in self._ranks if rank.exit_code is None]:
            multiprocessing.connection.wait([rank.child.sentinel for rank in running], _POLL_SECONDS)
            for rank in running:
                if rank.child.is_over():
                    rank.reap()
                    self._first_end = self._first_end or time.monotonic()
            self._hand_on()
            self._kill([rank for rank in running if rank.exit_code is None and self._is_overdue(rank)])

    def _hand_on(self) -> None:
        """Give all the signal that this process got, or one of them alone before all could agree; once."""
        stops = [rank.stop for rank in self._ranks if rank.stop is not None]
        number = requested_signal() or (stops[0] if stops else None)
        if number is not None and not self._signalled:
            self._signalled = time.monotonic()
            for rank in self._ranks:
                if rank.exit_code is None:
                    rank.child.send(number)

    def _is_overdue(self, rank: _Rank) -> bool:
        """Whether one that still runs has had its time, after others have ended."""
        ended = [other for other in self._ranks if other.exit_code is not None]
        waited = time.monotonic() - self._first_end
        if any(not other.is_well and other.stop is None for other in ended):
            return waited > (_OTHERS_SECONDS if rank.index else _WRITER_SECONDS)
        return rank.index > 0 and self._ranks[0].exit_code is not None and waited > _END_SECONDS

    def _kill(self, ranks: Sequence[_Rank]) -> None:
        for rank in ranks:
            rank.is_ended_here = True
            rank.child.kill()
            rank.reap()

    def _cause(self) -> BaseException:
        """What ended the run, told by the process that ended it; run.json says it too.

        The others fail because that one is gone, and often end first.
        """
        rank = min(self._ranks, key=_remoteness)
        error = self._error(rank)
        if not isinstance(error, Stopped) and (rank.index or rank.answer is None):
            self._write_end(error)
        self._print_last_words(rank)
        return error

    def _error(self, rank: _Rank) -> BaseException:
        if rank.stop is not None:
            return Stopped(requested_signal() or rank.stop)
        place = f"rank {rank.index} of {self._number}"
        if rank.answer is None:
            died = how_it_died(rank.exit_code)
            return KilledError(f"{place} {'was ' if died.startswith('killed') else ''}{died}; {_GOES_ON}")
        found = rank.answer["error"]
        kinds: dict[str, type[QaexpError]] = {kind.kind: kind for kind in QaexpError.__subclasses__()}
        if (kind := kinds.get(found["kind"])) is None:
            bug = QaexpError(f"{place}: {found['message']}")
            bug.kind = found["kind"]
            return bug
        is_told_as_it_is = not rank.index or kind is ConfigError
        return kind(*([] if is_told_as_it_is else [f"{place}: {found['problems'][0]}"]),
                    *found["problems"][0 if is_told_as_it_is else 1:])  # fmt: skip

    def _print_last_words(self, rank: _Rank) -> None:
        """Print what only the process that failed knows: the traceback of a bug, and what it said before it died."""
        text = rank.answer.get("trace", "") if rank.answer is not None else ""
        if rank.answer is None and rank.stop is None and rank.output is not None and rank.output.exists():
            text = rank.output.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
        if text:
            complain_text(self._job.redactor.text(text))

    def _write_end(self, error: BaseException) -> None:
        """Let run.json say what ended the run, where rank 0 could not, or knows only that it lost another one."""
        state, told_of = describe_error(error)
        message = self._job.redactor.text(told_of["message"])
        pid = self._ranks[0].child.pid
        write_end(self._job.folder, pid, told_of["kind"], message, state=state, is_overruling=True)


def _remoteness(rank: _Rank) -> tuple[int, int]:
    """How far from the cause of an end a process is: killed by somebody else, a fault, a bug, a lost neighbour."""
    error = rank.answer.get("error", {}) if rank.answer is not None else {}
    order: Sequence[Callable[[], bool]] = (
        lambda: rank.answer is None and not rank.is_ended_here and rank.stop is None,
        lambda: "exit_code" in error,
        lambda: bool(error) and rank.stop is None and not any(word in error["message"] for word in _OF_A_NEIGHBOUR),
        lambda: rank.stop is not None,
        lambda: bool(error),
    )
    return next((number for number, holds in enumerate(order) if holds()), len(order)), rank.index


@contextmanager
def _store() -> Iterator[int]:
    """Hold in this process what the processes of the run meet in; yields its port.

    It takes whichever port is free, and keeps it: a port that is looked up first may be another's a moment later.
    """
    from torch import distributed

    store = distributed.TCPStore(  # type: ignore[attr-defined]
        "127.0.0.1", 0, is_master=True, wait_for_workers=False
    )
    try:
        yield store.port
    finally:
        del store


def _loopback() -> dict[str, str]:
    """Let gloo take the interface of this machine alone, whatever its name stands for in the network."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    return {} if "GLOO_SOCKET_IFNAME" in os.environ or not names else {"GLOO_SOCKET_IFNAME": names[0]}
