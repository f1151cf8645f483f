"""What several benchmarks need of whole processes: seconds, processor time, the peak of memory; the stages of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process that has ended well.

    Attributes:
        seconds: From its start to its end.
        cpu_seconds: Processor time.
        peak_mib: The most resident memory, as the kernel counts it.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float


def measured(command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Run a command, which must succeed; what it prints is shown only if it does not."""
    began = time.perf_counter()
    with (cwd / "output.txt").open("w+") as out:
        given = {**os.environ, **(environment or {})}
        process = subprocess.Popen([*command], cwd=cwd, env=given, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            out.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{out.read()}")
    return Process(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def qaexp(*words: str | Path) -> list[str | Path]:
    """A command of qaexp, in this Python."""
    return [sys.executable, "-m", "qaexp", *words]


def stage_seconds(directory: Path) -> dict[str, float]:
    """The seconds of each stage of a run, from its debug.log."""
    lines = (line.split() for line in (directory / "debug.log").read_text().splitlines() if " took " in line)
    return {words[-4]: float(words[-2]) for words in lines}
