"""What runs were computed with is a cause beside the config, unless both sides share it alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.comparison.compare import Comparison
from qaexp.comparison.diff import environment_differences
from tests.fixtures.compared import edit
from tests.relations.studies import NewFolder, Plan, compared, only

SEEDS = (0, 1, 2)
OTHER = {"versions": {"torch": "2.14.0"}, "threads": 2}


def study(
    folder: Path, others: dict[int, tuple[int, ...]], seeds: tuple[tuple[int, ...], ...] = (SEEDS, SEEDS)
) -> Path:
    """Write two groups; of each the runs of some seeds were computed with another torch."""
    Plan(3, (50, 60), seeds).write(folder)
    for place, chosen in others.items():
        for seed in chosen:
            edit(folder / f"g{place}s{seed}" / "env.json", **OTHER)
    return folder


def shown(comparison: Comparison) -> list[str]:
    return environment_differences(comparison.tables[0].by_number, comparison.machines)["versions.torch"]


@pytest.mark.parametrize("chosen", [(0,), (1,), (2,), (0, 1)])
@pytest.mark.parametrize("place", [0, 1])
def test_another_torch_in_some_runs_is_counted_and_confounds(
    new_folder: NewFolder, place: int, chosen: tuple[int, ...]
) -> None:
    comparison = compared(study(new_folder(), {place: chosen}))
    contrast = only(comparison)
    assert (contrast.single_factor, list(contrast.machines)) == (False, ["versions.torch"])
    assert contrast.factors == ["optimizer.lr"]
    cells = [cell for cell in shown(comparison) if "of 3" in cell]
    assert cells == [f"2.13.0 ({3 - len(chosen)} of 3), 2.14.0 ({len(chosen)} of 3)"]


@pytest.mark.parametrize("chosen", [(), (0,), (0, 2), SEEDS])
def test_what_both_groups_share_by_seed_is_no_cause(new_folder: NewFolder, chosen: tuple[int, ...]) -> None:
    contrast = only(compared(study(new_folder(), {0: chosen, 1: chosen})))
    assert (contrast.single_factor, list(contrast.machines)) == (True, [])


def test_with_the_same_seeds_shares_must_be_of_the_same_seeds(new_folder: NewFolder) -> None:
    assert not only(compared(study(new_folder(), {0: (0,), 1: (1,)}))).single_factor


def test_with_other_seeds_the_same_share_is_no_cause(new_folder: NewFolder) -> None:
    seeds = (SEEDS, (5, 6, 7))
    assert only(compared(study(new_folder(), {0: (0,), 1: (6,)}, seeds))).single_factor
    assert not only(compared(study(new_folder(), {0: (0,), 1: (6, 7)}, seeds))).single_factor


def test_what_only_moves_last_bits_is_shown_and_is_no_cause(new_folder: NewFolder) -> None:
    folder = study(new_folder(), {})
    edit(folder / "g0s0" / "env.json", threads=64)
    comparison = compared(folder)
    assert only(comparison).single_factor
    assert "threads" in environment_differences(comparison.tables[0].groups, comparison.machines)
