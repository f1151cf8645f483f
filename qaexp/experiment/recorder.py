"""What a training yields, as it comes: into the run directory, on the screen, and to the trackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qaexp.evaluation.question_set import Scored
from qaexp.experiment.screen import TrainingView
from qaexp.experiment.stages import Questions
from qaexp.experiment.trackers import Trackers
from qaexp.model import LoadedModel
from qaexp.runs.metrics import of_an_epoch
from qaexp.runs.writing.run import Run
from qaexp.storage.signals import deferred
from qaexp.training.clock import Clock
from qaexp.training.peak import PeakMemory
from qaexp.training.processes import agreed_object
from qaexp.training.records import EvaluationDue, StepRecord
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState


class Recorder:
    """Writes what a training yields: into the run directory, on the screen, and keeps it for the health check."""

    def __init__(self, run: Run, view: TrainingView, clock: Clock, memory: PeakMemory, trackers: Trackers) -> None:
        """Take where the records go, and what measures the time and the memory that they took."""
        self.memory = memory
        self._run, self._view, self._clock, self._trackers = run, view, clock, trackers
        self.steps: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        self._scored: Scored | None = None

    def resume(self, steps: Sequence[dict[str, Any]], history: Sequence[dict[str, Any]]) -> None:
        """Take over what was recorded before: the lines of metrics.jsonl, and the rows of history.csv."""
        self.steps, self.history = list(steps), list(history)

    def step(self, record: StepRecord, state: TrainState) -> None:
        """Write a line of metrics.jsonl and of timings.jsonl."""
        with deferred():
            self.steps.append(asdict(record))
            self._run.record_step(self.steps[-1])
            state.recorded()
        timing = self._time(state)
        self._view.step(record.step, record.loss, timing["tokens_per_second"])
        self._trackers.step({**timing, **self.steps[-1]})

    def evaluation(
        self, due: EvaluationDue, state: TrainState, selection: Selection, questions: Questions, loaded: LoadedModel
    ) -> None:
        """Answer the dev questions and the probes, write a row of history.csv, and show it to the selection."""
        with self._view.answering("dev", len(questions.dev.features)) as seen:
            scored = questions.dev.score(loaded, seen)
        row = history_row(due, state, scored, questions.probe_answers(loaded))
        with deferred():
            self._scored = scored
            self._clock.eval_seconds += scored.eval_seconds
            self.history.append(row)
            self._run.record_epoch(row)
            selection.see(row["epoch"], agreed_object(row["f1"]), state)
            state.evaluated()
        self._time(state)
        self._view.evaluation(row)
        self._trackers.evaluation(row)

    def kept_score(self, state: TrainState, selection: Selection, questions: Questions, loaded: LoadedModel) -> Scored:
        """Give the model the weights that are kept; the dev questions as it answers them."""
        if selection.restore(state) or self._scored is None:
            with self._view.answering("dev", len(questions.dev.features)) as seen:
                return questions.dev.score(loaded, seen)
        return self._scored

    def test_score(self, questions: Questions, loaded: LoadedModel) -> Scored | None:
        """The test file, answered once, by the kept weights; None without one."""
        if questions.test is None:
            return None
        with self._view.answering("test", len(questions.test.features)) as seen:
            return questions.test.score(loaded, seen)

    def _time(self, state: TrainState) -> dict[str, Any]:
        """Write a line of timings.jsonl, and return it."""
        peak = self.memory.mib()
        reading = self._clock.reading(state.step, state.num_tokens, state.num_features)
        row = {**reading, "memory_mib": None if peak is None else round(peak, 1)}
        self._run.record_timing(row)
        return row


def history_row(due: EvaluationDue, state: TrainState, scored: Scored, answers: Sequence[str]) -> dict[str, Any]:
    """One row of history.csv; inside an epoch, `epoch` counts the share that is done."""
    return {
        "epoch": due.epoch if due.is_epoch_end or not due.step else _epochs_done(state),
        "step": due.step,
        "train_loss": due.train_loss,
        "train_accuracy": due.train_accuracy,
        **of_an_epoch(scored.evaluation.metrics),
        **{f"probe_{number}": answer for number, answer in enumerate(answers)},
    }


def _epochs_done(state: TrainState) -> float:
    return round(state.epoch + state.micro_step / len(state.setup.feed.epoch(state.epoch)), 4)
