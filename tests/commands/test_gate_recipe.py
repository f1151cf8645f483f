"""The workflow of docs/gate.md, its steps run by hand on tiny runs: a base that is worse, better, and neither."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from qaexp.storage.formats import csv_text
from tests import REPOSITORY
from tests.fixtures import pages
from tests.fixtures.compared import edit, rows_of

# No answer may be empty, or the tiny model would answer nothing at all.
SETTINGS = "model=tiny_random trainer=cpu reporter=none data.train_size=12 data.dev_size=60 trainer.max_steps=1"
SETTINGS += " trainer.epochs=1 threads=1 decoding.allow_no_answer=false"


def steps() -> dict[str, str]:
    """The commands of the workflow by the names of their steps."""
    (block,) = (block for block in pages.blocks("docs/gate.md") if block.language == "yaml")
    found: dict[str, Any] = yaml.safe_load(block.text)
    assert set(found["env"]) == {"SETTINGS", "BASE"}
    return {step["name"]: step["run"] for step in found["jobs"]["gate"]["steps"] if "run" in step}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the steps before the last one have been run."""
    folder = tmp_path_factory.mktemp("runner")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "qaexp").write_text(f'#!/bin/sh\nexec {sys.executable} -m qaexp "$@"\n')
    (programs / "pip").write_text('#!/bin/sh\ntest "$1" = install\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    for name in ("Install", "Train"):
        done = step(folder, name, "unused")
        assert done.returncode == 0, done.stderr
    for number, (run, own) in enumerate(runs_of(folder / "multirun_outputs" / "new")):
        # What one step teaches goes by the processor: six questions of ten are right here.
        write_scores(run, np.where(np.random.default_rng(number).permutation(len(own)) < 0.6 * len(own), 100.0, 0.0))
    return folder


def step(folder: Path, name: str, base: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: `bash -e` on a file."""
    script = folder / f"{name}.sh"
    script.write_text(steps()[name])
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "QAEXP_CACHE_DIR": str(folder / "cache"),
        "SETTINGS": SETTINGS,
        "BASE": base,
        "GITHUB_STEP_SUMMARY": str(folder / f"summary of {base}"),
        "GITHUB_OUTPUT": str(folder / f"output of {base}"),
    }
    return subprocess.run(["bash", "-e", str(script)], cwd=folder, env=environment, capture_output=True, text=True)


def write_base(folder: Path, name: str) -> None:
    """The runs of the sweep as another program might have scored: worse, perfectly, or as well."""
    shutil.copytree(folder / "multirun_outputs" / "new", folder / name)
    for number, (run, own) in enumerate(runs_of(folder / name)):
        # The same scores, of other questions: as good on the whole.
        mixed = np.random.default_rng(number + 100).permutation(own)
        f1 = {"worse": np.maximum(own - 90, 0), "better": np.full(len(own), 100.0), "neither": mixed}[name]
        write_scores(run, f1)


def runs_of(sweep: Path) -> list[tuple[Path, np.ndarray]]:
    """The runs of a sweep with the score of each question."""
    found = sorted(path.parent for path in sweep.rglob("summary.json"))
    return [(run, np.array([float(row["crossfit_f1"]) for row in rows_of(run / "scores.csv")])) for run in found]


def write_scores(run: Path, f1: np.ndarray) -> None:
    """Give a run other scores."""
    rows = rows_of(run / "scores.csv")
    for row, value in zip(rows, f1, strict=True):
        row.update(f1=str(value), crossfit_f1=str(value))
    (run / "scores.csv").write_text(csv_text(rows))
    has_ans = np.array([row["answer_words"] != "0" for row in rows])
    parts = {"f1": f1, "crossfit_f1": f1, "has_ans_f1": f1[has_ans], "no_ans_f1": f1[~has_ans]}
    edit(run / "summary.json", **{key: float(part.mean()) if len(part) else None for key, part in parts.items()})
    (run / "MANIFEST.json").unlink(missing_ok=True)
    edit(run / "run.json", summary_sha256=hashlib.sha256((run / "summary.json").read_bytes()).hexdigest())


@pytest.mark.slow
@pytest.mark.parametrize(("base", "code", "passes"), [("worse", 0, True), ("better", 11, False), ("neither", 12, True)])
def test_the_last_step_passes_fails_and_warns(place: Path, base: str, code: int, passes: bool) -> None:
    write_base(place, base)
    done = step(place, "Judge", base)
    assert (done.returncode == 0) == passes, (done.stdout, done.stderr)
    assert done.returncode in (0, code)
    assert (place / f"output of {base}").read_text() == f"code={code}\n"
    summary = (place / f"summary of {base}").read_text()
    assert summary.startswith("### Gate: ")
    assert "| crossfit\\_f1 |" in summary
    assert ("::warning::" in done.stdout) == (code == 12)
