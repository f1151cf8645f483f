"""Each record of a training goes to the run directory, the screen and the trackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from qaexp.evaluation.question_set import QuestionSet, Scored
from qaexp.experiment.questions import Answered, Questions
from qaexp.experiment.screen import TrainingView
from qaexp.experiment.trackers import Trackers
from qaexp.experiment.training_so_far import Row, TrainingSoFar
from qaexp.runs.metrics import of_an_epoch
from qaexp.runs.writing.run import Run
from qaexp.storage.signals import deferred
from qaexp.training.processes import agreed_object, peers
from qaexp.training.records import EvaluationDue, StepRecord
from qaexp.training.state import TrainState


class Recorder:
    """Writes what a training yields, and notes it in the training so far."""

    def __init__(self, run: Run, so_far: TrainingSoFar, view: TrainingView, trackers: Trackers) -> None:
        """Take the training that is recorded, and where its records go."""
        self._run, self._so_far, self._view, self._trackers = run, so_far, view, trackers

    def step(self, record: StepRecord) -> None:
        """Write a line of metrics.jsonl and of timings.jsonl."""
        line = asdict(record)
        with deferred():
            self._run.record_step(line)
            self._so_far.recorded(line)
        timing = self._time()
        self._view.step(record.step, record.loss, timing["tokens_per_second"])
        self._trackers.step({**timing, **line})

    def evaluation(self, due: EvaluationDue, questions: Questions) -> None:
        """Answer the dev questions and the probes, and write a row of history.csv."""
        self._so_far.scored = None  # its logits make room for those of this evaluation
        scored = self._answered("dev", questions, questions.dev)
        # One process decodes and answers the probes; the others wait for its row.
        row = agreed_object(scored and history_row(due, self._so_far.state, scored, questions.probe_answers()))
        with deferred():
            self._run.record_epoch(row)
            self._so_far.evaluated(row, scored)
        self._time()
        self._view.evaluation(row)
        self._trackers.evaluation(row)

    def kept(self, questions: Questions) -> Answered | None:
        """Put the kept weights into the model, and return its results on the dev and test questions.

        Returns:
            None in all but the first of several processes.
        """
        is_another = self._so_far.selection.restore(self._so_far.state)
        dev = None if is_another else self._so_far.scored
        if agreed_object(dev is None):
            dev = self._answered("dev", questions, questions.dev)
        tests = {name: self._answered(name, questions, asked) for name, asked in questions.tests.items()}
        if dev is None:
            return None
        return Answered(questions, dev=dev, tests={name: one for name, one in tests.items() if one is not None})

    def _answered(self, what: str, questions: Questions, asked: QuestionSet) -> Scored | None:
        """Ask the model; None in all but the first of several processes."""
        with self._view.answering(what, len(asked.features)) as seen:
            if (others := peers()) is not None:
                return asked.score_together(questions.loaded, others, seen)
            return asked.score(questions.loaded, seen)

    def _time(self) -> Row:
        """Write a line of timings.jsonl, and return it."""
        timing = self._so_far.timing()
        self._run.record_timing(timing)
        return timing


def history_row(due: EvaluationDue, state: TrainState, scored: Scored, answers: Sequence[str]) -> Row:
    """One row of history.csv; within an epoch, `epoch` is fractional."""
    return {
        "epoch": due.epoch if due.is_epoch_end or not due.step else state.epochs_done,
        "step": due.step,
        "train_loss": due.train_loss,
        "train_accuracy": due.train_accuracy,
        **of_an_epoch(scored.evaluation.metrics),
        **{f"probe_{number}": answer for number, answer in enumerate(answers)},
    }
