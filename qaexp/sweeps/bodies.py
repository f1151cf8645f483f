"""What a sweep's children do: name jobs by their content, and train one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.sweeps.forks import PRELOAD
from qaexp.sweeps.job import Job

__all__ = ["PRELOAD", "identify", "train"]


def identify(configs: Sequence[ExperimentConfig], autos: Sequence[str | None]) -> dict[str, Any]:
    """Name each config by its content.

    Args:
        configs: Checked configs.
        autos: What `trainer.precision=auto` is in each; None: what this machine computes in at full speed.

    Returns:
        `jobs`: for each `{"sha256": ..., "word": ..., "attention": ..., "format": ..., "own": ...}`, or `{"problems":
        [...], "exit_code": ...}`; `num_gpus`. `word` stands in the identity for the number format, `format` is it, and
        `own` is what it would be if the sweep were begun on this machine.
    """
    import torch

    from qaexp.errors import QaexpError
    from qaexp.experiment.number_format import begun_in, settled
    from qaexp.experiment.opening import identify_run
    from qaexp.experiment.parts import build_parts, each_once

    found: list[dict[str, Any]] = []
    build = each_once()
    for config, auto in zip(configs, autos, strict=True):
        try:
            one = settled(config, begun_in(auto) if auto else None)
            sha256 = identify_run(one.config, build_parts(one.computed, build)).sha256
            trainer = one.config.trainer
            words = {"word": trainer.precision, "attention": trainer.attention, "format": one.format}
            found.append({"sha256": sha256, **words, "own": settled(config).format})
        except QaexpError as error:
            found.append({"problems": list(error.problems), "exit_code": error.exit_code})
    return {"jobs": found, "num_gpus": torch.cuda.device_count()}


def train(job: Job) -> None:
    """Train a job in its directory, and upload it where its config says so.

    Raises:
        QaexpError: Whatever went wrong; run.json says it too.
    """
    from qaexp.experiment.uploading import upload_early

    _train(job)
    upload_early(job.config.reporter.upload_to, job.folder)


def train_as_planned(job: Job) -> None:
    """Train a job on another machine than the one that planned it, in the sweep's directory.

    Raises:
        ConfigError: The data or the weights here are not there, or not those that were planned.
        QaexpError: As `train`.
    """
    _check_planned(job)
    train(job)


def train_away(job: Job) -> None:
    """Train a job as `train_as_planned` does, in a folder of this machine: it is uploaded once it is in the sweep's."""
    _check_planned(job)
    _train(job)


def _train(job: Job) -> None:
    from qaexp.experiment.command import Command
    from qaexp.experiment.number_format import begun_in
    from qaexp.sweeps.ranks import train_run

    begun = begun_in(job.precision) if job.precision else None
    command = Command(job.command_line, job.hydra_files or None, job.origins, job.environment, begun, may_requeue=False)
    train_run(job.config, job.folder, command)


def _check_planned(job: Job) -> None:
    from qaexp.errors import ConfigError
    from qaexp.runs.owners import this_process

    (found,) = identify([job.config], [job.precision])["jobs"]
    host = this_process()["host"]
    if "sha256" not in found:
        raise ConfigError(*(f"{host}: {problem}" for problem in found["problems"]))
    if found["sha256"] != job.sha256:
        raise ConfigError(f"{host}: data or weights there are not those that were planned; bring the same files")
