"""The results of a finished training: the numbers of summary.json, and the flags of run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.evaluation.question_set import Scored
from qaexp.evaluation.silence import collapse_advice, count_answered
from qaexp.experiment.parts import Parts
from qaexp.experiment.questions import Answered
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.runs.directory import COLLAPSE
from qaexp.runs.metrics import of_an_epoch
from qaexp.runs.writing.run import Run
from qaexp.training.health import find_flags
from qaexp.training.throughput import (
    flops_per_token,
    gemm_rate,
    model_flops_utilisation,
    tokens_per_second,
)


def summarize(so_far: TrainingSoFar, answered: Answered, precision: str) -> dict[str, Any]:
    """The numbers of summary.json, except those that only the end of the run knows.

    Args:
        so_far: The finished training.
        answered: The results of the kept weights.
        precision: The number format of the training.
    """
    state, selection, dev = so_far.state, so_far.selection, answered.questions.dev
    kept, peak, train = so_far.kept_row, so_far.memory.mib(), state.setup.feed.features
    speed = tokens_per_second(state.num_tokens, so_far.clock.train_seconds)
    flops = flops_per_token(state.model, train.lengths)
    return {
        **answered.dev.evaluation.metrics,
        "kept_epoch": selection.kept_epoch,
        "best_epoch": selection.best_epoch,
        "best_epoch_f1": selection.best_f1,
        "train_loss": kept["train_loss"],
        "train_accuracy": kept["train_accuracy"],
        "num_train_examples": int(train.example_index.max(initial=-1)) + 1,
        "num_train_features": len(train),
        "num_dev_examples": len(dev.examples),
        "num_dev_features": len(dev.features),
        "num_steps": state.step,
        "train_seconds": so_far.clock.train_seconds,
        "eval_seconds": so_far.clock.eval_seconds,
        "tokens_per_second": speed,
        "padding_share": state.padding_share,
        # This multiplies large matrices, so the run's peak memory is read first.
        "mfu": model_flops_utilisation(speed, flops, gemm_rate(state.setup.accelerator.device, precision))
        if state.step
        else None,
        "peak_memory_mib": peak,
        **_test_metrics(answered.tests),
    }


def _test_metrics(tests: Mapping[str, Scored]) -> dict[str, Any]:
    """The metrics of each split of test questions, its name before theirs, at threshold 0; nothing is tuned on it."""
    found: dict[str, Any] = {}
    for split, tested in tests.items():
        metrics = {**of_an_epoch(tested.evaluation.metrics), "num_examples": len(tested.evaluation.judged)}
        found |= {f"{split}_{name}": value for name, value in metrics.items()}
    return found


def raise_flags(run: Run, parts: Parts, so_far: TrainingSoFar, answered: Answered) -> None:
    """Check the health of the training and of the resulting model, and raise flags in run.json."""
    state, dev = so_far.state, answered.questions.dev
    if dev.decoding.allow_no_answer:
        advice = collapse_advice(count_answered(answered.dev.evaluation), parts.subset["policy"])
        if advice is not None:
            run.raise_flag(COLLAPSE, advice, so_far.kept_row["step"])
    flags = find_flags(
        so_far.steps,
        so_far.history,
        num_train_features=len(state.setup.feed.features),
        num_skipped=state.num_skipped,
        keeps_best=so_far.selection.keep == "best",
        peak_rate=max(map(state.setup.factor, range(state.step)), default=None),
        schedule=parts.warm_up,
    )
    for flag in flags:
        run.raise_flag(flag.name, flag.advice, flag.step)
