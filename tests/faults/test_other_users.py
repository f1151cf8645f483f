"""Directories of another user, and a process that may not do as root does: one sentence, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.fixtures import drill, tiny_run

SOMEBODY = 65534
# Root without its rights: a user like any other, who may read what root's files are readable for.
AS_A_USER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
WORDS = (*tiny_run.DEMO, "threads=1", "trainer.epochs=1", "trainer.checkpoint_every=2")


def as_a_user(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command without root's rights; its exit code and what it said."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(folder / "cache")}
    command = [*AS_A_USER, sys.executable, "-m", "qaexp", *words]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.fault("V1")
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to be another user")
def test_directories_of_another_user(tmp_path: Path) -> None:
    tiny_run.train(tmp_path, "completed", *WORDS)
    drill.stopped_run(tmp_path, "stopped", *WORDS)
    for path in (tmp_path / "outputs", *(tmp_path / "outputs").rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)
    before = tiny_run.snapshot(tmp_path / "outputs")
    for words, code, says in (
        (("verify", "outputs/completed"), 0, "files intact"),
        (("status", "outputs"), 0, "goes on after step"),
        (("compare", "outputs"), 0, "completed"),
        (("plot", "outputs/completed"), 5, "plots: cannot be written: Permission denied"),
        (("resume", "outputs/stopped"), 5, ".lock: cannot be written: Permission denied"),
        (("train", "name=mine", *WORDS), 5, "outputs"),
    ):
        ended = as_a_user(tmp_path, *words)
        assert (ended[0], says in ended[1]) == (code, True), (words, ended)
        assert tiny_run.snapshot(tmp_path / "outputs") == before, words
    # What may not even be read.
    for path in (tmp_path / "outputs").iterdir():
        path.chmod(0o700)
    for words in (("verify", "outputs/completed"), ("plot", "outputs/completed"), ("resume", "outputs/stopped")):
        code, said = as_a_user(tmp_path, *words)
        assert code in (2, 5, 8), (words, said)
        assert "Permission denied" in said, (words, said)
    assert as_a_user(tmp_path, "status", "outputs")[0] == 0
    assert tiny_run.snapshot(tmp_path / "outputs") == before
