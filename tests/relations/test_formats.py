"""Every output tells the same: mean, interval, spread, n, number, rank and verdict of every group."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison.compare import Comparison
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from qaexp.runs.metrics import number_of
from tests.fixtures.compared import edit
from tests.relations.outputs import EXACT, FORMATS, rows_in
from tests.relations.studies import COLLAPSED, RATES, NewFolder, add, add_test, answers, compared

METRICS = (
    "crossfit_f1", "f1", "exact", "has_ans_f1", "no_ans_f1", "best_f1", "tokens_per_second", "train_seconds",
    "null_threshold", "peak_memory_mib", "test_f1",
)  # fmt: skip
TESTED = ("crossfit_f1", "f1", "exact", "has_ans_f1", "no_ans_f1", "test_f1")
GOLDS = [[f"gold {number}"] if number % 3 else [] for number in range(96)]
GROUPS = ((35, 6), (52, 6), (55, 1), (80, 6), (90, 6))


@pytest.fixture(scope="module")
def study(new_folder: NewFolder) -> Path:
    """Five groups: far apart, alike, of one seed, and one of which a run answers nothing."""
    folder = new_folder()
    for place, (skill, num_seeds) in enumerate(GROUPS):
        for seed in range(num_seeds):
            summary = {
                "null_threshold": -4.25 + place * 3 % 5 - 0.5 * seed,
                "tokens_per_second": 12_345.6 - 700 * place + 90 * seed,
                "train_seconds": 1234.5 * (place + 1) + seed,
            }
            flags = COLLAPSED if (place, seed) == (4, 2) else []
            f1 = answers(6, skill, seed, config=place)
            changes = {"optimizer.lr": RATES[place], "seed": seed}
            run = add(folder, f"{place}-{seed}", f1, changes, summary=summary, flags=flags, golds=GOLDS)
            with_ans = [value for value, gold in zip(f1, GOLDS, strict=True) if gold]
            edit(run / "summary.json", has_ans_f1=sum(with_ans) / len(with_ans))
            add_test(run, answers(60, skill, seed, config=place))
    return folder


@cache
def found_in(study: Path, metric: str) -> Comparison:
    return compared(study, metric=metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("output", FORMATS)
def test_every_output_tells_the_same(study: Path, output: str, metric: str) -> None:
    comparison = found_in(study, metric)
    (table,) = comparison.tables
    rows = rows_in(output, comparison)
    assert list(rows) == [group.name for group in table.groups]
    for group in table.groups:
        found, row = group.metrics[metric], rows[group.name]
        assert row["n"] == group.n
        assert row.get("number", group.number) == group.number
        for key in ("mean", "low", "high", "sd"):
            if key in row:
                alike(row[key], getattr(found, key), metric, is_exact=output in EXACT)
        rank = table.places[group.name]
        if "rank" in row:
            assert (row["rank"], row["rank_worst"]) == ((rank.best, rank.worst) if rank else (None, None))


def alike(said: float | None, known: float | None, metric: str, *, is_exact: bool) -> None:
    assert (said is None) == (known is None)
    if said is not None and known is not None:
        half = 0.0 if is_exact else 0.5 * 10.0 ** -number_of(metric).decimals
        assert abs(said - known) <= half + 1e-9


@pytest.mark.parametrize("metric", TESTED)
@pytest.mark.parametrize("output", FORMATS)
def test_every_output_has_the_verdict_of_the_contrast(study: Path, output: str, metric: str) -> None:
    comparison = found_in(study, metric)
    (table,) = comparison.tables
    rows = rows_in(output, comparison)
    verdicts = {one.b: one.verdict for one in table.contrasts if one.a == table.baseline}
    assert table.tested_metric == metric
    assert "better" in verdicts.values()
    for name, verdict in verdicts.items():
        if output in ("markdown", "latex"):
            verdict = verdict if verdict in ("better", "collapsed") else "not better"
        assert rows[name]["verdict"] == verdict
    if output not in ("markdown", "latex"):
        assert rows[table.baseline or ""]["verdict"] == "baseline"


@pytest.mark.parametrize("output", ["json", "csv", "terminal", "page"])
@pytest.mark.parametrize("sort", ["train_seconds", "null_threshold", "exact"])
def test_a_number_is_the_same_group_however_the_table_is_sorted(study: Path, output: str, sort: str) -> None:
    numbers = {name: row["number"] for name, row in rows_in(output, found_in(study, "f1")).items()}
    rows = rows_in(output, compared(study, metric="f1", sort=sort))
    assert {name: row["number"] for name, row in rows.items()} == numbers
    assert list(rows) != list(numbers) or sort == "exact"


def test_contrasts_and_columns_of_differences_name_groups_by_their_numbers(study: Path) -> None:
    for sort in (None, "train_seconds"):
        found = document(compared(study, metric="f1", sort=sort))
        numbers = {group["name"]: group["number"] for group in found["groups"]}
        for one in found["contrasts"]:
            assert (one["a_number"], one["b_number"]) == (numbers[one["a"]], numbers[one["b"]])


@pytest.mark.parametrize("metric", TESTED)
def test_the_page_shows_the_numbers_of_every_contrast(study: Path, metric: str) -> None:
    comparison = found_in(study, metric)
    text = page(comparison, figure_data(comparison))
    rows = re.findall(r"<tr><td dir=\"auto\">(.*?)</td><td dir=\"auto\">(.*?)</td>\n(.*?)</tr>", text, re.DOTALL)
    assert len(rows) == len(comparison.tables[0].contrasts) == 10
    for (b, a, rest), one in zip(rows, comparison.tables[0].contrasts, strict=True):
        found = one.tests[metric]
        assert (a, b) == (one.a, one.b)
        assert f">{one.verdict}<" in rest
        assert f">{found.difference.difference:+.1f}<" in rest
        assert ("[" in rest) == (found.low is not None)
        assert found.low is None or f"[{found.low:+.1f}, {found.high:+.1f}]" in rest


def test_the_json_and_the_figures_have_the_numbers_of_every_contrast(study: Path) -> None:
    comparison = found_in(study, "f1")
    (table,) = comparison.tables
    drawn: dict[str, Any] = {one["name"]: one for one in figure_data(comparison)["contrasts"]}
    for said, one in zip(document(comparison)["contrasts"], table.contrasts, strict=True):
        found = one.tests["f1"]
        wanted = (found.difference.difference, found.low, found.high, found.p, found.p_holm, found.minimum_detectable)
        keys = ("difference", "low", "high", "p", "p_holm", "minimum_detectable")
        assert tuple(said["f1"][key] for key in keys) == wanted
        if one.a == table.baseline and one.verdict != "collapsed":
            figure = drawn[one.b]
            assert (figure["y"], figure["low"], figure["high"], figure["verdict"]) == (*wanted[:3], one.verdict)


def test_a_group_without_a_number_has_none_to_sort_by_on_the_page(new_folder: NewFolder) -> None:
    folder = new_folder()
    for place, summary in enumerate(({"null_threshold": -3.0}, {"null_threshold": None}, {"null_threshold": 2.0})):
        f1 = answers(1, 50, config=place)
        add(folder, f"{place}", f1, {"optimizer.lr": RATES[place]}, summary=summary)
    comparison = compared(folder, metric="null_threshold")
    text = page(comparison, figure_data(comparison))
    cells = re.findall(r'<td class="n" data-sort="([^"]*)">(-|-?[\d.]+)</td>', text)
    assert {sort for sort, shown in cells if shown == "-"} == {""}
    assert all(float(sort) == pytest.approx(float(shown), abs=0.5) for sort, shown in cells if shown != "-")
