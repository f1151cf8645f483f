"""The cache keeps to its limit: what was used longest ago goes, and nothing that is in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qaexp.data.cache_folder import locked
from qaexp.data.cache_limit import CACHE_MIB, keep_to_limit, mark_used
from qaexp.data.ondisk.entries import Contents, Entry, Size, kept_entry
from qaexp.errors import ConfigError

MIB = 2**20


def file_entry(cache: Path, name: str, used: float) -> Path:
    path = cache / "features" / f"{name}.safetensors"
    with locked(path):
        path.write_bytes(b"x" * MIB)
    os.utime(path.with_suffix(".lock"), (used, used))
    return path


def disk_entry(cache: Path, name: str) -> Entry:
    def build(contents: Contents) -> Iterator[bytes]:
        yield b"y" * MIB

    return kept_entry(cache / "examples" / name, name, build, Size(MIB, MIB))[0]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_MIB, "2.5")
    return tmp_path


def test_what_was_used_longest_ago_goes(cache: Path) -> None:
    paths = [file_entry(cache, name, used) for used, name in enumerate("abcd")]
    mark_used(paths[0])
    keep_to_limit(cache, paths[3])
    assert [path.exists() for path in paths] == [True, False, False, True]


def test_the_newest_stays_however_large_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [file_entry(cache, name, used) for used, name in enumerate("ab")]
    monkeypatch.setenv(CACHE_MIB, "0")
    keep_to_limit(cache, paths[0])
    assert [path.exists() for path in paths] == [True, False]


def test_nothing_that_is_read_or_built_goes(cache: Path) -> None:
    read, built = disk_entry(cache, "read"), file_entry(cache, "built", 1)
    idle, newest = file_entry(cache, "idle", 2), file_entry(cache, "newest", 3)
    os.utime(cache / "examples" / "read.lock", (0, 0))
    with locked(built):
        keep_to_limit(cache, newest)
    assert (cache / "examples" / "read").is_dir()
    assert (built.exists(), idle.exists(), newest.exists()) == (True, False, True)
    assert read.read(0, 3) == b"yyy"
    del read
    keep_to_limit(cache, newest)
    assert not (cache / "examples" / "read").exists()


def test_a_new_entry_makes_room_for_itself(cache: Path) -> None:
    old = [file_entry(cache, name, used) for used, name in enumerate("ab")]
    disk_entry(cache, "new")
    assert [path.exists() for path in old] == [False, True]
    assert (cache / "examples" / "new").is_dir()


def test_a_cache_below_its_limit_is_left_alone(cache: Path) -> None:
    paths = [file_entry(cache, name, used) for used, name in enumerate("ab")]
    keep_to_limit(cache, paths[1])
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("limit", ["many", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(cache: Path, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_MIB, limit)
    with pytest.raises(ConfigError, match=f"{CACHE_MIB}={limit}: must be a number of MiB"):
        keep_to_limit(cache, cache)
