"""The stages of a run: each turns its input into what the next one needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qaexp.config.checks.positions import length_problem, position_limit
from qaexp.data.features import Features
from qaexp.data.null_windows import sample_null_windows
from qaexp.data.ondisk.examples import ids_of
from qaexp.data.ondisk.features import StoredFeatures
from qaexp.data.pipeline import Splits
from qaexp.errors import ConfigError
from qaexp.evaluation.data_findings import data_flags, finding_lines, size_lines
from qaexp.evaluation.data_report import audit_line, describe_data
from qaexp.experiment import greeting
from qaexp.experiment.parts import Parts
from qaexp.experiment.room import check_disk
from qaexp.experiment.screen import TrainingView, show_lines
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.model import LoadedModel
from qaexp.reporting.terminal.printing import say
from qaexp.runs.directory import DATA, PROFILE, PROFILE_TABLE, PROFILE_TRACE
from qaexp.runs.metrics import TEST
from qaexp.runs.writing.run import Run
from qaexp.storage.folders import make_directory
from qaexp.training.heap import settle
from qaexp.training.number_formats import slowness
from qaexp.training.peak import PeakMemory
from qaexp.training.processes import all_threads
from qaexp.training.profiling import SKIPPED_STEPS, StepProfile
from qaexp.training.records import CheckpointDue, EvaluationDue, StepRecord
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState


@dataclass(frozen=True, slots=True)
class MadeFeatures:
    """The features of a run.

    Attributes:
        by_split: Those of each split by its name.
        is_cached: Whether all of them came from the cache.
        num_dropped: The training windows that `features.null_window_rate` left out; None where it is not set.
    """

    by_split: dict[str, Features | StoredFeatures]
    is_cached: bool
    num_dropped: int | None = None


def make_features(run: Run, parts: Parts, splits: Splits) -> MadeFeatures:
    """Make the features of each split; training windows without an answer are sampled where the config says so.

    Raises:
        StorageError: The disk has no room for what the run is going to write.
        ConfigError: The checkpoint has too few positions. The check of the config cannot know the limit of a hub
            checkpoint, nor of one whose config.json relies on the architecture's default.
    """
    tokenizer = parts.checkpoint.tokenizer()
    limit = position_limit(parts.checkpoint.architecture())
    if (problem := length_problem(parts.windows.max_length, limit, parts.model.checkpoint)) is not None:
        raise ConfigError(problem)
    found = {name: parts.windows.cached(part.examples, tokenizer) for name, part in splits.named.items()}
    made = MadeFeatures(
        {name: features for name, (features, _) in found.items()}, all(is_cached for _, is_cached in found.values())
    )
    check_disk(run, parts, made.by_split, len(splits.dev.examples))
    rate = parts.windows.null_window_rate
    return made if rate in (None, 1.0) else _sampled(made, parts, splits, rate)


def _sampled(made: MadeFeatures, parts: Parts, splits: Splits, rate: float) -> MadeFeatures:
    every = made.by_split["train"]
    kept = sample_null_windows(every, splits.train.examples, rate=rate, seed=parts.seeds.subset)
    return replace(made, by_split={**made.by_split, "train": kept}, num_dropped=len(every) - len(kept))


def write_data(run: Run, parts: Parts, splits: Splits, made: MadeFeatures) -> dict[str, Any]:
    """Write data.json and log its audit; returns the content without the ids, nothing where another process writes."""
    if not run.is_main:
        return {}
    features = made.by_split
    report = describe_data(
        splits.named, features, max_answer_length=parts.decoding.max_answer_length, subset=parts.subset
    )
    if made.num_dropped is not None:
        report["audit"]["train"]["null_windows"] = {
            "rate": parts.windows.null_window_rate,
            "num_kept": int(np.sum(features["train"].is_null)),
            "num_dropped": made.num_dropped,
        }
    report["source"] = run.redacted_texts(report["source"])
    report["revision"] = run.redacted_texts(report["revision"])
    for name in features:
        run.log.info(audit_line(name, report["audit"][name]))
    run.write_json_blocks(DATA, report)
    return {key: value for key, value in report.items() if not key.endswith("_ids")}


def tell_parts(run: Run, parts: Parts, splits: Splits) -> None:
    """Show what the run is made of; values from the environment are shown as their expressions.

    Raises:
        ConfigError: It resumes from a checkpoint, and its examples differ from those it was started with.
    """
    drawn = {"train": splits.train, "dev": splits.dev}
    run.check_examples({name: ids_of(part.examples) for name, part in drawn.items()})
    if run.is_main:
        greeting.tell_parts(
            run.run_id,
            run.shown_config,
            [len(split.examples) for name, split in splits.named.items() if not name.startswith(TEST)],
            [len(split.examples) for name, split in splits.tests.items() if name.startswith(TEST)],
            num_parameters=getattr(parts.checkpoint, "num_stored", None),
            device=str(parts.trainer.device),
            precision=parts.trainer.precision,
            threads=all_threads(),
        )
    if slow := slowness(parts.trainer.precision, parts.trainer.device):
        run.log.warning(slow)
        show_lines([slow], is_main=run.is_main)


def tell_data(run: Run, report: Mapping[str, Any], *, is_cached: bool) -> None:
    """Show what a user should know about the data before training, and raise its flags.

    Args:
        run: The run.
        report: The content of data.json.
        is_cached: All features came from the cache.
    """
    if not run.is_main:
        return
    greeting.tell_features(report["audit"], is_cached=is_cached)
    lines = [*size_lines(report), *finding_lines(report)]
    for line in lines:
        run.log.info(line)
    show_lines([run.redacted(line) for line in lines])
    for name, advice in data_flags(report):
        run.raise_flag(name, advice, 0)


def load_model(run: Run, parts: Parts) -> LoadedModel:
    """Load the weights, and show which of them are fresh."""
    loaded = parts.checkpoint.load(seed=parts.seeds.init)
    if run.is_main:
        greeting.tell_fresh(loaded.source, is_all=parts.model.random_weights)
    return loaded


def prepare_training(
    parts: Parts, loaded: LoadedModel, features: Features | StoredFeatures, memory: PeakMemory
) -> TrainingSoFar:
    """Make everything ready for the first step."""
    state = parts.trainer.prepare(
        loaded,
        features,
        parts.batches,
        optimizer=parts.optimizer,
        schedule=parts.schedule,
        dropout_seed=parts.seeds.dropout,
    )
    return TrainingSoFar(state, Selection(parts.training.keep, parts.training.early_stopping_patience), memory)


def training_view(run: Run, parts: Parts, total_steps: int) -> TrainingView:
    """What the terminal shows of the training."""
    probes = [run.redacted(probe.question) for probe in parts.probes]
    run.set_progress(total_steps=total_steps)
    first = run.checkpoint.step if run.checkpoint else 0
    if first and run.is_main:
        for problem in run.left_alone:
            say(f"checkpoint left alone: {problem}")
        say(f"goes on after step {first} of {total_steps}")
    return TrainingView(total_steps, first_step=first, probes=probes, is_main=run.is_main)


def training_records(
    run: Run, parts: Parts, so_far: TrainingSoFar, view: TrainingView
) -> Iterator[StepRecord | EvaluationDue | CheckpointDue]:
    """Train to the end or until early stopping; `trainer.profile_steps` steps are profiled into the run directory."""
    state, selection = so_far.state, so_far.selection
    settle()
    with _profile(run, parts.training.profile_steps, state) as profiled:

        def after_step() -> None:
            if profiled is not None:
                profiled()
            view.moved(state.step)

        for record in () if selection.is_over else parts.trainer.train(state, after_step=after_step):
            yield record
            if selection.is_over:
                return


@contextmanager
def _profile(run: Run, num_steps: int | None, state: TrainState) -> Iterator[Callable[[], None] | None]:
    """Yield what to call after each step to profile some of them; None without `trainer.profile_steps`."""
    if num_steps is None or not run.is_main:
        yield None
        return

    def write(trace: bytes, table: str) -> None:
        make_directory(run.directory / PROFILE)
        run.write_bytes(PROFILE_TRACE, trace)
        run.write_bytes(PROFILE_TABLE, table.encode())

    with StepProfile(num_steps, write) as profile:
        yield profile.step
    if not (run.directory / PROFILE_TABLE).exists():
        run.log.warning(
            "trainer.profile_steps=%s had no effect: the first %s steps are never profiled, and the training had %s",
            *(num_steps, SKIPPED_STEPS, state.step),
        )
