"""A figure has the same words on the page and in its PNG file, and slices and flips are of one pair everywhere."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.flips import main_flips
from qaexp.comparison.shown import figures
from qaexp.comparison.shown.captions import captions
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from tests.fixtures.compared import scores, write_grid, write_run


def test_a_png_file_has_the_caption_of_the_page_uncut(
    grid: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = compare([grid], options)
    data = figure_data(comparison)
    drawn: list[Figure] = []
    original = figures.new_figure

    def new_figure(*words: Any, **more: Any) -> Figure:
        drawn.append(original(*words, **more))
        return drawn[-1]

    monkeypatch.setattr(figures, "new_figure", new_figure)
    figures.pictures(data)
    html, of_page = page(comparison, data), captions(comparison)
    names = ("intervals", "contrasts", "curves", "effects")
    assert [tuple(text.get_text() for text in figure.texts) for figure in drawn] == [
        (of_page[name].title, of_page[name].text) for name in names
    ]
    for name, figure in zip(names, drawn, strict=True):
        assert figure.axes[0].get_xlabel() == data["captions"][name]["x"][0]
    for caption in of_page.values():
        assert escape(caption.title, quote=False) in html
        assert escape(caption.text, quote=False) in html


@pytest.mark.parametrize("name", ["learning", "cost"])
def test_the_captions_of_points_fit_into_a_png_file(grid: Path, options: Options, name: str) -> None:
    caption = captions(compare([grid], options))[name]
    rows = [{"name": "a", "x": x, "y": 1.0, "low": None, "high": None, "is_best": True, "n": 1} for x in (1, 2)]
    figure = figures.scatter(rows, vars_of(caption), {"a": ("A", "a")})
    assert figure is not None
    assert [text.get_text() for text in figure.texts[:2]] == [caption.title, caption.text]


def vars_of(caption: Any) -> dict[str, Any]:
    return {name: getattr(caption, name) for name in ("title", "text", "x", "y")}


def test_the_pair_of_a_later_table_is_shown_on_the_page_too(tmp_path: Path, options: Options) -> None:
    for seed in range(3):
        write_run(tmp_path / "s" / f"other{seed}", scores(seed, 50, 80), changes={"seed": seed}, dev_sha256="other")
    write_grid(tmp_path / "t", levels={1e-4: 50, 1e-3: 75}, seeds=1)
    comparison = compare([tmp_path], options)
    assert [len(table.groups) for table in comparison.tables] == [1, 2]
    a, b, found = main_flips(comparison)
    data = figure_data(comparison)
    assert (data["flips"]["a"], data["flips"]["b"], data["flips"]["num_found"]) == (a, b, len(found))
    assert data["slices"]
    assert {a, b} <= {group["name"] for group in data["groups"]}
    letter = next(group["letter"] for group in data["groups"] if group["name"] == a)
    assert data["captions"]["slices"]["x"][0] == f"points of f1 above {letter}, the baseline"
    assert "right and wrong on the same questions" not in page(comparison, data)
