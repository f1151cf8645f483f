"""docs/extending.md holds: a package of the user's own, found by --config-dir and allowed by QAEXP_ALLOW_TARGETS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qaexp.runs.readers.collect import read_run
from tests.fixtures import pages, tiny_run
from tests.fixtures.tiny_run import read_json

PAGE = "docs/extending.md"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the page was followed to its end."""
    folder = tmp_path_factory.mktemp("extending")
    with pytest.MonkeyPatch.context() as patch:
        pages.Reader(PAGE, folder, patch).follow()
        yield folder
        sys.modules.pop("own_qa", None)


def test_every_example_was_run(work: Path) -> None:
    """Each file under conf/ that the page prints was chosen by a run, and by its own code."""
    configs = [read_json(path) for path in (work / "outputs").glob("*/config.json")]
    targets = {str(node.get("_target_")) for config in configs for node in config.values() if isinstance(node, dict)}
    targets |= {str(node["_target_"]) for config in configs for node in config["trackers"].values()}
    files = [block for block in pages.blocks(PAGE) if block.language == "yaml"]
    assert len(files) >= 7
    for block in files:
        assert block.text.split("_target_: ")[1].splitlines()[0] in targets, block.file
    assert all((folder / "summary.json").exists() for folder in (work / "outputs").iterdir() if folder.is_dir())


def test_own_optimizer_schedule_and_model_do_what_they_say(work: Path) -> None:
    def rates(name: str) -> list[float]:
        return [row["learning_rate"] for row in tiny_run.read_lines(work / "outputs" / name / "metrics.jsonl")]

    assert rates("stairs")[-1] == pytest.approx(3e-4 / 2, rel=1e-6)  # the second of two steps
    weights = {name: (work / "outputs" / name / "model" / "model.safetensors").read_bytes() for name in ("half", "top")}
    words = ("model=tiny_random", *pages.TINY, *pages.SIZES, "reporter=none")
    frozen = tiny_run.train(work, "frozen", *words, "model.freeze_layers=1")
    assert weights["half"] == (frozen / "model" / "model.safetensors").read_bytes()
    assert weights["half"] != weights["top"]


def test_own_data_in_an_own_format(work: Path) -> None:
    run = read_run(work / "outputs" / "tabs")
    assert len(run.predictions().rows) == 16
    assert all(row["id"].startswith("devq") for row in run.predictions().rows)
    words = ("data=tabs", "data.train_file=train.tsv", "data.dev_file=dev.tsv", *pages.TINY, *pages.SIZES)
    own = ("--config-dir", "my_experiments/conf", "name=tabs", *words, "model=tiny_random", "reporter=none")
    again = tiny_run.call(work, "train", *own)
    assert again.code == 0, "the same content is the same run"


def test_own_tracker_and_reporter_are_told_everything(work: Path) -> None:
    lines = (work / "events.txt").read_text().splitlines()
    run = work / "outputs" / "logged"
    assert lines[0] == "start logged"
    assert sum(line.startswith("step ") for line in lines) == len(tiny_run.read_lines(run / "metrics.jsonl"))
    assert lines[-1] == f"done f1 {read_json(run / 'summary.json')['f1']:.1f}"
    f1 = read_json(work / "outputs" / "noted" / "summary.json")["f1"]
    assert (work / "outputs" / "journal.md").read_text() == f"- noted: f1 {f1:.1f}\n"
    assert (work / "outputs" / "noted" / "report.html").exists()


def test_an_own_target_is_refused_unless_it_is_allowed(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QAEXP_ALLOW_TARGETS")
    done = tiny_run.call(
        work, "train", "--config-dir", "my_experiments/conf", "name=refused", "optimizer=sign", *tiny_run.DEMO
    )
    assert done.code == 8
    assert "QAEXP_ALLOW_TARGETS" in done.last_line
