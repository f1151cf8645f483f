"""What a run costs by the number of questions: `python -m tests.benchmarks.full_size --data DIR --questions N ...`.

DIR has train.json and dev.json in SQuAD's format. They are replicated up to the numbers asked for: each copy has new
ids, another sentence in each context and other questions, so that no two contexts are equal. Then each size is a run of
its own process, with an empty cache, and once more with the cache that it left.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.processes import stage_seconds
from tests.benchmarks.replicas import replicate

WORDS = ("data=json", "model=tiny_random", "trainer.epochs=1", "trainer.max_steps=20")


class Cost(NamedTuple):
    """What a run took: seconds of wall and processor, of its stages, and the peaks of its memory in MiB."""

    seconds: float
    cpu_seconds: float
    data_seconds: float
    features_seconds: float
    peak_mib: float
    peak_anonymous_mib: float
    cache_mib: float


def run(folder: Path, name: str, train: Path, dev: Path) -> Cost:
    """Train in a process of its own, whose memory is looked at four times a second."""
    command = [sys.executable, "-m", "qaexp", "train", f"name={name}", *WORDS]
    command += [f"data.train_file={train}", f"data.dev_file={dev}"]
    environment = {**os.environ, "QAEXP_CACHE_DIR": str(folder / "cache")}
    begin, anonymous = time.perf_counter(), 0
    with (folder / f"{name}.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            anonymous = max(anonymous, resident_anonymous(process.pid))
            time.sleep(0.25)
    assert os.waitstatus_to_exitcode(status) == 0, (folder / f"{name}.txt").read_text()
    took = stage_seconds(folder / "outputs" / name)
    size = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    seconds = time.perf_counter() - begin
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(seconds, cpu, took["data"], took["features"], usage.ru_maxrss / 1024, anonymous / 1024, size / 2**20)


def resident_anonymous(pid: int) -> int:
    """KiB of anonymous memory; 0 where the process has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.json and dev.json")
    parser.add_argument("--questions", type=int, nargs="+", default=[13_032, 130_319])
    parser.add_argument("--dev-questions", type=int, default=11_873)
    parser.add_argument("--folder", type=Path, help="where to work, several gigabytes; default: a temporary one")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    replicate([arguments.data / "dev.json"], folder / "dev.json", arguments.dev_questions)
    print("| questions | cache | s | CPU s | s reading | s features | peak MiB | of it anonymous | cache MiB |")
    print(f"|{' ---: |' * 9}", flush=True)
    for number in arguments.questions:
        replicate([arguments.data / "train.json"], folder / "train.json", number)
        for state in ("empty", "full"):
            cost = run(folder, f"{state}-{number}", folder / "train.json", folder / "dev.json")
            print(f"| {number:,} | {state} | {' | '.join(f'{value:,.0f}' for value in cost)} |", flush=True)
        shutil.rmtree(folder / "cache")
    shutil.rmtree(folder)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers", "numpy"))
    print(f"{os.cpu_count()} cores, CPython {platform.python_version()}, {versions}")


if __name__ == "__main__":
    main()
