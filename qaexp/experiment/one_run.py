"""One run, top to bottom: config, examples, features, batches, epochs, predictions, metrics, run directory, plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.experiment import opening, results, stages
from qaexp.experiment.checkpoints import Checkpoints
from qaexp.experiment.recorder import Recorder
from qaexp.runs.directory import DATA
from qaexp.runs.writing.reuse import completed_summary
from qaexp.storage.origins import Origins
from qaexp.storage.start import variables
from qaexp.training.clock import Clock
from qaexp.training.peak import PeakMemory
from qaexp.training.processes import part
from qaexp.training.records import EvaluationDue, StepRecord
from qaexp.training.selection import Selection


def run_experiment(
    config: ExperimentConfig,
    directory: Path,
    *,
    command_line: Sequence[str] = (),
    hydra_files: Mapping[str, Any] | None = None,
    origins: Origins | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Train and evaluate one config in one directory.

    Args:
        config: A checked config.
        directory: The run directory.
        command_line: The words that started the run, for env.json.
        hydra_files: Trees of the files of `.hydra/`.
        origins: What of the config came from the environment.
        environment: Variables for the run's body, `hydra.job.env_set`: they are set once the config is built, so that
            they have no say in what is built.

    Returns:
        The run directory and its summary, as in summary.json. A run that is completed already is not touched.

    Raises:
        QaexpError: Whatever went wrong; run.json in the directory says it too.
    """
    parts = opening.build_parts(config)
    with variables(environment or {}):
        return _run(config, parts, directory, opening.Command(command_line, hydra_files, origins, environment or ()))


def _run(
    config: ExperimentConfig,
    parts: opening.Parts,
    directory: Path,
    command: opening.Command,
) -> tuple[Path, dict[str, Any]]:
    identity = opening.identify_run(config, parts, command.origins)
    if (done := completed_summary(directory, identity, allow_drift=config.trainer.allow_drift)) is not None:
        opening.tell_completed(directory, config)
        return directory, done
    clock, memory = Clock(), PeakMemory(parts.trainer.device)
    with opening.open_run(config, parts, identity, directory, command) as (run, trackers):
        with run.stage("data"):
            splits = parts.pipeline.load(subset_seed=config.seeds.subset, dev_seed=config.seeds.dev)
            stages.tell_parts(config, run, parts, splits)
        with run.stage("features"):
            features, is_cached = stages.make_features(config, parts, splits)
            report = stages.data_report(config, run, splits, features)
            run.write_json(DATA, report)
            stages.tell_data(run, report, is_cached=is_cached)
        with run.stage("model"):
            loaded = stages.load_model(config, run, parts)
            state = stages.prepare_training(config, parts, loaded, features["train"])
            questions = stages.question_sets(config, parts, splits, features, state)
            selection = Selection(config.trainer.keep, config.trainer.early_stopping_patience)
        with run.stage("training"), stages.training_view(config, run, state) as view:
            recorder = Recorder(run, view, clock, memory, trackers)
            with Checkpoints(run, state, selection, recorder, clock, splits.train.examples) as checkpoints:
                for record in clock.training(stages.training_records(config, run, parts, state, selection, view)):
                    if isinstance(record, StepRecord):
                        recorder.step(record, state)
                        continue
                    if isinstance(record, EvaluationDue):
                        recorder.evaluation(record, state, selection, questions, loaded)
                    checkpoints.store()
        with run.stage("evaluation"):
            scored = recorder.kept_score(state, selection, questions, loaded)
            tested = recorder.test_score(questions, loaded)
            summary = results.summarize(parts, features, questions, state, selection, scored, clock, recorder)
            summary |= results.test_metrics(tested)
            results.raise_flags(run, config, recorder, features, questions, scored, state, selection)
        with run.stage("report"):
            results.write_results(run, config, identity, questions, scored, tested, loaded, summary)
            summary["total_seconds"] = run.elapsed_seconds
            results.report(run, parts, summary)
        summary = run.complete(summary, keep_checkpoints=config.trainer.keep_checkpoints)
        trackers.finish(summary)
    part()
    return directory, summary
