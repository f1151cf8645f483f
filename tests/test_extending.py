"""docs/extending.md holds: a package of the user's own, found by --config-dir and allowed by QAEXP_ALLOW_TARGETS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qaexp.runs.collect import read_run
from tests import REPOSITORY
from tests.fixtures.tiny_run import DEMO, MODEL, call, read_json

OWN = Path(__file__).parent / "fixtures" / "own_package"
DOCS = REPOSITORY / "docs"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(OWN)
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "own_qa.")


@pytest.mark.usefixtures("own")
def test_an_own_optimizer_and_an_own_tracker(tmp_path: Path) -> None:
    words = ("optimizer=sign", "optimizer.lr=1e-3", "trackers=[logfile]", "trackers.logfile.file=events.txt")
    done = call(tmp_path, "train", "--config-dir", str(OWN / "conf"), "name=a", *words, *DEMO)
    assert done.code == 0, done.err
    lines = (tmp_path / "events.txt").read_text().splitlines()
    steps = (tmp_path / "outputs" / "a" / "metrics.jsonl").read_text().splitlines()
    assert lines[0] == "start a"
    assert sum(line.startswith("step ") for line in lines) == len(steps)
    assert lines[-1] == f"done f1 {read_json(tmp_path / 'outputs' / 'a' / 'summary.json')['f1']:.1f}"


@pytest.mark.usefixtures("own")
def test_own_data_in_an_own_format(tmp_path: Path) -> None:
    rows = [f"q{n}\tWho lives at number {n}?\tAnna lives at number {n}.\t{'Anna' if n % 3 else ''}" for n in range(12)]
    (tmp_path / "train.tsv").write_text("\n".join(rows[:8]))
    (tmp_path / "dev.tsv").write_text("\n".join(rows[8:]))
    words = ("data=tabs", "data.train_file=train.tsv", "data.dev_file=dev.tsv", "data.train_size=6")
    for name in ("a", "b"):
        done = call(tmp_path, "train", "--config-dir", str(OWN / "conf"), f"name={name}", *words, *MODEL)
        assert done.code == 0, done.err
    run = read_run(tmp_path / "outputs" / "a")
    assert [row["id"] for row in run.predictions().rows] == ["q8", "q9", "q10", "q11"]
    assert run.summary is not None
    assert run.summary["num_train_examples"] == 6
    ids = {read_json(tmp_path / "outputs" / name / "run.json")["run_id"] for name in ("a", "b")}
    assert len(ids) == 1, "the same content is the same run"


@pytest.mark.usefixtures("own")
def test_an_own_model_node(tmp_path: Path) -> None:
    done = call(tmp_path, "train", "--config-dir", str(OWN / "conf"), "name=a", *DEMO, "model=half_frozen")
    assert done.code == 0, done.err
    done = call(tmp_path, "train", "name=b", *DEMO, "model.freeze_layers=1")
    assert done.code == 0, done.err
    weights = {(tmp_path / "outputs" / name / "model" / "model.safetensors").read_bytes() for name in ("a", "b")}
    assert len(weights) == 1


def test_an_own_target_is_refused_unless_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(OWN)
    done = call(tmp_path, "train", "--config-dir", str(OWN / "conf"), "name=a", "optimizer=sign", *DEMO)
    assert done.code == 8
    assert "QAEXP_ALLOW_TARGETS" in done.last_line


def test_the_page_shows_these_very_files() -> None:
    """Every code block of the page that names a file is that file, or a part of it."""
    blocks = re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", (DOCS / "extending.md").read_text("utf-8"), re.DOTALL)
    assert {name for name, _ in blocks} == {
        "own_qa.py",
        "conf/data/tabs.yaml",
        "conf/model/half_frozen.yaml",
        "conf/optimizer/sign.yaml",
        "conf/trackers/logfile.yaml",
    }
    for name, text in blocks:
        assert text.strip() in (OWN / name).read_text("utf-8"), name
