"""The stages that experiment.py strings together: each turns what it is given into what the next one needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from qaexp.config.build import build
from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.data.batches import BatchPlan
from qaexp.data.cache import cached_features
from qaexp.data.features import Features, build_features
from qaexp.data.pipeline import DataPipeline, Split, Splits
from qaexp.data.squad import Example
from qaexp.evaluation.data_report import audit_line, describe_data
from qaexp.evaluation.question_set import Decoding, QuestionSet
from qaexp.model import Checkpoint, LoadedModel
from qaexp.reporting.progress import NO_ANSWER, TrainingView
from qaexp.reporting.reporter import Reporter
from qaexp.runs.environment import describe_environment
from qaexp.runs.identity import Identity, identify
from qaexp.runs.run import Run
from qaexp.training.loop import Trainer
from qaexp.training.precision import describe_device
from qaexp.training.processes import is_main_process
from qaexp.training.state import TrainState


@dataclass(frozen=True, slots=True)
class Parts:
    """What a config is built into before anything is read: wrong targets and keywords fail here."""

    pipeline: DataPipeline
    checkpoint: Checkpoint
    trainer: Trainer
    reporter: Reporter
    optimizer: Callable[..., Optimizer]
    schedule: Callable[..., Callable[[int], float]]


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


def build_parts(config: ExperimentConfig) -> Parts:
    """Build the nodes of a config, and fix the number of threads."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    nodes = (config.data, config.model, config.trainer, config.reporter, config.optimizer, config.schedule)
    return Parts(*(build(node) for node in nodes))


def identify_run(config: ExperimentConfig, parts: Parts) -> Identity:
    """The run's identity: config, data and weights, without what cannot change results (which GPU of several, too)."""
    plain = asdict(config)
    plain["trainer"]["device"] = config.trainer.device.partition(":")[0]
    return identify(plain, neutral_keys(), parts.pipeline.fingerprint(), parts.checkpoint.fingerprint())


def open_run(
    config: ExperimentConfig,
    parts: Parts,
    identity: Identity,
    directory: Path,
    command_line: Sequence[str],
    hydra_files: Mapping[str, str] | None,
) -> Run:
    """Describe the run that is about to start; entering it takes the directory."""
    deterministic = config.trainer.deterministic
    environment = describe_environment(
        command_line or sys.argv,
        device=describe_device(parts.trainer.device, parts.trainer.precision),
        threads=torch.get_num_threads(),
        determinism={"deterministic": deterministic, "same_bytes": deterministic or parts.trainer.device.type == "cpu"},
    )
    return Run(
        directory,
        config=asdict(config),
        identity=identity,
        environment=environment,
        hydra_files=hydra_files,
        threads=torch.get_num_threads(),
        is_main=is_main_process(),
        steal_lock=config.steal_lock,
    )


def make_features(config: ExperimentConfig, parts: Parts, splits: Splits) -> dict[str, Features]:
    """The features of each split by its name, from the cache where they are known."""
    tokenizer = parts.checkpoint.tokenizer()
    windows = asdict(config.features)
    return {name: cached_features(part.examples, tokenizer, **windows)[0] for name, part in named(splits).items()}


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
    for name in features:
        run.log.info(audit_line(name, report["audit"][name]))
    return report


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


def training_view(config: ExperimentConfig, run: Run, state: TrainState) -> TrainingView:
    """What the terminal shows of the training."""
    probes = [probe.question for probe in config.probes]
    return TrainingView(state.setup.total_steps, probes=probes, is_main=run.is_main)


def model_settings(config: ExperimentConfig, identity: Identity, null_threshold: float | None) -> str:
    """The text of model/qaexp.json: what a Predictor needs beside the weights."""
    settings = {
        "run_id": identity.run_id,
        "base_checkpoint": config.model.checkpoint,
        **asdict(config.features),
        **asdict(config.decoding),
        "null_threshold": 0.0 if null_threshold is None else null_threshold,
    }
    return json.dumps(settings, indent=1) + "\n"
