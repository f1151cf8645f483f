"""Sweep drill: what a sweep costs beside its jobs, and what a SIGKILL in its middle leaves behind.

    python -m tests.benchmarks.sweep_drill [--tiny] [--reporter plots]

Six jobs (two learning rates, three seeds) of MiniLM on 300 answerable examples of the real sample (QAEXP_SAMPLE names
its folder), one epoch each; `--tiny` takes the tiny model on the shipped data. One sweep is left alone and measured;
another one is killed by SIGKILL in the middle and started again by the same command. Compared: the bytes of every
result in every run directory.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from tests import SAMPLE
from tests.fixtures import drill, tiny_run

_SWEPT = ("optimizer.lr=1e-4,3e-4", "seed=0,1,2")
_TINY = (*tiny_run.MODEL, "data.train_size=100", "data.dev_size=50", "trainer.epochs=4", "trainer.checkpoint_every=5")
_MINILM = (
    "model=minilm",
    "data=json",
    f"data.train_file={SAMPLE}/train.json",
    f"data.dev_file={SAMPLE}/dev.json",
    "data.subset=answerable",
    "data.train_size=300",
    "trainer=cpu",
    "trainer.epochs=1",
    "trainer.checkpoint_every=5",
)


def start(folder: Path, name: str, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a sweep in a folder."""
    command = [sys.executable, "-m", "qaexp", "train", "-m", f"name={name}", *words, *_SWEPT]
    environ = {**os.environ, "QAEXP_CACHE_DIR": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> int:
    """Wait for a sweep; its exit code."""
    _, errors = process.communicate()
    assert process.returncode in (0, 4), errors.decode()
    return process.returncode


def runs_of(sweep: Path) -> dict[str, Path]:
    """The run directories by what sets them apart, in the order of their start."""
    found = sorted((path.parent for path in sweep.glob("*/summary.json")), key=lambda run: _written(run, "config.json"))
    return {run.name.rpartition("-")[0]: run for run in found}


def starts(runs: list[Path]) -> list[float]:
    """Seconds from a job's summary.json to the first file of the next job."""
    return [_written(later, "config.json") - _written(run, "summary.json") for run, later in pairwise(runs)]


def _written(run: Path, name: str) -> float:
    return (run / name).stat().st_mtime


def measure(folder: Path, words: tuple[str, ...]) -> tuple[dict[str, Path], float]:
    """Run a sweep that nobody disturbs, and print what it cost; its runs, and its seconds."""
    began = time.monotonic()
    assert finish(start(folder, "alone", words)) == 0
    seconds = time.monotonic() - began
    runs = runs_of(folder / "multirun_outputs" / "alone")
    summaries = [tiny_run.read_json(run / "summary.json") for run in runs.values()]
    working = sum(summary["train_seconds"] + summary["eval_seconds"] for summary in summaries)
    of_jobs = sum(summary["total_seconds"] for summary in summaries)
    between = starts(list(runs.values()))
    cells = {
        "jobs": f"{len(runs)}",
        "sweep, s": f"{seconds:.1f}",
        "training and evaluation, s": f"{working:.1f}",
        "overhead": f"{seconds / working - 1:.1%}",
        "of it outside the jobs": f"{(seconds - of_jobs) / working:.1%}",
        "start of a job, s (median, most)": f"{statistics.median(between):.2f}, {max(between):.2f}",
    }
    print_row(cells)
    return runs, seconds


def print_row(cells: dict[str, str]) -> None:
    """Print a Markdown table of one row."""
    for line in (cells, ["---"] * len(cells), cells.values()):
        print(f"| {' | '.join(line)} |")
    print()


def main() -> None:
    """Measure, kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--reporter", default="none", choices=["none", "plots"])
    arguments = parser.parse_args()
    words = (*(_TINY if arguments.tiny else _MINILM), f"reporter={arguments.reporter}")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs, seconds = measure(folder, words)
        process = start(folder, "killed", words)
        time.sleep(seconds / 2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed = folder / "multirun_outputs" / "killed"
        completed = len(runs_of(killed))
        # The job that was under way stores what it did first.
        while finish(start(folder, "killed", words)) == 4:
            time.sleep(1)
        again = runs_of(killed)
        differing = [
            f"{label}: {file}"
            for label, run in runs.items()
            for file, sha256 in drill.fingerprints(run).items()
            if drill.fingerprints(again[label])[file] != sha256
        ]
        attempts = {label: tiny_run.read_json(run / "run.json")["attempt"] for label, run in again.items()}
    cells = {
        "completed at the kill": f"{completed} of {len(runs)}",
        "runs at the end": f"{len(again)}",
        "runs with a second attempt": f"{sum(attempt > 1 for attempt in attempts.values())}",
        "files compared": f"{len(runs) * len(drill.COMPARED)}",
        "files that differ": f"{len(differing)}",
    }
    print_row(cells)
    print("\n".join(differing))
    sys.exit(bool(differing) or len(again) != len(runs))


if __name__ == "__main__":
    main()
