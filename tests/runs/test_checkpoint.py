"""Checkpoints stand whole or not at all, the newest good one is found, damaged ones are named and left alone."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qaexp.errors import IntegrityError
from qaexp.runs.checkpoint import Content, checkpoint_folder, commit_checkpoint, verify_checkpoint
from qaexp.runs.kept_checkpoints import find_checkpoints, newest_checkpoint, newest_step, none_is_whole, prune
from qaexp.runs.writing.record_files import described
from qaexp.storage.formats import json_text

IDENTITY = "0" * 64


def content(data: bytes) -> Content:
    return Content(len(data), lambda: iter([memoryview(data)]))


def stored(directory: Path, step: int, identity: str = IDENTITY) -> Path:
    files = {"model.safetensors": content(b"weights %d" % step), "state.json": content(b'{"step": %d}' % step)}
    records = {"metrics.jsonl": described(directory / "metrics.jsonl")}
    return commit_checkpoint(directory, step, files, identity=identity, records=records)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with the checkpoints of steps 2 and 4."""
    metrics = tmp_path / "metrics.jsonl"
    for step in (2, 4):
        with metrics.open("a") as file:
            file.write(f'{{"step": {step}}}\n')
        stored(tmp_path, step)
    return tmp_path


def test_a_checkpoint_is_what_was_stored(run: Path) -> None:
    path = checkpoint_folder(run, 4)
    assert path.name == "step-0000004"
    assert (path / "model.safetensors").read_bytes() == b"weights 4"
    found = verify_checkpoint(path)
    assert (found.step, found.identity) == (4, IDENTITY)
    assert found.records["metrics.jsonl"]["size"] == (run / "metrics.jsonl").stat().st_size
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["step-0000002", "step-0000004"]


def test_the_newest_is_taken(run: Path) -> None:
    found, problems = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert (found.step, problems) == (4, [])


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path, IDENTITY) == (None, [])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit in the model": (lambda folder: flip(folder / "model.safetensors"), "sha256 differs"),
    "a cut model": (lambda folder: cut(folder / "model.safetensors"), "8 bytes instead of 9"),
    "an empty state": (lambda folder: (folder / "state.json").write_bytes(b""), "0 bytes instead of"),
    "a flipped bit in the manifest": (lambda folder: flip(folder / "MANIFEST.json"), "MANIFEST.json"),
    "another layout of the manifest": (
        lambda folder: (folder / "MANIFEST.json").write_text(
            json.dumps(json.loads((folder / "MANIFEST.json").read_text()))
        ),
        "was changed after it was written",
    ),
    "no manifest": (lambda folder: (folder / "MANIFEST.json").unlink(), "is missing"),
    "a missing file": (lambda folder: (folder / "state.json").unlink(), "state.json: is missing"),
    "a file too many": (lambda folder: (folder / "extra").write_text("x"), "extra: does not belong here"),
    "a link": (
        lambda folder: (
            (folder / "state.json").rename(folder.parent / "x"),
            (folder / "state.json").symlink_to("../x"),
        ),
        "not a regular file",
    ),
    "an empty folder": (lambda folder: [path.unlink() for path in folder.iterdir()], "is missing"),
    "a file in its place": (lambda folder: (shutil.rmtree(folder), folder.write_text("x")), "not a folder"),
    "another step's": (
        lambda folder: (shutil.rmtree(folder), shutil.copytree(folder.parent / "step-0000002", folder)),
        "holds the checkpoint of step 2",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_one_is_named_and_its_predecessor_taken(run: Path, name: str) -> None:
    damage, words = DAMAGES[name]
    newest = checkpoint_folder(run, 4)
    damage(newest)
    found, problems = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert found.step == 2
    assert len(problems) == 1
    assert words in problems[0]
    assert "step-0000004" in problems[0]
    assert newest.exists(), "it is left alone"


@pytest.mark.parametrize("name", ["model.safetensors", "MANIFEST.json"])
@pytest.mark.parametrize("is_gone", [True, False])
def test_the_step_that_is_told_is_one_that_a_run_can_go_on_from(run: Path, name: str, is_gone: bool) -> None:
    """What `qaexp status` says before `qaexp resume` reads all bytes."""
    assert newest_step(run) == 4
    path = checkpoint_folder(run, 4) / name
    path.unlink() if is_gone else cut(path)
    found, _ = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert newest_step(run) == found.step == 2
    assert none_is_whole(run) is None
    for folder in find_checkpoints(run):
        (folder / "MANIFEST.json").unlink(missing_ok=True)
    assert newest_step(run) is None
    assert none_is_whole(run) == "none of its 2 checkpoints is whole"


def test_without_a_good_one_all_are_named_and_nothing_is_deleted(run: Path) -> None:
    for path in find_checkpoints(run):
        flip(path / "model.safetensors")
    before = sorted(run.rglob("*"))
    with pytest.raises(IntegrityError, match="none of its 2 checkpoints can be used") as caught:
        newest_checkpoint(run, IDENTITY)
    assert len(caught.value.problems) == 3
    assert sorted(run.rglob("*")) == before


def test_one_of_another_run_is_not_taken(run: Path) -> None:
    stored(run, 6, identity="1" * 64)
    found, problems = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert found.step == 4
    assert "belongs to another run" in problems[0]
    taken, _ = newest_checkpoint(run, None)
    assert taken is not None
    assert taken.step == 6


def test_a_record_file_that_was_changed_takes_its_checkpoints_with_it(run: Path) -> None:
    """The first line is part of both checkpoints, the second only of the newer."""
    metrics = run / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text(whole.replace('"step": 4', '"step": 5'))
    found, _ = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert found.step == 2
    metrics.write_text(whole + '{"step": 6}\n{"st')
    found, _ = newest_checkpoint(run, IDENTITY)
    assert found is not None
    assert found.step == 4, "what came later does not matter"
    metrics.unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        newest_checkpoint(run, IDENTITY)


def test_every_flipped_byte_is_found(run: Path) -> None:
    folder, draw = checkpoint_folder(run, 4), random.Random(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :])
            with pytest.raises(IntegrityError):
                verify_checkpoint(folder)
        path.write_bytes(whole)
    verify_checkpoint(folder)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b", "..", ".hidden", "C:\\x", ""])
def test_a_manifest_may_name_plain_files_only(run: Path, name: str) -> None:
    import hashlib

    path = checkpoint_folder(run, 4) / "MANIFEST.json"
    about = json.loads(path.read_text())
    del about["sha256"]
    about["files"][name] = {"sha256": "0" * 64, "size": 1}
    path.write_text(json_text({**about, "sha256": hashlib.sha256(json_text(about).encode()).hexdigest()}))
    with pytest.raises(IntegrityError, match="not a plain file name"):
        verify_checkpoint(path.parent)


def test_the_newest_two_and_the_best_stay(run: Path) -> None:
    for step in (6, 8, 10):
        stored(run, step)
    prune(run, best_step=4)
    assert [path.name[-2:] for path in find_checkpoints(run)] == ["10", "08", "04"]
    prune(run, best_step=None, spared=[checkpoint_folder(run, 4)])
    assert [path.name[-2:] for path in find_checkpoints(run)] == ["10", "08", "04"], "a damaged one is left alone"
    prune(run, best_step=None)
    assert [path.name[-2:] for path in find_checkpoints(run)] == ["10", "08"]


def test_a_writer_that_fails_leaves_the_others(run: Path) -> None:
    def broken() -> Iterator[memoryview]:
        yield memoryview(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match=r"model.safetensors: cannot be written \(9 bytes needed\): No space left"):
        commit_checkpoint(run, 6, {"model.safetensors": Content(9, broken)}, identity=IDENTITY, records={})
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-0000002", "step-0000004"]


def test_the_same_step_again_takes_the_place_of_the_old_one(run: Path) -> None:
    flip(checkpoint_folder(run, 4) / "model.safetensors")
    stored(run, 4)
    assert verify_checkpoint(checkpoint_folder(run, 4)).step == 4


def test_a_record_file_is_neither_waited_for_nor_followed(run: Path) -> None:
    """A checkpoint may say that any number of bytes is its beginning."""
    for step in (2, 4):
        shutil.rmtree(checkpoint_folder(run, step))
    records = {"metrics.jsonl": {"size": 2**62, "sha256": "0" * 64}}
    commit_checkpoint(run, 6, {"state.json": content(b"{}")}, identity=IDENTITY, records=records)
    with pytest.raises(IntegrityError, match=rf"its first {2**62} bytes are not what was written"):
        newest_checkpoint(run, IDENTITY)
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    with pytest.raises(IntegrityError, match="not a regular file"):
        newest_checkpoint(run, IDENTITY)
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to("/dev/zero")
    with pytest.raises(IntegrityError, match="cannot be read"):
        newest_checkpoint(run, IDENTITY)
