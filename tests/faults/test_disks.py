"""Disks that are full or broken, files that were changed: what was committed stays, and a later start ends the same."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qaexp.data.files import streams
from qaexp.data.ondisk import examples
from qaexp.errors import IntegrityError
from qaexp.runs.checkpoint import verify_checkpoint
from qaexp.runs.kept_checkpoints import find_checkpoints, newest_checkpoint
from qaexp.runs.readers.collect import read_run
from qaexp.storage import room
from qaexp.storage.appender import Appender
from qaexp.storage.reading import read_json_lines
from tests.faults.conftest import Commands
from tests.fixtures import drill, tiny_run

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"
WORDS = (
    *tiny_run.DEMO,
    "threads=1",
    "trainer.epochs=2",
    "trainer.checkpoint_every=3",
    "trainer.keep=best",
    "trainer.keep_checkpoints=true",
)


def run(folder: Path, name: str, point: Callable[[str, Path], None] | None = None, *words: str) -> int:
    """Train in a forked child, with something in the place of the points before each call that changes the disk."""

    def work() -> int:
        if point is not None:
            drill.planted(point)
        done = tiny_run.call(folder, "train", f"name={name}", *WORDS, *words)
        (folder / f"{name}.err").write_text(done.err)
        return done.code

    return drill.in_child(work)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], list[str]]:
    """A folder with the undisturbed run, what its results are, and the calls that it made."""
    folder = tmp_path_factory.mktemp("disks")
    log: list[str] = []

    def work() -> int:
        drill.planted(drill.count_calls(log))
        code = tiny_run.call(folder, "train", "name=alone", *WORDS).code
        (folder / "log").write_text("\n".join(log))
        return code

    assert run(folder, "warm", None, "trainer.epochs=0") == 0
    assert drill.in_child(work) == 0
    return folder, drill.fingerprints(folder / "outputs" / "alone"), (folder / "log").read_text().splitlines()


@pytest.fixture
def stopped(reference: tuple[Path, dict[str, str], list[str]]) -> Iterator[Path]:
    """A run that was killed while it wrote its predictions: it has checkpoints, and no summary."""
    folder, _, log = reference
    number = log.index("open:predictions.jsonl") + 1
    assert run(folder, "stopped", drill.At(number, drill.die)) == drill.KILLED
    yield folder / "outputs" / "stopped"
    shutil.rmtree(folder / "outputs" / "stopped")


def ends_alike(directory: Path, expected: dict[str, str]) -> None:
    """Start the run again; it ends as the undisturbed one."""
    assert run(directory.parents[1], directory.name) == 0, (directory.parents[1] / f"{directory.name}.err").read_text()
    assert drill.fingerprints(directory) == expected
    assert drill.steps_once(directory)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.fault("S1")
def test_full_disk(small_disk: Path, reference: tuple[Path, dict[str, str], list[str]]) -> None:
    _, expected, _ = reference
    codes = set()
    for spare in (900_000, 1_500_000, 2_600_000) if not THOROUGH else range(100_000, 4_000_000, 100_000):
        # What stands in the way leaves so much room, which ends within a checkpoint, the model or the logits.
        (small_disk / "ballast").write_bytes(bytes(8_000_000 - spare))
        code = run(small_disk, "full", None, f"hydra.run.dir={small_disk}/outputs/full")
        message = (small_disk / "full.err").read_text() if (small_disk / "full.err").exists() else ""
        codes.add(code)
        if code == 5 and message:
            last = message.strip().splitlines()[-1]
            assert str(small_disk) in last
            assert "No space left" in last
            assert "same command again" in last
        (small_disk / "ballast").unlink()
        directory = small_disk / "outputs" / "full"
        for path in find_checkpoints(directory):
            verify_checkpoint(path)
        ends_alike(directory, expected)
        shutil.rmtree(small_disk / "outputs")
    assert 5 in codes


@pytest.mark.thorough
@pytest.mark.fault("S2")
def test_full_records(reference: tuple[Path, dict[str, str], list[str]]) -> None:
    """The line, the log, the picture or the page that cannot be written is told; nothing goes on without records."""
    folder, expected, _ = reference
    for name in ("metrics.jsonl", "timings.jsonl", "train.log", "debug.log", "history.csv"):
        first_append = True

        def refuse(call: str, path: Path, wanted: str = name) -> None:
            nonlocal first_append
            if path.name == wanted and call in ("append", "write"):
                if first_append and wanted.endswith(".log"):
                    first_append = False  # the first line of a log tells of the start
                    return
                drill.refusal(errno.ENOSPC)(call, path)

        assert run(folder, "records", refuse) == 5, name
        message = (folder / "records.err").read_text().strip().splitlines()[-1]
        assert name in message
        assert "bytes needed" in message
        directory = folder / "outputs" / "records"
        assert not drill.completed(directory)
        ends_alike(directory, expected)
        shutil.rmtree(directory)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(bytes(data))


def put_back(directory: Path, kept: Path) -> None:
    shutil.rmtree(directory)
    shutil.copytree(kept, directory, symlinks=True)


@pytest.mark.fault("S3")
def test_damaged_checkpoints(reference: tuple[Path, dict[str, str], list[str]], stopped: Path, tmp_path: Path) -> None:
    _, expected, _ = reference
    check_every_flip(stopped)
    shutil.copytree(stopped, tmp_path / "kept")
    newest = find_checkpoints(stopped)[0]
    variants = [
        (name, damage)
        for name in ("model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json")
        for damage in (truncated, emptied, zeroed, flipped)
    ]
    for number, (name, damage) in enumerate(variants):
        damage(newest / name)
        found, problems = newest_checkpoint(stopped, None)
        assert found is not None
        assert found.path != newest, (name, damage.__name__)
        assert name in problems[0]
        if THOROUGH or number % 5 == 0:
            ends_alike(stopped, expected)
            assert f"checkpoint left alone: {newest / name}" in (stopped / "train.log").read_text()
        put_back(stopped, tmp_path / "kept")
    for damage in (truncated, emptied, zeroed):
        damage(stopped / "run.json")
        assert run(stopped.parents[1], stopped.name) == 8
        put_back(stopped, tmp_path / "kept")
    for path in find_checkpoints(stopped):
        flipped(path / "model.safetensors")
    before = sorted(path.relative_to(stopped) for path in (stopped / "checkpoints").rglob("*"))
    assert run(stopped.parents[1], stopped.name) == 8
    assert sorted(path.relative_to(stopped) for path in (stopped / "checkpoints").rglob("*")) == before


def check_every_flip(stopped: Path) -> None:
    newest, draw = find_checkpoints(stopped)[0], random.Random(0)
    paths = sorted(newest.iterdir())
    for _ in range(10_000 if THOROUGH else 300):
        path = draw.choice(paths)
        place = draw.randrange(path.stat().st_size)
        with path.open("r+b") as file:
            file.seek(place)
            old = file.read(1)
            file.seek(place)
            file.write(bytes([old[0] ^ (1 << draw.randrange(8))]))
            file.flush()
            with pytest.raises(IntegrityError):
                verify_checkpoint(newest)
            file.seek(place)
            file.write(old)
    verify_checkpoint(newest)


@pytest.mark.thorough
@pytest.mark.fault("S4")
def test_misshapen_checkpoints(
    reference: tuple[Path, dict[str, str], list[str]], stopped: Path, tmp_path: Path
) -> None:
    _, expected, _ = reference
    shutil.copytree(stopped, tmp_path / "kept")
    newest = find_checkpoints(stopped)[0]
    shapes: dict[str, Callable[[], object]] = {
        "is missing": lambda: (newest / "model.safetensors").unlink(),
        "does not belong here": lambda: (newest / "extra").write_text("x"),
        "MANIFEST.json: is missing": lambda: [path.unlink() for path in newest.iterdir()],
    }
    for words, spoil in shapes.items():
        spoil()
        ends_alike(stopped, expected)
        assert words in (stopped / "train.log").read_text()
        put_back(stopped, tmp_path / "kept")
    newest.rename(newest.parent / ".tmp-step-0000012-abcd")
    ends_alike(stopped, expected)
    assert not list((stopped / "checkpoints").glob(".tmp-*"))


@pytest.mark.fault("S8")
def test_torn_records(reference: tuple[Path, dict[str, str], list[str]], stopped: Path) -> None:
    _, expected, _ = reference
    metrics = stopped / "metrics.jsonl"
    whole = metrics.read_bytes()
    lines = whole.splitlines(keepends=True)
    # A torn line, then an appender that opens on a fresh one.
    metrics.write_bytes(b"".join(lines[:2]) + lines[2][:9])
    appender = Appender(metrics)
    appender.append(lines[3].decode())
    appender.close()
    found = read_json_lines(metrics, "step")
    assert [row["step"] for row in found.rows] == [1, 2, 4]
    assert found.num_torn == 1
    odd = b"\xef\xbb\xbf" + lines[0].replace(b"\n", b"\r\n") + b"\0" * 40 + lines[1] + lines[1] + lines[2]
    metrics.write_bytes(odd)
    found = read_run(stopped).steps()
    assert [row["step"] for row in found.rows] == [1, 2, 3]
    assert (found.num_torn, found.num_repeated) == (0, 1)
    # Where the beginning was changed, no checkpoint fits it: nothing is deleted.
    flipped(metrics)
    changed = metrics.read_bytes()
    assert run(stopped.parents[1], stopped.name) == 8
    assert metrics.read_bytes() == changed
    assert "metrics.jsonl" in (stopped.parents[1] / "stopped.err").read_text()
    # What a killed process left behind the checkpoint is cut off, torn or not.
    metrics.write_bytes(whole + lines[-1] + lines[-1][:5])
    ends_alike(stopped, expected)


@pytest.mark.thorough
@pytest.mark.fault("S10")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_each_call_fails(reference: tuple[Path, dict[str, str], list[str]], number: int) -> None:
    folder, expected, log = reference
    step = 1 if THOROUGH else 59
    codes: dict[int, int] = {}
    for place in range(1 + number % 2, len(log) + 1, step):
        directory = folder / "outputs" / f"call{place}"
        code = run(folder, directory.name, drill.At(place, drill.refusal(number)))
        codes[code] = codes.get(code, 0) + 1
        assert code in (0, 5), log[place - 1]
        message: Any = (folder / f"{directory.name}.err").read_text()
        assert "Traceback" not in message
        ends_alike(directory, expected)
        shutil.rmtree(directory)
    assert codes[5] >= 0.9 * sum(codes.values())


@pytest.mark.thorough
@pytest.mark.fault("S11")
def test_a_disk_without_room_is_known_before(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(qaexp.folder / "train.json", 20, 20), tiny_run.write_squad(qaexp.folder / "dev.json", 8, 8)
    )
    words = (*tiny_run.FILES, *files, "trainer.max_steps=3", "threads=1")
    expected = drill.fingerprints(tiny_run.train(qaexp.folder, "alone", *words))

    def refused(name: str, *says: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(room, "free_bytes", lambda _: 99)
            qaexp.refused(5, "train", f"name={name}", *words, last=("needs at least", "99 bytes are free", *says))
        assert not (qaexp.folder / "outputs" / name / "metrics.jsonl").exists()

    refused("one", "outputs/one", "logits", "predictions", "data.dev_size")
    # Of large data the examples are the first that the cache has no room for, and then the features.
    monkeypatch.setattr(streams, "LARGE_BYTES", 0)
    monkeypatch.setattr(examples, "MAX_IN_MEMORY", 0)
    refused("two", "cache/examples", "QAEXP_CACHE_DIR")
    tiny_run.train(qaexp.folder, "other", *words, "features.max_length=60")  # leaves the examples in the cache
    refused("three", "cache/features", "QAEXP_CACHE_DIR")
    for name in ("one", "two", "three"):
        assert drill.fingerprints(tiny_run.train(qaexp.folder, name, *words)) == expected
