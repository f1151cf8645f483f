"""What surrounds a run: command line, code, packages, machine; recorded so that a difference can be explained."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import ENVIRONMENT
from qaexp.runs.writing.repository import describe_repository
from qaexp.storage.reading import read_json
from qaexp.storage.start import start

PACKAGES = (
    "qaexp",
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "accelerate",
    "safetensors",
    "huggingface_hub",
    "hydra-core",
    "omegaconf",
    "numpy",
    "pandas",
    "pyarrow",
    "matplotlib",
)

# They limit which instructions libraries compute with, and so decide over the last bits of results.
_CPU_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


def describe_environment(
    command_line: Sequence[str],
    *,
    device: Mapping[str, Any],
    threads: int | None,
    determinism: Mapping[str, Any],
    env_set: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the content of env.json.

    Args:
        command_line: The words of the command.
        device: What computes, as the part that chose it describes it.
        threads: CPU threads of the run.
        determinism: The flags on which equal bytes depend.
        env_set: Names of the variables that the config sets for the run.
    """
    code, here = Path(__file__).parents[2], Path.cwd()
    # A folder that a file of a run names may be a stranger's repository: git is asked only in the user's own folder.
    working = describe_repository(here) if here == start().directory else None
    return {
        "command_line": list(command_line),
        "working_directory": str(here),
        "env_set": sorted(env_set),
        "git": {"code": describe_repository(code), "working_directory": working},
        "versions": {"python": platform.python_version(), **package_versions(PACKAGES)},
        "device": dict(device),
        "threads": threads,
        "determinism": dict(determinism),
        "machine": describe_machine(),
    }


def no_longer_set(directory: Path) -> list[str]:
    """The variables that the config of a run set for it, and that are not set now: no folder keeps their values."""
    try:
        names = read_json(directory / ENVIRONMENT).get("env_set")
    except (FileNotFoundError, IntegrityError):
        return []
    known = names if isinstance(names, list) else []
    return [name for name in known if isinstance(name, str) and name not in start().environ]


def package_versions(names: Sequence[str]) -> dict[str, str | None]:
    """Return the installed version of each package without importing it; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_machine() -> dict[str, Any]:
    """Return host, operating system and CPU, and the variables that limit its instructions."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = {name: value for name in _CPU_LIMITS if (value := os.environ.get(name))}
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count(),
        "num_usable_cpus": usable,
        **({"cpu_limits": limits} if limits else {}),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
