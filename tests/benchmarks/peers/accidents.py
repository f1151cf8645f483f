"""What befalls a training, the same on each side: where it is killed, slowed down or short of room."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tests.fixtures import drill
from tests.fixtures.attempts import KILL

NUM_FEATURES = 320
BATCH_SIZE = 16
NUM_EPOCHS = 2
NUM_STEPS = NUM_EPOCHS * NUM_FEATURES // BATCH_SIZE
SAVE_EVERY = 5
MASK = 4
LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """What shall happen in one attempt at a training.

    Attributes:
        at_step: Completed steps after which `act` is called, in the forward pass of the next one.
        act: Ends the process, sends it a signal or takes something away.
        in_save: The save of the attempt (from 1) inside which the process is killed; 0: none.
        share: When: this part of the time that the save before it took.
        pace: Seconds that every forward pass takes longer.
        pause: Seconds that pass before every step, while its batch is fetched.
        draws: The global generator from which each item draws which of its tokens are masked: "torch" or "python".
        on_sigterm: SIGTERM shall store a checkpoint, where the framework must be told so.
        num_kept: Checkpoints that are kept, where the framework can be told so.
    """

    at_step: int = -1
    act: Callable[[], object] = int
    in_save: int = 0
    share: float = 0.0
    pace: float = 0.0
    pause: float = 0.0
    draws: str = ""
    on_sigterm: bool = False
    num_kept: int = 2

    def calm(self) -> Plan:
        """The same training with nothing that befalls it."""
        return replace(self, at_step=-1, in_save=0, pace=0.0, pause=0.0)

    def step(self, completed: int) -> None:
        """To be called in the forward pass of every step."""
        time.sleep(self.pace)
        if completed == self.at_step:
            self.act()

    def fetch(self) -> None:
        """To be called when the batch of a step is fetched."""
        time.sleep(self.pause)

    def around_save(self, save: Callable[..., Any]) -> Callable[..., Any]:
        """The function that writes a checkpoint, in which this process may die."""
        numbers, seconds = count(1), 0.0

        def wrapped(*args: Any, **keywords: Any) -> Any:
            nonlocal seconds
            if next(numbers) == self.in_save:
                threading.Timer(self.share * seconds, KILL).start()
            began = time.perf_counter()
            result = save(*args, **keywords)
            seconds = time.perf_counter() - began
            return result

        return wrapped

    def mask(self, ids: Tensor) -> Tensor:
        """Mask one token in ten, with draws from a global generator."""
        if not self.draws:
            return ids
        if self.draws == "torch":
            drawn = torch.rand(ids.shape)
        else:
            drawn = torch.tensor([random.random() for _ in range(ids.numel())]).reshape(ids.shape)
        return ids.masked_fill(drawn < 0.1, MASK)


@dataclass(frozen=True)
class Ended:
    """An attempt that is over: its exit code, or minus the signal that ended it, what it printed, and its seconds."""

    code: int
    said: str
    seconds: float

    def __str__(self) -> str:
        if "Traceback" not in self.said:
            return f"exit {self.code}"
        # The type of the error stands at the beginning of a line, before its message.
        names = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt))\b", self.said, flags=re.MULTILINE)
        return f"exit {self.code}, traceback ({names[-1] if names else '?'})"


class Side(Protocol):
    """A framework, and where it leaves what in the folder of one training."""

    name: str
    weights_file: str
    optimizer_file: str
    state_file: str
    pickled: tuple[str, ...]
    """Files of a checkpoint in whose place a pickle is put."""

    def train(self, folder: Path, plan: Plan) -> int:
        """The training, in the process that may die: starts, or goes on after the newest checkpoint."""

    def weights(self, folder: Path) -> bytes | None:
        """The file of the final weights, if it stands."""

    def records(self, folder: Path) -> list[tuple[int, float]]:
        """Step and loss of every record."""

    def checkpoints(self, folder: Path) -> list[Path]:
        """The newest first."""

    def plant(self, file: Path, content: object) -> None:
        """Put the pickle of something in the place of a checkpoint's file, as one does who knows the format."""


UNDISTURBED = Plan()


def start(side: Side, folder: Path, plan: Plan) -> tuple[int, Path]:
    """Start an attempt in a process of its own; its pid, and the file of what it prints."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"attempt-{time.monotonic_ns()}.txt"

    def work() -> int:
        file = os.open(output, os.O_WRONLY | os.O_CREAT)
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        os.chdir(folder)
        return side.train(folder, plan)

    return drill.start_child(work, LONGEST_SECONDS), output


def attempts(side: Side, folder: Path, *plans: Plan) -> Iterator[Ended]:
    """Start attempts at one training together, and wait for their ends."""
    began = time.monotonic()
    for pid, output in [start(side, folder, plan) for plan in plans]:
        code = drill.wait_for(pid)
        yield Ended(code, output.read_text("utf-8", errors="replace"), time.monotonic() - began)


def attempt(side: Side, folder: Path, plan: Plan) -> Ended:
    """One attempt."""
    (ended,) = attempts(side, folder, plan)
    return ended
