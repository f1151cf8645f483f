"""Before the first stage: the run is named by its content, and its directory is taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.errors import IntegrityError
from qaexp.experiment.greeting import already_completed
from qaexp.experiment.parts import Parts
from qaexp.experiment.trackers import Trackers
from qaexp.model.checkpoint import PIN
from qaexp.model.source import is_hub_id
from qaexp.runs.identity import Identity, identify
from qaexp.runs.log import LOGGER
from qaexp.runs.readers.folder import look
from qaexp.runs.readers.typed import told
from qaexp.runs.slurm import requeued
from qaexp.runs.writing.environment import describe_environment
from qaexp.runs.writing.reuse import started_threads
from qaexp.runs.writing.run import Run
from qaexp.storage.origins import REDACTED, Origins, with_origins
from qaexp.storage.redact import Redactor
from qaexp.storage.secret_names import is_secret_variable
from qaexp.storage.signals import watched
from qaexp.training.precision import describe_device
from qaexp.training.processes import is_main_process, num_processes

# What a run is found by, and what changes nothing in it.
_WORDS = ("tags", "notes", "group")


@dataclass(frozen=True, slots=True)
class Command:
    """What a run keeps of the command that started it, beside the config that it made.

    Attributes:
        words: The command line; empty for that of this process.
        hydra_files: Trees of the files of `.hydra/`.
        origins: What of the config came from the environment.
        env_set: Names of the variables that the config sets for the run.
    """

    words: Sequence[str] = ()
    hydra_files: Mapping[str, Any] | None = None
    origins: Origins | None = None
    env_set: Iterable[str] = ()


def check_no_secret_is_asked_for(config: ExperimentConfig, origins: Origins | None) -> None:
    """Refuse to ask a hub for what is named by a secret.

    Raises:
        IntegrityError: A name that would be part of a request holds one, or comes from a variable that is one.
    """
    asked = {"data.dataset": config.data.dataset, "data.config_name": config.data.config_name}
    asked |= {"data.revision": config.data.revision, "model.revision": config.model.revision}
    if is_hub_id(config.model.checkpoint.partition(PIN)[0]):
        asked["model.checkpoint"] = config.model.checkpoint
    redactor = Redactor(os.environ)
    for key, value in asked.items():
        _, variables = (origins or {}).get(tuple(key.split(".")), ("", ()))
        if value is not None and (redactor.finds(value) or any(map(is_secret_variable, variables))):
            raise IntegrityError(
                f"{key} holds a secret, and a hub would be asked for what is called so; write the name out, or take a "
                "variable whose name says that it is none"
            )


def identify_run(config: ExperimentConfig, parts: Parts, origins: Origins | None = None) -> Identity:
    """The run's identity: config, data and weights, without what cannot change results (which GPU of several, too)."""
    check_no_secret_is_asked_for(config, origins)
    plain = asdict(config)
    plain["trainer"]["device"] = config.trainer.device.partition(":")[0]
    found = identify(plain, neutral_keys(), parts.pipeline.fingerprint(), parts.checkpoint.fingerprint())
    return replace(found, shown=with_origins(plain, origins, neutral_keys())) if origins else found


def tell_completed(directory: Path, config: ExperimentConfig) -> None:
    """Say that the run is there already, since when, and which words for it are not stored any more.

    Of several processes only the main one does.
    """
    if is_main_process():
        found = look(directory)
        given = {key: getattr(config, key) for key in _WORDS if getattr(config, key)}
        kept = found.config or {}
        lost = [key for key, value in given.items() if kept.get(key) != value and REDACTED not in str(kept.get(key))]
        already_completed((found.record or {}).get("ended"), lost)


@contextmanager
def open_run(
    config: ExperimentConfig,
    parts: Parts,
    identity: Identity,
    directory: Path,
    command: Command,
) -> Iterator[tuple[Run, Trackers]]:
    """Take the directory for a run, and begin its trackers; of several processes only the main one has any."""
    is_main, deterministic = is_main_process(), config.trainer.deterministic
    threads = started_threads(directory) or torch.get_num_threads()
    torch.set_num_threads(threads)
    environment = describe_environment(
        command.words or sys.argv,
        device=describe_device(parts.trainer.device, parts.trainer.precision),
        threads=threads,
        determinism={"deterministic": deterministic, "same_bytes": deterministic or parts.trainer.device.type == "cpu"},
        env_set=command.env_set,
    ) | told(command.hydra_files)
    run = Run(
        directory,
        config=asdict(config),
        identity=identity,
        environment=environment,
        hydra_files=command.hydra_files,
        origins=command.origins,
        threads=threads,
        is_main=is_main,
        steal_lock=config.steal_lock,
        allow_drift=config.trainer.allow_drift,
    )
    trackers = Trackers(parts.trackers if is_main else {})
    with requeued(is_main), watched(is_alone=num_processes() == 1), run, trackers:
        if config.threads not in (None, threads):
            LOGGER.warning("threads=%s has no effect: the run was started with %s", config.threads, threads)
        trackers.start(run.directory, run.shown_config, run.checkpoint.step if run.checkpoint else 0)
        yield run, trackers
