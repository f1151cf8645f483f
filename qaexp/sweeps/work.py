"""What a sweep's children do: name jobs by their content, and train one; and the report when all are done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.sweeps.job import Job

PRELOAD = (
    "qaexp.sweeps.work",
    "qaexp.experiment.one_run",
    "qaexp.reporting.figures.training_figures",
    "qaexp.reporting.page.html",
    "hydra.utils",
    "transformers.models.bert.modeling_bert",  # and with it what the models of all families need
)
"""What children find imported: nothing of it runs a torch operation, after which they would hang."""


def identify(configs: Sequence[ExperimentConfig]) -> dict[str, Any]:
    """Name each config by its content.

    Args:
        configs: Checked configs.

    Returns:
        `jobs`: for each `{"sha256": ...}`, or `{"problems": [...], "exit_code": ...}`; `num_gpus`.
    """
    import torch

    from qaexp.errors import QaexpError
    from qaexp.experiment.opening import identify_run
    from qaexp.experiment.parts import build_parts

    found: list[dict[str, Any]] = []
    for config in configs:
        try:
            found.append({"sha256": identify_run(config, build_parts(config)).sha256})
        except QaexpError as error:
            found.append({"problems": list(error.problems), "exit_code": error.exit_code})
    return {"jobs": found, "num_gpus": torch.cuda.device_count()}


def train(job: Job) -> None:
    """Train a job in its directory.

    Raises:
        QaexpError: Whatever went wrong; run.json says it too.
    """
    from qaexp.experiment.one_run import run_experiment

    run_experiment(
        job.config,
        job.folder,
        command_line=job.command_line,
        hydra_files=job.hydra_files,
        origins=job.origins,
        environment=job.environment,
    )


def report(sweep: Path, jobs: Sequence[Job]) -> tuple[Sequence[str], Path | None]:
    """Compare the runs of a sweep in its directory: the finding, and report.html with its figures.

    A comparison that cannot be made is a warning: the runs are what counts, and `qaexp compare` says what is wrong.

    Args:
        sweep: The sweep's directory.
        jobs: Its jobs; `reporter=none` in all of them wants no page.

    Returns:
        The finding in sentences, and the page; None without one.
    """
    from qaexp.comparison.compare import Options, compare
    from qaexp.comparison.shown.document import document
    from qaexp.comparison.shown.report import write_report
    from qaexp.config.schema import neutral_keys
    from qaexp.reporting.numbers.defaults import default_leaves
    from qaexp.runs.directory import REPORT

    found: Sequence[str] = ()
    try:
        comparison = compare([sweep], Options(neutral=neutral_keys(), defaults=default_leaves()))
        if not comparison.entries:
            return found, None
        found = document(comparison)["findings"]
        wants_page = any(job.config.reporter.html for job in jobs)
        return found, write_report(comparison, sweep / REPORT)[0] if wants_page else None
    except Exception as error:
        logging.getLogger("qaexp").warning("%s: no report: %s; qaexp compare %s tells more", sweep, error, sweep)
        return found, None
