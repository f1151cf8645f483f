"""`--by seed`: how far chance goes, and never a seed that is better, has a rank, or is recommended."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown import paper
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from tests.comparison.test_statements import printed
from tests.fixtures.compared import scores, write_run


def study(folder: Path, step: int) -> Path:
    """Two rates by three seeds, each seed so many points above the one before."""
    for lr in (1e-4, 1e-3):
        for seed in range(3):
            f1 = scores(7, 30 + step * seed + lr * 5000, 120)
            write_run(folder / f"lr={lr},seed={seed}", f1, changes={"optimizer.lr": lr, "seed": seed})
    return folder


@pytest.mark.parametrize("by", ["seed", "seeds.init"])
def test_seeds_that_differ_are_told_and_none_is_better(tmp_path: Path, options: Options, by: str) -> None:
    comparison = compare([study(tmp_path / "s", 20)], replace(options, by=by))
    (table,) = comparison.tables
    assert {one.verdict for one in table.contrasts} == {"seeds differ"}
    assert set(table.places.values()) == {None}
    found = document(comparison)["findings"]
    assert found[0].startswith("The three seeds differ, from ")
    assert found[0].endswith(" f1, by more than the questions explain: none is better than another.")
    assert found[-1].startswith("Next: choose none of them;")
    told = {
        "json": json.dumps({key: value for key, value in document(comparison).items() if key != "skipped"}),
        "terminal": printed(comparison),
        "csv": paper.csv(comparison),
        "markdown": paper.markdown(comparison),
        "latex": paper.latex(comparison),
    }
    for form, text in told.items():
        words = text.replace("none is better than another", "")
        assert not re.search(r"better|worse|leads|\*\*|textbf", words), form
        assert "chance" in text or form == "csv", form
    html = page(comparison, figure_data(comparison))
    assert 'class="verdict better"' not in html
    assert 'class="verdict worse"' not in html
    assert "none is better than another" in html
    assert not figure_data(comparison)["cost"]  # a front of seeds would recommend some
    assert "best first" not in html
    assert "share their ranks" not in html


def test_seeds_that_do_not_differ_are_told_without_advice_to_add_seeds(tmp_path: Path, options: Options) -> None:
    comparison = compare([study(tmp_path / "s", 0)], replace(options, by="seed"))
    found = document(comparison)["findings"]
    assert found[0].startswith("The three seeds are not shown to differ (from ")
    assert "several seeds of each" not in printed(comparison)
    untested = compare([tmp_path], replace(options, by="seed", metric="train_seconds"))
    assert "what differs between seeds is chance" in document(untested)["findings"][0]


def test_other_keys_keep_their_verdicts(tmp_path: Path, options: Options) -> None:
    comparison = compare([study(tmp_path / "s", 20)], replace(options, by="optimizer.lr"))
    assert not comparison.notes
    assert "seeds differ" not in {one.verdict for one in comparison.tables[0].contrasts}
    assert None not in comparison.tables[0].places.values()
