"""The gate: every cell of its table of exits, what it refuses, and what it prints."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from qaexp.commands.gated import EXITS
from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, scores, write_run

NUM = 1200
LEVELS = {"base": 50, "better": 75, "worse": 30}


def write_side(folder: Path, name: str, f1s: list[np.ndarray], **more: object) -> None:
    for seed, f1 in enumerate(f1s):
        write_run(folder / name / f"seed={seed}", f1, changes={"seed": seed, "optimizer.lr": 1e-4}, **more)  # type: ignore[arg-type]


def nearly(f1: np.ndarray, seed: int) -> np.ndarray:
    """The same scores but for a few questions, as many better as worse."""
    places = np.random.default_rng(seed).permutation(len(f1))[:20]
    changed = f1.copy()
    changed[places[:10]], changed[places[10:]] = 100.0, 0.0
    return changed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gate")
    for name, mean in LEVELS.items():
        write_side(path, name, [scores(seed, mean, NUM) for seed in range(3)])
    write_side(path, "apart", [scores(seed + 10, 50, NUM) for seed in range(3)])
    write_side(path, "calm", [scores(0, 50, NUM) for seed in range(5)])
    write_side(path, "alike", [nearly(scores(0, 50, NUM), seed) for seed in range(5)])
    shutil.copytree(path / "base", path / "again")
    collapse = [{"name": "null_collapse", "step": 1, "advice": ""}]
    write_side(path, "silent", [scores(seed, 75, NUM) for seed in range(3)], flags=collapse)
    write_side(path, "single", [scores(0, 75, NUM)])
    write_side(path, "single_base", [scores(1, 50, NUM)])
    return path


def gate(folder: Path, new: str, base: str, fail_if: str, *more: str) -> tiny_run.Called:
    return tiny_run.call(folder, "compare", new, "--against", base, "--fail-if", fail_if, *more)


@pytest.mark.parametrize(
    ("new", "base", "verdict", "worse", "not_better"),
    [
        ("better", "base", "better", 0, 0),
        ("alike", "calm", "equivalent", 0, 11),
        ("worse", "base", "worse", 11, 11),
        ("silent", "base", "collapsed", 11, 11),
        ("base", "silent", "collapsed", 12, 12),
        ("again", "base", "cannot tell", 0, 11),  # the same settings, seeds and scores
        ("apart", "base", "cannot tell", 12, 12),
        ("single", "base", "cannot tell", 12, 12),
        ("single", "single_base", "better (these two runs)", 12, 12),
    ],
)
def test_the_exit_code_of_every_verdict(
    folder: Path, new: str, base: str, verdict: str, worse: int, not_better: int
) -> None:
    for fail_if, code in (("worse", worse), ("not-better", not_better)):
        done = gate(folder, new, base, fail_if)
        assert (done.code, done.err.count("\n")) == (code, int(code != 0)), done
        head, _, row = (line for line in done.out.splitlines() if line.startswith("|"))
        assert head.endswith("| verdict |")
        assert row.endswith(f"| {verdict} |")
        assert json.loads(gate(folder, new, base, fail_if, "--json").out)["exit_code"] == code


@pytest.mark.parametrize(
    ("new", "margins"),
    [
        ("worse", {"worse": {20: 11, 25: 12, 30: 0}, "not-better": {1: 11}}),
        ("better", {"worse": {1: 0}, "not-better": {20: 0, 26: 12, 30: 11}}),
        ("apart", {"worse": {4: 12, 13: 0}, "not-better": {3: 12, 12: 11}}),
    ],
)
def test_with_a_margin_the_whole_interval_must_be_on_one_side(
    folder: Path, new: str, margins: dict[str, dict[int, int]]
) -> None:
    for fail_if, codes in margins.items():
        for margin, code in codes.items():
            found = json.loads(gate(folder, new, "base", fail_if, "--by", str(margin), "--json").out)
            bound = -margin if fail_if == "worse" else margin
            assert found["exit_code"] == code
            assert code == (0 if found["low"] > bound else 11 if found["high"] < bound else 12)
            assert found["level"] == pytest.approx(0.95)


def test_of_a_lower_is_better_score_the_margin_turns_around(tmp_path: Path) -> None:
    calm = np.random.default_rng(0).uniform(1, 3, NUM)
    for name, more in (("base", 0.0), ("new", 0.5)):
        for seed in range(3):
            nll = calm + more + np.random.default_rng([seed, name == "new"]).normal(0, 0.01, NUM)
            write_run(tmp_path / name / str(seed), scores(seed, 50, NUM), changes={"seed": seed}, nll=nll)
    codes = {
        by: gate(tmp_path, "new", "base", "worse", "--metric", "gold_nll", "--by", by).code for by in ("0.4", "0.6")
    }
    assert codes == {"0.4": 11, "0.6": 0}
    assert gate(tmp_path, "base", "new", "not-better", "--metric", "gold_nll", "--by", "0.4").code == 0


def test_the_verdict_is_that_of_compare(folder: Path) -> None:
    for seed in range(3):
        for new in ("better", "worse", "apart"):
            # The gate puts runs of one config on two sides, which for compare are one group.
            path = folder / new / f"seed={seed}" / "config.json"
            edit(path, optimizer={**json.loads(path.read_text())["optimizer"], "lr": 3e-4})
    for new in ("better", "worse", "apart"):
        of_gate = json.loads(gate(folder, new, "base", "worse", "--json").out)
        found = json.loads(tiny_run.call(folder, "compare", new, "base", "--baseline", "lr=0.0001", "--json").out)
        (contrast,) = found["contrasts"]
        assert of_gate["verdict"] == contrast["verdict"]
        assert {key: of_gate[key] for key in contrast["crossfit_f1"]} == contrast["crossfit_f1"]
        assert of_gate["sentence"] == contrast["sentence"]


def test_single_runs_count_only_where_that_is_asked_for(folder: Path) -> None:
    done = gate(folder, "single", "single_base", "worse")
    assert done.code == 12
    assert "--these-runs" in done.last_line
    judged = gate(folder, "single", "single_base", "worse", "--these-runs")
    assert judged.code == 0
    assert "about these two, not about other seeds" in judged.out


def test_an_interval_over_questions_alone_decides_nothing(folder: Path) -> None:
    done = gate(folder, "base", "single", "worse", "--these-runs", "--by", "90")
    assert done.code == 12
    assert "nothing is tested, so nothing is held against -90" in done.last_line
    assert "over these questions; one side has a single seed: run more seeds of it" in done.last_line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("better", "--against", "nowhere", "--fail-if", "worse"), "nowhere: nothing there"),
        (("better", "--against", "base"), "--fail-if worse or not-better"),
        (("better", "--fail-if", "worse"), "Give --against BASE"),
        (("better", "--these-runs"), "--these-runs"),
        (("base", "--against", "base/seed=1", "--fail-if", "worse"), "is on both sides"),
        (("better", "--against", "base", "--fail-if", "worse", "--by", "lr"), "--by lr: beside --fail-if"),
        (("better", "--against", "base", "--fail-if", "worse", "--by", "0"), "a number above 0"),
        (("better", "--against", "base", "--fail-if", "worse", "--by", "nan"), "a number above 0"),
        (("better", "--against", "base", "--fail-if", "worse", "--html", "x.html"), "--html: has no effect on a gate"),
        (("better", "--against", "base", "--fail-if", "worse", "--metric", "train_seconds"), "not tested"),
        (("better", "--against", "base", "--fail-if", "worse", "--metric", "nothing"), "no run has it"),
    ],
)
def test_half_a_gate_is_refused(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = tiny_run.call(folder, "compare", *words)
    assert (done.code, done.out) == (2, ""), done
    assert told in done.last_line


def test_a_side_with_several_settings_is_refused_until_one_is_chosen(tmp_path: Path) -> None:
    for lr in (1e-4, 1e-3):
        for seed in range(3):
            changes = {"seed": seed, "optimizer.lr": lr}
            write_run(tmp_path / "sweep" / f"{lr} {seed}", scores(seed, 75, 240), changes=changes)
    write_side(tmp_path, "base", [scores(seed, 50, 240) for seed in range(3)])
    done = gate(tmp_path, "sweep", "base", "worse")
    assert done.code == 2
    assert "holds 2 settings (lr=0.0001, lr=0.001)" in done.last_line
    assert gate(tmp_path, "sweep", "base", "worse", "--where", "lr=1e-4").code == 0


def test_several_paths_may_be_given_for_each_side(folder: Path) -> None:
    new, base = ([f"{side}/seed={seed}" for seed in range(3)] for side in ("better", "base"))
    done = tiny_run.call(folder, "compare", *new, "--against", *base, "--fail-if", "worse")
    assert done.code == 0
    assert "| 3 |" in done.out


def test_text_of_names_is_never_markup(tmp_path: Path) -> None:
    write_side(tmp_path, "base", [scores(seed, 50, 240) for seed in range(3)])
    write_side(tmp_path, "@octocat|x", [scores(seed, 75, 240) for seed in range(3)])
    done = gate(tmp_path, "@octocat|x", "base", "worse")
    assert done.code == 0
    assert "@octocat" not in done.out
    assert "octocat\\|x" in done.out


def test_help_and_page_have_the_same_table_of_exits() -> None:
    page = Path("docs/gate.md").read_text("utf-8")
    rows = [line for line in EXITS.splitlines() if re.search(r"\d+ +\d+$", line)]
    assert len(rows) == 9
    for row in rows:
        name, worse, not_better = re.split(r"  +", row.strip())
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
        assert [name, worse, not_better] in cells, row
