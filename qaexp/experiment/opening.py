"""Before the first stage: a run gets its id from its content, and takes its directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from qaexp.config.schema import ExperimentConfig, as_stored, neutral_keys
from qaexp.experiment.asked_names import check_no_secret_is_asked_for
from qaexp.experiment.command import Command
from qaexp.experiment.greeting import already_completed
from qaexp.experiment.number_format import settled
from qaexp.experiment.parts import Parts, build_parts
from qaexp.experiment.trackers import Trackers
from qaexp.runs.identity import Identity, identify
from qaexp.runs.log import LOGGER
from qaexp.runs.readers.folder import look
from qaexp.runs.readers.typed import told
from qaexp.runs.slurm import requeued
from qaexp.runs.writing.environment import describe_environment
from qaexp.runs.writing.resumption import begun_format, started_threads
from qaexp.runs.writing.reuse import completed_summary
from qaexp.runs.writing.run import Run
from qaexp.runs.writing.run_start import RunStart
from qaexp.storage.origins import REDACTED, Origins, with_origins
from qaexp.storage.signals import watched
from qaexp.storage.start import variables
from qaexp.training.attention_choice import Attention
from qaexp.training.precision import describe_device
from qaexp.training.processes import all_threads, is_main_process, num_processes, share_of_threads

# Words to find a run by; they do not change its results.
_WORDS = ("tags", "notes", "group")


@dataclass(frozen=True, slots=True)
class Opened:
    """A run before its first stage: it holds its directory, and its trackers have started."""

    run: Run
    parts: Parts
    trackers: Trackers


@dataclass(frozen=True, slots=True)
class Completed:
    """A run that already exists and is left untouched; with the content of its summary.json."""

    summary: dict[str, Any]


@contextmanager
def opened(config: ExperimentConfig, directory: Path, command: Command) -> Iterator[Opened | Completed]:
    """Open a run for the body. The config goes no further: stages get the parts built from it.

    Raises:
        QaexpError: The config cannot be built, or the directory cannot be taken.
    """
    with variables(command.environment):
        found = settled(config, command.begun or begun_format(directory), command.origins)
    config, parts = found.config, build_parts(found.computed)
    with variables(command.environment):
        identity = identify_run(config, parts, command.origins)
        if (done := completed_summary(directory, identity, allow_drift=parts.training.allow_drift)) is not None:
            tell_completed(directory, config)
            yield Completed(done)
            return
        is_main, environment = is_main_process(), _environment(directory, parts, command, found.attention)
        start = RunStart(
            as_stored(config),
            identity,
            environment,
            command.hydra_files,
            origins=command.origins,
            threads=all_threads(),
        )
        allow_drift = parts.training.allow_drift
        run = Run(directory, start, is_main=is_main, steal_lock=config.steal_lock, allow_drift=allow_drift)
        trackers = Trackers(parts.trackers if is_main else {})
        may_requeue = is_main and command.may_requeue
        with requeued(may_requeue), watched(is_patient=num_processes() > 1), run, trackers:
            if config.threads and share_of_threads(config.threads) != torch.get_num_threads():
                LOGGER.warning("threads=%s has no effect: the run was started with %s", config.threads, all_threads())
            trackers.start(run.directory, run.shown_config, run.checkpoint.step if run.checkpoint else 0)
            yield Opened(run, parts, trackers)


def _environment(directory: Path, parts: Parts, command: Command, attention: Attention) -> dict[str, Any]:
    """The content of env.json; a resumed run uses the number of threads it was started with."""
    if (threads := started_threads(directory)) is not None:
        torch.set_num_threads(share_of_threads(threads))
    device, deterministic = parts.trainer.device, parts.training.deterministic
    return describe_environment(
        command.words or sys.argv,
        device=describe_device(device, parts.trainer.precision) | _described(attention),
        threads=all_threads(),
        determinism={"deterministic": deterministic, "same_bytes": deterministic or device.type == "cpu"},
        env_set=command.environment,
    ) | told(command.hydra_files)


def _described(attention: Attention) -> dict[str, str]:
    """What env.json says of the attention: which one, and where it is the model's own, why."""
    return {"attention": attention.word, **({"attention_why": attention.why} if attention.why else {})}


def identify_run(config: ExperimentConfig, parts: Parts, origins: Origins | None = None) -> Identity:
    """The run's identity: config, data and weights, without what cannot change results (such as which GPU is used)."""
    check_no_secret_is_asked_for(config, origins)
    plain = asdict(config)
    plain["trainer"]["device"] = config.trainer.device.partition(":")[0]
    found = identify(plain, neutral_keys(), parts.pipeline.fingerprint(), parts.checkpoint.fingerprint())
    return replace(found, shown=with_origins(plain, origins, neutral_keys())) if origins else found


def tell_completed(directory: Path, config: ExperimentConfig) -> None:
    """Say that the run is completed, since when, and which of the given words are not stored in it.

    Only the main process does.
    """
    if is_main_process():
        found = look(directory)
        given = {key: getattr(config, key) for key in _WORDS if getattr(config, key)}
        kept = found.config or {}
        lost = [key for key, value in given.items() if kept.get(key) != value and REDACTED not in str(kept.get(key))]
        already_completed((found.record or {}).get("ended"), lost)
