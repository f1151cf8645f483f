"""What a run leaves behind: summary, files and flags, each made from what the stages computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from qaexp.config.schema import ExperimentConfig
from qaexp.data.features import Features
from qaexp.errors import QaexpError, StorageError, of_the_system
from qaexp.evaluation.outputs import contexts_of, logits_bytes, prediction_records, score_rows
from qaexp.evaluation.question_set import QuestionSet, Scored
from qaexp.experiment.opening import Parts
from qaexp.experiment.recorder import Recorder
from qaexp.experiment.stages import Questions, model_settings
from qaexp.model import LoadedModel
from qaexp.model.loading import quiet
from qaexp.reporting.terminal.printing import complain
from qaexp.runs import directory as layout
from qaexp.runs.identity import Identity
from qaexp.runs.metrics import EPOCHS, SCORE_COLUMNS, TEST, of_an_epoch
from qaexp.runs.writing.run import Run
from qaexp.storage.files import write_text
from qaexp.storage.formats import one_line
from qaexp.training.clock import Clock
from qaexp.training.health import find_flags
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState
from qaexp.training.throughput import (
    flops_per_token,
    gemm_rate,
    model_flops_utilisation,
    tokens_per_second,
)


def summarize(
    parts: Parts,
    features: Mapping[str, Features],
    questions: Questions,
    state: TrainState,
    selection: Selection,
    scored: Scored,
    clock: Clock,
    recorder: Recorder,
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
        recorder: For the rows of history.csv, and the memory so far.
    """
    kept, peak = _kept_row(recorder, selection), recorder.memory.mib()
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
        # Measures the machine with large matrices: the run's peak was taken before.
        "mfu": model_flops_utilisation(speed, flops, gemm_rate(device, precision)) if state.step else None,
        "peak_memory_mib": peak,
    }


def _kept_row(recorder: Recorder, selection: Selection) -> dict[str, Any]:
    """The row of history.csv of the weights that are kept."""
    return next(row for row in reversed(recorder.history) if row["epoch"] == selection.kept_epoch)


def test_metrics(tested: Scored | None) -> dict[str, Any]:
    """The test file's metrics under `test_*`, at threshold 0; nothing is chosen on it."""
    if tested is None:
        return {}
    found = of_an_epoch(tested.evaluation.metrics)
    found["num_examples"] = len(tested.evaluation.predictions)
    return {f"{TEST}{name}": value for name, value in found.items()}


def write_results(
    run: Run,
    config: ExperimentConfig,
    identity: Identity,
    questions: Questions,
    scored: Scored,
    tested: Scored | None,
    loaded: LoadedModel,
    summary: Mapping[str, Any],
) -> None:
    """Commit predictions, contexts, scores, logits and the model of a run."""
    dev, evaluation = questions.dev, scored.evaluation
    run.write_json_lines(layout.PREDICTIONS, prediction_records(dev.examples, evaluation))
    run.write_json(layout.CONTEXTS, contexts_of(dev.examples))
    run.write_rows(layout.SCORES, score_rows(dev.examples, dev.features, evaluation))
    if questions.test is not None and tested is not None:
        run.write_rows(layout.TEST_SCORES, test_score_rows(questions.test, tested))
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
        write_text(folder / "qaexp.json", model_settings(config, run, identity, summary["null_threshold"]))

    run.write_directory(layout.MODEL, fill)


def test_score_rows(test: QuestionSet, tested: Scored) -> list[dict[str, Any]]:
    """One row per test example, for test_scores.csv: nothing is chosen on it, so nothing in it is cross-fitted."""
    rows = score_rows(test.examples, test.features, tested.evaluation)
    chosen = {name for name, number in SCORE_COLUMNS.items() if EPOCHS not in number.shown_in}
    return [{name: value for name, value in row.items() if name not in chosen} for row in rows]


def report(run: Run, parts: Parts, summary: Mapping[str, Any]) -> None:
    """Draw the pictures and the page; of several processes only the main one does.

    What is drawn can be drawn again: a reporter that fails is told, and costs no run. Where qaexp's own cannot write,
    nothing else could be written either.
    """
    if not run.is_main:
        return
    try:
        parts.reporter.report(run.directory, summary)
    except (Exception, SystemExit) as error:
        is_ours = type(parts.reporter).__module__.partition(".")[0] == __name__.partition(".")[0]
        if is_ours and (isinstance(error, QaexpError) or of_the_system(error) is not None):
            raise
        sentence = run.redacted(
            f"the reporter failed ({type(error).__name__}: {error}), and the run goes on without what it draws; "
            "debug.log in the run directory has the traceback, and qaexp plot draws qaexp's own plots and page"
        )
        run.log.warning(sentence)
        run.log.debug("the reporter", exc_info=error)
        complain(one_line(sentence))


def raise_flags(
    run: Run,
    config: ExperimentConfig,
    recorder: Recorder,
    features: Mapping[str, Features],
    questions: Questions,
    scored: Scored,
    state: TrainState,
    selection: Selection,
) -> None:
    """Look at the health of the training, and of the model that it leaves, and mark what is wrong in run.json."""
    flags = find_flags(
        recorder.steps,
        recorder.history,
        num_train_features=len(features["train"]),
        num_skipped=state.num_skipped,
        kept_step=_kept_row(recorder, selection)["step"],
        keeps_best=selection.keep == "best",
        **_answered(questions.dev, scored),
        peak_rate=max(map(state.setup.factor, range(state.step)), default=None),
        schedule=config.schedule,
        subset=config.data.subset,
    )
    for flag in flags:
        run.raise_flag(flag["name"], flag["advice"], flag["step"])


def _answered(dev: QuestionSet, scored: Scored) -> dict[str, Any]:
    """How many dev questions the kept weights answer, as `find_flags` takes it: counted, never told from means."""
    if not dev.decoding.allow_no_answer:
        return {}
    predictions = scored.evaluation.predictions
    tuned = scored.evaluation.metrics["null_threshold"]
    return {
        "num_examples": len(dev.examples),
        "num_has_ans": sum(not example.is_impossible for example in dev.examples),
        "num_answered": sum(bool(prediction.text) for prediction in predictions),
        "num_answered_tuned": None
        if tuned is None
        else sum(bool(prediction.text_at(tuned)) for prediction in predictions),
        "null_threshold": tuned,
    }
