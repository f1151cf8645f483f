"""A new folder takes the place of nothing, whatever appears there, and two processes never make the same one."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qaexp.errors import BusyError, ConfigError, QaexpError
from qaexp.storage.added import added_directory
from tests.fixtures.tiny_run import snapshot

_HELD = """
import sys, time
from pathlib import Path
from qaexp.storage.added import added_directory
with added_directory(Path(sys.argv[1])) as folder:
    (folder / "a").write_text("first")
    print(folder.name, flush=True)
    sys.stdin.readline()
"""

APPEARING: dict[str, Callable[[Path], object]] = {
    "a folder": lambda to: (to.mkdir(), (to / "mine").write_text("mine")),
    "an empty folder": lambda to: to.mkdir(),
    "a file": lambda to: to.write_text("mine"),
    "a link": lambda to: to.symlink_to("nowhere"),
    "a link to a folder": lambda to: to.symlink_to("/"),
}


def other_process(to: Path) -> subprocess.Popen[str]:
    """A process that makes a folder and waits for a line, with its temporary folder there."""
    command = [sys.executable, "-c", _HELD, str(to)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(".tmp-")
    return process


def test_it_appears_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    to = tmp_path / "above" / "new"
    with added_directory(to) as folder:
        (folder / "a").write_text("a")
        assert not to.exists()
    assert snapshot(to).keys() == {"a"}
    with pytest.raises(ZeroDivisionError), added_directory(tmp_path / "other"):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["above"]
    assert [path.name for path in to.parent.iterdir()] == ["new"]


@pytest.mark.parametrize("kind", APPEARING)
def test_what_appears_meanwhile_is_kept(kind: str, tmp_path: Path) -> None:
    to = tmp_path / "new"

    def state() -> tuple[object, ...]:
        return os.lstat(to).st_ino, sorted(path.name for path in to.iterdir()) if kind == "a folder" else None

    def make() -> None:
        with added_directory(to) as folder:
            (folder / "a").write_text("a")
            APPEARING[kind](to)
            before.append(state())

    before: list[object] = []
    with pytest.raises(ConfigError, match="appeared there in the meantime, and nothing was written over it"):
        make()
    assert [state()] == before
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    with pytest.raises(ConfigError, match="is there already"), added_directory(to):
        pass


@pytest.mark.parametrize("kind", [kind for kind in APPEARING if kind != "an empty folder"])
def test_the_rename_itself_replaces_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What appears between the look and the rename."""
    to, rename = tmp_path / "new", os.rename

    def late(*given: object, **more: object) -> None:
        APPEARING[kind](to)
        rename(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", late)
    with pytest.raises(ConfigError, match="appeared there in the meantime"), added_directory(to):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert to.is_symlink() or to.is_file() or (to / "mine").is_file()


def test_a_second_process_is_refused_and_the_first_one_goes_on(tmp_path: Path) -> None:
    to = tmp_path / "new"
    process = other_process(to)
    with pytest.raises(BusyError, match="another process is writing this folder"), added_directory(to):
        pass
    process.communicate("go on\n")
    assert process.returncode == 0
    assert (to / "a").read_text() == "first"


def test_what_a_killed_process_left_is_removed_and_what_others_left_is_not(tmp_path: Path) -> None:
    to = tmp_path / "new"
    process = other_process(to)
    process.kill()
    process.communicate()
    (tmp_path / ".tmp-new-er-00000000").mkdir()
    assert len(list(tmp_path.glob(".tmp-new-*"))) == 2
    with added_directory(to):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"new", ".tmp-new-er-00000000"}


def _compete(to: Path, number: int, begin: float) -> str:
    time.sleep(max(0.0, begin - time.time()))
    try:
        with added_directory(to) as folder:
            (folder / "who").write_text(str(number))
            time.sleep(0.2)
    except QaexpError as error:
        return error.kind
    return f"wrote {number}"


def test_of_several_that_begin_together_one_wins(tmp_path: Path) -> None:
    to = tmp_path / "new"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for _ in range(5):
            begin = time.time() + 0.3
            found = pool.starmap(_compete, [(to, number, begin) for number in range(4)], chunksize=1)
            (winner,) = [words for words in found if words.startswith("wrote ")]
            assert {words for words in found if words != winner} <= {"busy", "config"}
            assert f"wrote {(to / 'who').read_text()}" == winner
            shutil.rmtree(to)
            assert list(tmp_path.iterdir()) == []
