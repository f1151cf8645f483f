"""Workers drill: many tiny jobs, and workers that are killed and started at random, each with its own home and clock.

    python -m tests.benchmarks.workers_drill [--jobs 200] [--workers 6] [--longest 60] [--seed 0]

The same sweep is first run quietly by its own command. Then its plan alone is written, and workers (`qaexp work`) run
it: each has its own HOME and cache, a clock that is up to an hour off (libfaketime, where it is installed), and is
killed by SIGKILL or SIGTERM after a random time, and started anew, until nothing is missing. Counted: completed jobs,
how often they were begun, folders that were touched after they were complete, and files whose bytes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from qaexp.errors import Stopped
from tests import REPOSITORY
from tests.fixtures import drill, tiny_run

WORDS = (
    *tiny_run.MODEL,
    "data.train_size=24",
    "data.dev_size=8",
    "trainer.epochs=6",
    "trainer.checkpoint_every=2",
    "trainer.eval_every=1000",
    "hydra.launcher.jobs=2",
    "threads=1",
)
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
ENDS = (0, Stopped(signal.SIGTERM).exit_code, -signal.SIGKILL)
"""How a worker may end that is struck: what is missing was run, it stored its checkpoint, it was killed."""
# Under libfaketime a sleep that is over by the time it begins fails, as no sleep of a kernel does.
SITE = """import time
_sleep = time.sleep

def sleep(seconds):
    try:
        _sleep(seconds)
    except OSError:
        pass

time.sleep = sleep
"""
COMPARED = (*drill.COMPARED, "config.json")


class Worker:
    """A worker that is killed at some time, unless it ends before."""

    def __init__(self, folder: Path, sweep: Path, draw: random.Random, number: int, longest: float) -> None:
        home = folder / f"home-{number}"
        home.mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "QAEXP_CACHE_DIR"},
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(REPOSITORY)]),
            "OMP_NUM_THREADS": "1",
        }
        self.shift = 0
        if FAKETIME.exists():
            self.shift = draw.randint(-3600, 3600)
            # The file system's clock is not the worker's: what it sets and shows stays as it is.
            environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{self.shift:+d}", "NO_FAKE_STAT": "1"}
            environment |= {"FAKE_UTIME": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.log = folder / f"worker-{number}.log"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qaexp", "work", str(sweep)],
            cwd=folder,
            env=environment,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.signal = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
        self.until = time.monotonic() + draw.uniform(5, longest)


def planned(folder: Path, *words: str) -> Path:
    """Give a sweep's command in a folder; returns the sweep's directory."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "qaexp", "train", "-m", "name=s", *WORDS, *words]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return folder / "multirun_outputs" / "s"


def struck(folder: Path, sweep: Path, num_workers: int, draw: random.Random, longest: float) -> Iterator[str]:
    """Run a planned sweep by workers that are struck; yields how each of them ended, the last one well."""
    workers = [Worker(folder, sweep, draw, number, longest) for number in range(num_workers)]
    while True:
        time.sleep(0.2)
        for number, worker in enumerate(workers):
            code = worker.process.poll()
            if code == 0:
                for other in workers:
                    other.process.wait()
                yield "0"
                return
            if code is not None:
                if code not in ENDS:
                    print(f"a worker ended with {code}:\n{worker.log.read_text()[-2000:]}")
                yield str(code)
                workers[number] = Worker(folder, sweep, draw, number, longest)
            elif time.monotonic() > worker.until:
                worker.process.send_signal(worker.signal)
                worker.until = float("inf")


def hashes(run: Path) -> dict[str, str]:
    """The sha256 of all results of a run."""
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in COMPARED}


def touched_late(sweep: Path) -> list[str]:
    """Files of results that were written after their run was complete."""
    return [
        str(path)
        for summary in sweep.glob("*/summary.json")
        for name in COMPARED
        if (path := summary.parent / name).stat().st_mtime > summary.stat().st_mtime
    ]


def main() -> None:
    """Print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument(
        "--longest", type=float, default=60.0, help="seconds after which a worker is struck at the latest"
    )
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    swept = f"seed={','.join(map(str, range(asked.jobs)))}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workers-")))
        quiet = planned(folder / "quiet", swept)
        began = time.monotonic()
        sweep = planned(folder / "struck", swept, "sweep.plan_only=true")
        (folder / "struck" / "site").mkdir()
        (folder / "struck" / "site" / "sitecustomize.py").write_text(SITE)
        ends = list(struck(folder / "struck", sweep, asked.workers, draw, asked.longest))
        seconds = time.monotonic() - began
        runs = {path.parent.name for path in sweep.glob("*/summary.json")}
        records = [tiny_run.read_json(sweep / name / "run.json") for name in runs]
        differing = [name for name in runs if hashes(sweep / name) != hashes(quiet / name)]
        clocks = "clocks up to an hour off" if FAKETIME.exists() else "one clock for all"
        print(f"{asked.jobs} jobs, {asked.workers} workers, {clocks}; {seconds:.0f} s")
        print("workers ended:", {end: ends.count(end) for end in dict.fromkeys(ends)})
        print(f"jobs completed: {len(runs)}, begun: {sum(record['attempt'] for record in records)} times")
        print(f"jobs that were struck and went on: {sum(record['attempt'] > 1 for record in records)}")
        print(f"results written after their run was complete: {len(touched_late(sweep))}")
        print(f"runs of which one of {len(COMPARED)} files differs from the quiet sweep's: {len(differing)}")
        assert runs == {path.parent.name for path in quiet.glob("*/summary.json")}
        assert not differing
        assert {int(end) for end in ends} <= set(ENDS)
        assert not touched_late(sweep)


if __name__ == "__main__":
    main()
