"""Do other packages' verdicts stay true while seeds are added? The experiments of looks_simulation.py, given to them.

    python -m tests.benchmarks.peers.any_look --python PYTHON [--repetitions NUMBER] [--render]

PYTHON is that of an environment with numpy, `evalsig` and `errorbars`. Neither package knows of training seeds: each
run is a list of scores of questions. So they get what their users would give them: the mean over the seeds that are
there, of each question, and the text that it is about. `evalsig: compare` is its cluster bootstrap with 400 resamples
(its default of 10,000 takes 25 times as long), `evalsig: sequence` its confidence sequence over questions, which has
no clusters, `errorbars` its paired t test with clusters. Writes any_look.json after each cell; cells that it has are
not simulated again. `--render` writes the table of docs/statistics.md from it.
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

from qaexp.comparison.statistics.paired import paired_groups
from tests.benchmarks.looks_simulation import (
    LEVEL,
    LOOKS,
    PAGE,
    SHOWN,
    STEPS,
    Cell,
    drawn_groups,
    moved,
    texts_of,
    upper,
)
from tests.benchmarks.looks_simulation import plan as all_cells
from tests.benchmarks.simulation.writing import percent, table

RESULTS = Path(__file__).with_name("any_look.json")
COMMAND = "python -m tests.benchmarks.peers.any_look --python PYTHON"
REPETITIONS = 100
OTHERS = ("evalsig: compare", "evalsig: sequence", "errorbars")
WAYS = ("qaexp", *OTHERS)

_ASK = """
import sys
from importlib.metadata import version
import numpy as np
from errorbars.compare import paired_compare
from evalsig import ItemResult, RunFrame, compare, confidence_sequence

def frame(name, scores, texts):
    items = [ItemResult(str(at), float(one), str(text)) for at, (one, text) in enumerate(zip(scores, texts))]
    return RunFrame(name, name, "qa", "f1", items)

def said(a, b, texts):
    test = compare(frame("a", a, texts), frame("b", b, texts), cluster="text", n_resamples=400)
    sequence = confidence_sequence(b - a)
    clustered = paired_compare(b, a, clusters=texts)
    return [test.significant, sequence.stopped, clustered.p_value_clustered <= 0.05]

given = np.load(sys.argv[1])
a, b, texts = given["a"], given["b"], given["texts"]
answers = [[said(one, other, texts) for one, other in zip(*looks)] for looks in zip(a, b)]
np.save(sys.argv[2], np.array(answers, dtype=bool))
print(", ".join(f"{name} {version(name)}" for name in ("evalsig", "errorbars", "numpy")))
"""


def plan() -> list[Cell]:
    """All cells of looks_simulation.py in which both groups have the same seeds."""
    return [cell for cell in all_cells() if cell.kind == "same"]


def simulate(cell: Cell, repetitions: int, python: Path) -> tuple[dict[str, Any], str]:
    """Of each package: how often equals get a verdict at some look, and how often a difference does at each."""
    texts = texts_of(cell)
    groups = list(drawn_groups(cell, repetitions))
    looks = [[paired_groups(a[:num], b[:num], texts) for num in LOOKS] for a, b in groups]
    steps = STEPS * np.median([[one.standard_error for one in several] for several in looks], axis=0)
    means = np.array([[[side[:num].mean(axis=0) for num in LOOKS] for side in both] for both in groups])
    a, b = means[:, 0], means[:, 1]
    equal, versions = ask(a, b, texts, python)
    differ, _ = ask(a, b + steps[None, :, None], texts, python)
    found: dict[str, Any] = {"repetitions": repetitions}
    ours = [[one.at_any_look().p <= LEVEL for one in several] for several in looks]
    ours_differ = [
        [moved(one, step).at_any_look().p <= LEVEL for one, step in zip(several, steps, strict=True)]
        for several in looks
    ]
    answers = {"qaexp": (np.array(ours), np.array(ours_differ))}
    answers |= {name: (equal[..., at], differ[..., at]) for at, name in enumerate(OTHERS)}
    for name, (wrong, right) in answers.items():
        power = {str(num): round(float(right[:, LOOKS.index(num)].mean()), 4) for num in SHOWN}
        found[name] = {"wrong": int(wrong.any(axis=1).sum()), "found": power}
    return found, versions


def ask(a: np.ndarray, b: np.ndarray, texts: np.ndarray, python: Path) -> tuple[np.ndarray, str]:
    """What the packages say: (experiments, looks, packages), and their versions."""
    with tempfile.TemporaryDirectory() as folder:
        given, answers = Path(folder) / "given.npz", Path(folder) / "answers.npy"
        np.savez(given, a=a, b=b, texts=texts)
        done = subprocess.run([python, "-c", _ASK, given, answers], capture_output=True, text=True, check=True)
        return np.load(answers), done.stdout.strip()


def known() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"cells": {}}


def main(repetitions: int, python: Path) -> None:
    """Simulate the cells that are missing."""
    for cell in plan():
        cells = known()["cells"]
        if cells.get(cell.key, {}).get("repetitions", 0) < repetitions:
            cells[cell.key], versions = found, _ = simulate(cell, repetitions, python)
            print(cell.key, {name: found[name]["wrong"] for name in WAYS}, flush=True)
            results = {
                "command": COMMAND,
                "machine": f"{platform.machine()}, {platform.system()}",
                "versions": f"python {platform.python_version()}, {versions}",
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
    return f"{table(head, rows)}\n\n`{results['command']}`\n({results['machine']}; {results['versions']})."


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    if arguments.render:
        PAGE.write_text(rendered(PAGE.read_text("utf-8"), known()), "utf-8")
    elif arguments.python is None:
        parser.error("--python is needed: that of an environment with evalsig and errorbars")
    else:
        main(arguments.repetitions, arguments.python)
