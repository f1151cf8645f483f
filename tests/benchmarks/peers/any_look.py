"""Do other packages' verdicts stay true while seeds are added? The experiments of looks_simulation.py, given to them.

    python -m tests.benchmarks.peers.any_look --python PYTHON [--repetitions NUMBER] [--render]

PYTHON is that of an environment with `evalsig`, `errorbars` and `mushin-py[eval]`. The first two know of no training
seeds: each run is a list of scores of questions. So they get what their users would give them: the mean over the seeds
that are there, of each question, and the text that it is about. mushin takes the seeds as they are. `evalsig: compare`
is its cluster bootstrap with 400 resamples (its default of 10,000 takes 25 times as long), `evalsig: sequence` its
confidence sequence over questions, which has no clusters, `errorbars` its paired t test with clusters, `mushin: seeds`
its Welch test over the runs' means, `mushin: both` that test where its cluster bootstrap over questions says the same,
as its docs ask for. Writes any_look.json after each package of a cell; what it has is not simulated again. `--render`
writes the table of docs/statistics.md from it.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import qaexp
from qaexp.comparison.statistics.difference import Difference
from qaexp.comparison.statistics.paired import paired_groups
from tests.benchmarks.looks_simulation import (
    LEVEL,
    LOOKS,
    PAGE,
    SHOWN,
    STEPS,
    Cell,
    Floats,
    drawn_groups,
    moved,
    texts_of,
    upper,
)
from tests.benchmarks.looks_simulation import plan as all_cells
from tests.benchmarks.peers import asked
from tests.benchmarks.peers.asked import PACKAGES
from tests.benchmarks.simulation.writing import percent, table

RESULTS = Path(__file__).with_name("any_look.json")
COMMAND = "python -m tests.benchmarks.peers.any_look --python PYTHON"
REPETITIONS = 100
MINE = "qaexp"
"""The package that needs no other Python."""
WAYS_OF = {MINE: (MINE,), **{name: ways for name, (_, ways) in PACKAGES.items()}}
WAYS = tuple(way for ways in WAYS_OF.values() for way in ways)


def plan() -> list[Cell]:
    """All cells of looks_simulation.py in which both groups have the same seeds."""
    return [cell for cell in all_cells() if cell.kind == "same"]


def simulate(cell: Cell, repetitions: int, package: str, python: Path) -> tuple[dict[str, Any], str]:
    """Of each way of a package: how often equals get a verdict at some look, and how often a difference does at each.

    And its version.
    """
    texts = texts_of(cell)
    groups = list(drawn_groups(cell, repetitions))
    looks = [[paired_groups(a[:num], b[:num], texts) for num in LOOKS] for a, b in groups]
    steps = STEPS * np.median([[one.standard_error for one in several] for several in looks], axis=0)
    if package == MINE:
        answers, version = ours(looks, steps), qaexp.__version__
    else:
        answers, version = ask(package, groups, texts, steps, python)
    found = {}
    for name, (equal, differ) in zip(WAYS_OF[package], np.moveaxis(answers, -1, 0), strict=True):
        power = {str(num): round(float(differ[:, LOOKS.index(num)].mean()), 4) for num in SHOWN}
        found[name] = {"wrong": int(equal.any(axis=1).sum()), "found": power}
    return found, version


def ours(looks: list[list[Difference]], steps: np.ndarray) -> np.ndarray:
    """What qaexp says: (without steps and with them, experiments, looks, 1)."""
    equal = [[one.at_any_look().p <= LEVEL for one in several] for several in looks]
    differ = [
        [moved(one, step).at_any_look().p <= LEVEL for one, step in zip(several, steps, strict=True)]
        for several in looks
    ]
    return np.array([equal, differ])[..., None]


def ask(
    package: str, groups: list[tuple[Floats, Floats]], texts: np.ndarray, steps: np.ndarray, python: Path
) -> tuple[np.ndarray, str]:
    """What a package says: (without steps and with them, experiments, looks, answers), and its version."""
    with tempfile.TemporaryDirectory() as folder:
        given, answers = Path(folder) / "given.npz", Path(folder) / "answers.npy"
        a, b = (np.array(side) for side in zip(*groups, strict=True))
        np.savez(given, a=a, b=b, texts=texts, looks=LOOKS, steps=steps)
        command = [python, asked.__file__, given, answers, package]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return np.load(answers), done.stdout.split()[-1]


def known() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"versions": {}, "cells": {}}


def main(repetitions: int, python: Path) -> None:
    """Simulate what is missing of each cell."""
    for cell in plan():
        for package, ways in WAYS_OF.items():
            results = known()
            cells, versions = results["cells"], results["versions"]
            one = cells.get(cell.key, {"repetitions": repetitions})
            if all(name in one for name in ways) and one["repetitions"] >= repetitions:
                continue
            found, version = simulate(cell, repetitions, package, python)
            print(cell.key, {name: found[name]["wrong"] for name in ways}, flush=True)
            here = {"python": platform.python_version(), "numpy": np.__version__}
            same = one if one["repetitions"] == repetitions else {"repetitions": repetitions}
            cells[cell.key] = {**same, **found}
            results = {
                "command": COMMAND,
                "machine": f"{platform.machine()}, {platform.system()}",
                "versions": {**versions, **here, package: version},
                "cells": {one.key: cells[one.key] for one in plan() if one.key in cells},
            }
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with its table written anew."""
    marks = r"(<!-- other packages at looks -->).*?(<!-- end of other packages -->)"
    return re.sub(marks, lambda match: f"{match[1]}\n\n{_table(results)}\n\n{match[2]}", page, flags=re.DOTALL)


def _table(results: dict[str, Any]) -> str:
    """One row for each cell: wrong verdicts of each package with their upper bounds, and what is found at 13 seeds."""
    rows = []
    for cell in plan():
        one = results["cells"][cell.key]
        rates = [(one[name]["wrong"], one["repetitions"]) for name in WAYS]
        wrong = [f"{percent(num / of)} ({percent(upper(num, of))})" for num, of in rates]
        shown = " / ".join(f"{100 * one[name]['found']['13']:.0f}" for name in WAYS)
        rows.append([f"{cell.questions:,} on {cell.texts}, s {cell.seed:g}", *wrong, shown])
    head = ["questions on texts, s", *(f"{name}: wrong" for name in WAYS), "found at 13"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"{table(head, rows)}\n\n`{results['command']}`\n({results['machine']}; {versions})."


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    if arguments.render:
        PAGE.write_text(rendered(PAGE.read_text("utf-8"), known()), "utf-8")
    elif arguments.python is None:
        parser.error("--python is needed: that of an environment with evalsig, errorbars and mushin-py[eval]")
    else:
        main(arguments.repetitions, arguments.python)
