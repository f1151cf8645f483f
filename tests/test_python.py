"""qaexp from Python, as in a notebook: names that Tab shows, runs, sweeps, comparisons and tables."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qaexp
import qaexp.data
import qaexp.model
import qaexp.reporting
import qaexp.training
from qaexp.errors import ConfigError, QaexpError, SweepError
from tests import REPOSITORY
from tests.fixtures import tiny_run

TINY = [*tiny_run.DEMO, "trainer.epochs=1", "threads=1"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def first(work: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        return qaexp.run(*TINY, "name=first", "seed=0", "optimizer.lr=1e-4", quiet=True)


@pytest.fixture(scope="module")
def swept(work: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        return qaexp.sweep([*TINY, "name=rates", "optimizer.lr=1e-4,1e-2", "seed=0,1"], quiet=True)


@pytest.mark.parametrize("package", [qaexp, qaexp.data, qaexp.training, qaexp.model, qaexp.reporting])
def test_dir_shows_the_public_names_and_each_can_be_had(package: Any) -> None:
    shown = {name for name in dir(package) if not name.startswith("_")}
    assert {name for name in package.__all__ if not name.startswith("_")} <= shown
    for name in package.__all__:
        assert getattr(package, name) is not None
    if package is qaexp:
        assert not shown & {"Any", "TYPE_CHECKING", "annotations", "face"}
        with pytest.raises(AttributeError, match="'qaexp' has no attribute 'sweeep'"):
            qaexp.sweeep  # noqa: B018


def test_importing_qaexp_and_its_faces_is_light() -> None:
    code = (
        "import sys, qaexp, qaexp.data, qaexp.training; dir(qaexp); from qaexp import load_runs, compare, QaexpError; "
        "print([name for name in ('torch', 'transformers', 'hydra', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_tells_its_folder_its_id_and_its_numbers(work: Path, first: Any) -> None:
    record, summary = (tiny_run.read_json(first.folder / name) for name in ("run.json", "summary.json"))
    assert first.folder == work / "outputs" / "first"
    assert first.run_id == first.id == record["run_id"]
    assert first["f1"] == first.summary["f1"] == summary["f1"]
    assert dict(first) == first == summary
    assert first.run_id in repr(first)
    assert str(first.folder) in repr(first)


def test_a_run_from_python_is_that_of_the_command(work: Path, first: Any) -> None:
    """Folder for folder: `.hydra/` is written too, and hydra.run.dir is where it stands."""
    words = (*TINY, "name=first", "seed=0", "optimizer.lr=1e-4", "hydra.run.dir=elsewhere/${name}")
    assert tiny_run.call(work, "train", *words).code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        before = sys.argv, dict(os.environ), list(logging.getLogger().handlers)
        again = qaexp.run(*words[:-1], "hydra.run.dir=there/${name}", quiet=True)
        assert before == (sys.argv, dict(os.environ), list(logging.getLogger().handlers))
    assert again.folder == work / "there" / "first"
    shell, python = (tiny_run.snapshot(work / name / "first") for name in ("elsewhere", "there"))
    assert set(shell) == set(python) == set(tiny_run.snapshot(first.folder))
    same = ("model/model.safetensors", "metrics.jsonl", "predictions.jsonl", ".hydra/config.yaml")
    assert all(shell[name][1] == python[name][1] for name in same)


def test_quiet_is_quiet_and_a_run_that_stands_is_not_made_again(
    work: Path, first: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(work)
    before = tiny_run.snapshot(first.folder)
    assert qaexp.run(*TINY, "name=first", "optimizer.lr=1e-4", quiet=True) == first
    assert qaexp.run(*TINY, "seed=1", quiet=True).folder.parent == work / "outputs"
    assert capsys.readouterr() == ("", "")
    assert tiny_run.snapshot(first.folder) == before


def test_a_dry_run_says_what_would_run_and_trains_nothing(
    work: Path, first: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(work)
    before = tiny_run.snapshot(work)
    dry = qaexp.run(*TINY, "name=dry", "optimizer.lr=1e-4", "sweep.dry_run=true")
    assert (dry.run_id, dict(dry), dry.folder) == (first.run_id, {}, work / "outputs" / "dry")
    assert "would be trained" in capsys.readouterr().out
    assert list(qaexp.sweep(TINY, "name=dry", "seed=0,1", "sweep.dry_run=true")) == []
    assert "2 jobs: 2 to run" in capsys.readouterr().out
    assert tiny_run.snapshot(work) == before
    assert not (work / "multirun_outputs" / "dry").exists()


def test_a_sweep_is_a_sequence_of_runs(work: Path, swept: Any) -> None:
    assert swept.folder == work / "multirun_outputs" / "rates"
    assert len(swept) == 4
    assert [run.folder.parent for run in swept] == [swept.folder] * 4
    assert swept[0]["f1"] == tiny_run.read_json(swept[0].folder / "summary.json")["f1"]
    frame = swept.frame()
    assert list(frame["run_id"]) == [run.run_id for run in swept]
    assert set(frame["optimizer.lr"]) == {1e-4, 1e-2}
    assert "4 completed runs" in repr(swept)
    assert tiny_run.read_json(swept[0].folder / "env.json")["command_line"][:3] == ["qaexp", "train", "-m"]


def test_a_script_without_a_guard_may_sweep(work: Path) -> None:
    """The children of a sweep do not run the script that started it."""
    script = work / "script.py"
    words = [*TINY, "name=script", "sweep.dry_run=true", "seed=0,1"]
    script.write_text(f"print('once')\nimport qaexp\nprint(len(qaexp.sweep({words!r})))\n")
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, script], cwd=work, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("once"), "Traceback" in done.stderr) == (0, 1, False), done.stderr


def test_a_sweep_with_a_job_that_fails_raises_and_keeps_the_others(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    with pytest.raises(SweepError, match="1 of 2 jobs failed"):
        qaexp.sweep(TINY, "name=bad", "data.train_size=12,99999", quiet=True)
    assert len(qaexp.load_runs("multirun_outputs/bad")) == 1


def test_a_comparison_is_its_document_and_tables(swept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(swept.folder.parent.parent)
    found = qaexp.compare(swept.folder, metric="f1")
    assert found["metric"] == "f1"
    assert len(found.groups) == len(found["groups"]) == 2
    assert len(found.contrasts) == 1
    assert found.findings
    assert list(found.frame()["n"]) == [2, 2]
    assert found.contrasts_frame()["verdict"][0] == found.contrasts[0]["verdict"]
    assert set(found) == set(found.document)
    assert "2 groups of 4 runs by f1" in repr(found)
    assert len(qaexp.compare(["multirun_outputs/r*"], where="optimizer.lr<1e-3", metric="f1")["runs"]) == 2
    assert found.write_html(swept.folder.parent / "page.html").stat().st_size > 1000


def test_tables_of_runs_epochs_and_questions(swept: Any, first: Any) -> None:
    runs = qaexp.load_runs([swept.folder, first.folder])
    assert len(runs) == 5
    assert len(qaexp.load_runs(str(swept.folder / "*"))) == 4
    history = qaexp.load_history(swept.folder)
    assert list(history["epoch"]) == [1] * 4
    assert list(history["run_id"]) == [run.run_id for run in swept] or set(history["run_id"]) == set(runs["run_id"][:4])
    assert {"path", "name", "seed", "step", "f1", "train_loss"} <= set(history.columns)
    questions = qaexp.load_predictions(first.folder)
    assert len(questions) == first["num_dev_examples"]
    assert questions["f1"].mean() == pytest.approx(first["f1"])
    assert {"id", "question", "golds", "prediction_text", "null_score_diff", "crossfit_f1"} <= set(questions.columns)
    assert len(qaexp.load_predictions(swept.folder)) == 4 * first["num_dev_examples"]


def test_a_result_stands_where_a_path_is_asked_for(first: Any, swept: Any) -> None:
    assert len(qaexp.load_runs(first)) == len(qaexp.load_runs([first])) == 1
    assert len(qaexp.load_runs([first, swept])) == 5
    assert len(qaexp.compare(swept, metric="f1").groups) == 2
    assert set(qaexp.load_predictions(first)["run_id"]) == {first.run_id}
    assert qaexp.Predictor(first, device="cpu").folder == first.folder / "model"


def test_what_is_no_path_is_said(first: Any) -> None:
    for load in (qaexp.load_runs, qaexp.load_history, qaexp.load_predictions, qaexp.compare):
        with pytest.raises(ConfigError, match="must be a text or a Path"):
            load(123)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="nothing to compare"):
        qaexp.compare([])
    with pytest.raises(ConfigError, match=r"^metric f2: no run has it"):
        qaexp.compare(first, metric="f2")
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ConfigError, match=rf"^device={device} is none of|^device={device}, but"):
            qaexp.Predictor(first, device=device)


NOWHERE: dict[str, Callable[[], Any]] = {
    "load_runs": lambda: qaexp.load_runs("nowhere"),
    "one of several": lambda: qaexp.load_runs([".", "nowhere"]),
    "a pattern": lambda: qaexp.load_runs("nowhere/*"),
    "load_history": lambda: qaexp.load_history("nowhere"),
    "load_predictions": lambda: qaexp.load_predictions("nowhere"),
    "compare": lambda: qaexp.compare("nowhere"),
    "Predictor": lambda: qaexp.Predictor("nowhere"),
}


@pytest.mark.parametrize("called", NOWHERE.values(), ids=NOWHERE.keys())
def test_nothing_there_is_said(called: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="nowhere") as caught:
        called()
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_without_runs_is_a_warning_or_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = qaexp.load_runs(tmp_path)
    assert list(empty.columns) == ["path", "run_id", "flags"]
    assert f"{tmp_path}: skipped" in caplog.text
    for load in (qaexp.load_history, qaexp.load_predictions):
        with pytest.raises(ConfigError, match="no run there"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("called", "says"),
    [
        (lambda: qaexp.run("seed=0,1"), r"qaexp\.sweep\(\)"),
        (lambda: qaexp.run("sweep=seeds"), r"qaexp\.sweep\(\)"),
        (lambda: qaexp.run("-m", "seed=1"), "no flags"),
        (lambda: qaexp.sweep("--config-dir=conf", "seed=1"), "config_dir="),
        (lambda: qaexp.run(["seed=1"]), "one argument each"),  # type: ignore[arg-type]
        (lambda: qaexp.run({"seed": 1}), "override lines as texts"),  # type: ignore[arg-type]
        (lambda: qaexp.run("seed=1", config_dir="no_folder"), "no_folder is not a folder"),
        (lambda: qaexp.run("optimiser=sgd"), "did you mean optimizer"),
        (lambda: qaexp.sweep("optimizer=sgdd,adamw"), "did you mean sgd"),
        (lambda: qaexp.run(name="x"), r'write run\("name=x"\)'),
        (lambda: qaexp.run("seed=1", **{"optimizer.lr": 1e-3}), r'write run\("optimizer.lr=0.001"\)'),  # type: ignore[arg-type]
        (lambda: qaexp.run(overrides=["seed=1", "name=x"]), r'write run\("seed=1", "name=x"\)'),
        (lambda: qaexp.sweep(seed=[0, 1], quiet=True), r'write sweep\("seed=0,1"\)'),
        (lambda: qaexp.compare(name="x"), 'write where="name=x"'),
        (lambda: qaexp.compare("outputs", metrics="f1"), "did you mean metric="),
        (lambda: qaexp.compare(), "there is nothing to compare"),
    ],
)
def test_what_python_gives_wrongly_is_one_sentence_and_leaves_nothing(
    called: Callable[[], Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QaexpError, match=says) as caught:
        called()
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
