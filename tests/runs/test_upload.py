"""Uploading the folder of a completed run: all of it or nothing is seen, and again sends only what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qaexp.errors import ConfigError, IntegrityError, StorageError
from qaexp.runs.writing import upload
from qaexp.runs.writing.upload import upload_beside, upload_run
from qaexp.storage.store import Store
from tests.fixtures import stores, tiny_run


@pytest.fixture(params=stores.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with stores.url_of(request.param, tmp_path) as url:
        yield Store(url)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Store]:
    with stores.url_of("file", tmp_path) as url:
        yield Store(url)


def content(store: Store) -> dict[str, bytes]:
    return {name: store.read(name, size) for name, size in store.sizes().items()}


def test_every_file_arrives_and_again_sends_nothing(store: Store, tmp_path: Path) -> None:
    run = stores.completed(tmp_path / "a")
    (run / ".hydra").mkdir()
    (run / ".hydra" / "config.yaml").write_text("seed: 0")
    (run / "plots").mkdir()
    (run / "plots" / "empty.png").write_bytes(b"")
    for name in (".lock", "output.log", ".tmp-x"):
        (run / name).write_text("not to be uploaded")
    (run / "checkpoints" / "step-0000001").mkdir(parents=True)
    (run / "checkpoints" / "step-0000001" / "model.safetensors").write_text("large")
    (run / "link").symlink_to("/etc/hostname")
    before = tiny_run.snapshot(run)
    done = upload_run(run, store)
    found = content(store.below("a"))
    marker = json.loads(found.pop("UPLOADED.json"))
    left_out = (".lock", "output.log", ".tmp-x", "link", "checkpoints/step-0000001/model.safetensors")
    assert found == {name: (run / name).read_bytes() for name in before if name not in left_out}
    assert set(marker["files"]) == set(found)
    assert marker["identity"] == tiny_run.read_json(run / "run.json")["identity"]
    assert (done.url, done.num_files) == (f"{store.url}/a", len(found))
    assert upload_run(run, store).num_files == 0
    assert tiny_run.snapshot(run) == before


def test_only_what_differs_is_sent_again(store: Store, tmp_path: Path) -> None:
    run = stores.completed(tmp_path / "a")
    (run / "report.html").write_text("one")
    upload_run(run, store)
    (run / "report.html").write_text("two")
    assert upload_run(run, store).num_files == 1
    assert content(store.below("a"))["report.html"] == b"two"
    store.below("a").write("scores.csv", [b"torn"], 4)
    assert upload_run(run, store).num_files == 1
    assert content(store.below("a"))["scores.csv"] == (run / "scores.csv").read_bytes()
    assert set(store.sizes()) & {"a/UPLOADING.json", "a/UPLOADED.json"} == {"a/UPLOADED.json"}


def test_a_job_lies_below_its_sweep(store: Store, tmp_path: Path) -> None:
    sweep = stores.sweep(tmp_path / "lrs", levels={1e-4: 50}, seeds=1)
    (sweep / "report_figures").mkdir()
    (sweep / "report_figures" / "a.png").write_bytes(b"png")
    run = next(path for path in sweep.iterdir() if path.name.startswith("lr="))
    assert upload_run(run, store).url == f"{store.url}/lrs/{run.name}"
    assert upload_beside(sweep, store).num_files == 2
    beside = {name for name in store.below("lrs").sizes() if not name.startswith(run.name)}
    assert beside == {"sweep.json", "report_figures/a.png", "UPLOADED.json"}
    assert upload_beside(sweep, store).num_files == 0


def test_a_linked_folder_and_what_it_leads_to_have_one_place(folder: Store, tmp_path: Path) -> None:
    """The sweep's own command knows the path as it was typed, its workers the one without links."""
    sweep = stores.sweep(tmp_path / "disk" / "lrs", levels={1e-4: 50}, seeds=1)
    (tmp_path / "link").symlink_to(sweep)
    (run,) = sweep.glob("lr=*")
    assert upload_run(run, folder).url == upload_run(tmp_path / "link" / run.name, folder).url
    assert upload_beside(sweep, folder).url == upload_beside(tmp_path / "link", folder).url


@pytest.mark.parametrize("name", ["scores.csv", "summary.json", "config.json"])
def test_what_the_run_did_not_write_is_not_seen_by_anybody(folder: Store, tmp_path: Path, name: str) -> None:
    run = stores.completed(tmp_path / "a")
    size = (run / name).stat().st_size
    (run / name).write_bytes((run / name).read_bytes().replace(b"0", b"1"))
    assert (run / name).stat().st_size == size
    with pytest.raises(IntegrityError, match=name.replace(".", r"\.")):
        upload_run(run, folder)
    assert "a/UPLOADED.json" not in folder.sizes()


def test_a_run_that_is_not_complete_is_not_uploaded(folder: Store, tmp_path: Path) -> None:
    run = stores.completed(tmp_path / "a")
    (run / "MANIFEST.json").unlink()
    with pytest.raises(IntegrityError, match=r"MANIFEST\.json"):
        upload_run(run, folder)
    (run / "summary.json").unlink()
    with pytest.raises(ConfigError, match="not completed"):
        upload_run(run, folder)
    assert folder.sizes() == {}


def test_another_run_of_the_same_name_is_not_replaced(folder: Store, tmp_path: Path) -> None:
    upload_run(stores.completed(tmp_path / "one" / "a"), folder)
    before = content(folder)
    with pytest.raises(StorageError, match="holds another run"):
        upload_run(stores.completed(tmp_path / "two" / "a", seed=1), folder)
    assert content(folder) == before


def test_a_large_file_comes_in_pieces(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.storage.store.CHUNK_BYTES", 1000)
    monkeypatch.setattr(upload, "CHUNK_BYTES", 1000)
    run = stores.completed(tmp_path / "a")
    upload_run(run, store)
    inner = store.below("a")
    assert b"".join(inner.chunks("scores.csv", inner.sizes()["scores.csv"])) == (run / "scores.csv").read_bytes()


def test_what_arrived_before_a_stop_is_not_sent_again(
    folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_TOLD_EVERY", 1)
    run = stores.completed(tmp_path / "a")
    write, written = Store.write, list[str]()

    def stopping(self: Store, name: str, chunks: object, size: int) -> None:
        if not name.startswith("UPLOAD") and sum(not one.startswith("UPLOAD") for one in written) == 4:
            raise StorageError("full")
        write(self, name, chunks, size)  # type: ignore[arg-type]
        written.append(name)

    monkeypatch.setattr(Store, "write", stopping)
    with pytest.raises(StorageError):
        upload_run(run, folder)
    assert "a/UPLOADED.json" not in folder.sizes()
    monkeypatch.setattr(Store, "write", write)
    num_files = len(tiny_run.snapshot(run))
    assert upload_run(run, folder).num_files == num_files - 4
