"""One run, top to bottom: config, examples, features, batches, epochs, predictions, metrics, run directory, plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.experiment import opening, stages
from qaexp.experiment.checkpoints import Checkpoints
from qaexp.experiment.command import Command
from qaexp.experiment.questions import Answered, question_sets
from qaexp.experiment.recorder import Recorder
from qaexp.experiment.results import report_run, write_results
from qaexp.experiment.summary import raise_flags, summarize
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.training.heap import settled_heap
from qaexp.training.peak import PeakMemory
from qaexp.training.processes import agreed_object, first_here, part
from qaexp.training.records import EvaluationDue, StepRecord


def run_experiment(
    config: ExperimentConfig,
    directory: Path,
    command: Command | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Train and evaluate one config in one directory.

    Args:
        config: A checked config.
        directory: The run directory.
        command: What started it; None: this process, with nothing else to know.

    Returns:
        The run directory and its summary, as in summary.json. A run that is completed already is not touched.

    Raises:
        QaexpError: Whatever went wrong; run.json in the directory says it too.
    """
    with opening.opened(config, directory, command or Command()) as opened, settled_heap():
        if isinstance(opened, opening.Completed):
            return directory, opened.summary
        run, parts, memory = opened.run, opened.parts, PeakMemory(opened.parts.trainer.device)
        with run.stage("data"), first_here("data"):
            splits = parts.pipeline.load(subset_seed=parts.seeds.subset, dev_seed=parts.seeds.dev)
            stages.tell_parts(run, parts, splits)
        with run.stage("features"):
            with first_here("features"):
                made = stages.make_features(run, parts, splits)
            stages.tell_data(run, stages.write_data(run, parts, splits, made), is_cached=made.is_cached)
        with run.stage("model"):
            loaded = stages.load_model(run, parts)
            so_far = stages.prepare_training(parts, loaded, made.by_split["train"], memory)
            questions = question_sets(parts, splits, made.by_split, loaded, so_far, run.scratch)
        with run.stage("training"), stages.training_view(run, parts, so_far.state.setup.total_steps) as view:
            recorder = Recorder(run, so_far, view, opened.trackers)
            checkpoints = Checkpoints(run, so_far, splits.train.examples)
            checkpoints.restore()
            with checkpoints:
                for record in so_far.clock.training(stages.training_records(run, parts, so_far, view)):
                    if isinstance(record, StepRecord):
                        recorder.step(record)
                        continue
                    if isinstance(record, EvaluationDue):
                        recorder.evaluation(record, questions)
                    checkpoints.store()
        with run.stage("evaluation"):
            answered = recorder.kept(questions)
        # One process writes the results, and the others wait for it.
        summary = agreed_object(None if answered is None else _finished(opened, so_far, answered))
    part()
    return directory, summary


def _finished(opened: opening.Opened, so_far: TrainingSoFar, answered: Answered) -> dict[str, Any]:
    """Write the results of a run; returns its summary."""
    run, parts = opened.run, opened.parts
    summary = summarize(so_far, answered, parts.trainer.precision)
    raise_flags(run, parts, so_far, answered)
    with run.stage("report"):
        write_results(run, parts, answered)
        summary["total_seconds"] = run.elapsed_seconds
        report_run(run, parts.reporter, summary)
    summary = run.complete(summary, keep_checkpoints=parts.training.keep_checkpoints)
    opened.trackers.finish(summary)
    return summary
