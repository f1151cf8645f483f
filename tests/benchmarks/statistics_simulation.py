"""Are the intervals and the p-values of `qaexp compare` honest? Thousands of experiments whose truth is known.

    python -m tests.benchmarks.statistics_simulation [--cells WORD ...] [--repetitions NUMBER] [--again] [--render]

Simulates the cells whose name holds all the words, by the very functions that `qaexp compare` calls, writes
tests/benchmarks/statistics.json after each, and renders the tables of docs/statistics.md from it. Cells that the file
already has with as many repetitions are not simulated again, so that a stopped run can go on.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from tests.benchmarks.simulation.cells import Cell, simulate
from tests.benchmarks.simulation.plan import plan
from tests.benchmarks.simulation.rendering import rendered
from tests.benchmarks.simulation.trials import kept_resamples

RESULTS = Path(__file__).with_name("statistics.json")
PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
COMMAND = "python -m tests.benchmarks.statistics_simulation"


def known() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"cells": {}}


def main(words: Sequence[str], repetitions: int | None, *, again: bool) -> None:
    """Simulate, and write the results after each cell."""
    cells = [cell for cell in plan() if all(word in cell.key for word in words)]
    if repetitions:
        cells = [replace(cell, repetitions=min(repetitions, cell.repetitions)) for cell in cells]
    for cell in cells:
        done = known()["cells"].get(cell.key)
        if again or done is None or done["repetitions"] < cell.repetitions:
            began = time.perf_counter()
            with kept_resamples():
                found = simulate(cell)
            save(cell, found | {"seconds": round(time.perf_counter() - began, 1)})
            print(f"{cell.key}: {found}", flush=True)


def save(cell: Cell, found: dict[str, Any]) -> None:
    """Keep one cell's results, in the order of the plan."""
    cells = known()["cells"] | {cell.key: found}
    order = [one.key for one in plan() if one.key in cells]
    results = {
        "command": COMMAND,
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "cells": {key: cells[key] for key in order},
    }
    # Replaced as a whole: a run that is stopped here keeps what it has.
    written = RESULTS.with_suffix(".json.part")
    written.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    written.replace(RESULTS)


def render() -> None:
    """Write the tables into the page."""
    PAGE.write_text(rendered(PAGE.read_text("utf-8"), known()), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate experiments whose truth is known.")
    parser.add_argument(
        "--cells", nargs="*", default=[], metavar="WORD", help="only cells with all of them in the name"
    )
    parser.add_argument("--repetitions", type=int, help="at most so many of each")
    parser.add_argument("--again", action="store_true", help="also cells that are known")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    asked = parser.parse_args()
    if not asked.render:
        main(asked.cells, asked.repetitions, again=asked.again)
    render()
