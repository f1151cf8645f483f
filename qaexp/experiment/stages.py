"""The stages that experiment.py strings together: each turns what it is given into what the next one needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from qaexp.config.checks.positions import length_problem, position_limit
from qaexp.config.schema import ExperimentConfig
from qaexp.data.batches import BatchPlan
from qaexp.data.cache import cached_features
from qaexp.data.features import Features, build_features
from qaexp.data.pipeline import Split, Splits
from qaexp.data.squad import Example
from qaexp.errors import ConfigError
from qaexp.evaluation.data_findings import data_flags, finding_lines, size_lines
from qaexp.evaluation.data_report import audit_line, describe_data
from qaexp.evaluation.question_set import Decoding, QuestionSet
from qaexp.experiment import greeting
from qaexp.experiment.opening import Parts
from qaexp.experiment.screen import TrainingView, show_lines
from qaexp.model import LoadedModel
from qaexp.reporting.terminal.printing import say
from qaexp.runs.directory import NO_ANSWER, PROFILE, PROFILE_TABLE, PROFILE_TRACE
from qaexp.runs.identity import Identity
from qaexp.runs.writing.run import Run
from qaexp.storage.folders import make_directory
from qaexp.training.heap import settled_heap
from qaexp.training.profiling import SKIPPED_STEPS, StepProfile
from qaexp.training.records import CheckpointDue, EvaluationDue, StepRecord
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is answered by the model of a run: dev, probes (None without any) and test (None without a file)."""

    dev: QuestionSet
    probes: QuestionSet | None
    test: QuestionSet | None

    def probe_answers(self, loaded: LoadedModel) -> list[str]:
        """The answers to the probes; where the model answers nothing, the words that say so."""
        found = self.probes.answers(loaded) if self.probes else []
        return [prediction.text or NO_ANSWER for prediction in found]


def make_features(config: ExperimentConfig, parts: Parts, splits: Splits) -> tuple[dict[str, Features], bool]:
    """The features of each split by its name, and whether all of them came from the cache.

    Raises:
        ConfigError: The checkpoint has not so many positions; the check of the config could not know where it is one
            of the hub, or its config.json leaves them to the architecture's default.
    """
    tokenizer = parts.checkpoint.tokenizer()
    limit = position_limit(parts.checkpoint.architecture())
    if (problem := length_problem(config.features.max_length, limit, config.model.checkpoint)) is not None:
        raise ConfigError(problem)
    windows = asdict(config.features)
    found = {name: cached_features(part.examples, tokenizer, **windows) for name, part in named(splits).items()}
    return {name: made for name, (made, _) in found.items()}, all(is_cached for _, is_cached in found.values())


def named(splits: Splits) -> dict[str, Split]:
    """The splits that there are, by name."""
    return {"train": splits.train, "dev": splits.dev, **({"test": splits.test} if splits.test else {})}


def data_report(config: ExperimentConfig, run: Run, splits: Splits, features: Mapping[str, Features]) -> dict[str, Any]:
    """The content of data.json; its audit is logged as well."""
    data, seeds = config.data, config.seeds
    report = describe_data(
        named(splits),
        features,
        max_answer_length=config.decoding.max_answer_length,
        subset={
            "policy": data.subset,
            "train_size": data.train_size,
            "dev_size": data.dev_size,
            "seed": seeds.subset,
            "dev_seed": seeds.dev,
        },
    )
    report["source"] = run.redacted_texts(report["source"])
    report["revision"] = run.redacted_texts(report["revision"])
    for name in features:
        run.log.info(audit_line(name, report["audit"][name]))
    return report


def tell_parts(config: ExperimentConfig, run: Run, parts: Parts, splits: Splits) -> None:
    """Show what the run is made of; what of it came from the environment is told by its expression.

    Raises:
        ConfigError: It goes on from a checkpoint, and its examples are not those that it was started with.
    """
    drawn = {"train": splits.train, "dev": splits.dev}
    run.check_examples({name: [example.id for example in part.examples] for name, part in drawn.items()})
    if run.is_main:
        greeting.tell_parts(
            run.run_id,
            run.shown_config,
            [len(split.examples) for split in named(splits).values()],
            num_parameters=getattr(parts.checkpoint, "num_stored", None),
            device=str(parts.trainer.device),
            precision=parts.trainer.precision,
            threads=torch.get_num_threads(),
        )


def tell_data(run: Run, report: Mapping[str, Any], *, is_cached: bool) -> None:
    """Show what a user should know of the data before it is trained on, and raise the flags for it.

    Args:
        run: The run.
        report: The content of data.json.
        is_cached: All features came from the cache.
    """
    if run.is_main:
        greeting.tell_features(report["audit"], is_cached=is_cached)
    lines = [*size_lines(report), *finding_lines(report)]
    for line in lines:
        run.log.info(line)
    show_lines([run.redacted(line) for line in lines], is_main=run.is_main)
    for name, advice in data_flags(report):
        run.raise_flag(name, advice, 0)


def load_model(config: ExperimentConfig, run: Run, parts: Parts) -> LoadedModel:
    """Open the weights, and show which of them are fresh."""
    loaded = parts.checkpoint.load(seed=config.seeds.init)
    if run.is_main:
        greeting.tell_fresh(loaded.source, is_all=config.model.random_weights)
    return loaded


def prepare_training(config: ExperimentConfig, parts: Parts, loaded: LoadedModel, features: Features) -> TrainState:
    """Stand before the first step."""
    plan = BatchPlan(**asdict(config.batches), seed=config.seeds.order)
    return parts.trainer.prepare(
        loaded,
        features,
        plan,
        optimizer=parts.optimizer,
        schedule=parts.schedule,
        dropout_seed=config.seeds.dropout,
    )


def question_sets(
    config: ExperimentConfig, parts: Parts, splits: Splits, features: Mapping[str, Features], state: TrainState
) -> Questions:
    """All that the model will be asked, with the number format of the training."""
    decoding = Decoding(**asdict(config.decoding))

    def questions(examples: Sequence[Example], made: Features) -> QuestionSet:
        return QuestionSet(examples, made, decoding, state.setup.accelerator.autocast)

    probes = [
        Example(f"probe_{number}", "", probe.context, probe.question, ()) for number, probe in enumerate(config.probes)
    ]
    windows = asdict(config.features)
    return Questions(
        dev=questions(splits.dev.examples, features["dev"]),
        probes=questions(probes, build_features(probes, parts.checkpoint.tokenizer(), **windows)) if probes else None,
        test=questions(splits.test.examples, features["test"]) if splits.test else None,
    )


def training_records(
    config: ExperimentConfig, run: Run, parts: Parts, state: TrainState, selection: Selection, view: TrainingView
) -> Iterator[StepRecord | EvaluationDue | CheckpointDue]:
    """Train until nothing gets better; with `trainer.profile_steps` some steps are profiled into the run directory."""
    with settled_heap(), _profile(config, run, state) as profiled:

        def after_step() -> None:
            if profiled is not None:
                profiled()
            view.moved(state.step)

        for record in () if selection.is_over else parts.trainer.train(state, after_step=after_step):
            yield record
            if selection.is_over:
                return


@contextmanager
def _profile(config: ExperimentConfig, run: Run, state: TrainState) -> Iterator[Callable[[], None] | None]:
    """What a training calls after each step, so that some steps are profiled; None without `trainer.profile_steps`."""
    if config.trainer.profile_steps is None or not run.is_main:
        yield None
        return

    def write(trace: bytes, table: str) -> None:
        make_directory(run.directory / PROFILE)
        run.write_bytes(PROFILE_TRACE, trace)
        run.write_bytes(PROFILE_TABLE, table.encode())

    with StepProfile(config.trainer.profile_steps, write) as profile:
        yield profile.step
    if not (run.directory / PROFILE_TABLE).exists():
        run.log.warning(
            "trainer.profile_steps=%s had no effect: the first %s steps are left out, and the training had %s",
            *(config.trainer.profile_steps, SKIPPED_STEPS, state.step),
        )


def training_view(config: ExperimentConfig, run: Run, state: TrainState) -> TrainingView:
    """What the terminal shows of the training."""
    probes, total = [run.redacted(probe.question) for probe in config.probes], state.setup.total_steps
    first = run.checkpoint.step if run.checkpoint else 0
    if first and run.is_main:
        say(f"goes on after step {first} of {total}")
    return TrainingView(total, first_step=first, probes=probes, is_main=run.is_main)


def model_settings(config: ExperimentConfig, run: Run, identity: Identity, null_threshold: float | None) -> str:
    """The text of model/qaexp.json: what a Predictor needs beside the weights."""
    settings = {
        "run_id": identity.run_id,
        "base_checkpoint": run.shown_config["model"]["checkpoint"],
        **asdict(config.features),
        **asdict(config.decoding),
        "null_threshold": 0.0 if null_threshold is None else null_threshold,
    }
    return json.dumps(settings, indent=1) + "\n"
