"""An open run: it holds the directory, writes every record, and leaves a true state behind however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from qaexp.errors import BusyError, IntegrityError, StorageError
from qaexp.runs import directory as layout
from qaexp.runs.checkpoint import TrainingCheckpoint, commit_checkpoint
from qaexp.runs.kept_checkpoints import prune
from qaexp.runs.lock import check_heartbeat, hold
from qaexp.runs.log import LOGGER, RunLogHandler, open_logs
from qaexp.runs.manifest import describe_files
from qaexp.runs.owners import heartbeat, utc_now
from qaexp.runs.writing.drift import entries, shown
from qaexp.runs.writing.record_files import RecordFiles
from qaexp.runs.writing.resumption import Resumption, check_same_examples, example_changes, resumption
from qaexp.runs.writing.reuse import check_same_run, clear
from qaexp.runs.writing.run_json import RunRecord, describe_error
from qaexp.runs.writing.run_start import RunStart
from qaexp.storage.content import Content
from qaexp.storage.files import (
    write_bytes,
    write_json,
    write_json_blocks,
    write_json_items,
    write_json_lines,
    write_rows,
    write_stream,
    write_text,
)
from qaexp.storage.folders import new_directory, remove, settle_directory
from qaexp.storage.formats import json_text
from qaexp.storage.roots import path_by_handle
from qaexp.storage.signals import deferred
from qaexp.storage.vouched import sha256, sha256_of


class Run:
    """One execution of one config in one directory, used as a context manager.

    Of several processes that train together only the main one touches the disk: for the others every method does
    nothing. A body that raises leaves the state `failed` (`preempted` after a signal) and its traceback in debug.log.

    Attributes:
        directory: The run directory.
        is_main: This process writes.
        allows_drift: `trainer.allow_drift` is set.
    """

    log = LOGGER

    def __init__(
        self,
        directory: Path,
        start: RunStart,
        *,
        is_main: bool = True,
        steal_lock: bool = False,
        allow_drift: bool = False,
    ) -> None:
        """Describe the run; nothing is touched before the body starts.

        Args:
            directory: The run directory; made when it is missing.
            start: What the run is started with.
            is_main: False in every process but one of a run with several.
            steal_lock: Take the directory from an owner on another machine.
            allow_drift: Resume from a checkpoint that was made with another config, package or device.
        """
        self.directory, self.is_main, self.allows_drift = directory, is_main, allow_drift
        self._start, self._steal_lock = start, steal_lock
        self._redactor, self._resumed = start.redactor, Resumption()
        self._stack = ExitStack()
        self._records = RecordFiles(directory)
        self._record: RunRecord | None = None
        self._debug_log: RunLogHandler | None = None
        self._is_complete = False
        self._started, self._earlier_seconds = time.monotonic(), 0.0

    def __enter__(self) -> Run:
        """Take the directory and write what the start writes.

        Raises:
            BusyError: When another process works in the directory.
            ConfigError: When it holds another run.
            StorageError: When it cannot be written.
        """
        if self.is_main:
            try:
                self._open()
            except BaseException as error:
                self._fail(error)
                self._stack.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write how the run ended, and let go of the directory."""
        if not self.is_main:
            return
        with deferred(), self._stack:
            if error is not None:
                self._fail(error)
            elif not self._is_complete:
                self._fail(missing := RuntimeError("the body of the run ended without complete()"))
                raise missing

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the run was described, with those of the attempts that it resumes."""
        return time.monotonic() - self._started + self._earlier_seconds

    @property
    def run_id(self) -> str:
        """The first eight hex digits of the identity."""
        return self._start.identity.run_id

    @property
    def scratch(self) -> Path | None:
        """The folder whose disk takes what the run only holds while it runs; None: another disk's, for it writes none.

        What is put there has no name, so a run that is killed leaves none of it.
        """
        return self.directory if self.is_main else None

    @property
    def checkpoint(self) -> TrainingCheckpoint | None:
        """What the training resumes from; None at the first start, and in processes that do not write."""
        return self._resumed.checkpoint

    @property
    def left_alone(self) -> Sequence[str]:
        """What is wrong with newer checkpoints than the one that it goes on from, a sentence each."""
        return self._resumed.problems

    def add_elapsed(self, seconds: float) -> None:
        """Count the seconds of earlier attempts too."""
        self._earlier_seconds += seconds

    @property
    def shown_config(self) -> dict[str, Any]:
        """The resolved config as config.json holds it: without secrets and what came from the environment."""
        return self._start.shown_config

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Mark the body as a stage of the run, for run.json and the logs."""
        assert name in layout.STAGES, name
        began = time.monotonic()
        if self._record is not None:
            self._record.update(stage=name)
            self.log.debug("%s begins", name)
        yield
        if self._record is not None:
            self.log.debug("%s took %.1f s", name, time.monotonic() - began)

    def check_examples(self, ids: Mapping[str, Sequence[str]]) -> None:
        """Check the ids drawn now, by split, against those of the attempt that the run resumes.

        Raises:
            ConfigError: They are others, without `trainer.allow_drift`.
        """
        if self._record is None or self.checkpoint is None:
            return
        changes, step = example_changes(self.directory, ids), self.checkpoint.step
        if not self.allows_drift:
            check_same_examples(self.directory, changes)
        if changes:
            self._record.add_drift(entries(changes, step))
            self.log.warning("not bit-exact from step %s on: %s", step, shown(changes))

    def redacted(self, text: str) -> str:
        """A text without its secrets, for the screen."""
        return self._redactor.text(text)

    def redacted_texts(self, tree: Any) -> Any:
        """A tree of texts about the config, for example paths of data, without its secrets."""
        if isinstance(tree, Mapping):
            return {key: self.redacted_texts(value) for key, value in tree.items()}
        return self._redactor.text(tree) if isinstance(tree, str) else tree

    def raise_flag(self, name: str, advice: str, step: int | None = None) -> None:
        """Mark the run as unhealthy in run.json and the log, with the advice that helps."""
        assert name in layout.FLAGS, name
        if self._record is not None:
            self._record.add_flag(name, step, advice)
            self.log.warning("%s: %s", name, advice)

    def write_json(self, name: str, obj: Any) -> None:
        """Commit a JSON file of the run."""
        if self.is_main:
            write_json(self.directory / name, obj)

    def write_json_blocks(self, name: str, obj: Mapping[str, Any]) -> None:
        """Commit a JSON file of the run in which sequences may be long."""
        if self.is_main:
            write_json_blocks(self.directory / name, obj)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Commit a file of the run."""
        if self.is_main:
            write_bytes(self.directory / name, data)

    def write_content(self, name: str, content: Content) -> None:
        """Commit a file of the run that is too large to be held as a whole."""
        if self.is_main:
            write_stream(self.directory / name, content.chunks(), content.num_bytes)

    def write_json_items(self, name: str, items: Iterable[tuple[str, Any]]) -> None:
        """Commit a JSON object of the run, each item with its key when it is written."""
        if self.is_main:
            write_json_items(self.directory / name, items)

    def write_json_lines(self, name: str, records: Iterable[Any]) -> None:
        """Commit a file of the run with one JSON line per record, each of which is asked for when it is written."""
        if self.is_main:
            write_json_lines(self.directory / name, records)

    def write_rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Commit a CSV table of the run; the columns are the keys of the first row."""
        if self.is_main:
            write_rows(self.directory / name, rows)

    def write_directory(self, name: str, fill: Callable[[Path], object]) -> None:
        """Commit a folder of the run as a whole: `fill` writes into a temp folder that it is given."""
        if self.is_main:
            with new_directory(self.directory / name) as folder, path_by_handle(folder) as path:
                fill(path)

    def record_step(self, record: Mapping[str, Any]) -> None:
        """Append a line to metrics.jsonl: only what the same config gives again."""
        if self.is_main:
            self._records.append(layout.METRICS, record)

    def record_timing(self, record: Mapping[str, Any]) -> None:
        """Append a line to timings.jsonl."""
        if self.is_main:
            self._records.append(layout.TIMINGS, record)

    def record_epoch(self, row: Mapping[str, Any]) -> None:
        """Add a row to history.csv; every row has the same keys."""
        if self.is_main:
            self._records.add_epoch(row)

    def set_progress(self, **changes: int) -> None:
        """Write numbers of run.json: `total_steps`, `checkpoint_step`, `micro_batch_parts`."""
        if self._record is not None:
            self._record.update(**changes)

    def store(self, step: int, contents: Mapping[str, Content], *, best_step: int | None = None) -> None:
        """Commit a checkpoint, and delete those that it makes superfluous.

        Args:
            step: Steps done.
            contents: Its files by name.
            best_step: The step of the best evaluation, whose checkpoint stays; None when only the newest matter.
        """
        if self._record is None:
            return
        with deferred():
            lengths = self._records.lengths()
            commit_checkpoint(self.directory, step, contents, identity=self._start.identity.sha256, records=lengths)
            prune(self.directory, best_step=best_step, spared=self._resumed.damaged)

    def go_back(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Cut the record files back to `checkpoint`, whose rows of history.csv are given."""
        if self.is_main and self.checkpoint is not None:
            with deferred():
                self._records.go_back(self.checkpoint.records, self.checkpoint.step, history)

    def complete(self, summary: Mapping[str, Any], *, keep_checkpoints: bool = True) -> dict[str, Any]:
        """Commit the manifest, then the state, then summary.json: from then on the run is completed.

        Args:
            summary: Numbers by the names of `SUMMARY_KEYS`; absent ones become null, others follow them.
            keep_checkpoints: False deletes them afterwards: a completed run resumes from none.

        Returns:
            The content of summary.json.
        """
        ordered = {**dict.fromkeys(layout.SUMMARY_KEYS), **summary}
        if self._record is None:
            return ordered
        self.write_json(layout.MANIFEST, describe_files(self.directory))
        ordered["manifest_sha256"] = sha256_of(self.directory / layout.MANIFEST)
        text = json_text(ordered)
        self._record.end("completed", summary_sha256=sha256(text.encode()))
        write_text(self.directory / layout.SUMMARY, text)
        self._is_complete = True
        if not keep_checkpoints:
            remove(self.directory / layout.CHECKPOINTS)
        return ordered

    def _open(self) -> None:
        # Before the lock's file is made: a folder that holds something else stays as it is.
        self._check_same_run()
        settle_directory(self.directory)
        self._stack.enter_context(hold(self.directory, steal=self._steal_lock, may_take=self._check_heartbeat))
        previous = self._check_same_run()
        if links := layout.link_problems(self.directory):
            raise IntegrityError(*links)
        self._resumed = resumed = resumption(self.directory, self._start, previous, allow_drift=self.allows_drift)
        clear(self.directory, resumed=resumed.checkpoint is not None)
        self._record = RunRecord(self.directory, self._start, previous=previous, resumed=resumed)
        self._debug_log = self._stack.enter_context(open_logs(self.directory, self._redactor))
        self._stack.callback(self._records.close)
        self._stack.enter_context(heartbeat(self._record.beat))
        self._start.write(self.directory)
        for problem in resumed.problems:
            self.log.warning("checkpoint left alone: %s", problem)
        if resumed.changes:
            self.log.warning("not bit-exact from step %s on: %s", resumed.step, shown(resumed.changes))
        if resumed.checkpoint is not None:
            self.log.info("going on after step %d, from %s", resumed.checkpoint.step, resumed.checkpoint.path.name)

    def _check_same_run(self) -> dict[str, Any]:
        return check_same_run(self.directory, self._start.identity, allow_drift=self.allows_drift)

    def _check_heartbeat(self) -> None:
        check_heartbeat(self.directory, self._check_same_run(), utc_now(), steal=self._steal_lock)

    def _fail(self, error: BaseException) -> None:
        """Write what can still be written; the error itself matters more than a second one on the way out."""
        state, described = describe_error(error)
        unwritable = (StorageError, BusyError, IntegrityError)
        with suppress(*unwritable):
            if self._debug_log is not None:
                self._debug_log.add_traceback(error)
        with suppress(*unwritable):
            if self._record is not None and not self._is_complete:
                self._record.end(state, {key: self._redactor.text(text) for key, text in described.items()})
