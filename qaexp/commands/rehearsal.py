"""`sweep.dry_run=true` for a single run: what would be trained, under which identity and where, and nothing more."""

from __future__ import annotations

from pathlib import Path

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import BusyError
from qaexp.storage.origins import Origins

_MEANINGS = {
    "run": "would be trained",
    "resume": "would go on",
    "retry": "would be trained from the start",
    "reuse": "is completed and would be shown again, not trained",
}


def tell_run(config: ExperimentConfig, origins: Origins, directory: Path) -> str:
    """Say what the same command without `sweep.dry_run` would do; nothing is written.

    Args:
        config: The checked config.
        origins: What of it came from the environment.
        directory: The run directory.

    Returns:
        The run's id.

    Raises:
        QaexpError: What the run would be refused for.
    """
    from qaexp.experiment.number_format import settled
    from qaexp.experiment.opening import identify_run
    from qaexp.experiment.parts import build_parts
    from qaexp.reporting.terminal.printing import say
    from qaexp.runs.writing.resumption import begun_format
    from qaexp.runs.writing.reuse import completed_summary
    from qaexp.sweeps.job import Job
    from qaexp.sweeps.plan import ELSEWHERE, planned
    from qaexp.training.processes import is_main_process

    format_known = settled(config, begun_format(directory), origins)
    config = format_known.config
    identity = identify_run(config, build_parts(format_known.computed), origins)
    completed_summary(directory, identity, allow_drift=config.trainer.allow_drift)
    found = planned(Job((), (), config, (), sha256=identity.sha256, directory=directory))
    if found.action == ELSEWHERE:
        raise BusyError(f"{directory}: {found.note}; wait until it has ended")
    if is_main_process():
        note = f" ({found.note})" if found.note else ""
        say(f"run {identity.run_id} in {directory}: {_MEANINGS[found.action]}{note}")
        say("sweep.dry_run=true: nothing was trained or written; leave it out to train")
    return identity.run_id
