"""What a sweep is given by the command that starts it, and the task that other launchers than ours call."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from qaexp.config.hydra_files import task_words
from qaexp.storage.signals import SIGNALS, is_watching, requested_signal, watched
from qaexp.storage.start import held, variables
from qaexp.sweeps import isolate
from qaexp.sweeps.composing import Identify
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.pool import Body, run_alone
from qaexp.sweeps.view import Report


@dataclass(frozen=True, slots=True)
class SweepParts:
    """What a sweep does not know by itself.

    Attributes:
        body: Trains a job; called in a child.
        identify: Names configs by their content; called in a child.
        preload: Modules that children find imported.
        command_line: The words that started the sweep.
        report: Compares the runs in the sweep's directory when all is done.
    """

    body: Body
    identify: Identify
    preload: Sequence[str]
    command_line: Sequence[str]
    report: Report


@dataclass
class IsolatedTask:
    """Hydra's task function of a job under any launcher: the job's body runs in a child of the process it is called in.

    Attributes:
        parts: What runs a job.
        jobs: The planned jobs by their override lines.
        before: What the variables that the jobs set were when the sweep was started; None: not set.
    """

    parts: SweepParts
    jobs: dict[tuple[str, ...], Job] = field(default_factory=dict)
    before: Mapping[str, str | None] = field(default_factory=dict)

    def __call__(self, composed: DictConfig) -> Outcome:
        """Run the job that Hydra composed; its outcome is returned, never raised.

        A signal stops the job with a checkpoint, and then gets to whom it would have got to: submitit puts the job
        back into its queue.

        Hydra has set `hydra.job.env_set` by now; the job sets it for itself, once its config is built.
        """
        job = self.jobs[task_words(HydraConfig.get())]
        with variables(self.before), held():
            return self._run(job)

    def _run(self, job: Job) -> Outcome:
        if is_watching():  # a launcher that calls its jobs in the sweep's own process
            return run_alone(job, self.parts.body)
        isolate.prepare(self.parts.preload)
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        with watched(is_alone=False):
            outcome = run_alone(job, self.parts.body)
            number = requested_signal()
        handler = handlers.get(number) if number is not None else None
        if number is not None and callable(handler):
            handler(number, None)
        return outcome
