"""`hydra/launcher=slurm`: workers of a sweep as an array of Slurm jobs, submitted, watched and cancelled from here."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError
from qaexp.runs import slurm_queue
from qaexp.runs.claims import WORK, Claims
from qaexp.runs.slurm_queue import Standing
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted
from qaexp.storage.signals import stop_is_requested
from qaexp.storage.start import variables
from qaexp.sweeps import forks, slurm_array
from qaexp.sweeps.launching import Attended, Work, WorkersLauncher
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.queue import JobQueue, shared
from qaexp.sweeps.watcher import Watcher

_POLL_SECONDS = 1.0
_QUEUE_SECONDS = 5.0
_GONE_SECONDS = 15.0
_WHOLE = ("workers", "timeout_min", "cpus_per_task", "signal_delay_s")


class SlurmLauncher(WorkersLauncher):
    """Submits workers, each of which runs `qaexp work` on the sweep's folder, and shows how the jobs go."""

    name = "slurm"
    is_here = False

    def __init__(
        self,
        workers: int = 4,
        timeout_min: int = 240,
        cpus_per_task: int = 8,
        gpus_per_task: int | None = None,
        mem_gb: float | None = None,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        signal_delay_s: int = 120,
        setup: Sequence[str] = (),
        additional_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the keys of `hydra.launcher`.

        Args:
            workers: Jobs of the array; each takes one job of the sweep after the other.
            timeout_min: Minutes of a worker; then it stores a checkpoint and is put back into the queue.
            cpus_per_task: Cores of a worker.
            gpus_per_task: GPUs of a worker; None: none is asked for.
            mem_gb: Its memory, GB; None: the partition's default.
            partition: Where to queue; None: the default one.
            account: Who pays.
            qos: Quality of service.
            constraint: Features that a node must have.
            signal_delay_s: Seconds before the end of its time in which a worker stores a checkpoint.
            setup: Lines of a shell before the worker, such as `module load cuda`.
            additional_parameters: More options of sbatch by their long names; true: one without a value.

        Raises:
            ConfigError: With all that is wrong, or Slurm is not here.
        """
        self._settings: dict[str, Any] = {
            "workers": workers,
            "timeout_min": timeout_min,
            "cpus_per_task": cpus_per_task,
            "gpus_per_task": gpus_per_task,
            "mem_gb": mem_gb,
            "partition": partition,
            "account": account,
            "qos": qos,
            "constraint": constraint,
            "signal_delay_s": signal_delay_s,
            "setup": list(setup or ()),
            "additional_parameters": dict(additional_parameters or {}),
        }
        problems = [
            f"hydra.launcher.{name}={value}: must be a whole number from 1 on; set it to one"
            for name in _WHOLE
            if isinstance(value := self._settings[name], bool) or not isinstance(value, int) or value < 1
        ]
        problems += [
            f"hydra.launcher.{name}={value}: must be a number above 0, or null; set it to one"
            for name in ("gpus_per_task", "mem_gb")
            if (value := self._settings[name]) is not None
            and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0)
        ]
        if problems:
            raise ConfigError(*problems)
        slurm_array.check_there()

    @property
    def settings(self) -> dict[str, Any]:
        """Its keywords."""
        return self._settings

    def at_once(self, num_gpus: int, processes: int = 1) -> int:
        """As many as there are workers."""
        return int(self._settings["workers"])

    def threads(self, num_gpus: int, processes: int = 1) -> int:
        """The cores of a worker."""
        return int(self._settings["cpus_per_task"])

    def run(self, work: Work, watcher: Watcher) -> Mapping[str, Outcome]:
        """Submit the workers that are missing, and watch until nothing is, or none of them is left."""
        with shared(work.sweep, work.jobs, work.policy, {"role": "watches"}) as queue:
            self.attend(queue.claims, len(work.jobs), _JobsElsewhere(queue, watcher), watcher.say)
        return queue.outcomes

    def attend(self, claims: Claims, num_most: int, attended: Attended, say: Callable[[str], None]) -> None:
        """Submit the workers that are missing, and watch until nothing is, or none of them is left."""
        arrays = self._with_workers(claims.folder, num_most, say)
        try:
            _watch(attended, arrays, say)
        except BaseException:  # a second Ctrl-C
            slurm_array.cancel(arrays)
            raise
        if stop_is_requested():
            self._stop(claims, attended, arrays, say)
        else:  # nothing is left for those that wait, and the folder of their logs goes once all is completed
            slurm_array.cancel_waiting(arrays)

    def _with_workers(self, sweep: Path, num_most: int, say: Callable[[str], None]) -> list[str]:
        """Submit as many workers as are missing; returns the arrays that are in the queue."""
        known = slurm_queue.known_arrays(sweep)
        found = slurm_queue.standing(known) if known else Standing(0, 0)
        if found is None:
            raise ConfigError(
                "hydra/launcher=slurm: squeue does not answer, so nobody knows whether the workers of this sweep wait "
                "in the queue; try again when it does"
            )
        if found.num_alive:
            say(f"{slurm_queue.words(known, found)}: taken up again")
        missing = min(self._settings["workers"], num_most) - found.num_alive
        if missing > 0:
            known = [*known, self._submit(sweep, missing)]
            say(f"submitted {counted(missing, 'worker')} as Slurm job {known[-1]}")
        return known

    def _submit(self, sweep: Path, number: int) -> str:
        sweep = sweep.absolute()
        logs = sweep / WORK / "slurm"
        make_directory(logs)
        command = shlex.join([sys.executable, "-m", "qaexp", "work", str(sweep)])
        script = "\n".join(["#!/bin/bash", *map(str, self._settings["setup"]), f"exec {command}", ""])
        with variables(forks.same_code()):  # sbatch hands the environment on
            array = slurm_array.submit(script, self._options(sweep.name, number), logs / "%A_%a.log")
        slurm_array.note_array(sweep, array)
        return array

    def _options(self, name: str, number: int) -> dict[str, str | None]:
        given = self._settings
        asked = {
            "job-name": f"qaexp-{name}",
            "array": f"0-{number - 1}",
            "time": given["timeout_min"],
            "signal": f"B:USR1@{given['signal_delay_s']}",
            "cpus-per-task": given["cpus_per_task"],
            "gpus-per-task": given["gpus_per_task"],
            "ntasks": 1,
            "mem": None if given["mem_gb"] is None else f"{round(given['mem_gb'] * 1024)}M",
            **{key: given[key] for key in ("partition", "account", "qos", "constraint")},
        }
        options: dict[str, str | None] = {key: str(value) for key, value in asked.items() if value is not None}
        options["requeue"] = None
        for key, value in given["additional_parameters"].items():
            options[str(key).replace("_", "-")] = None if value is True else str(value)
        return options

    def _stop(self, claims: Claims, attended: Attended, arrays: Sequence[str], say: Callable[[str], None]) -> None:
        """Let the workers store what they did, as long as that may take, and cancel them."""
        slurm_array.ask_to_stop(arrays)
        say(f"asked Slurm to stop {', '.join(arrays)}; waiting for the checkpoints")
        until = time.monotonic() + self._settings["signal_delay_s"]
        try:
            while time.monotonic() < until and _num_at_work(claims, arrays):
                attended.look()
                time.sleep(_POLL_SECONDS)
        finally:
            slurm_array.cancel(arrays)


@dataclass(frozen=True, slots=True)
class _JobsElsewhere:
    """The jobs of a grid, which workers take from the queue."""

    queue: JobQueue
    watcher: Watcher

    @property
    def is_over(self) -> bool:
        return self.queue.is_done or self.queue.is_closed

    def look(self) -> None:
        self.watcher.tick(self.queue.see(self.watcher))


def _watch(attended: Attended, arrays: Sequence[str], say: Callable[[str], None]) -> None:
    """Tell how it goes, until nothing is missing, a signal comes, or no worker is left in the queue."""
    looked, gone_since, said = 0.0, None, ""
    while not (attended.is_over or stop_is_requested()):
        attended.look()
        now = time.monotonic()
        if now - looked >= _QUEUE_SECONDS:
            looked, found = now, slurm_queue.standing(arrays)
            if found is not None:
                gone_since = None if found.num_alive else gone_since or now
                sentence = slurm_queue.words(arrays, found)
                if found.waiting and sentence != said:
                    say(sentence)
                said = sentence
        if gone_since is not None and now - gone_since > _GONE_SECONDS:
            say(f"no worker is left in Slurm's queue ({', '.join(arrays)})")
            return
        time.sleep(_POLL_SECONDS)


def _num_at_work(claims: Claims, arrays: Sequence[str]) -> int:
    """How many workers of some arrays have not yet put down their jobs."""
    return sum(
        worker.is_alive and str(worker.told.get("engine", "")).removeprefix("slurm ").partition("_")[0] in arrays
        for worker in claims.workers()
    )
