"""Hydra's door to sweeps: every combination of the values given, planned and checked before the first job starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from qaexp.config.compose import compose_errors, to_config
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError
from qaexp.sweeps import isolate
from qaexp.sweeps.execute import run_sweep
from qaexp.sweeps.grid import job_lines
from qaexp.sweeps.job import Job
from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.outcome import FAILED, Outcome
from qaexp.sweeps.planning import compose_jobs, identify_jobs
from qaexp.sweeps.policy import read_policy
from qaexp.sweeps.pool import Watcher
from qaexp.sweeps.task import IsolatedTask, SweepParts

PLUGINS = "hydra_plugins.qaexp"
"""Where Hydra believes our plugins to stand: it takes none from elsewhere. The classes keep their own names, so that
workers of other launchers can unpickle what knows them."""


class GridSweeper(Sweeper):
    """Runs every combination of the values that a preset and the command line give."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        """Take the keys of `hydra.sweeper`.

        Args:
            params: Key to its values, as an override gives them (`1e-4,3e-4`); the command line goes before.
        """
        self._params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take Hydra's context, the command's task, which knows how to run a job, and the sweep's config."""
        self._loader, self._config = hydra_context.config_loader, config
        parts = getattr(task_function, "parts", None)
        assert isinstance(parts, SweepParts), "only `qaexp train` starts sweeps"
        self._task = IsolatedTask(parts)
        try:
            self._launcher: Launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=self._task, config=config
            )
        except (ImportError, RuntimeError) as error:
            name = config.hydra.runtime.choices.get("hydra/launcher")
            raise ConfigError(
                f"hydra/launcher={name} is not installed; pip install 'qaexp[launchers]', or take hydra/launcher=local"
            ) from error

    def sweep(self, arguments: list[str]) -> None:
        """Plan the jobs of these override lines, and run what is missing.

        Raises:
            QaexpError: As `run_sweep`, or all that is wrong with the jobs.
        """
        parts, launcher = self._task.parts, self._launcher
        directory = Path(self._config.hydra.sweep.dir)
        isolate.prepare(parts.preload)
        lines = job_lines([*(f"{key}={value}" for key, value in self._params.items()), *arguments])
        jobs = compose_jobs(lines, self._composed, parts.command_line)
        jobs, num_gpus = identify_jobs(jobs, parts.identify, directory)
        policy = read_policy(self._config.sweep.on_failure)
        is_local = isinstance(launcher, LocalLauncher)
        if policy.max_failures is not None and not is_local:
            raise ConfigError("sweep.on_failure=stop_after:K needs hydra/launcher=local; leave it at continue")

        def launch(to_run: Sequence[Job], watcher: Watcher) -> Mapping[str, Outcome]:
            if isinstance(launcher, LocalLauncher):
                return launcher.run(to_run, parts.body, watcher, policy=policy, num_gpus=num_gpus)
            return self._launch(to_run)

        run_sweep(
            directory,
            jobs,
            launch,
            command_line=parts.command_line,
            settings={
                "launcher": launcher.settings if isinstance(launcher, LocalLauncher) else None,
                "on_failure": self._config.sweep.on_failure,
            },
            at_once=launcher.at_once(num_gpus) if isinstance(launcher, LocalLauncher) else None,
            dry_run=self._config.sweep.dry_run,
        )

    def _launch(self, jobs: Sequence[Job]) -> Mapping[str, Outcome]:
        """Let another launcher run jobs; whatever happens to it, the run directories tell which are completed."""
        self._task.jobs = {job.overrides: job for job in jobs}
        try:
            returned = self._launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
        except Exception as error:  # a launcher that lost a worker
            return {job.sha256: Outcome(FAILED, "launcher", f"{type(error).__name__}: {error}") for job in jobs}
        found = {}
        for job, one in zip(jobs, returned, strict=False):
            try:
                outcome = one.return_value
            except Exception as error:
                outcome = Outcome(FAILED, "launcher", f"{type(error).__name__}: {error}")
            found[job.sha256] = outcome if isinstance(outcome, Outcome) else Outcome(FAILED, "launcher", "no outcome")
        return found

    def _composed(self, words: Sequence[str]) -> tuple[ExperimentConfig, Mapping[str, str]]:
        with compose_errors():
            composed = self._loader.load_sweep_config(self._config, list(words))
        settings = OmegaConf.to_yaml(OmegaConf.create({"hydra": composed.hydra}))
        with open_dict(composed):
            del composed["hydra"]
        return to_config(composed), {
            "config.yaml": OmegaConf.to_yaml(composed),
            "hydra.yaml": settings,
            "overrides.yaml": OmegaConf.to_yaml(list(words)),
        }


def register_plugins() -> None:
    """Make our sweeper and our launcher known to Hydra, under names that it takes for those of plugins."""
    for plugin in (GridSweeper, LocalLauncher):
        Plugins.instance().class_name_to_class[f"{PLUGINS}.{plugin.__name__}"] = plugin
