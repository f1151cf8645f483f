"""Accidents, each tried several times on one side, and what came of every try."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.benchmarks.peers.accidents import NUM_STEPS, SAVE_EVERY, UNDISTURBED, Ended, Plan, Side, attempt, attempts
from tests.faults.test_hostile import Canary
from tests.fixtures.attempts import KILL, send

_STOPPED_AT = 33
SAME = "same bytes"


@dataclass
class Drill:
    """Tries on one side, each in a folder of its own.

    Attributes:
        side: What is tried.
        folder: Holds the folders.
        tries: How often each accident is tried.
        draw: Where and when it happens.
    """

    side: Side
    folder: Path
    tries: int
    draw: random.Random
    _undisturbed: dict[str, Path] = field(default_factory=dict)

    def folders(self) -> Iterator[Path]:
        """New folders, one a try."""
        for number in range(self.tries):
            yield Path(tempfile.mkdtemp(dir=self.folder, prefix=f"try-{number}-"))

    def undisturbed(self, draws: str = "") -> Path:
        """The folder of a training that nothing befell."""
        if draws not in self._undisturbed:
            folder = self.folder / f"undisturbed-{draws}"
            ended = attempt(self.side, folder, Plan(draws=draws))
            assert ended.code == 0, ended.said
            self._undisturbed[draws] = folder
        return self._undisturbed[draws]

    def outcome(self, folder: Path, ended: Ended, draws: str = "") -> str:
        """How a training ended that was to complete."""
        if ended.code:
            return str(ended)
        same = self.side.weights(folder) == self.side.weights(self.undisturbed(draws))
        return SAME if same else "exit 0, other weights"

    def again(self, folder: Path, plan: Plan = UNDISTURBED) -> str:
        """Start the same command again."""
        return self.outcome(folder, attempt(self.side, folder, plan.calm()), plan.draws)

    def stopped(self) -> Path:
        """The folder of a training that was killed and has two checkpoints."""
        folder = self.folder / "stopped"
        if not folder.exists():
            ended = attempt(self.side, folder, Plan(at_step=_STOPPED_AT, act=KILL))
            assert ended.code == -signal.SIGKILL, ended.said
        return folder


def _killed(drill: Drill, draws: str) -> Iterator[tuple[Path, str]]:
    """SIGKILL in a random step after the first checkpoint, and what came of the same command."""
    for folder in drill.folders():
        plan = Plan(at_step=drill.draw.randrange(SAVE_EVERY + 1, NUM_STEPS), act=KILL, draws=draws)
        ended = attempt(drill.side, folder, plan)
        assert ended.code == -signal.SIGKILL, ended.said
        yield folder, drill.again(folder, plan)


def killed(drill: Drill, draws: str) -> list[str]:
    """SIGKILL in a random step."""
    return [outcome for _, outcome in _killed(drill, draws)]


def repeated(drill: Drill, draws: str) -> list[str]:
    """Nothing happens at all."""
    return [drill.again(folder, Plan(draws=draws)) for folder in drill.folders()]


def recorded(drill: Drill) -> list[str]:
    """What the records tell after a SIGKILL."""
    expected, outcomes = drill.side.records(drill.undisturbed()), []
    for folder, _ in _killed(drill, ""):
        found = drill.side.records(folder)
        once = [step for step, _ in found] == list(range(1, NUM_STEPS + 1))
        losses = "same losses" if found == expected else "other losses"
        outcomes.append(f"every step once, {losses}" if once else "steps lost or told twice")
    return outcomes


def killed_in_save(drill: Drill) -> list[str]:
    """SIGKILL at a random time while a checkpoint is written."""
    outcomes = []
    for folder in drill.folders():
        plan = Plan(in_save=drill.draw.randrange(2, NUM_STEPS // SAVE_EVERY), share=drill.draw.uniform(0.05, 0.9))
        ended = attempt(drill.side, folder, plan)
        assert ended.code == -signal.SIGKILL, ended.said
        outcomes.append(drill.again(folder))
    return outcomes


def terminated(drill: Drill, pace: float = 0.0, pause: float = 0.0) -> list[str]:
    """SIGTERM in a random step; where the training is slow, there it is most likely to act on it."""
    outcomes = []
    for folder in drill.folders():
        step = drill.draw.randrange(SAVE_EVERY + 1, 2 * SAVE_EVERY)
        plan = Plan(at_step=step, act=send(signal.SIGTERM), pace=pace, pause=pause, on_sigterm=True)
        ended = attempt(drill.side, folder, plan)
        newest = drill.side.checkpoints(folder)[0].name
        late = int(newest.rpartition("-")[2]) - step
        stored = "stored after that step" if late <= 1 else f"stored {late * (pace + pause):.0f} s later"
        outcomes.append(f"{ended}, {stored}; again: {drill.again(folder, plan)}")
    return outcomes


def damaged(drill: Drill, damage: Callable[[Drill, Path], None]) -> list[str]:
    """The newest of two checkpoints is damaged while nothing runs."""
    outcomes = []
    for folder in drill.folders():
        shutil.copytree(drill.stopped(), folder, dirs_exist_ok=True)
        damage(drill, drill.side.checkpoints(folder)[0])
        outcomes.append(drill.again(folder))
    return outcomes


def cut(drill: Drill, checkpoint: Path) -> None:
    """Cut the weights at a random byte."""
    file = checkpoint / drill.side.weights_file
    file.write_bytes(file.read_bytes()[: drill.draw.randrange(file.stat().st_size)])


def emptied(drill: Drill, checkpoint: Path) -> None:
    """Empty the optimizer's file."""
    (checkpoint / drill.side.optimizer_file).write_bytes(b"")


def flipped(drill: Drill, checkpoint: Path) -> None:
    """Flip one bit of one byte in the tensors, which stand after the header."""
    file = checkpoint / drill.side.weights_file
    data = bytearray(file.read_bytes())
    place = drill.draw.randrange(8 + int.from_bytes(data[:8], "little"), len(data))
    data[place] ^= 1 << drill.draw.randrange(8)
    file.write_bytes(data)


def removed(drill: Drill, checkpoint: Path) -> None:
    """Remove the file that says where the training stands."""
    (checkpoint / drill.side.state_file).unlink()


def without_room(drill: Drill) -> list[str]:
    """A limit on the size of files, from a random step on."""
    outcomes = []
    for folder in drill.folders():
        room = drill.draw.randrange(100_000, 600_000)
        step = drill.draw.randrange(SAVE_EVERY + 1, NUM_STEPS - SAVE_EVERY)
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room))
        plan = Plan(at_step=step, act=limit, num_kept=1)
        text = f"{attempt(drill.side, folder, plan)}; again: {(then := drill.again(folder, plan))}"
        if then != SAME:
            shutil.rmtree(drill.side.checkpoints(folder)[0])
            is_left = bool(drill.side.checkpoints(folder))
            text += f"; the newest removed by hand: {drill.again(folder, plan) if is_left else 'none is left'}"
        outcomes.append(text)
    return outcomes


def together(drill: Drill) -> list[str]:
    """Two processes that are started in one folder at once."""
    outcomes = []
    for folder in drill.folders():
        ends = sorted(str(ended) for ended in attempts(drill.side, folder, UNDISTURBED, UNDISTURBED))
        same = drill.side.weights(folder) == drill.side.weights(drill.undisturbed())
        outcomes.append(f"{' and '.join(ends)}; {SAME if same else 'other weights'}")
    return outcomes


def planted(drill: Drill, number: int) -> list[str]:
    """A pickle that makes a file, in the place of a file of the newest checkpoint."""
    outcomes = []
    for folder in drill.folders():
        shutil.copytree(drill.stopped(), folder, dirs_exist_ok=True)
        file, canary = drill.side.checkpoints(folder)[0] / drill.side.pickled[number], folder / "canary"
        drill.side.plant(file, Canary(canary))
        then = drill.again(folder)
        outcomes.append(f"`{file.name}`: {'executed' if canary.exists() else 'not executed'}; {then}")
    return outcomes
