"""Studies of made-up runs, written in a moment: what relations compare with changed copies of themselves."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.shown.document import document
from qaexp.config.schema import neutral_keys
from qaexp.runs.readers.defaults import default_leaves
from qaexp.runs.short_words import value_text
from tests.fixtures.compared import edit, write_run
from tests.relations.teeth import VARIABLE

Floats = npt.NDArray[np.float64]
NewFolder = Callable[[], Path]
NUM, PER_PARAGRAPH = 96, 6
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
COLLAPSED = [{"name": "null_collapse", "step": 3, "advice": "x"}]
NAMES = tuple(f"lr={value_text(rate)}" for rate in RATES)
NOISE = 0.5

_PHASES = (Phase.explicit, Phase.generate) if os.environ.get(VARIABLE) else tuple(Phase)
"""Whoever breaks things on purpose does not ask for the smallest example."""


def examples(number: int) -> Any:
    """The same few examples in every run."""
    return settings(
        max_examples=max(2, number // 3) if os.environ.get(VARIABLE) else number,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[phase for phase in _PHASES if phase not in (Phase.reuse, Phase.explain)],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@cache
def default_options() -> Options:
    return Options(neutral=neutral_keys(), defaults=default_leaves())


def compared(*paths: Path, **options: Any) -> Comparison:
    return compare(paths, replace(default_options(), **options))


def answers(draw: int, skill: float, seed: int = 0, *, num: int = NUM, config: int = 0) -> Floats:
    """F1 of each question: 0, 50 or 100, by its hardness, what the config and the seed do, and chance."""
    hardness = np.random.default_rng(5).normal(size=num)
    of_config = np.random.default_rng([draw, 1, config]).normal(size=num) * 0.4
    of_seed = np.random.default_rng([draw, 2, seed]).normal() * 0.15
    chance = np.random.default_rng([draw, 3, config, seed]).normal(size=num) * NOISE
    sums = hardness + of_config + of_seed + chance + (skill - 50) / 28
    return np.where(sums > 0, 100.0, np.where(sums > -0.2, 50.0, 0.0))


@dataclass(frozen=True)
class Plan:
    """A study: what each group can do, by its place, and its seeds.

    Attributes:
        draw: Of everything that chance decides.
        skills: The mean f1 that each group aims at.
        seeds: Those of each group.
    """

    draw: int
    skills: tuple[int, ...]
    seeds: tuple[tuple[int, ...], ...]

    def write(self, folder: Path, **more: Any) -> Path:
        """Write its runs, a learning rate a group."""
        for place, (skill, seeds) in enumerate(zip(self.skills, self.seeds, strict=True)):
            for seed in seeds:
                f1 = answers(self.draw, skill, seed, config=place)
                add(folder, f"g{place}s{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed}, **more)
        return folder


SEEDS = ((0,), (0, 1), (0, 1, 2), (1, 2, 3), (0, 1, 2, 3, 4), (7, 8, 9))


def plans(*, groups: tuple[int, int] = (2, 4), seeds: Sequence[tuple[int, ...]] = SEEDS) -> st.SearchStrategy[Plan]:
    """Studies of so many groups; two of three have the same seeds in all groups."""

    def of_size(size: int) -> st.SearchStrategy[Plan]:
        each = st.sampled_from(seeds)
        alike = each.map(lambda one: (one,) * size)
        return st.builds(
            Plan,
            draw=st.integers(0, 10**6),
            skills=st.tuples(*[st.sampled_from((35, 50, 53, 60, 80))] * size),
            seeds=st.one_of(alike, alike, st.tuples(*[each] * size)),
        )

    return st.integers(*groups).flatmap(of_size)


def add(folder: Path, name: str, f1: Floats, changes: dict[str, Any] | None = None, **more: Any) -> Path:
    """Write one run; `paragraphs` gives the paragraph of each question, `config_name` its `name`."""
    paragraphs, config_name = more.pop("paragraphs", None), more.pop("config_name", "study")
    more.setdefault("per_paragraph", PER_PARAGRAPH)
    run = write_run(folder / name, f1, changes={**(changes or {}), "name": config_name}, **more)
    if paragraphs is not None:
        change_scores(run, {"paragraph": [f"p{number:04d}" for number in paragraphs]})
    return run


def change_scores(run: Path, columns: dict[str, Sequence[Any]], name: str = "scores.csv") -> None:
    """Change or add columns of scores.csv; `name` says into which file the table goes."""
    with (run / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for key, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[key] = value
    with (run / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def add_test(run: Path, f1: Floats) -> None:
    """Give a run a test set with these scores."""
    exact = np.where(f1 == 100, 100.0, 0.0)
    columns = {"f1": f1, "crossfit_f1": f1, "exact": exact, "crossfit_exact": exact}
    change_scores(run, {key: [float(one) for one in values] for key, values in columns.items()}, "test_scores.csv")
    edit(run / "summary.json", test_f1=float(f1.mean()), test_exact=float(exact.mean()))


def add_set(run: Path, name: str, f1: Floats, sha256: str | None = None) -> None:
    """Give a run an evaluation set with these scores; `sha256` is that of its file."""
    exact = np.where(f1 == 100, 100.0, 0.0)
    (run / "test_sets").mkdir(exist_ok=True)
    ids = [f"{name}{number:04d}" for number in range(len(f1))]
    change_scores(run, {"id": ids, "f1": f1.tolist(), "exact": exact.tolist()}, f"test_sets/{name}.csv")
    edit(run / "summary.json", **{f"test_{name}_f1": float(f1.mean()), f"test_{name}_exact": float(exact.mean())})
    hashes = json.loads((run / "data.json").read_text("utf-8"))["sha256"]
    edit(run / "data.json", sha256={**hashes, f"test_{name}": sha256 or name})


def stated(comparison: Comparison) -> dict[str, Any]:
    """All that is stated about groups: nothing of it may depend on what folders are called."""
    found = document(comparison)
    return {key: found[key] for key in ("metric", "baseline", "baseline_reason", "clusters", "groups", "contrasts")}


def only(comparison: Comparison) -> Contrast:
    """The contrast of two groups."""
    ((contrast,),) = [table.contrasts for table in comparison.tables]
    return contrast


def pair_of(comparison: Comparison, a: str, b: str) -> Contrast:
    """The contrast of two groups, whichever stands first."""
    found = [one for table in comparison.tables for one in table.contrasts if {one.a, one.b} == {a, b}]
    return found[0]


def crossed(*levels: int) -> list[tuple[int, ...]]:
    """Every combination of so many values each."""
    return list(itertools.product(*map(range, levels)))
