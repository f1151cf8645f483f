"""Whole runs on the device: the numbers of the CPU, the same bytes again, also after a kill, and the run's answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import qaexp
from tests.fixtures import drill, tiny_run
from tests.fixtures.devices import ACCELERATOR, needs_device

pytestmark = needs_device
STILL = ("model.hidden_dropout=0", "model.attention_dropout=0")
WORDS = (
    *tiny_run.DEMO,
    *("trainer.device=auto", "trainer.epochs=2", "trainer.checkpoint_every=1", "trainer.deterministic=true"),
    *("optimizer.lr=3e-3", "threads=1"),
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on the device."""
    folder = tmp_path_factory.mktemp("runs")
    tiny_run.train(folder, "one", *WORDS)
    return folder


@pytest.fixture
def run(work: Path) -> Path:
    return work / "outputs" / "one"


def test_env_json_names_the_device(run: Path) -> None:
    found = tiny_run.read_json(run / "env.json")["device"]
    assert (found["device"], found["precision"], found["num_processes"]) == (ACCELERATOR.type, "fp32", 1)
    assert found["name"]
    assert tiny_run.read_json(run / "summary.json")["peak_memory_mib"] > 0


def test_the_steps_are_those_of_the_cpu(work: Path) -> None:
    here = tiny_run.train(work, "still", *WORDS, *STILL)
    there = tiny_run.train(work, "cpu", *WORDS, *STILL, "trainer.device=cpu")
    for ours, theirs in zip(*(tiny_run.read_lines(of / "metrics.jsonl") for of in (here, there)), strict=True):
        assert (ours["step"], ours["num_tokens"]) == (theirs["step"], theirs["num_tokens"])
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-3)
    numbers = [tiny_run.read_json(of / "summary.json") for of in (here, there)]
    assert numbers[0]["gold_nll"] == pytest.approx(numbers[1]["gold_nll"], abs=1e-2)


def test_the_same_command_gives_the_same_bytes(work: Path, run: Path) -> None:
    assert drill.fingerprints(tiny_run.train(work, "again", *WORDS)) == drill.fingerprints(run)


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(work: Path, run: Path) -> None:
    environment = {**os.environ, "QAEXP_CACHE_DIR": str(work / "cache"), "QAEXP_CRASH_AT": "renamed:step-0000003"}
    command = [sys.executable, "-m", "qaexp", "train", "name=killed", *WORDS]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    killed = work / "outputs" / "killed"
    assert tiny_run.read_json(killed / "env.json")["device"]["device"] == ACCELERATOR.type
    resumed = tiny_run.call(work, "resume", str(killed))
    assert resumed.code == 0, resumed.err
    assert "goes on after step 3 of" in resumed.out
    assert drill.fingerprints(killed) == drill.fingerprints(run)
    assert drill.steps_once(killed)


def test_evaluate_on_the_device_gives_the_metrics_of_the_run(work: Path) -> None:
    files = [tiny_run.write_squad(work / f"{name}.json", 8, 4) for name in ("train", "dev")]
    words = (*tiny_run.FILES, *tiny_run.files_of(*files), "trainer.device=auto", "trainer.epochs=2")
    trained = tiny_run.train(work, "files", *words)
    done = tiny_run.call(work, "evaluate", str(trained), "--data", str(files[1]), "--null-threshold", "0", "--json")
    assert done.code == 0, done.err
    found, stored = json.loads(done.out), tiny_run.read_json(trained / "summary.json")
    assert {name: found[name] for name in ("exact", "f1")} == {name: stored[name] for name in ("exact", "f1")}


def test_a_predictor_answers_as_on_the_cpu(run: Path) -> None:
    records, contexts = tiny_run.read_lines(run / "predictions.jsonl"), tiny_run.read_json(run / "contexts.json")
    pairs = [(record["question"], contexts[record["paragraph"]]) for record in records]
    here, there = qaexp.Predictor(run), qaexp.Predictor(run, device="cpu")
    assert next(here.loaded.model.parameters()).device.type == ACCELERATOR.type
    for ours, theirs in zip(here.answer_all(pairs), there.answer_all(pairs), strict=True):
        assert ours.answer == theirs.answer
        assert ours.null_score_diff == pytest.approx(theirs.null_score_diff, abs=1e-3)


def test_bf16_is_computed_and_close(work: Path) -> None:
    rough = tiny_run.train(work, "rough", *WORDS, *STILL, "trainer.precision=bf16")
    fine = tiny_run.train(work, "fine", *WORDS, *STILL, "trainer.precision=fp32")
    losses = [[row["loss"] for row in tiny_run.read_lines(of / "metrics.jsonl")] for of in (rough, fine)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=0.1)
