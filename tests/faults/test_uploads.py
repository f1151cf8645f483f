"""Uploads that are killed, and stores that refuse: no result is lost, nothing half is seen, again brings the rest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from qaexp.runs.uploaded import Marker, Stored, read_marker
from qaexp.runs.writing.upload import upload_run
from qaexp.storage.store import Store
from qaexp.storage.vouched import sha256
from tests import REPOSITORY
from tests.faults.conftest import Commands
from tests.fixtures import stores, tiny_run

WORDS = (*tiny_run.DEMO, "trainer.max_steps=2")
# Before and after an object, in the middle of a large one, and around the two that say what is there.
PLACES = (
    "put:UPLOADING.json",
    "was_put:scores.csv",
    "put_part:model.safetensors",
    "put:run.json",
    "put:UPLOADED.json",
    "was_put:UPLOADED.json",
    "take_away:UPLOADING.json",
)
UPLOAD = (
    "import sys; from pathlib import Path; from qaexp.storage import store; from qaexp.runs.writing import upload; "
    "upload.CHUNK_BYTES = store.CHUNK_BYTES = 5000; "
    "print(upload.upload_run(Path(sys.argv[1]), store.Store(sys.argv[2])).num_files)"
)


def upload(run: Path, url: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    """Upload a run in a process of its own, which dies at a point."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CRASH_AT": crash_at}
    words = [sys.executable, "-c", UPLOAD, str(run), url]
    return subprocess.run(words, env=environment, capture_output=True, text=True)


def bytes_of(url: str) -> dict[str, bytes]:
    store = Store(url)
    return {name: b"".join(store.chunks(name, size)) for name, size in store.sizes().items()}


def num_seen(folder: Path, url: str) -> int:
    """How many runs a comparison finds below a URL."""
    done = tiny_run.call(folder, "compare", url, "--json")
    assert done.code == 0, done.err
    return len(json.loads(done.out)["runs"])


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with stores.url_of(request.param, tmp_path) as found:
        yield found


@pytest.mark.thorough
@pytest.mark.fault("B1")
def test_an_upload_that_is_killed_is_seen_by_nobody(url: str, tmp_path: Path) -> None:
    run = stores.completed(tmp_path / "runs" / "a")
    (run / "model").mkdir()
    (run / "model" / "model.safetensors").write_bytes(os.urandom(20_000))
    tiny_run.sign(run)
    stores.completed(tmp_path / "runs" / "b", seed=1)
    assert upload(tmp_path / "runs" / "b", url).returncode == 0
    reference = bytes_of(url)
    for place in PLACES:
        done = upload(run, url, place)
        assert done.returncode == -signal.SIGKILL, (place, done.stderr)
        is_whole = place in PLACES[-2:]
        assert num_seen(tmp_path, url) == 1 + is_whole, place
        if is_whole:  # a file that differs makes it half again: its marker goes first
            (run / "train.log").write_text(place)
    assert int(upload(run, url).stdout) == 1
    assert num_seen(tmp_path, url) == 2
    found = bytes_of(url)
    own = {f"a/{name}": (run / name).read_bytes() for name in tiny_run.snapshot(run)}
    assert {name: data for name, data in found.items() if name != "a/UPLOADED.json"} == {**reference, **own}
    assert upload(run, url).stdout == "0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Store]:
    with stores.url_of("file", tmp_path) as url:
        yield Store(url)


@pytest.mark.fault("B2")
@pytest.mark.parametrize(
    "spoil",
    ["bytes", "marker", "traversal", "huge", "link", "manifest", "summary", "torn", "absolute"],
)
def test_what_was_changed_in_the_store_is_left_out(folder: Store, tmp_path: Path, spoil: str) -> None:
    sweep = stores.sweep(tmp_path / "lrs", levels={1e-4: 30, 1e-3: 80})
    names = sorted(upload_run(run, folder).url for run in sweep.iterdir() if run.is_dir())
    url, _, name = names[0].rpartition("/")
    run = folder.below(f"lrs/{name}")
    place = tmp_path / "store" / "lrs" / name
    sizes = run.sizes()
    marker = read_marker(run, "UPLOADED.json", sizes)
    assert marker is not None
    files = dict(marker.files)
    if spoil == "bytes":
        text = (place / "scores.csv").read_bytes()
        (place / "scores.csv").write_bytes(text[:-2] + b"9\n")
    elif spoil in ("marker", "manifest", "summary"):
        changed = {"marker": "scores.csv", "manifest": "MANIFEST.json", "summary": "summary.json"}[spoil]
        (place / changed).write_bytes((place / changed).read_bytes() + b" ")
        data = (place / changed).read_bytes()
        files[changed] = Stored(len(data), sha256(data))
    elif spoil in ("traversal", "absolute"):
        files["../../../escaped" if spoil == "traversal" else "/tmp/escaped"] = files["scores.csv"]
        (tmp_path / "store" / "escaped").write_bytes((place / "scores.csv").read_bytes())
    elif spoil == "huge":
        files["run.json"] = Stored(2**40, "0" * 64)
        with (place / "run.json").open("r+b") as file:
            file.truncate(2**40)
    elif spoil == "link":
        shutil.move(place / "scores.csv", tmp_path / "elsewhere.csv")
        (place / "scores.csv").symlink_to(tmp_path / "elsewhere.csv")
    data = Marker(marker.identity, files).encoded()
    run.write("UPLOADED.json", [data[:-20] if spoil == "torn" else data], len(data))
    before = tiny_run.snapshot(tmp_path / "lrs")
    done = tiny_run.call(tmp_path, "compare", url, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert len(found["runs"]) == 3
    assert [row["path"] for row in found["skipped"]] == [f"{url}/{name}"]
    assert "/tmp/" not in found["skipped"][0]["reason"]
    assert tiny_run.snapshot(tmp_path / "lrs") == before
    assert not list(tmp_path.glob("escaped"))


@pytest.mark.fault("B3")
def test_a_store_that_refuses_costs_no_result(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took the listing before the training, and refuses afterwards; the same command uploads it."""
    (qaexp.folder / "outputs" / "store").mkdir(parents=True)
    url = f"file://{qaexp.folder}/outputs/store"
    words = ("train", "name=a", *WORDS, f"reporter.upload_to={url}")

    def refuse(self: Store, *_: object) -> None:
        raise StorageRefusedError("no space left in the store")

    with monkeypatch.context() as patch:
        patch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", refuse)
        done = qaexp.call(*words)
    assert done.code == 5
    assert "run directory" in done.out  # the table comes first
    assert "is completed, but not uploaded" in done.last_line
    assert done.last_line.endswith("; the same command uploads what is missing")
    run = qaexp.folder / "outputs" / "a"
    before = tiny_run.snapshot(run)
    assert tiny_run.call(qaexp.folder, "verify", str(run)).code == 0
    done = qaexp.call(*words)
    assert (done.code, done.out.splitlines()[-1][:9]) == (0, "uploaded ")
    assert tiny_run.snapshot(run) == before
    assert num_seen(qaexp.folder, url) == 1


class StorageRefusedError(Exception):
    """What a store's own package may raise."""


@pytest.mark.fault("B4")
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://me:hunter2-secret@bucket/runs", "credentials come from the environment alone"),
        ("'s3://bucket/runs?token=hunter2-secret'", "may be a secret"),
        ("foo://bucket", "no store begins with foo://"),
        ("gs://bucket/runs", "pip install gcsfs"),
        ("outputs", "is no URL"),
        ("file://{folder}", "is where the run itself is"),
        ("file:///nowhere", "there is no such folder"),
        ("s3://no-{bucket}/x", "there is no bucket no-bucket-"),
        ("s3://{bucket}/x", "check the credentials in the environment"),
    ],
)
def test_what_can_be_known_is_told_before_the_training(
    qaexp: Commands, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    with stores.s3_server() if "{bucket}" in url else nullcontext("") as bucket:
        if url.startswith("s3://{bucket}"):
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        # A run that would be uploaded to its own folder: outputs/a into outputs.
        url = url.replace("{folder}", f"{qaexp.folder}/outputs").replace("{bucket}", bucket)
        done = qaexp.refused(2, "train", "name=a", *WORDS, f"reporter.upload_to={url}", last=(told,))
    assert "hunter2-secret" not in done.err + done.out
    assert not (qaexp.folder / "outputs" / "a").exists()


@pytest.mark.thorough
@pytest.mark.fault("B5")
def test_a_run_in_s3_holds_no_credentials(qaexp: Commands) -> None:
    with stores.s3_server() as bucket:
        done = qaexp.call("train", "name=a", *WORDS, f"reporter.upload_to=s3://{bucket}/x")
        assert done.code == 0, done.err
        assert num_seen(qaexp.folder, f"s3://{bucket}/x/a") == 1
        found = bytes_of(f"s3://{bucket}/x")
    assert "a/UPLOADED.json" in found
    assert [name for name, data in found.items() if stores.SECRET.encode() in data] == []
    local = [path for path in (qaexp.folder / "outputs").rglob("*") if path.is_file()]
    assert [path for path in local if stores.SECRET.encode() in path.read_bytes()] == []


@pytest.mark.thorough
@pytest.mark.fault("B6")
def test_the_runs_of_a_sweep_arrive_and_again_brings_what_was_refused(
    qaexp: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    (qaexp.folder / "outputs" / "store").mkdir(parents=True)
    url = f"file://{qaexp.folder}/outputs/store"
    words = ("train", "-m", "name=s", *WORDS, "seed=0,1", "threads=1", f"reporter.upload_to={url}")
    store = qaexp.folder / "outputs" / "store"
    store.chmod(0o700)
    (store / "s").write_text("a file where the folder should be")
    done = qaexp.call(*words)
    assert done.code == 5, done.err
    assert "2 of 2 runs not uploaded" in done.last_line
    (store / "s").unlink()
    done = qaexp.call(*words)
    assert done.code == 0, done.err
    names = Store(url).sizes()
    assert sum(name.endswith("/UPLOADED.json") for name in names) == 3
    assert {"s/sweep.json", "s/sweep.csv", "s/UPLOADED.json"} <= set(names)
    assert done.out.splitlines()[-1] == f"uploaded 2 runs: {url}/s"
    assert num_seen(qaexp.folder, f"{url}/s") == 2
