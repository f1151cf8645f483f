"""A score that is no percentage and better when lower: verdicts, units, slices, and runs that do not have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from tests.fixtures.compared import scores, write_run

GOOD, BAD, OLD = 1e-3, 1e-4, 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of two rates with the same answers, of which one is surer, and of one by an older version."""
    folder = tmp_path_factory.mktemp("nll")
    for seed in range(3):
        f1 = scores(seed, 50)
        noise = np.random.default_rng(seed).exponential(size=len(f1))
        for rate, level in ((GOOD, 1.0), (BAD, 1.5), (OLD, None)):
            nll = None if level is None else level + 0.2 * noise
            write_run(folder / f"{rate}{seed}", f1, changes={"optimizer.lr": rate, "seed": seed}, nll=nll)
    return folder


@pytest.fixture(scope="module")
def compared(folder: Path, options: Options) -> Comparison:
    return compare([folder], replace(options, metric="gold_nll"))


def test_the_lower_group_leads_and_is_better(compared: Comparison) -> None:
    table = compared.tables[0]
    assert [group.settings["optimizer.lr"] for group in table.by_number] == [GOOD, BAD, OLD]
    found = document(compared)
    (contrast,) = found["contrasts"]
    lower_is_b = contrast["b"] == table.by_number[0].name
    assert contrast["verdict"] == ("better" if lower_is_b else "worse")
    assert contrast["gold_nll"]["difference"] == pytest.approx(-0.5 if lower_is_b else 0.5)
    assert found["relevant"] == 0.1
    assert " is better than " in found["findings"][0]
    assert "by 0.500 gold_nll" in found["findings"][0]


def test_sentences_and_page_have_nats_and_no_points(folder: Path, options: Options, compared: Comparison) -> None:
    html = page(compared, figure_data(compared))
    assert "differences of 0.1 nats or more matter" in html
    assert "points" not in html[html.index("<body>") : html.index('id="differences"')]
    # Nothing is found between the same likelihoods with other noise; what would be is said in nats.
    wide = compare([folder], replace(options, metric="gold_nll", relevant=3.0, where=("optimizer.lr>=1e-4",)))
    assert wide.relevant == 3.0


def test_slices_are_about_the_metric(compared: Comparison) -> None:
    data = figure_data(compared)
    assert data["sliced"] == "gold_nll"
    assert data["differences"]["gold_nll"] == {"decimals": 3, "width": None}
    assert data["slices"]
    assert all(abs(one["difference"]) == pytest.approx(0.5) for one in data["slices"])


def test_a_group_without_it_stays_in_the_table_and_is_not_ranked(compared: Comparison) -> None:
    table = compared.tables[0]
    old = table.by_number[-1]
    assert "gold_nll" not in old.metrics
    assert table.places[old.name] is None
    assert all(old.name not in (one.a, one.b) for one in table.contrasts)


def test_old_runs_alone_are_compared_as_before(folder: Path, options: Options) -> None:
    comparison = compare([folder], replace(options, where=(f"optimizer.lr={OLD}",)))
    assert "gold_nll" not in page(comparison, figure_data(comparison)).partition('id="data"')[0]
    mixed = compare([folder], options)
    assert mixed.tables[0].tested_metric == "crossfit_f1"
    assert len(mixed.tables[0].contrasts) == 3
