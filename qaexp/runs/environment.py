"""What surrounds a run: command line, code, packages, machine; recorded so that a difference can be explained."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

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
_GIT_SECONDS = 5.0
_GIT = ("git", "-c", "core.fsmonitor=false")


def describe_environment(
    command_line: Sequence[str], *, device: Mapping[str, Any], threads: int | None, determinism: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of env.json.

    Args:
        command_line: The words of the command.
        device: What computes, as the part that chose it describes it.
        threads: CPU threads of the run.
        determinism: The flags on which equal bytes depend.
    """
    code = Path(__file__).parents[1]
    return {
        "command_line": list(command_line),
        "working_directory": str(Path.cwd()),
        "git": {"code": describe_repository(code), "working_directory": describe_repository(Path.cwd())},
        "versions": {"python": platform.python_version(), **package_versions(PACKAGES)},
        "device": dict(device),
        "threads": threads,
        "determinism": dict(determinism),
        "machine": describe_machine(),
    }


def package_versions(names: Sequence[str]) -> dict[str, str | None]:
    """Return the installed version of each package without importing it; None where there is none."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_machine() -> dict[str, Any]:
    """Return host, operating system and CPU."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count(),
        "num_usable_cpus": usable,
    }


def describe_repository(folder: Path) -> dict[str, Any] | None:
    """Return the git commit of the repository that tracks `folder`, and the sha256 of its uncommitted diff.

    Returns:
        `{commit, dirty, diff_sha256}`; None without git, outside a repository, or in a folder that it ignores (a
        virtual environment inside somebody's project is no part of that project).
    """
    if not _git(folder, "ls-files", "--", "."):
        return None
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    diff = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
    if commit is None or diff is None:
        return None
    return {
        "commit": commit.decode().strip(),
        "dirty": diff != b"",
        "diff_sha256": hashlib.sha256(diff).hexdigest() if diff else None,
    }


def _git(folder: Path, *words: str) -> bytes | None:
    """Return what a git command prints; None when it cannot run, fails or takes too long."""
    # Reading must not write: git would refresh its index.
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            [*_GIT, *words],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
