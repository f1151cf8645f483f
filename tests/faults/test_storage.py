"""Folders that cannot be made: names that are none, and places that cannot be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run

NAMES = [
    "'a\nb'", "'\U0001f600'", "..", "a/b", "/abs", "-lead", "'tail '", "' lead'", "''", "a" * 300, ".hidden", "'a\tb'",
    "'a\u202eb'", "../../etc", "'~'", "'a\\b'", "'a:b'",
]  # fmt: skip


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("the model was opened")


@pytest.mark.fault("S5")
def test_folders(qaexp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.model.checkpoint.Checkpoint.load", refuse)
    monkeypatch.setattr("qaexp.data.pipeline.DataPipeline.load", refuse)
    for name in NAMES:
        done = qaexp.refused(2, "train", *tiny_run.DEMO, f"name={name}")
        assert "name" in done.last_line
    assert list(qaexp.folder.iterdir()) == []
    (qaexp.folder / "outputs").write_text("mine")
    qaexp.refused(5, "train", *tiny_run.DEMO, "name=a", last=("outputs", "name="))
    assert (qaexp.folder / "outputs").read_text() == "mine"
    (qaexp.folder / "outputs").unlink()
    (qaexp.folder / "outputs").mkdir()
    (qaexp.folder / "outputs" / "a").write_text("mine")
    qaexp.refused(5, "train", *tiny_run.DEMO, "name=a", last=("outputs/a", "name="))
    deep = "outputs/" + "d" * 300
    qaexp.refused(5, "train", *tiny_run.DEMO, "name=b", f"hydra.run.dir={deep}", last=("name too long", "name="))
    make = os.mkdir
    is_root = os.geteuid() == 0

    def read_only(path: Any, *args: Any, **keywords: Any) -> None:
        parent = Path(f"/proc/self/fd/{keywords['dir_fd']}").readlink() if keywords.get("dir_fd") else qaexp.folder
        if is_root and (parent / path).is_relative_to(qaexp.folder / "outputs"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *args, **keywords)

    monkeypatch.setattr(os, "mkdir", read_only)  # root may write everywhere
    (qaexp.folder / "outputs").chmod(0o500)
    qaexp.refused(
        5,
        "train",
        *tiny_run.DEMO,
        "name=c",
        last=("outputs/c", "ermission denied", "choose a folder that may be written"),
    )
    (qaexp.folder / "outputs").chmod(0o700)
    assert sorted(path.name for path in (qaexp.folder / "outputs").iterdir()) == ["a"]
