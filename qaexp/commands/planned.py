"""A sweep's plan made ready to be worked on here: its jobs read back, checked, and identified on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qaexp.sweeps.job import Job
    from qaexp.sweeps.sweep_files import StoredPlan


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan, and what it is on this machine.

    Attributes:
        plan: What plan.json says.
        jobs: Its jobs, identified.
        num_gpus: How many GPUs there are.
    """

    plan: StoredPlan
    jobs: Sequence[Job]
    num_gpus: int


@contextmanager
def made_ready(directory: Path, overrides: Sequence[str]) -> Iterator[Ready]:
    """Read and identify the plan of a sweep; the body is in the folder where the sweep was started, if there is one.

    Args:
        directory: The sweep's directory.
        overrides: `key=value` for keys that cannot change results.

    Raises:
        QaexpError: With all that is wrong with the plan or its jobs.
    """
    from qaexp.commands.stored import ConfigReader
    from qaexp.reporting.terminal.printing import say
    from qaexp.runs.directory import SWEEP_PLAN
    from qaexp.sweeps import forks
    from qaexp.sweeps.bodies import PRELOAD
    from qaexp.sweeps.composing import identify_jobs
    from qaexp.sweeps.sweep_files import read_plan

    forks.prepare(PRELOAD)
    forks.begin()
    plan = read_plan(directory, ConfigReader(directory / SWEEP_PLAN, overrides))
    with chdir(plan.working_directory if plan.working_directory.is_dir() else Path.cwd()):
        found = identify_jobs(plan.jobs, directory)
        for sentence in found.remarks:
            say(sentence)
        tell_unset_variables(*(job.folder for job in found.jobs))
        yield Ready(plan, found.jobs, found.num_gpus)


def tell_unset_variables(*directories: Path) -> None:
    """Say which variables the config set for a run, and nobody sets now."""
    from qaexp.reporting.terminal.printing import complain
    from qaexp.runs.writing.environment import no_longer_set

    names = dict.fromkeys(name for directory in directories for name in no_longer_set(directory))
    if names:
        complain(
            f"hydra.job.env_set gave {', '.join(names)} to the run, and no folder keeps such values: not set now; set "
            "them in the environment, or give the command that started the run again"
        )
