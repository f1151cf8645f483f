"""Are groups called equivalent that differ by just what matters? Looked at eight times, while seeds are added.

    python -m tests.benchmarks.equivalence_simulation [--repetitions NUMBER] [--render]

The experiments are those of tests/benchmarks/looks_simulation.py, with b better by exactly `--relevant`, which is six
standard errors of the median experiment at 13 seeds. Writes tests/benchmarks/equivalence.json after each cell; cells
that it has are not simulated again. `--render` writes the table of docs/statistics.md from it.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from qaexp.comparison.statistics.difference import Difference
from tests.benchmarks.looks_simulation import LEVEL, LOOKS, PAGE, SHOWN, Cell, experiments, moved, upper
from tests.benchmarks.simulation.writing import percent, table

RESULTS = Path(__file__).with_name("equivalence.json")
COMMAND = "python -m tests.benchmarks.equivalence_simulation"
REPETITIONS = 2000
ERRORS = 6.0
"""What matters, in standard errors of the median experiment with the most seeds."""


def plan() -> list[Cell]:
    """Few, some and many questions and texts; seeds that hardly matter and seeds that decide."""
    return [
        Cell(kind, seed, questions, texts)
        for kind in ("same", "other")
        for questions, texts in ((50, 5), (100, 10), (300, 20), (1152, 137))
        for seed in (2.0, 4.0, 12.0)
    ]


def is_equivalent(one: Difference, relevant: float) -> bool:
    """As `qaexp compare` says it of a single contrast."""
    return -relevant < one.low and one.high < relevant and one.p_equivalent(relevant) <= LEVEL


def simulate(cell: Cell, repetitions: int) -> dict[str, Any]:
    """How often a difference that just matters is called equivalent at some look, and equals at each look."""
    drawn = list(experiments(cell, repetitions))
    relevant = ERRORS * float(np.median([looks[-1].standard_error for looks in drawn]))
    found: dict[str, Any] = {"repetitions": repetitions, "relevant": round(relevant, 3)}
    for name, priced in (("fixed", lambda one: one), ("anytime", Difference.at_any_look)):
        at_boundary = ([priced(moved(one, relevant)) for one in looks] for looks in drawn)
        wrong = sum(any(is_equivalent(one, relevant) for one in looks) for looks in at_boundary)
        said = {
            str(num): float(np.mean([is_equivalent(priced(looks[at]), relevant) for looks in drawn]))
            for at, num in enumerate(LOOKS)
            if num in SHOWN
        }
        found[name] = {"wrong": wrong, "found": {num: round(rate, 4) for num, rate in said.items()}}
    return found


def known() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"cells": {}}


def main(repetitions: int) -> None:
    """Simulate the cells that are missing."""
    for cell in plan():
        cells = known()["cells"]
        if cells.get(cell.key, {}).get("repetitions", 0) < repetitions:
            cells[cell.key] = found = simulate(cell, repetitions)
            print(cell.key, {name: found[name]["wrong"] for name in ("fixed", "anytime")}, flush=True)
            results = {
                "command": COMMAND,
                "machine": f"{platform.machine()}, {platform.system()}",
                "versions": f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}",
                "cells": {one.key: cells[one.key] for one in plan() if one.key in cells},
            }
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with its table written anew."""
    marks = r"(<!-- equivalence at looks -->).*?(<!-- end of equivalence -->)"
    return re.sub(marks, lambda match: f"{match[1]}\n\n{_table(results)}\n\n{match[2]}", page, flags=re.DOTALL)


def _table(results: dict[str, Any]) -> str:
    """One row for each number of questions and texts: the worst and the mean over s."""
    rows = []
    for kind, questions, texts in dict.fromkeys((cell.kind, cell.questions, cell.texts) for cell in plan()):
        wanted = (kind, questions, texts)
        several = [results["cells"][cell.key] for cell in plan() if (cell.kind, cell.questions, cell.texts) == wanted]
        row = [f"{kind}, {questions:,} on {texts}"]
        for name in ("fixed", "anytime"):
            wrong, of = max((one[name]["wrong"], one["repetitions"]) for one in several)
            row.append(f"{percent(wrong / of)} ({percent(upper(wrong, of))})")
        for num in SHOWN:
            rates = (np.mean([one[name]["found"][str(num)] for one in several]) for name in ("fixed", "anytime"))
            row.append(" / ".join(f"{100 * float(rate):.0f}" for rate in rates))
        rows.append(row)
    head = ["seeds, questions on texts", "fixed: wrong", "anytime: wrong", *(f"said at {num}" for num in SHOWN)]
    return f"{table(head, rows)}\n\n`{results['command']}` ({results['machine']}; {results['versions']})."


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    if arguments.render:
        PAGE.write_text(rendered(PAGE.read_text("utf-8"), known()), "utf-8")
    else:
        main(arguments.repetitions)
