"""Grouping by one key parts the runs; what else differs is averaged, and never taken for seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.compare import Table
from qaexp.comparison.groups import Group
from tests.relations.studies import RATES, NewFolder, add, answers, compared, crossed

KEYS = ("optimizer.lr", "trainer.epochs", "seed", "seeds.init", "data.train_size", "name")


def grid(folder: Path, seeds: Sequence[int] = (0, 1, 2), *, gaps: bool = False) -> Path:
    """Two rates by two numbers of epochs by seeds; with gaps one run is missing."""
    for rate, epochs in crossed(2, 2):
        for seed in seeds:
            if not (gaps and (rate, epochs, seed) == (1, 1, 0)):
                f1 = answers(8, 50 + 12 * rate + 3 * epochs, seed, config=2 * rate + epochs)
                changes = {"optimizer.lr": RATES[rate], "trainer.epochs": epochs + 1, "seed": seed}
                add(folder, f"{rate}{epochs}{seed}", f1, changes)
    return folder


def table_by(folder: Path, key: str | None) -> Table:
    (table,) = compared(folder, by=key).tables
    return table


@pytest.mark.parametrize("key", [None, *KEYS])
def test_groups_part_the_runs_and_no_group_meets_itself(new_folder: NewFolder, key: str | None) -> None:
    folder = grid(new_folder())
    table = table_by(folder, key)
    paths = [entry.run.path for group in table.groups for entry in group.entries]
    assert sorted(paths) == sorted(folder.iterdir())
    names = [group.name for group in table.groups]
    assert len(set(names)) == len(names)
    assert all(one.a != one.b for one in table.contrasts)
    assert sorted(group.number for group in table.groups) == list(range(1, len(names) + 1))


@pytest.mark.parametrize(("key", "settings", "num_seeds"), [("optimizer.lr", 2, 3), ("seed", 4, 1)])
def test_other_settings_are_averaged_and_never_counted_as_seeds(
    new_folder: NewFolder, key: str, settings: int, num_seeds: int
) -> None:
    table = table_by(grid(new_folder()), key)
    for group in table.groups:
        design = group.design
        assert (group.n, len(design.rows), design.num_settings) == (settings * num_seeds, num_seeds, settings)
        assert f"{settings} other settings" in design.words
        found = group.metrics["f1"]
        values = per_setting(group)
        assert len(values) == settings
        assert found.mean == pytest.approx(float(np.mean(values)))
        assert (found.sd is None) == (num_seeds == 1)
        assert found.over == ("seeds" if num_seeds > 2 else "questions")
    for one in table.contrasts:
        assert "other settings" in one.how
        assert len(one.tests["f1"].difference.variance.seeds) == (1 if num_seeds > 1 else 0)
        assert one.tests["f1"].difference.df <= 15


def per_setting(group: Group) -> list[float]:
    found: dict[str, list[float]] = {}
    for entry in group.entries:
        setting = f"{entry.run.config['optimizer']['lr']} {entry.run.config['trainer']['epochs']}"
        found.setdefault(setting, []).append(entry.metrics["f1"])
    return [float(np.mean(values)) for values in found.values()]


@pytest.mark.parametrize("key", ["optimizer.lr", "trainer.epochs"])
def test_a_grid_with_a_gap_gives_means_and_says_why_nothing_else(new_folder: NewFolder, key: str) -> None:
    table = table_by(grid(new_folder(), gaps=True), key)
    (contrast,) = table.contrasts
    assert contrast.verdict == "cannot tell"
    assert "do not all have the same seeds" in contrast.sentence
    a, b = table.group(contrast.a), table.group(contrast.b)
    gap = b.metrics["f1"].mean - a.metrics["f1"].mean
    assert contrast.tests["f1"].difference.difference == pytest.approx(gap)
    holed = next(group for group in table.groups if group.n == 5)
    assert (holed.metrics["f1"].low, holed.metrics["f1"].over) == (None, None)
    assert holed.metrics["f1"].problem is not None


@pytest.mark.parametrize("key", [None, *KEYS])
def test_every_difference_is_that_of_the_means_in_the_table(new_folder: NewFolder, key: str | None) -> None:
    table = table_by(grid(new_folder(), seeds=(0, 1)), key)
    for one in table.contrasts:
        for name, found in one.tests.items():
            means = [table.group(side).metrics[name].mean for side in (one.a, one.b)]
            assert found.difference.difference == pytest.approx(means[1] - means[0])


def test_averages_over_other_settings_are_not_compared(new_folder: NewFolder) -> None:
    folder = new_folder()
    for place, size in ((0, 100), (1, 200)):
        for epochs in (1, 2):
            changes = {"optimizer.lr": RATES[place], "trainer.epochs": epochs, "data.train_size": size}
            add(folder, f"{place}{epochs}", answers(8, 40 + 40 * place, config=place), changes)
    (contrast,) = table_by(folder, "optimizer.lr").contrasts
    assert contrast.verdict in ("better", "worse")
    for path in folder.iterdir():
        if path.name == "12":
            add(folder, "other", answers(8, 80, config=3), {"optimizer.lr": RATES[1], "trainer.epochs": 9})
    (contrast,) = table_by(folder, "optimizer.lr").contrasts
    assert contrast.verdict == "cannot tell"
    assert "other settings are not the same" in contrast.sentence
