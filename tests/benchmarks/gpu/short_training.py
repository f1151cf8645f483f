"""A short training in a process of its own: the hash of its weights and its speed, as one JSON line."""

from __future__ import annotations

import json
import sys

from qaexp.training.precision import choose_device
from tests.benchmarks.gpu.contenders import Ours
from tests.benchmarks.gpu.workload import BASE, TINY
from tests.fixtures.tiny_training import digest


def main(words: list[str]) -> None:
    """Train two turns; words: `deterministic` or `plain`, and `--rehearse` for the tiny model."""
    work = TINY if "--rehearse" in words else BASE
    ours = Ours(work, choose_device("auto"), deterministic="deterministic" in words)
    ours.turn()
    print(json.dumps({"rate": ours.turn().rate, "digest": digest(ours.state.model)}))


if __name__ == "__main__":
    main(sys.argv[1:])
