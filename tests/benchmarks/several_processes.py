"""Runs in several processes of a CPU: `python -m tests.benchmarks.several_processes FOLDER --processes 1 2 4`.

The same run of the shipped data, with dropout that is the same in all, is trained by each number of processes with the
same threads together. Printed are the seconds of training and of evaluation, and the metrics: their losses and f1 must
agree, or the command ends with exit code 1. What is in FOLDER already is used again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from qaexp.storage.reading import read_json
from tests.benchmarks.processes import measured, qaexp

WORDS = ("trainer=cpu", "trainer.attention=unpadded", "trainer.epochs=1", "reporter=none")
SHOWN = ("train_seconds", "eval_seconds", "total_seconds", "train_loss", "exact", "f1", "gold_nll")
# Sums are added in another order.
TOLERANCE = 1e-2


def trained(folder: Path, number: int, threads: int, words: list[str]) -> dict[str, Any]:
    """The summary of a run in so many processes."""
    directory = folder / "outputs" / f"processes{number}"
    if not (directory / "summary.json").exists():
        settings = [f"name={directory.name}", f"trainer.processes={number}", f"threads={threads}"]
        measured(qaexp("train", *WORDS, *settings, *words), folder)
    return read_json(directory / "summary.json")


def main() -> int:
    """Print a table; 1 where the numbers of processes do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of all processes together")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of all runs")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print("processes  " + "  ".join(f"{name:>13}" for name in SHOWN))
    losses = []
    for number in given.processes:
        summary = trained(given.folder, number, given.threads, given.set)
        print(f"{number:>9}  " + "  ".join(f"{summary[name]:>13.4f}" for name in SHOWN), flush=True)
        losses.append(summary["train_loss"])
    return int(max(losses) - min(losses) > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main())
