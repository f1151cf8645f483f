"""Classes of one's own: keys of their own, allowed on the command line, and what goes wrong in them costs no run."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest

from qaexp.config.build import build
from qaexp.config.conf import conf_directory
from qaexp.errors import ConfigError, IntegrityError
from tests.fixtures import tiny_run
from tests.fixtures.checked import check_command_line

CODE = """
import torch
from qaexp.data.pipeline import DataPipeline

def delimited(*, delimiter: str, rows: int = 1, **keywords):
    assert isinstance(delimiter, str) and isinstance(rows, int)
    return DataPipeline(**keywords)

class Silent:
    def __init__(self, plots, html): pass

class Fails(Silent):
    def __init__(self, plots, html, how="error"):
        self.how = how
    def report(self, directory, summary):
        raise SystemExit(3) if self.how == "exit" else RuntimeError("no ink [bold]")

class Crash(torch.optim.Optimizer):
    def __init__(self, params, lr=1.0):
        raise RuntimeError("my own bug")

class Track:
    def __init__(self, *, every: int, word: str, flag: bool = False):
        self.given = (every, word, flag)
"""
SMALL = (*tiny_run.MODEL[:2], "data.train_size=16", "data.dev_size=8", "trainer.epochs=1")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with own code and its YAML files; the package has a name of its own in each test."""
    monkeypatch.syspath_prepend(tmp_path)
    name = "own_nodes_qa"
    monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    (tmp_path / f"{name}.py").write_text(CODE)
    demo = (
        (conf_directory() / "data" / "demo.yaml").read_text().replace("qaexp.nodes.DataPipeline", f"{name}.delimited")
    )
    for path, text in {
        "data/tabs": f'{demo}delimiter: ","\nrows: 3\n',
        "reporter/silent": f"_target_: {name}.Silent\nplots: false\nhtml: false\n",
        "reporter/fails": f"_target_: {name}.Fails\nplots: false\nhtml: false\nhow: error\n",
        "optimizer/crash": f"_target_: {name}.Crash\n_partial_: true\nlr: 1.0\n",
    }.items():
        file = tmp_path / "conf" / f"{path}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_own_keys_reach_the_class_and_the_run(work: Path) -> None:
    words = (*SMALL, "reporter=none", "-cd", "conf", "data=tabs", "data.delimiter=';'", "name=a")
    assert tiny_run.call(work, "train", *words).code == 8
    done = tiny_run.call(work, "train", *words, "--allow", "own_nodes_qa.")
    assert done.code == 0, done.err
    stored = tiny_run.read_json(work / "outputs" / "a" / "config.json")
    assert (stored["data"]["delimiter"], stored["data"]["rows"]) == (";", 3)
    # A run of it begins with its keys.
    shown = tiny_run.call(work, "train", "--from", "outputs/a", "--allow=own_nodes_qa.", "--cfg", "job", "-p", "data")
    assert "delimiter: ;" in shown.out
    planned = tiny_run.call(work, "train", "-m", *words, "seed=0,1", "sweep.dry_run=true", "--allow", "own_nodes_qa.")
    assert planned.code == 0, planned.err


def test_own_keys_are_checked(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "own_nodes_qa.")
    conf = work / "conf"
    config = check_command_line(["data=tabs", "+data.foo=1"], config_dir=conf)
    assert asdict(pickle.loads(pickle.dumps(config)).data) == asdict(config.data)
    with pytest.raises(ConfigError, match="foo"):
        build(config.data, "data")
    for words, says in {
        ("data=tabs", "data.delimeter=x"): "did you mean data.delimiter?",
        ("+data.delimiter=x",): "data.delimiter is not a key; data has",
        ("data=tabs", "data.train_siz=3"): "did you mean data.train_size?",
    }.items():
        with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
            check_command_line(words, config_dir=conf)
    monkeypatch.delenv("QAEXP_ALLOW_TARGETS")
    with pytest.raises(IntegrityError, match="--allow my_package"):
        check_command_line(["data=tabs"], config_dir=conf)


def test_no_config_allows_anything(work: Path) -> None:
    (work / "conf" / "experiment").mkdir()
    (work / "conf" / "experiment" / "net.yaml").write_text("# @package _global_\nallow: own_nodes_qa.\n")
    done = tiny_run.call(work, "train", "-cd", "conf", "experiment=net", "reporter=fails", "name=a", *SMALL)
    assert done.code in (2, 8)
    done = tiny_run.call(work, "train", "-cd", "conf", "reporter=fails", "name=a", *SMALL)
    assert done.code == 8  # nor is anything left of an --allow before


def test_a_reporter_without_report_is_refused_at_the_start(work: Path) -> None:
    words = (*SMALL, "-cd", "conf", "reporter=silent", "--allow", "own_nodes_qa.", "name=a")
    done = tiny_run.call(work, "train", *words)
    assert (done.code, "has no method report" in done.err) == (2, True), done.err
    assert not (work / "outputs" / "a" / "run.json").exists()


def test_a_reporter_that_fails_costs_no_run(work: Path) -> None:
    words = (*SMALL, "-cd", "conf", "reporter=fails", "reporter.how=exit", "--allow", "own_nodes_qa.", "name=a")
    done = tiny_run.call(work, "train", *words)
    assert done.code == 0, done.err
    assert "the reporter failed" in done.err
    run = work / "outputs" / "a"
    assert (run / "summary.json").exists()
    assert tiny_run.read_json(run / "run.json")["state"] == "completed"
    assert "Traceback" in (run / "debug.log").read_text()


def test_an_optimizer_that_raises_points_to_its_traceback(work: Path) -> None:
    words = (*SMALL, "reporter=none", "-cd", "conf", "optimizer=crash", "--allow", "own_nodes_qa.", "name=a")
    done = tiny_run.call(work, "train", *words)
    assert done.code == 2
    assert "my own bug" in done.err
    assert "debug.log" in done.err
    assert "my own bug" in (work / "outputs" / "a" / "debug.log").read_text()


def test_a_null_key_that_an_own_class_does_not_know_is_left_out(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "own_nodes_qa.")
    node = {"_target_": "own_nodes_qa.Track", "every": 5, "word": "a", "columns": None}
    assert build(node, "data").given == (5, "a", False)
    with pytest.raises(ConfigError, match="columns is not a keyword"):
        build({**node, "columns": {"context": "passage"}}, "data")


def test_the_environment_gives_numbers_to_trackers(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "own_nodes_qa.")
    node = {"_target_": "own_nodes_qa.Track", "every": "5", "word": "007", "flag": "true"}
    assert build(node, "trackers").given == (5, "007", True)


def test_the_identity_of_runs_is_as_it_was() -> None:
    """No key of the schema that is new stands in it, but one that the identity leaves out where it is null."""
    stored = json.loads(json.dumps(asdict(check_command_line([]))))
    assert set(stored["data"]) == {
        "_target_", "source", "dataset", "config_name", "revision", "train_file", "dev_file", "test_file", "train_size",
        "dev_size", "subset", "on_bad", "columns", "mix", "test_files",
    }  # fmt: skip
