"""The figures of comparisons of every kind: each word can be read, none is cut, and no figure is empty."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.dimensions import dimensions
from qaexp.comparison.short_numbers import shorten_numbers
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import write_report
from tests.fixtures.browser import Browser
from tests.fixtures.compared import edit, scores, write_run
from tests.fixtures.geometry import Chart, charts

PATH = "/home/somebody/projects/question-answering/outputs/a-very-long-name-of-a-run-{}/model"
_DRAWN = np.random.default_rng(0).uniform(0.1, 1, (9, 3))

KINDS: dict[str, list[dict[str, Any]]] = {
    "two groups": [{"optimizer.lr": lr} for lr in (1e-4, 1e-3)],
    "long names": [{"optimizer.note": PATH.format(end)} for end in "abc"],
    "six groups": [
        {"optimizer.lr": lr, "batches.shuffle": is_shuffled}
        for lr in (1e-4, 3e-4, 1e-3)
        for is_shuffled in (True, False)
    ],
    "twelve groups": [
        {"optimizer.lr": lr, "trainer.epochs": epochs, "features.max_length": length}
        for lr, epochs, length in itertools.product((1e-4, 3e-4), (2, 3, 4), (128, 384))
    ],
    "a search": [
        {"optimizer.lr": float(lr) * 1e-3, "optimizer.weight_decay": float(decay), "schedule.warmup_ratio": float(warm)}
        for lr, decay, warm in _DRAWN
    ],
    "sizes": [{"data.train_size": size} for size in (100, 200, 400, 800)],
}
DRAWN = {
    "two groups": {"cost", "effects"},
    "long names": {"cost", "effects"},
    "six groups": {"cost", "effects", "parallel"},
    "twelve groups": {"cost", "effects", "parallel"},
    "a search": {"cost", "parallel"},
    "sizes": {"cost", "effects", "learning"},
}
EVERY = {"intervals", "contrasts", "curves", "losses", "slices"}


def write_kind(folder: Path, settings: Sequence[dict[str, Any]], seeds: int = 2) -> Path:
    """Write a sweep whose runs took times that lie close together."""
    for place, changes in enumerate(settings):
        for seed in range(seeds):
            f1 = scores(seed, 40 + 3 * place % 45, 80)
            seconds = {"train_seconds": 54.0 + (place * 7 + seed) % 8}
            write_run(folder / f"{place}-{seed}", f1, changes={**changes, "seed": seed}, summary=seconds)
    return folder


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory, options: Options) -> Callable[[str], Path]:
    """Return what gives the page of a kind, each made once."""
    folder, known = tmp_path_factory.mktemp("kinds"), dict[str, Path]()

    def page(kind: str) -> Path:
        if kind not in known:
            runs = write_kind(folder / kind, KINDS[kind], 1 if kind == "a search" else 2)
            known[kind] = write_report(compare([runs], options), folder / f"{kind}.html")[0]
        return known[kind]

    return page


def shown(browser: Browser, page: Path, width: int, scheme: str) -> list[Chart]:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page)
    found = charts(browser)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
    return found


@pytest.fixture(autouse=True)
def normal_window(browser: Browser) -> Any:
    yield
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_every_word_of_every_figure_can_be_read(
    browser: Browser, page_of: Callable[[str], Path], kind: str, width: int, scheme: str
) -> None:
    found = shown(browser, page_of(kind), width, scheme)
    assert {chart.name for chart in found} == EVERY | DRAWN[kind]
    for chart in found:
        assert len(chart.words) > 3
        assert chart.collisions() == []
        assert chart.cut() == []


def test_each_group_has_its_letter_in_every_figure(browser: Browser, page_of: Callable[[str], Path]) -> None:
    found = {chart.name: chart for chart in shown(browser, page_of("long names"), 400, "light")}
    for name in ("intervals", "curves", "losses"):
        first = [word.text.split()[0] for word in found[name].words]
        assert [first.count(letter) for letter in "ABC"] == [1, 1, 1]
    assert sorted(word.text for word in found["cost"].words if word.text in "ABC") == ["A", "B", "C"]
    legend = browser.evaluate("[...document.querySelectorAll('.letters li')].map((one) => one.textContent.trim())")
    assert [entry.split()[0] for entry in legend] == ["A", "B", "C"]
    assert sorted(entry[-7] for entry in legend) == ["a", "b", "c"]
    # Cut in the middle: what differs stands at the end, and is there.
    ends = [word.text[-7] for word in found["intervals"].words if word.text.startswith(("A ", "B ", "C "))]
    assert sorted(ends) == ["a", "b", "c"]


def test_values_are_whole_where_there_is_little_room(browser: Browser, page_of: Callable[[str], Path]) -> None:
    found = {chart.name: chart for chart in shown(browser, page_of("twelve groups"), 400, "light")}
    words = [word.text for word in found["effects"].words]
    for value in ("lr = 0.0001 (12)", "lr = 0.0003 (12)", "max_length = 128 (12)", "epochs = 4 (8)"):
        assert value in words
    slices = [word.text for word in found["slices"].words]
    assert "has_ans (80)" in slices or "answerable: has_ans (80)" in slices
    assert not any("…" in text for text in slices)


def test_ticks_are_round_numbers_at_equal_distances(browser: Browser, page_of: Callable[[str], Path]) -> None:
    for chart in shown(browser, page_of("six groups"), 1280, "light"):
        if chart.name in ("intervals", "contrasts", "cost", "effects", "losses"):
            bottom = max(word.y for word in chart.words if is_number(word.text))
            ticks = [float(word.text) for word in chart.words if is_number(word.text) and word.y > bottom - 3]
            steps = {round(b - a, 6) for a, b in itertools.pairwise(sorted(ticks))}
            assert len(ticks) > 2
            assert len(steps) == 1


def is_number(text: str) -> bool:
    return text.replace("-", "").replace(".", "").isdigit()


def test_no_hole_is_left_in_the_grid(browser: Browser, page_of: Callable[[str], Path]) -> None:
    for kind in KINDS:
        shown(browser, page_of(kind), 1280, "light")
        rows: dict[int, float] = {}
        boxes = browser.evaluate(
            "[...document.querySelectorAll('figure.chart:not([hidden])')].map((one) => { const box = "
            "one.getBoundingClientRect(); return [Math.round(box.top), box.width, Math.round(box.bottom)]; })"
        )
        for top, width, _ in boxes:
            rows[top] = rows.get(top, 0) + width
        assert max(rows.values()) - min(rows.values()) < 30
        assert len({top: bottom for top, _, bottom in boxes}) == len({(top, bottom) for top, _, bottom in boxes})


def contrast(first: Sequence[int], second: Sequence[int]) -> float:
    """The contrast of two colours by WCAG 2.1, section 1.4.3."""

    def luminance(color: Sequence[int]) -> float:
        parts = [value / 255 for value in color]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_lines_of_low_and_of_high_runs_can_be_seen(
    browser: Browser, page_of: Callable[[str], Path], scheme: str
) -> None:
    shown(browser, page_of("six groups"), 1280, scheme)
    colors = browser.evaluate("[look.low, look.high, ...look.colors, look.soft, look.ink, look.card]")
    *drawn, card = [[int(color[place : place + 2], 16) for place in (1, 3, 5)] for color in colors]
    assert min(contrast(color, card) for color in drawn) > 3
    low, high, *_ = drawn
    between = [round((a + b) / 2) for a, b in zip(low, high, strict=True)]
    assert contrast(between, card) > 3


def test_a_choice_stands_for_the_keys_that_it_brought(tmp_path: Path, options: Options) -> None:
    sgd = {"optimizer._target_": "torch.optim.SGD", "optimizer.momentum": 0.9, "optimizer.nesterov": True}
    for name, keys in (("adamw", {"optimizer.eps": 1e-8}), ("sgd", sgd)):
        for seed in (0, 1):
            run = write_run(tmp_path / "s" / f"{name}{seed}", scores(seed, 50, 40), changes={**keys, "seed": seed})
            edit(run / "env.json", choices={"optimizer": name}, overrides=[f"optimizer={name}", f"seed={seed}"])
    comparison = compare([tmp_path / "s"], options)
    (one,) = dimensions(comparison.tables[0].groups)
    assert (one.name, sorted(one.texts), one.is_choice) == ("optimizer", ["adamw", "sgd"], True)
    data = figure_data(comparison)
    # One thing alone differs: a line for each run through it would say nothing.
    assert data["parallel"] == {}
    assert all(len(f"{row['key']} {row['value']}") < 30 for row in data["effects"])
    page = write_report(comparison, tmp_path / "page.html")[0].read_text("utf-8")
    assert '<th scope="row">optimizer</th>' in page


def test_one_epoch_is_no_curve(tmp_path: Path, options: Options, browser: Browser) -> None:
    write_kind(tmp_path / "s", KINDS["two groups"])
    for run in (tmp_path / "s").iterdir():
        (run / "history.csv").write_text("epoch,step,exact,f1\n1,10,30.0,40.0\n")
        (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "epoch": 1.0, "loss": 5.0}) + "\n")
    files = write_report(compare([tmp_path / "s"], options), tmp_path / "report.html")
    assert {"curves", "losses"}.isdisjoint(chart.name for chart in shown(browser, files[0], 1280, "light"))
    assert "curves.png" not in {file.name for file in files}


def test_no_text_of_the_page_has_the_digits_of_a_drawn_number(browser: Browser, page_of: Callable[[str], Path]) -> None:
    shown(browser, page_of("a search"), 1280, "light")
    text = browser.evaluate("document.body.innerText")
    assert "lr=" in text
    assert not re.search(r"(lr|decay|ratio)=[0-9.e-]{12,}", text)


def test_numbers_that_were_drawn_are_short_and_stay_apart() -> None:
    names = [f"lr={lr!r} decay={decay!r}" for lr, decay, _ in _DRAWN.tolist()]
    found = shorten_numbers(names)
    assert len(set(found)) == len(names)
    assert max(map(len, found)) < 24
    assert shorten_numbers(["lr=0.1234567890123", "lr=0.1234567890124"]) == ["lr=0.1234567890123", "lr=0.1234567890124"]
