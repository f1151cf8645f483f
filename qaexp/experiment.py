"""One run, top to bottom: config, examples, features, batches, epochs, predictions, metrics, run directory, plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qaexp.config.build import build
from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.data.preparation import PreparedData
from qaexp.evaluation.outputs import write_outputs
from qaexp.reporting.progress import Progress
from qaexp.runs.environment import describe_environment
from qaexp.runs.identity import identify
from qaexp.runs.reuse import completed_summary
from qaexp.runs.run import Run
from qaexp.training.batches import BatchPlan


def run_experiment(
    config: ExperimentConfig,
    directory: Path,
    *,
    command_line: Sequence[str] = (),
    job_name: str | None = None,
    hydra_files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train and evaluate one config in one directory.

    Args:
        config: A checked config.
        directory: The run directory; of a job of a sweep, the sweep's directory.
        command_line: The words that started the run, for env.json.
        job_name: Readable part of a job's folder name; None for a single run.
        hydra_files: Texts of the files of `.hydra/`.

    Returns:
        The summary, as in summary.json. A run that is completed already is not touched.

    Raises:
        QaexpError: Whatever went wrong; the run directory's run.json says it too.
    """
