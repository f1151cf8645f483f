"""Hub data sets without a hub: local caches and a small server of our own that answers, lies, hangs and breaks off."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

from qaexp.data.pipeline import DataPipeline, Splits
from qaexp.errors import DataError
from qaexp.storage import hub
from tests.fixtures.waiting import waits_at_most

DATASET, CONFIG, COMMIT, OTHER = "rajpurkar/squad_v2", "squad_v2", "3" * 40, "4" * 40
COMMAND = f"python -c \"from datasets import load_dataset; load_dataset('{DATASET}', '{CONFIG}', revision='{COMMIT}')\""


def table(split: str, count: int) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "id": f"{split}{n}",
                "title": "T",
                "context": "Paris",
                "question": "Q",
                "answers": {"text": ["Paris"][: n % 2], "answer_start": [0][: n % 2]},
            }
            for n in range(count)
        ]
    )


def load(revision: str = COMMIT) -> Splits:
    return DataPipeline(
        source="hub",
        dataset=DATASET,
        config_name=CONFIG,
        revision=revision,
        train_file=None,
        dev_file=None,
        test_file=None,
        train_size=None,
        dev_size=None,
        subset="first",
        on_bad="fail",
    ).load(subset_seed=0, dev_seed=0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub home, with the offline flag set."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    return tmp_path


def save_snapshot(home: Path, *, commit: str = COMMIT, splits: tuple[str, ...] = ("train", "validation")) -> list[Path]:
    """Put parquet files into the hub's cache as a download does: blobs named by sha256, and links to them."""
    root = home / "hub" / f"datasets--{DATASET.replace('/', '--')}"
    links = []
    for split in splits:
        (root / "blobs").mkdir(parents=True, exist_ok=True)
        pq.write_table(table(split, 6), root / "blobs" / "new")
        blob = root / "blobs" / hashlib.sha256((root / "blobs" / "new").read_bytes()).hexdigest()
        (root / "blobs" / "new").rename(blob)
        link = root / "snapshots" / commit / CONFIG / f"{split}-00000-of-00001.parquet"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
        links.append(link)
    return links


def save_shards(home: Path, *, of: int = 3, suffix: str = "-of-{:05}") -> list[Path]:
    """Put a train split of several shards into the hub's cache, and a dev split of one."""
    (first, _), shards = save_snapshot(home), []
    first.unlink()
    for number in range(of):
        sink = pa.BufferOutputStream()
        pq.write_table(table("train", 6).slice(2 * number, 2), sink)
        content = bytes(sink.getvalue())
        blob = first.parents[3] / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        shards.append(first.with_name(f"train-{number:05}{suffix.format(of)}.parquet"))
        shards[-1].symlink_to(blob)
    return shards


def check(splits: Splits) -> None:
    assert [example.id for example in splits.train.examples] == [f"train{n}" for n in range(6)]
    assert [example.id for example in splits.dev.examples] == [f"validation{n}" for n in range(6)]
    assert [example.is_impossible for example in splits.dev.examples] == [True, False] * 3
    assert splits.train.source["revision"] == COMMIT
    assert splits.train.source["dataset"] == DATASET


# --- Cached -----------------------------------------------------------------------------------------------------------


def test_the_hub_cache_is_used_offline_and_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train, _ = save_snapshot(home)
    splits = load()
    check(splits)
    assert splits.train.source["sha256"] == train.resolve().name
    assert "read from the cache" in caplog.text


def test_what_is_cached_needs_no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_snapshot(home)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    check(load())


def test_a_data_set_saved_by_datasets_is_used(home: Path) -> None:
    """The layout and the Arrow files are those that `datasets` itself writes and reads back offline."""
    import datasets
    from datasets.packaged_modules.cache.cache import Cache

    folder = home / "datasets" / "rajpurkar___squad_v2" / CONFIG / "0.0.0" / COMMIT
    rows = {split: datasets.Dataset(table(split, 6)) for split in ("train", "validation")}
    folder.mkdir(parents=True)
    infos = datasets.SplitDict()
    for split, data in rows.items():
        with datasets.arrow_writer.ArrowWriter(
            path=str(folder / f"squad_v2-{split}.arrow"), features=data.features
        ) as writer:
            writer.write_table(data.data.table)
            writer.finalize()
        infos.add(datasets.SplitInfo(split, num_examples=6, dataset_name="squad_v2"))
    datasets.DatasetInfo(
        features=rows["train"].features, splits=infos, config_name=CONFIG, dataset_name="squad_v2", version="0.0.0"
    ).write_to_directory(str(folder))
    back = Cache(
        cache_dir=str(home / "datasets"), dataset_name="squad_v2", repo_id=DATASET, config_name=CONFIG, hash=COMMIT
    ).as_dataset(split="train")
    assert [row["id"] for row in back] == [f"train{n}" for n in range(6)]
    check(load())
    with pytest.raises(DataError, match="not in the cache"):
        load(OTHER)


def test_another_revision_in_the_cache_is_refused(home: Path) -> None:
    save_snapshot(home, commit=OTHER)
    with pytest.raises(DataError) as caught:
        load()
    assert caught.value.exit_code == 3
    assert COMMAND in str(caught.value)
    assert "HF_HUB_OFFLINE" in str(caught.value)


def test_half_a_cache_is_no_cache(home: Path) -> None:
    save_snapshot(home, splits=("train",))
    with pytest.raises(DataError, match="not in the cache"):
        load()


def test_a_damaged_cache_is_refused(home: Path) -> None:
    train, _ = save_snapshot(home)
    blob = train.resolve()
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is damaged: its content"):
        load()


def test_several_shards_a_split(home: Path) -> None:
    shards = save_shards(home)
    splits = load()
    check(splits)
    assert splits.train.source["shards"] == {path.name: path.resolve().name for path in shards}
    assert "shards" not in splits.dev.source


def test_a_damaged_shard_is_refused(home: Path) -> None:
    blob = save_shards(home)[1].resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match=r"train-00001-of-00003\.parquet is damaged: its content"):
        load()


def test_shards_of_which_one_is_missing_are_no_cache(home: Path) -> None:
    save_shards(home)[1].unlink()
    with pytest.raises(DataError, match="not in the cache"):
        load()


def test_one_shard_of_several_is_no_split(home: Path) -> None:
    for path in save_shards(home)[1:]:
        path.unlink()
    with pytest.raises(DataError, match="not in the cache"):
        load()


def test_shards_that_do_not_say_how_many_they_are_are_no_split(home: Path) -> None:
    save_shards(home, suffix="")
    with pytest.raises(DataError, match="not in the cache"):
        load()


def test_shards_that_datasets_prepared(home: Path) -> None:
    folder = home / "datasets" / "rajpurkar___squad_v2" / CONFIG / "0.0.0" / COMMIT
    folder.mkdir(parents=True)
    parts = {f"train-0000{n}-of-00002": table("train", 6).slice(3 * n, 3) for n in range(2)}
    for name, rows in {**parts, "validation": table("validation", 6)}.items():
        with (
            pa.OSFile(str(folder / f"squad_v2-{name}.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, rows.schema) as to,
        ):
            to.write_table(rows)
    check(load())
    (folder / "squad_v2-train-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match="not in the cache"):
        load()


# --- Not cached -------------------------------------------------------------------------------------------------------


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise OSError("Network is unreachable")


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download asks for; `status` and `share` make it fail."""

    status = 200
    share = 1.0
    files: dict[str, bytes]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        known = COMMIT in path
        if self.status != 200 or not known:
            error = {"X-Error-Code": "RevisionNotFound"} if not known else {}
            return self.answer(b"{}", 404 if not known else self.status, error)
        if path.startswith("/api/") and "/tree/" not in path:
            return self.answer(json.dumps({"id": DATASET, "sha": COMMIT, "siblings": []}).encode())
        if path.startswith("/api/"):
            return self.answer(
                json.dumps(
                    [
                        {
                            "type": "file",
                            "path": name,
                            "size": len(content),
                            "oid": "0" * 40,
                            "lfs": {
                                "oid": hashlib.sha256(content).hexdigest(),
                                "size": len(content),
                                "pointerSize": 134,
                            },
                        }
                        for name, content in self.files.items()
                    ]
                ).encode()
            )
        content = self.files.get(path.partition(COMMIT + "/")[2])
        if content is None:
            return self.answer(b"", 404, {"X-Error-Code": "EntryNotFound"})
        return self.answer(
            content,
            200,
            {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT},
            share=self.share,
        )

    def answer(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None, share: float = 1.0) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: int(len(body) * share)])
        self.close_connection = share < 1

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    """A hub on this machine that `huggingface_hub` talks to."""
    content = {}
    for split in ("train", "validation"):
        pq.write_table(table(split, 6), tmp_path / split)
        content[f"{CONFIG}/{split}-00000-of-00001.parquet"] = (tmp_path / split).read_bytes()
    handler = type("OneHub", (Hub,), {"files": {**content, "README.md": b"# A data set"}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        online(monkeypatch, f"http://127.0.0.1:{running.server_port}")
        yield handler
        running.shutdown()
        thread.join()
        huggingface_hub.close_session()


def online(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("no_proxy", "*")


def test_what_is_not_cached_is_fetched_once(home: Path, server: type[Hub]) -> None:
    check(load())
    server.status = 500
    check(load())


@pytest.mark.parametrize(("status", "words"), [(401, "401"), (403, "403"), (429, "429"), (500, "500"), (503, "503")])
def test_a_hub_that_refuses(home: Path, server: type[Hub], status: int, words: str) -> None:
    server.status = status
    with waits_at_most(10), pytest.raises(DataError, match=words) as caught:
        load()
    assert COMMAND in str(caught.value)
    assert list(home.glob("hub/*/snapshots/*")) == []


def test_a_shard_that_is_not_cached_is_fetched(home: Path, server: type[Hub]) -> None:
    shards = save_shards(home)
    contents = {f"{CONFIG}/{path.name}": path.read_bytes() for path in shards}
    dev = f"{CONFIG}/validation-00000-of-00001.parquet"
    server.files = {**contents, dev: server.files[dev]}
    shards[1].unlink()
    check(load())
    server.status = 500
    check(load())


def test_a_hub_that_lacks_a_shard(home: Path, server: type[Hub]) -> None:
    shards = save_shards(home)
    dev = f"{CONFIG}/validation-00000-of-00001.parquet"
    server.files = {f"{CONFIG}/{shards[0].name}": shards[0].read_bytes(), dev: server.files[dev]}
    for path in shards[1:]:
        path.unlink()
    with pytest.raises(DataError, match=r"00000-of-00002 and so on, none missing\) at revision"):
        load()


def test_a_revision_that_the_hub_does_not_know(server: type[Hub]) -> None:
    with pytest.raises(DataError, match=rf"has no revision {OTHER}.*correct data.revision.*COMMIT"):
        load(OTHER)


def test_a_download_that_breaks_off_leaves_no_entry(home: Path, server: type[Hub]) -> None:
    server.share = 0.5
    with waits_at_most(10), pytest.raises(DataError) as caught:
        load()
    assert COMMAND in str(caught.value)
    assert list(home.glob("hub/*/snapshots/*/*/*")) == []
    server.share = 1.0
    check(load())


def test_a_data_set_without_parquet_files(server: type[Hub]) -> None:
    server.files = {"README.md": b"# A data set", "squad_v2.py": b""}
    with pytest.raises(DataError, match=r"no squad_v2/train-\*\.parquet"):
        load()


def test_a_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch, "http://127.0.0.1:9")
    with waits_at_most(10), pytest.raises(DataError, match="cannot be reached") as caught:
        load()
    assert COMMAND in str(caught.value)
    huggingface_hub.close_session()


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> NoReturn:
        raise socket.gaierror(-2, "Name or service not known")

    online(monkeypatch, "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match="Name or service not known"):
        load()
    huggingface_hub.close_session()


def test_a_name_look_up_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    awake = threading.Event()

    def hang(*args: Any, **kwargs: Any) -> NoReturn:
        awake.wait(20)
        raise socket.gaierror(-2, "Name or service not known")

    online(monkeypatch, "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.1)
    with waits_at_most(5), pytest.raises(DataError, match=r"no answer in 0\.1 s"):
        load()
    awake.set()
    huggingface_hub.close_session()
