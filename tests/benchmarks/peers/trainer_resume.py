"""The kill and resume drill, carried out on qaexp and on transformers' Trainer side by side.

    python -m tests.benchmarks.peers.trainer_resume [--tries 5] [--seed 0] [--row WORDS]

Each try is a training of 40 steps in a forked process that is really killed, signalled or refused room, and then
the same training started again. A cell tells what came of the tries; nothing in it is known beforehand.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import transformers

from tests.benchmarks.peers import trials
from tests.benchmarks.peers.accidents import Side
from tests.benchmarks.peers.jobs import QaexpSide, TrainerSide
from tests.benchmarks.peers.trials import Drill

ROWS: dict[str, Callable[[Drill], list[str]]] = {
    "nothing happens (is the training repeatable at all?)": partial(trials.repeated, draws=""),
    "SIGKILL in a random step, plain data": partial(trials.killed, draws=""),
    "the same: the records of the steps": trials.recorded,
    "SIGKILL while a checkpoint is written": trials.killed_in_save,
    "nothing happens, items draw from torch's generator": partial(trials.repeated, draws="torch"),
    "SIGKILL, items draw from torch's generator": partial(trials.killed, draws="torch"),
    "nothing happens, items draw from Python's generator": partial(trials.repeated, draws="python"),
    "SIGKILL, items draw from Python's generator": partial(trials.killed, draws="python"),
    "SIGTERM (Trainer: `enable_jit_checkpoint=True`), slow forward passes": partial(trials.terminated, pace=0.25),
    "the same, slow fetching of batches": partial(trials.terminated, pause=0.25),
    "newest checkpoint: weights cut off": partial(trials.damaged, damage=trials.cut),
    "newest checkpoint: optimizer's file empty": partial(trials.damaged, damage=trials.emptied),
    "newest checkpoint: one bit of the weights flipped": partial(trials.damaged, damage=trials.flipped),
    "newest checkpoint: file of the training's state missing": partial(trials.damaged, damage=trials.removed),
    "no room in a save (Trainer: `save_total_limit=1`)": trials.without_room,
    "two processes started in one folder": trials.together,
    "pickle planted in place of the optimizer's file": partial(trials.planted, number=0),
    "pickle planted in place of the state of generators": partial(trials.planted, number=1),
}


def told(outcomes: list[str]) -> str:
    """Like outcomes counted, the most frequent first."""
    return "<br>".join(f"{number} of {len(outcomes)}: {text}" for text, number in Counter(outcomes).most_common())


def main() -> None:
    """Carry out the rows, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--row", default="", help="only the rows that hold these words")
    arguments = parser.parse_args()
    # Before the forks: a thread that computed in the parent would be missing in its children.
    torch.set_num_threads(1)
    began = time.monotonic()
    sides: tuple[Side, ...] = (QaexpSide(), TrainerSide())
    print(f"`python -m tests.benchmarks.peers.trainer_resume {' '.join(sys.argv[1:])}`".replace(" `", "`"))
    print(f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}")
    print(f"{platform.system()} on {platform.machine()}, 1 thread on the CPU\n")
    print("| what happens | " + " | ".join(side.name for side in sides) + " |")
    print("| --- |" + " --- |" * len(sides))
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number, _ in enumerate(sides)]
        for folder in folders:
            folder.mkdir()
        drills = [
            Drill(side, folder, arguments.tries, random.Random()) for side, folder in zip(sides, folders, strict=True)
        ]
        for title, row in ROWS.items():
            if arguments.row in title:
                cells = []
                for drill in drills:
                    # The same steps and bytes on both sides.
                    drill.draw.seed(f"{arguments.seed}/{title}")
                    cells.append(told(row(drill)))
                print(f"| {title} | {' | '.join(cells)} |", flush=True)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
