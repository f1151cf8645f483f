"""`qaexp verify`: whatever was changed in a run directory is found and named."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CHECKPOINTS, result_files
from qaexp.runs.owners import this_process
from qaexp.runs.readers import verification
from qaexp.runs.readers.verification import verify_run
from tests.fixtures import tiny_run

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"
NUM_FLIPS = 10_000 if THOROUGH else 300


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ("trainer.epochs=1", "trainer.keep_checkpoints=true", "data.train_size=8", "data.dev_size=4")
    return tiny_run.train(tmp_path_factory.mktemp("verify"), "one", *tiny_run.MODEL, *words)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "one"))


def covered(run: Path) -> list[Path]:
    """The files whose every byte is checked."""
    checkpoints = [path for path in (run / CHECKPOINTS).rglob("*") if path.is_file()]
    return [*result_files(run), run / "MANIFEST.json", run / "summary.json", *checkpoints]


def flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ (1 << bit)]))


def test_a_run_that_nobody_touched(run: Path) -> None:
    before = tiny_run.snapshot(run)
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 0, done.err
    assert done.out == f"{run}: all {len(covered(run))} files intact\n"
    assert tiny_run.snapshot(run) == before
    (told,) = json.loads(tiny_run.call(run.parent, "verify", str(run), "--json").out)
    assert (told["state"], told["is_complete"], told["problems"]) == ("completed", True, [])


def test_a_flipped_bit_in_any_file_is_found(run: Path) -> None:
    for path in covered(run):
        flip(path, path.stat().st_size // 2, 3)
        done = tiny_run.call(run.parent, "verify", str(run))
        assert done.code == 8, path
        assert str(path) in done.err or str(path.parent) in done.err, path
        flip(path, path.stat().st_size // 2, 3)
    assert tiny_run.call(run.parent, "verify", str(run)).code == 0


def test_every_flip_of_a_bit_is_found(run: Path) -> None:
    files = covered(run)
    sizes = [path.stat().st_size for path in files]
    draw, found = random.Random(0), 0
    for number in range(NUM_FLIPS):
        # Every other one in a file of its own choice: a place among all bytes is nearly always one of the weights.
        weights = sizes if number % 2 else [1] * len(files)
        path = draw.choices(files, weights)[0]
        place = draw.randrange(path.stat().st_size), draw.randrange(8)
        flip(path, *place)
        try:
            found += bool(verify_run(run).problems)
        except IntegrityError:
            found += 1
        flip(path, *place)
    assert found == NUM_FLIPS
    assert verify_run(run).problems == []
    print(f"{found} of {NUM_FLIPS} flipped bits found")


def truncate(run: Path) -> str:
    (run / "scores.csv").write_bytes((run / "scores.csv").read_bytes()[:-1])
    return "scores.csv"


def lose(run: Path) -> str:
    (run / "history.csv").unlink()
    return "history.csv"


def add(run: Path) -> str:
    (run / "model" / "pytorch_model.bin").write_bytes(b"")
    return "pytorch_model.bin"


def link(run: Path) -> str:
    shutil.move(run / "data.json", run.parent / "data.json")
    (run / "data.json").symlink_to(run.parent / "data.json")
    return "data.json"


def link_folder(run: Path) -> str:
    shutil.move(run / "model", run.parent / "model")
    (run / "model").symlink_to(run.parent / "model")
    return "model"


def lose_manifest(run: Path) -> str:
    (run / "MANIFEST.json").unlink()
    return "MANIFEST.json"


def swap_checkpoint_files(run: Path) -> str:
    folder = next((run / CHECKPOINTS).iterdir())
    (folder / "model.safetensors").rename(folder / "state.json")
    return folder.name


@pytest.mark.parametrize("harm", [truncate, lose, add, link, link_folder, lose_manifest, swap_checkpoint_files])
def test_other_harm_is_named(run: Path, harm: Callable[[Path], str]) -> None:
    name = harm(run)
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 8
    assert name in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["../stolen", "/etc/passwd", "model\\..\\x", ""])
def test_a_manifest_names_no_file_elsewhere(run: Path, name: str) -> None:
    manifest = tiny_run.read_json(run / "MANIFEST.json")
    manifest["files"][name] = {"sha256": "0" * 64, "size": 1}
    (run / "MANIFEST.json").write_text(json.dumps(manifest))
    summary = tiny_run.read_json(run / "summary.json")
    summary["manifest_sha256"] = hashlib.sha256((run / "MANIFEST.json").read_bytes()).hexdigest()
    (run / "summary.json").write_text(json.dumps(summary))
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 8
    assert "refused" in done.err


def stop(run: Path) -> None:
    """Leave the run as a kill in its training leaves it."""
    for name in ("summary.json", "MANIFEST.json"):
        (run / name).unlink()
    (run / "run.json").write_text(json.dumps({**tiny_run.read_json(run / "run.json"), "state": "failed"}))


def test_an_unfinished_run_tells_of_its_checkpoints(run: Path) -> None:
    stop(run)
    num_files = sum(path.is_file() for path in (run / CHECKPOINTS).rglob("*"))
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 0
    assert done.out == f"{run}: unfinished (failed); of its checkpoints, all {num_files} files intact\n"
    path = next((run / CHECKPOINTS).glob("*/state.json"))
    path.write_text("{}")
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 8
    assert path.parent.name in done.err


def test_where_there_is_nothing_to_verify_nothing_is_said_to_be_verified(run: Path) -> None:
    stop(run)
    shutil.rmtree(run / CHECKPOINTS)
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 0
    assert "nothing was verified" in done.out
    assert "0 files" not in done.out


def test_a_lost_summary_is_named_and_the_files_are_checked_all_the_same(run: Path) -> None:
    (run / "summary.json").unlink()
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 8
    assert done.err == f"qaexp verify: {run / 'summary.json'}: is missing, though run.json says completed\n"
    flip(run / "predictions.jsonl", 200, 3)
    (run / "scores.csv").unlink()
    done = tiny_run.call(run.parent, "verify", str(run))
    assert done.code == 8
    assert all(f"{run / name}: " in done.err for name in ("summary.json", "predictions.jsonl", "scores.csv"))


def test_checkpoints_that_a_run_deletes_meanwhile_are_not_missed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "summary.json").unlink()
    record = {**tiny_run.read_json(run / "run.json"), "state": "running", **this_process()}
    (run / "run.json").write_text(json.dumps(record))
    (doomed,) = (run / CHECKPOINTS).iterdir()
    (doomed / "state.json").unlink()
    monkeypatch.setattr(verification.time, "sleep", lambda seconds: shutil.rmtree(doomed))
    found = verify_run(run)
    assert (found.state, found.problems) == ("running", [])


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert tiny_run.call(tmp_path, "verify", str(tmp_path)).code == 2
    assert tiny_run.call(tmp_path, "verify", "missing").code == 2
