"""One sweep by every engine: the same metrics, byte for byte, and the same comparison.

    python -m tests.benchmarks.engines [--engines local joblib submitit_local slurm array work ray]

Four jobs of the tiny model by each engine in a folder of its own: `work` is two workers of a plan, `array` the same as
an array of Slurm. Engines that are not here are named and left out. Compared with the first one: the bytes of every
result of every run, and what `qaexp compare --json` says without paths and times.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests import REPOSITORY
from tests.fixtures import drill, tiny_run

WORDS = (
    *tiny_run.MODEL,
    "data.train_size=60",
    "data.dev_size=40",
    "trainer.epochs=2",
    "threads=1",
    "optimizer.lr=1e-4,3e-4",
    "seed=0,1",
)
ONE_CORE = ("hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1")
ENGINES: dict[str, tuple[str, ...]] = {
    "local": ("hydra.launcher.jobs=2",),
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra/launcher=submitit_local",),
    "slurm": ("hydra/launcher=slurm", "hydra.launcher.workers=2", *ONE_CORE),
    "array": ("sweep.plan_only=true",),
    "work": ("sweep.plan_only=true",),
    "ray": ("hydra/launcher=ray",),
}
NEEDED = {"joblib": "joblib", "submitit_local": "submitit", "ray": "ray"}
# What a comparison says that is of the machine and the moment, not of the results.
UNLIKE = re.compile(r"path|seconds|tokens_per|memory|manifest|sha256|time|at$|mfu|started|ended")


def is_here(engine: str) -> bool:
    """Whether an engine can be had."""
    if engine in ("slurm", "array"):
        return shutil.which("sbatch") is not None
    return engine not in NEEDED or find_spec(NEEDED[engine]) is not None


def run(engine: str, folder: Path) -> Path:
    """Run the sweep by an engine; returns its directory."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(folder / "cache")}
    environment["OMP_NUM_THREADS"] = "1"

    def call(*words: str) -> None:
        subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)

    qaexp, sweep = (sys.executable, "-m", "qaexp"), folder / "multirun_outputs" / "s"
    call(*qaexp, "train", "-m", "name=s", *WORDS, *ENGINES[engine])
    if engine == "work":
        command = [*qaexp, "work", str(sweep)]
        workers = [subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [worker.wait() for worker in workers] == [0, 0]
    if engine == "array":
        line = f"exec {sys.executable} -m qaexp work {sweep}"
        call("sbatch", "--wait", "--array=0-1", "--requeue", "--mem=1G", "--output=worker-%a.log", "--wrap", line)
    return sweep


def alike(tree: Any) -> Any:
    """A comparison without what differs from run to run of the same sweep."""
    if isinstance(tree, dict):
        return {key: alike(value) for key, value in tree.items() if not UNLIKE.search(key)}
    return [alike(value) for value in tree] if isinstance(tree, list) else tree


def compared(sweep: Path) -> Any:
    """What `qaexp compare` says of a sweep."""
    command = [sys.executable, "-m", "qaexp", "compare", str(sweep), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return alike(json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout))


def main() -> None:
    """Print a line an engine."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    asked = parser.parse_args().engines
    with tempfile.TemporaryDirectory(prefix="engines-") as place:
        first: tuple[dict[str, dict[str, str]], Any] | None = None
        for engine in asked:
            if not is_here(engine):
                print(f"{engine:>15}: not here")
                continue
            began = time.monotonic()
            sweep = run(engine, Path(place) / engine)
            seconds = time.monotonic() - began
            found = {path.name: drill.fingerprints(path) for path in sorted(sweep.glob("optimizer*"))}, compared(sweep)
            first = first or found
            num_files = sum(map(len, found[0].values()))
            same_bytes, same_words = found[0] == first[0], found[1] == first[1]
            print(
                f"{engine:>15}: {len(found[0])} runs, {num_files} files, the same bytes: {same_bytes}, "
                f"the same comparison: {same_words}, {seconds:.0f} s"
            )


if __name__ == "__main__":
    main()
