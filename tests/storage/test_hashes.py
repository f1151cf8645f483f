"""A hash is remembered as long as the file is the same, and never after it was changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from qaexp.storage import hashes
from qaexp.storage.hashes import remembered_hash


class Reader:
    """Reads a file, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path, self.num_reads = path, 0

    def __call__(self) -> str:
        self.num_reads += 1
        return self.path.read_text()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Of a file that was written long ago, as the clock has it."""
    now = time.time_ns
    monkeypatch.setattr(hashes, "_hashes", {})
    monkeypatch.setattr(hashes.time, "time_ns", lambda: now() + 10 * 10**9)
    (tmp_path / "data").write_text("one")
    return Reader(tmp_path / "data")


def test_a_file_that_is_the_same_is_read_once(reader: Reader) -> None:
    assert [remembered_hash(reader.path, "text", reader) for _ in range(3)] == ["one"] * 3
    assert reader.num_reads == 1
    assert remembered_hash(reader.path, "other", reader) == "one"
    assert reader.num_reads == 2


def test_a_file_with_its_old_size_and_time_is_read_again(reader: Reader) -> None:
    assert remembered_hash(reader.path, "text", reader) == "one"
    before = reader.path.stat()
    time.sleep(0.05)  # a tick of the kernel's clock
    reader.path.write_text("two")
    os.utime(reader.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (reader.path.stat().st_size, reader.path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert remembered_hash(reader.path, "text", reader) == "two"


def test_a_file_in_the_place_of_another_is_read_again(reader: Reader) -> None:
    assert remembered_hash(reader.path, "text", reader) == "one"
    before = reader.path.stat()
    other = reader.path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(reader.path)
    assert remembered_hash(reader.path, "text", reader) == "two"


def test_a_file_that_was_just_written_is_not_remembered(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes.time, "time_ns", lambda: reader.path.stat().st_mtime_ns + 10**9)
    assert [remembered_hash(reader.path, "text", reader) for _ in range(2)] == ["one"] * 2
    assert reader.num_reads == 2


def test_a_file_that_changes_while_it_is_read_is_not_remembered(reader: Reader) -> None:
    def changes_it() -> str:
        time.sleep(0.05)
        reader.path.write_text("two")
        return "one"

    assert remembered_hash(reader.path, "text", changes_it) == "one"
    assert remembered_hash(reader.path, "text", reader) == "two"


def test_what_cannot_be_read_is_named_by_who_reads_it(reader: Reader) -> None:
    reader.path.unlink()
    with pytest.raises(FileNotFoundError):
        remembered_hash(reader.path, "text", reader)
