"""Do verdicts stay true while seeds are added? Equals are looked at eight times; and what it costs where they differ.

    python -m tests.benchmarks.looks_simulation [--repetitions NUMBER] [--render]

Scores are normal: a seed moves a run by `s` points, a config does better or worse in a text and in a question, and the
rest is chance. Each experiment is looked at with 2, 3, 4, 5, 6, 8, 10 and 13 seeds, by the functions that `qaexp
compare` calls. Writes tests/benchmarks/looks.json after each cell; cells that it has are not simulated again.
`--render` writes the tables of docs/statistics.md from it.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import ndtri
from scipy.stats import beta

from qaexp.comparison.statistics.difference import Difference
from qaexp.comparison.statistics.paired import paired_groups, separate_groups
from tests.benchmarks.simulation.writing import percent, table

RESULTS = Path(__file__).with_name("looks.json")
PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
COMMAND = "python -m tests.benchmarks.looks_simulation"
LOOKS = (2, 3, 4, 5, 6, 8, 10, 13)
SHOWN = (3, 5, 8, 13)
"""Seeds at which power is shown."""
REPETITIONS = 2000
LEVEL = 0.05
OF_TEXTS, OF_QUESTIONS, OF_CHANCE = 4.0, 12.0, 20.0
"""Standard deviations, in points: a config in a text, in a question, and a run in a question."""
STEPS = 3.0
"""The true difference whose power is shown, in standard errors of the median experiment at each look."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """What is simulated.

    Attributes:
        kind: `same` or `other` seeds in the two groups.
        seed: What a seed does to a run, in points.
        questions: How many.
        texts: How many texts they are about.
    """

    kind: str
    seed: float
    questions: int
    texts: int

    @property
    def key(self) -> str:
        return f"{self.kind} seeds; s {self.seed:g}; {self.questions} questions; {self.texts} texts"


def plan() -> list[Cell]:
    """All cells: a text has at least one question."""
    return [
        Cell(kind, seed, questions, texts)
        for kind in ("same", "other")
        for seed in (2.0, 4.0, 12.0)
        for questions in (50, 100, 300, 1152)
        for texts in (5, 10, 20, 137)
        if texts <= questions
    ]


def fixed(one: Difference) -> float:
    """The test for one planned look."""
    return one.p


def anytime(one: Difference) -> float:
    """The default of `qaexp compare`."""
    return one.at_any_look().p


def spending(one: Difference) -> float:
    """Alpha spending by the number of seeds, as 1 / (n (n - 1)), whatever the looks have in common."""
    num = one.variance.values[0]
    return min(1.0, one.p * num * (num - 1))


def mixture(one: Difference) -> float:
    """The normal mixture e-process (Robbins 1970), its variance estimated, tuned to eight times that variance."""
    squared = float(ndtri(max(one.p, 1e-300) / 2)) ** 2
    return min(1.0, 3.0 * float(np.exp(-squared / 2 * 8 / 9)))


WAYS: dict[str, Callable[[Difference], float]] = {
    "fixed": fixed,
    "anytime": anytime,
    "spending": spending,
    "mixture": mixture,
}


def experiments(cell: Cell, repetitions: int) -> Iterator[list[Difference]]:
    """Two equal groups at each look."""
    texts = texts_of(cell)
    test = paired_groups if cell.kind == "same" else separate_groups
    for a, b in drawn_groups(cell, repetitions):
        yield [test(a[:num], b[:num], texts) for num in LOOKS]


def drawn_groups(cell: Cell, repetitions: int) -> Iterator[tuple[Floats, Floats]]:
    """The scores of two equal groups, seeds by questions."""
    generator = np.random.default_rng([zlib.crc32(cell.key.encode()), repetitions])
    for _ in range(repetitions):
        a, b = (_group(cell, texts_of(cell), generator) for _ in range(2))
        yield a, b


def texts_of(cell: Cell) -> npt.NDArray[np.intp]:
    """The text of each question."""
    return np.sort(np.arange(cell.questions, dtype=np.intp) % cell.texts)


def _group(cell: Cell, texts: npt.NDArray[np.intp], generator: np.random.Generator) -> Floats:
    config = OF_TEXTS * generator.standard_normal(cell.texts)[texts]
    config = config + OF_QUESTIONS * generator.standard_normal(cell.questions)
    seeds = cell.seed * generator.standard_normal((max(LOOKS), 1))
    return config + seeds + OF_CHANCE * generator.standard_normal((max(LOOKS), cell.questions))


def simulate(cell: Cell, repetitions: int) -> dict[str, Any]:
    """Of each way: how often equals get a verdict at some look, and how often a difference does at each."""
    drawn = list(experiments(cell, repetitions))
    errors = np.median([[one.standard_error for one in looks] for looks in drawn], axis=0)
    found: dict[str, Any] = {"repetitions": repetitions}
    for name, way in WAYS.items():
        wrong = sum(any(way(one) <= LEVEL for one in looks) for looks in drawn)
        power = {
            num: float(np.mean([way(moved(looks[at], STEPS * float(errors[at]))) <= LEVEL for looks in drawn]))
            for at, num in enumerate(LOOKS)
            if num in SHOWN
        }
        found[name] = {"wrong": wrong, "found": {str(num): round(rate, 4) for num, rate in power.items()}}
    return found


def moved(one: Difference, points: float) -> Difference:
    """The same experiment where b is so many points better: its p-value is that of the other truth."""
    p = Difference.p_of(one, -points)
    return Difference(
        one.difference + points, one.low + points, one.high + points, p, one.standard_error, one.df, one.variance
    )


def upper(wrong: int, repetitions: int) -> float:
    """The upper end of the one-sided 95 % interval of a rate (Clopper and Pearson 1934)."""
    return 1.0 if wrong == repetitions else float(beta.ppf(0.95, wrong + 1, repetitions - wrong))


def known() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"cells": {}}


def main(repetitions: int) -> None:
    """Simulate the cells that are missing."""
    for cell in plan():
        results = known()
        if results["cells"].get(cell.key, {}).get("repetitions", 0) < repetitions:
            results["cells"][cell.key] = found = simulate(cell, repetitions)
            print(cell.key, {name: found[name]["wrong"] for name in WAYS}, flush=True)
            order = [one.key for one in plan() if one.key in results["cells"]]
            results = {
                "command": COMMAND,
                "machine": f"{platform.machine()}, {platform.system()}",
                "versions": f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}",
                "cells": {key: results["cells"][key] for key in order},
            }
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with its two tables written anew."""
    for name, text in (("sizes", _sizes(results["cells"])), ("ways", _ways(results))):
        marks = rf"(<!-- {name} of looks -->).*?(<!-- end of {name} -->)"
        page = re.sub(marks, lambda match, text=text: f"{match[1]}\n\n{text}\n\n{match[2]}", page, flags=re.DOTALL)
    return page


def _sizes(cells: dict[str, Any]) -> str:
    """One row for each number of questions and texts: size, its upper bound, and power, the worst and mean over s."""
    rows = []
    for kind in ("same", "other"):
        for questions, texts in dict.fromkeys((cell.questions, cell.texts) for cell in plan()):
            several = [
                cells[cell.key]
                for cell in plan()
                if (cell.kind, cell.questions, cell.texts) == (kind, questions, texts)
            ]
            row = [f"{kind}, {questions:,} on {texts}"]
            for name in ("fixed", "anytime"):
                worst = max(several, key=lambda one, name=name: one[name]["wrong"] / one["repetitions"])
                rate = worst[name]["wrong"] / worst["repetitions"]
                row.append(f"{percent(rate)} ({percent(upper(worst[name]['wrong'], worst['repetitions']))})")
            for num in SHOWN:
                row.append(" / ".join(_mean(several, name, num) for name in ("fixed", "anytime")))
            rows.append(row)
    head = ["seeds, questions on texts", "fixed: wrong", "anytime: wrong", *(f"found at {num}" for num in SHOWN)]
    return table(head, rows)


def _ways(results: dict[str, Any]) -> str:
    cells = list(results["cells"].values())
    rows = []
    for name in WAYS:
        rates = [one[name]["wrong"] / one["repetitions"] for one in cells]
        worst = max(upper(one[name]["wrong"], one["repetitions"]) for one in cells)
        row = [name, percent(max(rates)), percent(worst), percent(float(np.mean(rates)))]
        rows.append([*row, *(_mean(cells, name, num) for num in SHOWN)])
    head = ["way", "wrong, worst", "its upper bound", "wrong, mean", *(f"found at {num}" for num in SHOWN)]
    return f"{table(head, rows)}\n\n`{results['command']}` ({results['machine']}; {results['versions']})."


def _mean(cells: list[dict[str, Any]], name: str, num: int) -> str:
    return f"{100 * float(np.mean([one[name]['found'][str(num)] for one in cells])):.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    if arguments.render:
        PAGE.write_text(rendered(PAGE.read_text("utf-8"), known()), "utf-8")
    else:
        main(arguments.repetitions)
