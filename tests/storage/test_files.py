"""Writes are whole or not at all; appends survive a torn line; every refusal names path and bytes."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qaexp.errors import StorageError
from qaexp.storage import files, folders
from qaexp.storage.appender import Appender, truncate


def test_write_replaces_the_whole_file_and_leaves_no_temp_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_text(path, "a long first content")
    files.write_json(path, {"b": 0.1, "a": "é"})
    assert path.read_bytes() == '{\n "b": 0.1,\n "a": "é"\n}\n'.encode()
    assert [found.name for found in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_mode_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        files.write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@pytest.mark.parametrize("call", ["fsync", "write", "rename"])
def test_refused_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "a"
    files.write_text(path, "old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "rename":
        monkeypatch.setattr(os, "rename", refuse)
    elif call == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match=r"a: cannot be written \(3 bytes needed\): No space left") as caught:
        files.write_text(path, "new")
    monkeypatch.undo()
    assert caught.value.exit_code == 5
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("parent", ["missing", "a file", "x" * 300])
def test_impossible_folders_are_storage_errors(tmp_path: Path, parent: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        files.write_text(tmp_path / parent / "a", "x")


def test_write_never_follows_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "a").symlink_to(outside)
    files.write_text(tmp_path / "a", "new")
    assert outside.read_text() == "mine"
    (tmp_path / "b").symlink_to(outside)
    with pytest.raises(StorageError):
        Appender(tmp_path / "b")


@pytest.mark.parametrize(
    ("point", "content"), [("write", "old"), ("fsync", "old"), ("rename", "old"), ("renamed", "new content")]
)
def test_killed_writer_leaves_the_old_or_the_new_bytes(tmp_path: Path, point: str, content: str) -> None:
    path = tmp_path / "a"
    files.write_text(path, "old")
    code = (
        "import sys, pathlib, qaexp.storage.files as files; files.write_text(pathlib.Path(sys.argv[1]), 'new content')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "QAEXP_CRASH_AT": f"{point}:a"},
        cwd=Path(files.__file__).parents[2],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == content
    folders.remove_temps(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_json_refuses_nan_and_reads_back_lone_surrogates(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "a", {"loss": float("nan")})
    files.write_json(tmp_path / "a", {"path": "\ud800"})
    assert json.loads((tmp_path / "a").read_text())["path"] == "\ud800"


def test_appender_starts_on_a_fresh_line_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"step": 1}\n{"st')
    appender = Appender(path)
    appender.append('{"step": 2}\n')
    appender.close()
    assert path.read_text() == '{"step": 1}\n{"st\n{"step": 2}\n'


def test_appended_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    appender = Appender(tmp_path / "a")
    appender.append("one\n")
    assert (tmp_path / "a").read_text() == "one\n"
    appender.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_append_to_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    appender = Appender(tmp_path / "a")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, appender._file.fileno())
    os.close(full)
    with pytest.raises(StorageError, match=r"\(4 bytes needed\): No space left"):
        appender.append("one\n")
    appender.close()


def test_new_directory_stands_whole_or_not_at_all(tmp_path: Path) -> None:
    final = tmp_path / "model"
    with folders.new_directory(final) as folder:
        (folder / "weights").write_text("1")
        assert not final.exists()
    with folders.new_directory(final) as folder:
        (folder / "other").write_text("2")
    assert [found.name for found in final.iterdir()] == ["other"]
    with pytest.raises(ZeroDivisionError), folders.new_directory(final) as folder:
        (folder / "broken").write_text(str(1 / 0))
    assert [found.name for found in tmp_path.iterdir()] == ["model"]
    assert [found.name for found in final.iterdir()] == ["other"]


def test_a_library_s_private_files_become_as_readable_as_their_folder(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with folders.new_directory(tmp_path / "model") as folder:
            os.close(os.open(folder / "private", os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model" / "private").stat().st_mode) == 0o640


def test_a_folder_that_an_overlay_does_not_rename_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def refuse_folders(old: str, new: str, **folders: int) -> None:
        if not old.startswith(files.TEMP_PREFIX):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new, **folders)

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    monkeypatch.setattr(os, "rename", refuse_folders)
    with folders.new_directory(tmp_path / "model") as folder:
        (folder / "new").touch()
    assert [found.name for found in (tmp_path / "model").iterdir()] == ["new"]
    assert [found.name for found in tmp_path.iterdir()] == ["model"]


def test_remove_takes_the_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    folders.remove(tmp_path / "link")
    folders.remove(tmp_path / "nothing")
    assert [found.name for found in tmp_path.iterdir()] == ["kept"]


def test_a_file_with_another_name_gets_bytes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("one\n")
    os.link(tmp_path / "metrics.jsonl", tmp_path / "backup")
    lines = Appender(tmp_path / "metrics.jsonl")
    lines.append("two\n")
    lines.close()
    os.link(tmp_path / "metrics.jsonl", tmp_path / "another")
    truncate(tmp_path / "metrics.jsonl", 4)
    assert (tmp_path / "backup").read_text() == (tmp_path / "metrics.jsonl").read_text() == "one\n"
    assert (tmp_path / "another").read_text() == "one\ntwo\n"


def test_what_says_the_same_is_not_touched_and_no_link_is_read(tmp_path: Path) -> None:
    files.write_changed(tmp_path / "a", b"same")
    before = (tmp_path / "a").stat()
    files.write_changed(tmp_path / "a", b"same")
    assert (tmp_path / "a").stat().st_ino == before.st_ino
    files.write_changed(tmp_path / "a", b"else")
    assert (tmp_path / "a").read_bytes() == b"else"
    (tmp_path / "mine").write_bytes(b"same")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        files.write_changed(tmp_path / name, b"same")  # never waits for a writer
        assert (tmp_path / name).read_bytes() == b"same"
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "mine").read_bytes() == b"same"
