"""What Hydra calls tasks: that of a sweep, and that of each job under a launcher other than ours."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from qaexp.config.hydra_files import task_words
from qaexp.errors import ConfigError
from qaexp.runs.slurm import await_end
from qaexp.storage.signals import SIGNALS, is_watching, requested_signal, watched
from qaexp.storage.start import held, variables
from qaexp.sweeps import forks
from qaexp.sweeps.bodies import PRELOAD
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.pool import run_alone
from qaexp.sweeps.worker import Asked


@dataclass(frozen=True, slots=True)
class SweepTask:
    """What Hydra hands to our sweepers, which run the jobs themselves.

    Attributes:
        command_line: The words that started the sweep.
        worker: What to do as one of several workers of a search; None: it is the sweep's own command.
    """

    command_line: Sequence[str]
    worker: Asked | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Refuse: only a sweeper that is not ours would call it."""
        raise ConfigError("hydra/sweeper: qaexp's own sweepers alone run its jobs; leave it out, or take sweep=optuna")


@dataclass
class IsolatedTask:
    """Hydra's task function of a job under any launcher.

    Attributes:
        jobs: The planned jobs by their override lines.
        before: What the variables that the jobs set were when the sweep was started; None: not set.
    """

    jobs: dict[tuple[str, ...], Job] = field(default_factory=dict)
    before: Mapping[str, str | None] = field(default_factory=dict)

    def __call__(self, composed: DictConfig) -> Outcome:
        """Run the job that Hydra composed; its outcome is returned, never raised.

        A signal stops the job with a checkpoint, and then gets to whom it would have got to: submitit puts the job
        back into its queue. After a SIGTERM Slurm does that itself, as long as nobody leaves before it.

        Hydra has set `hydra.job.env_set` by now; the job sets it for itself, once its config is built.
        """
        job = self.jobs[task_words(HydraConfig.get())]
        with variables(self.before), held():
            return self._run(job)

    def _run(self, job: Job) -> Outcome:
        if is_watching():  # a launcher that calls its jobs in the sweep's own process
            return run_alone(job)
        forks.prepare(PRELOAD)
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        with watched(is_alone=False):
            outcome = run_alone(job)
            number = requested_signal()
        await_end(number)
        handler = handlers.get(number) if number is not None else None
        if number is not None and callable(handler):
            handler(number, None)
        return outcome
