"""A config is taken apart: what its nodes build, and the settings that a stage of a run needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from qaexp.config.build import build
from qaexp.config.schema import (
    ExperimentConfig,
    ModelConfig,
    ReporterConfig,
    SeedsConfig,
    TrainerConfig,
)
from qaexp.data.batches import BatchPlan
from qaexp.data.pipeline import DataPipeline
from qaexp.data.squad import Example
from qaexp.data.windowing import Windows
from qaexp.errors import ConfigError
from qaexp.evaluation.question_set import Decoding
from qaexp.experiment.trackers import Tracker
from qaexp.model import Checkpoint
from qaexp.reporting.reporter import Reporter
from qaexp.training.loop import Trainer
from qaexp.training.optim import check_optimizer
from qaexp.training.processes import share_of_threads


@dataclass(frozen=True, slots=True)
class Parts:
    """What a config is built into before any data is read: wrong targets and keywords fail here.

    Attributes:
        pipeline: The node `data`.
        checkpoint: The node `model`.
        trainer: The node `trainer`.
        reporter: The node `reporter`.
        optimizer: Takes parameter groups.
        schedule: Takes a `Horizon`.
        trackers: By name.
        batches: Which features are read together.
        decoding: How logits become answers.
        windows: How examples become features.
        seeds: One for each kind of randomness.
        training: The settings of the trainer; some are for the code that consumes its loop.
        subset: How the examples are drawn, as stored in data.json.
        warm_up: The keys of the node `schedule`, for advice.
        probes: The questions that are answered after each evaluation.
        model: The settings of the weights.
    """

    pipeline: DataPipeline
    checkpoint: Checkpoint
    trainer: Trainer
    reporter: Reporter
    optimizer: Callable[..., Optimizer]
    schedule: Callable[..., Callable[[int], float]]
    trackers: Mapping[str, Tracker]
    batches: BatchPlan
    decoding: Decoding
    windows: Windows
    seeds: SeedsConfig
    training: TrainerConfig
    subset: dict[str, Any]
    warm_up: Mapping[str, Any]
    probes: tuple[Example, ...]
    model: ModelConfig


Build = Callable[..., Any]
"""Builds a node of a config; see `qaexp.config.build.build`."""


def each_once() -> Build:
    """Return what builds equal nodes once, for configs of which nothing but their fingerprints is wanted."""
    built: dict[tuple[str, str, str], Any] = {}

    def build_once(node: object, kind: str, **extra: Any) -> Any:
        key = kind, repr(node), repr(extra)
        if key not in built:
            built[key] = build(node, kind, **extra)
        return built[key]

    return build_once


def build_parts(config: ExperimentConfig, build: Build = build) -> Parts:
    """Build the nodes of a config, and fix the number of threads.

    What the optimizer refuses, and what the reporter lacks, is found here and not after the training.

    Args:
        config: A checked config.
        build: Builds a node.

    Raises:
        ConfigError: A node cannot be built, the optimizer refuses a value, or the reporter has no method `report`.
    """
    if config.threads is not None:
        torch.set_num_threads(share_of_threads(config.threads))
    data, seeds = config.data, config.seeds
    parts = Parts(
        pipeline=build(data, "data"),
        checkpoint=build(config.model, "model"),
        trainer=build(config.trainer, "trainer"),
        reporter=build(_without_upload(config.reporter), "reporter"),
        optimizer=build(config.optimizer, "optimizer"),
        schedule=build(config.schedule, "schedule"),
        trackers={name: build(node, "trackers") for name, node in config.trackers.items()},
        batches=build(config.batches, "batches", seed=seeds.order),
        decoding=build(config.decoding, "decoding"),
        windows=build(config.features, "features"),
        seeds=seeds,
        training=config.trainer,
        subset={
            "policy": data.subset,
            "train_size": data.train_size,
            "dev_size": data.dev_size,
            "seed": seeds.subset,
            "dev_seed": seeds.dev,
        },
        warm_up=config.schedule,
        probes=tuple(
            Example(f"probe_{number}", "", probe.context, probe.question, ())
            for number, probe in enumerate(config.probes)
        ),
        model=config.model,
    )
    check_optimizer(parts.optimizer)
    kinds = ("reporter", "batches", "decoding", "features")
    _check_made(parts, {kind: getattr(config, kind)._target_ for kind in kinds})
    return parts


def _without_upload(reporter: ReporterConfig) -> dict[str, Any]:
    """What a reporter takes: where the run goes once it has ended is no reporter's concern, whoever wrote it."""
    return {key: value for key, value in asdict(reporter).items() if key != "upload_to"}


def _check_made(parts: Parts, targets: Mapping[str, str]) -> None:
    """Find before the training what a class of the user's own lacks.

    Raises:
        ConfigError: A reporter without `report`, an order without `epoch`, or windows or a decoding without the
            settings that are stored with the model.
    """
    problems = []
    for kind, made, method, way_out in (
        ("reporter", parts.reporter, "report(directory, summary)", "add it, or take reporter=none"),
        ("batches", parts.batches, "epoch(lengths, epoch)", "add it"),
    ):
        if not callable(getattr(made, method.partition("(")[0], None)):
            problems.append(f"{_makes(kind, made, targets)}, which has no method {method}; {way_out}")
    for kind, part, wanted in (("decoding", parts.decoding, Decoding), ("features", parts.windows, Windows)):
        if not isinstance(part, wanted):
            name = wanted.__name__
            problems.append(
                f"{_makes(kind, part, targets)}, which is not a qaexp.nodes.{name}; derive it from that one"
            )
    if problems:
        raise ConfigError(*problems)


def _makes(kind: str, made: object, targets: Mapping[str, str]) -> str:
    return f"{kind}._target_={targets[kind]} makes a {type(made).__name__}"
