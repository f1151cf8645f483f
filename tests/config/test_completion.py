"""What the Tab key offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures import tiny_run


def offered(folder: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COMP_LINE", f"qaexp train {line}")
    monkeypatch.setenv("COMP_POINT", str(len(f"qaexp train {line}")))
    return tiny_run.call(folder, "-sc", "query=bash").out.split()


def test_keys_that_people_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = offered(tmp_path, "optimizer.", monkeypatch)
    assert "optimizer.lr=" in found
    assert not [name for name in found if "._" in name]
    assert offered(tmp_path, "--from outputs/base trainer.ep", monkeypatch) == ["trainer.epochs="]


def test_folders_and_files_that_a_key_may_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "seed=0,lr=1").mkdir(parents=True)
    (tmp_path / "runs" / "train.json").write_text("{}")
    for line, expected in {
        "model.checkpoint=ru": ["model.checkpoint=runs/"],
        "model.checkpoint=runs/": ["model.checkpoint=runs/seed=0,lr=1/"],
        "data.train_file=runs/t": ["data.train_file=runs/train.json"],
        "data.train_file=nowhere/t": [],
    }.items():
        assert offered(tmp_path, line, monkeypatch) == expected
