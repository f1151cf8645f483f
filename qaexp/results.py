"""What a run leaves behind: rows, summary, files and flags, each made from what the stages computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from qaexp.config.schema import ExperimentConfig
from qaexp.data.features import Features
from qaexp.errors import StorageError
from qaexp.evaluation.outputs import contexts_of, logits_bytes, prediction_records, score_rows
from qaexp.evaluation.question_set import Scored
from qaexp.model import LoadedModel
from qaexp.model.loading import quiet
from qaexp.opening import Parts
from qaexp.reporting.progress import TrainingView
from qaexp.reporting.trackers import Trackers
from qaexp.runs import directory as layout
from qaexp.runs.files import write_text
from qaexp.runs.identity import Identity
from qaexp.runs.run import Run
from qaexp.runs.signals import deferred
from qaexp.stages import Questions, model_settings
from qaexp.training.clock import Clock
from qaexp.training.health import find_flags
from qaexp.training.processes import agreed_object
from qaexp.training.records import EvaluationDue, StepRecord
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState
from qaexp.training.throughput import (
    flops_per_token,
    gemm_rate,
    model_flops_utilisation,
    peak_memory_mib,
    tokens_per_second,
)

_EPOCH_METRICS = ("exact", "f1", "has_ans_exact", "has_ans_f1", "no_ans_exact", "no_ans_f1")


class Recorder:
    """Writes what a training yields: into the run directory, on the screen, and keeps it for the health check."""

    def __init__(self, run: Run, view: TrainingView, clock: Clock, trackers: Trackers) -> None:
        """Take where the records go, and the clock that times them."""
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
        scored = questions.dev.score(loaded)
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
            return questions.dev.score(loaded)
        return self._scored

    def _time(self, state: TrainState) -> dict[str, Any]:
        """Write a line of timings.jsonl, and return it."""
        memory = round(peak_memory_mib(state.setup.accelerator.device), 1)
        row = {**self._clock.reading(state.step, state.num_tokens, state.num_features), "memory_mib": memory}
        self._run.record_timing(row)
        return row


def history_row(due: EvaluationDue, state: TrainState, scored: Scored, answers: Sequence[str]) -> dict[str, Any]:
    """One row of history.csv; inside an epoch, `epoch` counts the share that is done."""
    metrics = scored.evaluation.metrics
    return {
        "epoch": due.epoch if due.is_epoch_end or not due.step else _epochs_done(state),
        "step": due.step,
        "train_loss": due.train_loss,
        "train_accuracy": due.train_accuracy,
        **{name: metrics[name] for name in _EPOCH_METRICS},
        **{f"probe_{number}": answer for number, answer in enumerate(answers)},
    }


def _epochs_done(state: TrainState) -> float:
    return round(state.epoch + state.micro_step / len(state.setup.feed.epoch(state.epoch)), 4)


def summarize(
    parts: Parts,
    features: Mapping[str, Features],
    questions: Questions,
    state: TrainState,
    selection: Selection,
    scored: Scored,
    clock: Clock,
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The numbers of summary.json that are known before the report.

    Args:
        parts: For the device and the number format.
        features: Of each split.
        questions: For the number of examples.
        state: The finished training.
        selection: Which epoch was kept.
        scored: The dev set, answered by the kept weights.
        clock: Seconds so far.
        history: The rows of history.csv.
    """
    kept = next(row for row in reversed(history) if row["epoch"] == selection.kept_epoch)
    device, precision = state.setup.accelerator.device, parts.trainer.precision
    speed = tokens_per_second(state.num_tokens, clock.train_seconds)
    flops = flops_per_token(state.model, features["train"].lengths)
    return {
        **scored.evaluation.metrics,
        "kept_epoch": selection.kept_epoch,
        "best_epoch": selection.best_epoch,
        "best_epoch_f1": selection.best_f1,
        "train_loss": kept["train_loss"],
        "train_accuracy": kept["train_accuracy"],
        "num_train_examples": int(features["train"].example_index.max(initial=-1)) + 1,
        "num_train_features": len(features["train"]),
        "num_dev_examples": len(questions.dev.examples),
        "num_dev_features": len(features["dev"]),
        "num_steps": state.step,
        "train_seconds": clock.train_seconds,
        "eval_seconds": clock.eval_seconds,
        "tokens_per_second": speed,
        "padding_share": state.padding_share,
        "mfu": model_flops_utilisation(speed, flops, gemm_rate(device, precision)) if state.step else None,
        "peak_memory_mib": peak_memory_mib(device),
    }


def test_metrics(questions: Questions, loaded: LoadedModel) -> dict[str, Any]:
    """The test file's metrics under `test_*`, at threshold 0; nothing is chosen on it."""
    if questions.test is None:
        return {}
    metrics = questions.test.score(loaded).evaluation.metrics
    found: dict[str, Any] = {f"test_{name}": metrics[name] for name in _EPOCH_METRICS}
    return {**found, "test_num_examples": len(questions.test.examples)}


def write_results(
    run: Run,
    config: ExperimentConfig,
    identity: Identity,
    questions: Questions,
    scored: Scored,
    loaded: LoadedModel,
    summary: Mapping[str, Any],
) -> None:
    """Commit predictions, contexts, scores, logits and the model of a run."""
    dev, evaluation = questions.dev, scored.evaluation
    run.write_json_lines(layout.PREDICTIONS, prediction_records(dev.examples, evaluation))
    run.write_json(layout.CONTEXTS, contexts_of(dev.examples))
    run.write_rows(layout.SCORES, score_rows(dev.examples, dev.features, evaluation))
    run.write_bytes(layout.LOGITS, logits_bytes(dev.features, scored.logits))

    def fill(folder: Path) -> None:
        with quiet():
            try:
                loaded.model.save_pretrained(folder)
                loaded.tokenizer.save_pretrained(folder)
            except SafetensorError as error:  # its own kind, for a full disk too
                raise StorageError(
                    f"{run.directory / layout.MODEL}: cannot be written: {error}; free space, then run the same "
                    "command again"
                ) from error
        write_text(folder / "qaexp.json", model_settings(config, identity, summary["null_threshold"]))

    run.write_directory(layout.MODEL, fill)


def report(run: Run, parts: Parts, summary: Mapping[str, Any]) -> None:
    """Draw the pictures and the page; of several processes only the main one does."""
    if run.is_main:
        parts.reporter.report(run.directory, summary)


def raise_flags(
    run: Run,
    config: ExperimentConfig,
    recorder: Recorder,
    features: Mapping[str, Features],
    questions: Questions,
    scored: Scored,
    state: TrainState,
) -> None:
    """Look at the health of the training and mark what is wrong in run.json."""
    predictions, examples = scored.evaluation.predictions, questions.dev.examples
    flags = find_flags(
        recorder.steps,
        recorder.history,
        num_train_features=len(features["train"]),
        num_answered=int(np.sum([bool(prediction.text) for prediction in predictions])),
        num_has_ans=sum(not example.is_impossible for example in examples),
        num_skipped=state.num_skipped,
        peak_rate=max(map(state.setup.factor, range(state.step)), default=None),
        schedule=config.schedule,
    )
    for flag in flags:
        run.raise_flag(flag["name"], flag["advice"], flag["step"])
