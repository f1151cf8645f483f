"""Kill drill: real runs, SIGKILLed at random moments and started again until they complete, against one left alone.

    python tests/benchmarks/kill_drill.py [--runs 10] [--kills 20] [--minilm] [--seed 0]

Each run is a process `python -m qaexp train ...` that is killed after a random time and started again by the same
command, `--kills` times, and then left alone. Compared with the undisturbed run: the bytes of every result, and that
every step was recorded once. Without `--minilm` a tiny model on the shipped data; with it, MiniLM on 300 examples of
the real sample (QAEXP_SAMPLE names its folder).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import torch

from tests import SAMPLE
from tests.fixtures import drill, tiny_run

_TINY = (*tiny_run.DEMO, "trainer.epochs=60", "trainer.checkpoint_every=2", "trainer.keep=best", "threads=1")
_MINILM = (
    "model=minilm",
    "data=json",
    f"data.train_file={SAMPLE}/train.json",
    f"data.dev_file={SAMPLE}/dev.json",
    "data.train_size=300",
    "data.dev_size=100",
    "trainer=cpu",
    "trainer.epochs=2",
    "trainer.checkpoint_every=5",
    "trainer.keep=best",
    "trainer.log_every=1",
    "reporter=none",
)


def start(folder: Path, name: str, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a run in a folder."""
    command = [sys.executable, "-m", "qaexp", "train", f"name={name}", *words]
    environ = {**os.environ, "QAEXP_CACHE_DIR": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run that must succeed."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def killed_run(folder: Path, name: str, words: tuple[str, ...], kills: int, seconds: float, draw: random.Random) -> int:
    """Kill a run so often at random moments of its work, then let it complete; how many kills hit it alive."""
    hits, directory = 0, folder / "outputs" / name
    for number in range(kills):
        process = start(folder, name, words)
        wait_for_attempt(process, directory, number + 1)
        try:
            # On the average the run gets on by one part of so many as it is killed.
            process.wait(draw.uniform(0, 2 * seconds / kills))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
        process.stderr.close()  # type: ignore[union-attr]
        if drill.completed(directory):
            break
    finish(start(folder, name, words))
    return hits


def wait_for_attempt(process: subprocess.Popen[bytes], directory: Path, number: int) -> None:
    """Wait until the run's own work begins: before, there is nothing to kill that it would own."""
    while process.poll() is None:
        with suppress(OSError, ValueError):
            if tiny_run.read_json(directory / "run.json")["attempt"] >= number:
                return
        time.sleep(0.01)


def main() -> None:
    """Drill, and print one row of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minilm", action="store_true")
    arguments = parser.parse_args()
    words, draw = (_MINILM if arguments.minilm else _TINY), random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        finish(start(folder, "warm", (*words, "trainer.epochs=0")))
        began = time.monotonic()
        finish(start(folder, "alone", words))
        seconds = tiny_run.read_json(folder / "outputs" / "alone" / "summary.json")["total_seconds"]
        expected = drill.fingerprints(folder / "outputs" / "alone")
        kills = differing = lost = attempts = 0
        for number in range(arguments.runs):
            kills += killed_run(folder, f"r{number}", words, arguments.kills, seconds, draw)
            directory = folder / "outputs" / f"r{number}"
            found = drill.fingerprints(directory)
            differing += sum(found[file] != expected[file] for file in expected)
            lost += not drill.steps_once(directory)
            attempts += tiny_run.read_json(directory / "run.json")["attempt"]
    model = "MiniLM" if arguments.minilm else "tiny model"
    print(f"torch {torch.__version__}, {time.monotonic() - began:.0f} s\n")
    print("| runs | kills | attempts | files compared | files that differ | runs with a step lost or told twice |")
    print("| --- | --- | --- | --- | --- | --- |")
    compared = arguments.runs * len(expected)
    print(f"| {arguments.runs} of the {model} | {kills} | {attempts} | {compared} | {differing} | {lost} |")
    sys.exit(bool(differing or lost))


if __name__ == "__main__":
    main()
