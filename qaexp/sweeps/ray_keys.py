"""The keys of `hydra/launcher=ray`: qaexp's own, and those of hydra-ray-launcher as far as they have a meaning here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from qaexp.errors import ConfigError

_NODES = "the nodes have an environment of their own: install the same qaexp on each, and start Ray in it"
_TRIES = "a job whose worker or node dies is tried again from its checkpoint by itself"
_SHOWN = "qaexp shows how the jobs go, and what they print is in output.log of their folders"
_DASHBOARD = "a cluster that the sweep starts has none; ray start --head --include-dashboard=true, and address=auto"
_REFUSED = {
    "runtime_env": _NODES,
    "max_retries": _TRIES,
    "retry_exceptions": _TRIES,
    "max_calls": "each job has a process of its own already",
    "local_mode": "hydra/launcher=local runs jobs without Ray",
    "log_to_driver": _SHOWN,
    "logging_level": _SHOWN,
    "configure_logging": _SHOWN,
    "include_dashboard": _DASHBOARD,
    "dashboard_host": _DASHBOARD,
    "dashboard_port": _DASHBOARD,
}
_INIT = ("address", "num_cpus", "num_gpus", "object_store_memory")
_REMOTE = ("num_cpus", "num_gpus", "memory", "resources")


@dataclass(frozen=True, slots=True)
class RayKeys:
    """What the keys say.

    Attributes:
        address: An existing cluster; None: one of this machine alone.
        num_cpus: Cores of a job, and its threads.
        num_gpus: GPUs of a job; a part of one shares it.
        memory_gb: Memory of a job, GiB; None: none is asked for.
        jobs: So many at a time at most; None: what the cluster has room for.
        timeout_seconds: A job that takes longer is stopped with a checkpoint and counts as failed; None: never.
        grace_seconds: What has not stopped after that is killed.
        resources: What else of a node a job needs, by the names that the cluster gives it.
        machine: What a cluster of this machine alone has, as keywords of `ray.init`; what is missing Ray finds out.
    """

    address: str | None = None
    num_cpus: int = 1
    num_gpus: float = 0
    memory_gb: float | None = None
    jobs: int | None = None
    timeout_seconds: float | None = None
    grace_seconds: float = 60.0
    resources: Mapping[str, float] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needed(self) -> dict[str, float]:
        """What a node must have for a job, by Ray's names."""
        memory = {} if self.memory_gb is None else {"memory": self.memory_gb * 2**30}
        found = {"CPU": self.num_cpus, "GPU": self.num_gpus, **memory, **self.resources}
        return {name: value for name, value in found.items() if value}

    @property
    def options(self) -> dict[str, Any]:
        """The same as the options of a task."""
        memory = {} if self.memory_gb is None else {"memory": int(self.memory_gb * 2**30)}
        resources = {"resources": dict(self.resources)} if self.resources else {}
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, **memory, **resources}


def read_keys(own: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> RayKeys:
    """Check the keys of `hydra.launcher`.

    Args:
        own: qaexp's, each by its name.
        theirs: The node `ray` of hydra-ray-launcher: `init`, keywords of `ray.init`, and `remote`, those of a task.

    Raises:
        ConfigError: With all that is wrong.
    """
    problems: list[str] = []
    found = {**own, **_translated(theirs or {}, problems)}
    if found["address"] is not None and (sizes := found.get("machine")):
        problems += [
            f"hydra.launcher.ray.init.{name}: the cluster at {found['address']} has its size already; leave it out"
            for name in sizes
        ]
    problems += _wrong(found)
    if problems:
        raise ConfigError(*problems)
    return RayKeys(**found)


def _translated(theirs: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Their keys by our names."""
    found: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    for place, name, value in _given(theirs):
        known = {"init": _INIT, "remote": _REMOTE}.get(place, ())
        if name not in known:
            why = _REFUSED.get(name, "has no meaning for qaexp")
            problems.append(f"hydra.launcher.ray.{place}.{name}={value}: {why}; leave it out")
        elif place == "init" and name != "address":
            machine[name] = value
        elif name == "memory":
            found["memory_gb"] = value / 2**30 if _is_number(value) else value
        else:
            found[name] = value
    return {**found, "machine": machine}


def _given(theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for place, node in theirs.items():
        for name, value in node.items() if isinstance(node, Mapping) else [("", node)]:
            if value is not None and value != {}:
                yield str(place), str(name), value


def _wrong(found: Mapping[str, Any]) -> Iterator[str]:
    """What no value may be."""
    address, gpus, resources = found["address"], found["num_gpus"], found.get("resources", {})
    if address is not None and (not isinstance(address, str) or not address.strip()):
        yield f"hydra.launcher.address={address}: must be auto, host:port, ray://host:port, or null; set it to one"
    for name, may_be_null in (("num_cpus", False), ("jobs", True)):
        if not (may_be_null and found[name] is None) and not (_is_whole(found[name]) and found[name] >= 1):
            null = ", or null" if may_be_null else ""
            yield f"hydra.launcher.{name}={found[name]}: must be a whole number from 1 on{null}; set it to one"
    if not _is_number(gpus) or gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        yield f"hydra.launcher.num_gpus={gpus}: must be 0, a part of one such as 0.5, or a whole number; set it to one"
    for name in ("memory_gb", "timeout_seconds", "grace_seconds"):
        value, may_be_null = found[name], name != "grace_seconds"
        if not (may_be_null and value is None) and not (_is_number(value) and value > 0):
            null = ", or null" if may_be_null else ""
            yield f"hydra.launcher.{name}={value}: must be a number above 0{null}; set it to one"
    if not isinstance(resources, Mapping) or not all(_is_number(value) and value > 0 for value in resources.values()):
        yield f"hydra.launcher.ray.remote.resources={resources}: must be names with numbers above 0; correct it"
    for name, value in found["machine"].items():
        if not _is_whole(value) or value < 0:
            yield f"hydra.launcher.ray.init.{name}={value}: must be a whole number from 0 on; set it to one"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
