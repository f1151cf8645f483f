"""Names of runs that were given none."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

import pytest

from qaexp.runs.directory import check_name
from qaexp.runs.naming import default_name

NOON = datetime(2026, 1, 2, 12, 0, 0)


def test_names_of_one_second_are_legal_and_never_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(drawn))
    names = [default_name(["seed=1"], tmp_path / "outputs", environ={}, now=NOON) for _ in range(2)]
    assert names == ["2026-01-02_12-00-00-aaaa", "2026-01-02_12-00-00-bbbb"]
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == names
    for name in names:
        check_name(name)


def test_a_folder_that_cannot_be_made_is_told_later(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")
    assert default_name([], tmp_path / "outputs", environ={}, now=NOON).startswith("2026-01-02_12-00-00-")


def test_a_job_of_slurm_and_its_words_have_one_name(tmp_path: Path) -> None:
    environ = {"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3"}

    def name(*words: str, **more: str) -> str:
        return default_name(words, tmp_path, environ={**environ, **more}, now=datetime.now())

    first = name("seed=1", "model=a")
    assert first.startswith("slurm-10_3-")
    check_name(first)
    assert first == name("seed=1", "model=a", SLURM_RESTART_COUNT="1", SLURM_JOB_ID="99")
    others = {name("seed=2", "model=a"), name("seed=1model=a"), name("seed=1", "model=a", SLURM_ARRAY_TASK_ID="4")}
    assert len({first, *others}) == 4
    assert list(tmp_path.iterdir()) == []
