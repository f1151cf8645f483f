"""Hydra's door to sweeps: every combination of the values given, planned and checked before the first job starts."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.words import key_of
from qaexp.config.globs import without_globs
from qaexp.errors import ConfigError
from qaexp.experiment.greeting import announce
from qaexp.reporting.terminal.printing import say
from qaexp.runs.naming import check_path
from qaexp.storage.formats import counted
from qaexp.storage.start import start, variables
from qaexp.sweeps import forks
from qaexp.sweeps.again import BY_COMMAND
from qaexp.sweeps.bodies import PRELOAD
from qaexp.sweeps.composer import Composer
from qaexp.sweeps.composing import compose_jobs, identify_jobs
from qaexp.sweeps.execute import Manner, run_sweep
from qaexp.sweeps.grid import job_lines
from qaexp.sweeps.job import Job
from qaexp.sweeps.launching import JobLauncher, Work
from qaexp.sweeps.number_format import FORMATS, begun_formats, formats_of
from qaexp.sweeps.onlooker import looked_at
from qaexp.sweeps.outcome import FAILED, Outcome
from qaexp.sweeps.policy import read_policy
from qaexp.sweeps.task import IsolatedTask, SweepTask
from qaexp.sweeps.watcher import Watcher
from qaexp.sweeps.worker import launcher_of_worker


class GridSweeper(Sweeper):
    """Runs every combination of the values that a preset and the command line give."""

    def __init__(self, params: Mapping[str, Any] | None = None, max_batch_size: int | None = None) -> None:
        """Take the keys of `hydra.sweeper`.

        Args:
            params: Key to its values, as an override gives them (`1e-4,3e-4`); the command line goes before.
            max_batch_size: Hydra's; all jobs are planned together.

        Raises:
            ConfigError: A batch size is set.
        """
        if max_batch_size is not None:
            raise ConfigError(
                f"hydra.sweeper.max_batch_size={max_batch_size} has no effect: all jobs are planned together; "
                "hydra.launcher.jobs says how many run at a time"
            )
        self._params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take Hydra's context, the words that started the sweep, and its config."""
        self._loader, self._config, self._num_gpus = hydra_context.config_loader, config, 0
        self._groups: dict[str, bool] = {}
        self._composer = Composer(self._by_hydra, self._is_group)
        self._is_announced = False
        self._formats: dict[str, str] = {}
        self._remarks: list[str] = []
        self._until: float | None = None
        assert isinstance(task_function, SweepTask), "qaexp alone starts sweeps"
        self.command_line, self._task = task_function.command_line, IsolatedTask()
        self._worker = task_function.worker
        if self._worker is not None:
            self._launcher: Launcher = launcher_of_worker(config.hydra.launcher)
            return
        try:
            self._launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=self._task, config=config
            )
        except (ImportError, RuntimeError) as error:
            raise ConfigError(_not_there(config, error)) from error

    def sweep(self, arguments: list[str]) -> None:
        """Plan the jobs of these override lines, and run what is missing.

        Raises:
            QaexpError: As `run_sweep`, or all that is wrong with the jobs.
        """
        lines = job_lines(self.lines(arguments))
        jobs = self.identified(lines)
        manner = Manner(
            at_once=self.at_once,
            threads=self.threads,
            max_checkpoint_mib=self._config.sweep.max_checkpoint_mib,
            is_shared=self._own is not None,
            dry_run=self._config.sweep.dry_run,
            plan_only=self._config.sweep.plan_only,
        )
        with self.launching():
            run_sweep(self.directory, jobs, self.launch, manner, command_line=self.command_line, settings=self.settings)

    @property
    def directory(self) -> Path:
        """The sweep's directory."""
        return Path(self._config.hydra.sweep.dir)

    @property
    def _own(self) -> JobLauncher | None:
        """The launcher, if it is one of qaexp's."""
        return self._launcher if isinstance(self._launcher, JobLauncher) else None

    @property
    def settings(self) -> dict[str, Any]:
        """What plan.json keeps."""
        own = {"name": self._own.name, **self._own.settings} if self._own else None
        return {
            "launcher": own,
            BY_COMMAND: own is None,
            FORMATS: self._formats,
            **{key: self._config.sweep[key] for key in ("on_failure", "max_checkpoint_mib")},
        }

    @property
    def at_once(self) -> int | None:
        """Jobs at a time; None where another launcher decides."""
        return self._own.at_once(self._num_gpus, self._config.trainer.processes) if self._own else None

    @property
    def threads(self) -> int | None:
        """CPU threads of a job whose config says nothing of them; None where another launcher decides."""
        return self._own.threads(self._num_gpus, self._config.trainer.processes) if self._own else None

    def lines(self, arguments: Sequence[str]) -> list[str]:
        """The override lines of the preset and of the command line; a job is the same whoever is going to run it."""
        lines = keep_texts([*(f"{key}={value}" for key, value in self._params.items()), *arguments])
        lines = [line for line in lines if key_of(line) != "sweep.plan_only"]
        return without_globs(lines, self._loader.get_group_options)

    def identified(self, lines: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> list[Job]:
        """Compose, check and identify jobs.

        Raises:
            QaexpError: With all that is wrong with them.
        """
        forks.prepare(PRELOAD)
        forks.begin()
        if not self._is_announced and len(lines) > 1:
            say(f"composing and checking {counted(len(lines), 'job')} ...")
        jobs = [job.to_be_run() for job in compose_jobs(lines, self._composer, self.command_line)]
        for job in jobs[:1]:
            check_path(self.directory.absolute(), job.redactor)
        if not self._is_announced:
            announce("sweep", self.directory)
            self._is_announced = True
        found = identify_jobs(jobs, self.directory, is_here=self._own is not None and self._own.is_here)
        self._num_gpus = found.num_gpus
        self._formats = {**begun_formats(self.directory), **formats_of(found.jobs)}
        for sentence in found.remarks:
            if sentence not in self._remarks:
                say(sentence)
        self._remarks = [*self._remarks, *found.remarks]
        return found.jobs

    def launch(self, jobs: Sequence[Job], watcher: Watcher) -> Mapping[str, Outcome]:
        """Run jobs by the launcher that was chosen."""
        policy = read_policy(self._config.sweep.on_failure)
        if self._own is not None:
            todo = Work(self.directory, jobs, policy, self._num_gpus, until=self._until)
            return self._own.run(todo, watcher)
        if policy.max_failures is not None or self._config.sweep.max_checkpoint_mib is not None:
            raise ConfigError(
                "sweep.on_failure=stop_after:K and sweep.max_checkpoint_mib need hydra/launcher=local, slurm or ray; "
                "leave them out"
            )
        return self._launch_elsewhere(jobs, watcher)

    @contextmanager
    def launching(self) -> Iterator[None]:
        """Let the body launch jobs, as often as it likes."""
        try:
            yield
        finally:
            if self._own is not None:
                self._own.close()

    def with_threads(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs with their share of the cores."""
        return [job.with_threads(self.threads) for job in jobs]

    def _launch_elsewhere(self, jobs: Sequence[Job], watcher: Watcher) -> Mapping[str, Outcome]:
        """Let another launcher run jobs; whatever happens to it, the run directories tell which are completed."""
        self._task.jobs = {job.overrides: job for job in jobs}
        environ = start().environ
        self._task.before = {name: environ.get(name) for job in jobs for name in job.environment}
        _give_own_folder(self._launcher)
        name = self._config.hydra.runtime.choices.get("hydra/launcher")
        say(
            f"{counted(len(jobs), 'job')} handed to hydra/launcher={name}; from another terminal, qaexp status "
            f"{shlex.quote(str(self.directory))} shows how they go"
        )
        with looked_at(jobs, watcher) as onlooker:
            try:
                with variables(forks.same_code()):
                    returned = self._launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
            except Exception as error:  # a launcher that lost a worker
                outcomes = {job.sha256: _lost(error, job) for job in jobs}
            else:
                outcomes = {job.sha256: _outcome(one, job) for job, one in zip(jobs, returned, strict=False)}
        onlooker.close(outcomes)
        return outcomes

    def _by_hydra(self, words: Sequence[str]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._config, list(words))
        return composed

    def _is_group(self, key: str) -> bool:
        if key not in self._groups:
            self._groups[key] = bool(self._loader.get_group_options(key))
        return self._groups[key]


def _not_there(config: DictConfig, error: Exception) -> str:
    """Why a launcher cannot be had."""
    choice, target = config.hydra.runtime.choices.get("hydra/launcher"), str(config.hydra.launcher.get("_target_"))
    if target.startswith(("hydra_plugins.hydra_joblib_launcher.", "hydra_plugins.hydra_submitit_launcher.")):
        return f"hydra/launcher={choice} is not installed; pip install 'qaexp[launchers]', or take hydra/launcher=local"
    return (
        f"hydra/launcher={choice}: {target} cannot be used ({' '.join(str(error).split())}); it must be a class of "
        "hydra.plugins.launcher.Launcher in the package hydra_plugins (docs/sweeps.md), or take hydra/launcher=local"
    )


def _give_own_folder(launcher: Launcher) -> None:
    """Let submitit work in a folder that nobody else has filled: it opens the pickles that it finds in its own."""
    params = getattr(launcher, "params", None)
    if isinstance(params, dict) and "submitit_folder" in params:
        given = Path(str(params["submitit_folder"]))
        params["submitit_folder"] = str(given.parent / secrets.token_hex(8) / given.name)


def _outcome(returned: JobReturn, job: Job) -> Outcome:
    """What a launcher gave back for a job."""
    try:
        outcome = returned.return_value
    except Exception as error:
        return _lost(error, job)
    return outcome if isinstance(outcome, Outcome) else Outcome(FAILED, "launcher", "gave no outcome")


def _lost(error: Exception, job: Job) -> Outcome:
    return Outcome(FAILED, "launcher", job.redactor.text(f"{type(error).__name__}: {error}"))
