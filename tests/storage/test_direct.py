"""A large file has the very bytes given, on every file system, and where a call writes less than asked."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from qaexp.storage import direct
from qaexp.storage.direct import BLOCK_BYTES, write_blocks

SIZES = (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 4097)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def written(folder: Path, data: bytes, chunk_bytes: int = 1_000_003) -> bytes:
    path = folder / f"file-{len(data)}"
    with path.open("wb", buffering=0) as file:
        write_blocks(file.fileno(), (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)))
    found = path.read_bytes()
    path.unlink()
    return found


@pytest.mark.parametrize("size", SIZES)
def test_the_bytes_are_those_given(tmp_path: Path, size: int) -> None:
    assert written(tmp_path, content(size)) == content(size)
    assert written(tmp_path, content(size), chunk_bytes=2 * BLOCK_BYTES + 5) == content(size)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a file system in memory")
def test_a_file_system_in_memory_takes_them_too() -> None:
    assert written(Path("/dev/shm"), content(SIZES[-1])) == content(SIZES[-1])


def test_a_system_without_direct_writes_writes_the_ordinary_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = []

    def refuse(*_: object) -> int:
        refusals.append(1)
        raise OSError(errno.EINVAL, "Invalid argument")

    plain = direct.fcntl.fcntl
    monkeypatch.setattr(
        direct.fcntl, "fcntl", lambda *words: plain(*words) if words[1] == direct.fcntl.F_GETFL else refuse()
    )
    assert written(tmp_path, content(SIZES[-1])) == content(SIZES[-1])
    assert refusals


@pytest.mark.parametrize("most", [1, 4096, BLOCK_BYTES - 512])
def test_a_call_that_writes_less_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    whole, calls = os.write, []

    def short(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        return whole(descriptor, memoryview(data)[: most if len(calls) == 1 else len(data)])

    monkeypatch.setattr(direct.os, "write", short)
    assert written(tmp_path, content(SIZES[-1])) == content(SIZES[-1])
    assert len(calls) > 4


def test_a_refusal_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(direct.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        written(tmp_path, content(BLOCK_BYTES))
