"""Settings of Hydra's own that do nothing here: each is named with what does it instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, Node

from qaexp.config.checks.sentences import several_values
from qaexp.config.checks.values import find_node

# Key to why it has no effect, when it has another value than that which holds anyway.
_IDLE = {
    "hydra.job.chdir": ((None, False), "paths are those of the folder in which the command is given"),
    "hydra.verbose": ((False,), "train.log and debug.log in the run directory have all"),
    "hydra.sweep.subdir": ((".",), "the folder of a job is called by what is swept and the run id"),
    "hydra.output_subdir": ((None,), "a run's .hydra/ is written in its run directory"),
    "hydra.sweeper.max_batch_size": (
        (None,),
        "all jobs are planned together; hydra.launcher.jobs says how many run at a time",
    ),
}
# Filled in by Hydra at each start.
_HYDRAS = ("hydra.job.num", "hydra.job.id", "hydra.job.config_name", "hydra.job.override_dirname", "hydra.runtime",
           "hydra.overrides", "hydra.help", "hydra.hydra_help")  # fmt: skip
_JOB_NAME = "hydra.job.name"
_OWN_JOB_NAME = "submitit"


def idle_settings(overrides: Sequence[Override], composed: DictConfig, is_sweep: bool | None) -> list[str]:
    """Name what was set and does nothing, and values of a sweep where there is none.

    Args:
        overrides: Those of the command line.
        composed: The config with Hydra's node.
        is_sweep: -m was given; None where nobody knows.
    """
    many = None if is_sweep is None else is_sweep or composed.hydra.mode == RunMode.MULTIRUN
    keys = {override.key_or_group: str(override.input_line) for override in overrides}
    problems = [*_idle_values(composed), *_idle_keys(keys, composed)]
    if many is False:
        problems += [several_values(str(one.input_line)) for one in overrides if one.is_sweep_override()]
    if many is not None:
        idle, used = ("hydra.run.dir", "hydra.sweep.dir")[:: 1 if many else -1]
        if idle in keys:
            problems.append(f"{keys[idle]} has no effect {'with' if many else 'without'} -m; write {used}=...")
    return problems


def _idle_values(composed: DictConfig) -> Iterator[str]:
    for key, (usual, why) in _IDLE.items():
        node = find_node(composed, key)
        value = node._value() if isinstance(node, Node) and not node._is_missing() else None
        if value is not None and value not in usual:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{key}={shown} has no effect: {why}; leave it out"
    if composed.hydra.callbacks:
        yield "hydra.callbacks has no effect: qaexp calls none; leave it out (own code: docs/extending.md)"


def _idle_keys(keys: dict[str, str], composed: DictConfig) -> Iterator[str]:
    for key, line in keys.items():
        if any(key == name or key.startswith(f"{name}.") for name in _HYDRAS):
            yield f"{line} has no effect: Hydra fills it in at each start; leave it out"
    if _JOB_NAME in keys:
        launcher = str(composed.hydra.launcher.get("_target_", ""))
        is_used = any("hydra.job.name" in line for key, line in keys.items() if key != _JOB_NAME)
        if _OWN_JOB_NAME not in launcher and not is_used:
            yield f"{keys[_JOB_NAME]} has no effect: a run is called by name=...; leave it out"
