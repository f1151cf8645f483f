"""A hub that is away, silent, wrong or breaks off: what is cached is used, and half of it never counts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import _snapshot_download, constants, file_download

from qaexp.storage import hub
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import TINY_FOLDER

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"
COMMIT = "c0ffee" * 6 + "abcd"
PINNED = "3ffb306f725f7d2ce8394bc1873b24868140c412"  # that of conf/data/squad_v2.yaml
MODEL, DATA = "owner/name", "rajpurkar/squad_v2"
DATA_COMMAND = f"load_dataset('{DATA}', 'squad_v2', revision='{{}}')"


class Answering(BaseHTTPRequestHandler):
    """As much of a hub as a download asks for: one model and one data set.

    `status` answers everything with an error, and `cut` names the file that breaks off in the middle.
    """

    files: dict[str, dict[str, bytes]]
    status = 200
    cut = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        repository = next((name for name in self.files if name in path), None)
        if self.status != 200 or repository is None or "nope" in path or "0" * 40 in path:
            code = {"X-Error-Code": "RevisionNotFound"} if self.status in (200, 404) else {}
            return self.answer(404 if self.status == 200 else self.status, b"{}", code)
        commit, files = {MODEL: COMMIT, DATA: PINNED}[repository], self.files[repository]
        if path.startswith("/api/") and "/tree/" in path:
            listed = [{"type": "file", "path": name, "size": len(body), "oid": name} for name, body in files.items()]
            return self.answer(200, json.dumps(listed).encode())
        if path.startswith("/api/"):
            return self.answer(200, json.dumps({"id": repository, "sha": commit, "siblings": []}).encode())
        name = path.partition(f"/{commit}/")[2]
        if name not in files:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha256(files[name]).hexdigest()
        sent = len(files[name]) // 2 if name == self.cut else None
        return self.answer(200, files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, sent)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, sent: int | None = None) -> None:
        self.send_response(status)
        given = {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])
        self.close_connection = sent is not None

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def parquet(path: Path, split: str) -> bytes:
    """Six questions in the columns of the hub's SQuAD."""
    rows = [
        {
            "id": f"{split}{number}",
            "title": "T",
            "context": "Paris is the capital of France.",
            "question": "Which city is the capital?",
            "answers": {"text": ["Paris"], "answer_start": [0]} if number % 2 else {"text": [], "answer_start": []},
        }
        for number in range(6)
    ]
    answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
    texts = [(name, pa.string()) for name in ("id", "title", "context", "question")]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema([*texts, ("answers", answers)])), path)
    return path.read_bytes()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, with the network switched on."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_CACHE", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    yield tmp_path / "hub"
    huggingface_hub.close_session()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[type[Answering], str]]:
    """A hub on this machine, and its address."""
    data = {f"squad_v2/{split}-0-of-1.parquet": parquet(tmp_path / split, split) for split in ("train", "validation")}
    model = {file.name: file.read_bytes() for file in TINY_FOLDER.iterdir() if file.is_file()}
    handler = type("OneHub", (Answering,), {"files": {MODEL: model, DATA: data}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def fail(error: OSError) -> Callable[..., None]:
    def connect(*_: Any, **__: Any) -> None:
        raise error

    return connect


class Asked:
    """The two commands that need the hub, one for a model and one for a data set."""

    def __init__(self, qaexp: Any, cache: Path) -> None:
        self.qaexp, self.cache = qaexp, cache
        demo = (*tiny_run.DEMO, "trainer.epochs=0", f"model.checkpoint={MODEL}")
        self.words = {MODEL: demo, DATA: (*tiny_run.MODEL, "data=squad_v2", "trainer.epochs=0")}
        self.fetch = {MODEL: f"`hf download {MODEL}`", DATA: DATA_COMMAND.format(PINNED)}

    def refused(
        self, case: str, *parts: str, only: tuple[str, ...] = (MODEL, DATA), more: tuple[str, ...] = ()
    ) -> None:
        """Both say within 10 s why, and the command that fetches beforehand."""
        for kind in only:
            name = f"name={case}-{kind.partition('/')[2]}"
            self.qaexp.refused(3, "train", name, *self.words[kind], *more, last=(self.fetch[kind], *parts))
            assert self.qaexp.waited < 10, (case, kind)

    def files(self) -> list[Path]:
        """What the cache offers under a file's name."""
        return [path for path in self.cache.glob("*/snapshots/*/**/*") if not path.is_dir()]


@pytest.mark.fault("D10")
def test_hub(
    qaexp: Any,
    cache: Path,
    server: tuple[type[Answering], str],
    no_network: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(qaexp, cache)
    check_away(asked, monkeypatch)
    answering, address = server
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    for status in (401, 403, 429, 500, 503):
        answering.status = status
        asked.refused(f"s{status}", *([str(status)] if status > 401 else []))
    answering.status = 200
    asked.refused("nope", "no revision nope", "model.revision", only=(MODEL,), more=("model.revision=nope",))
    asked.fetch[DATA] = DATA_COMMAND.format("COMMIT")
    unknown = "0" * 40
    asked.refused("unknown", f"no revision {unknown}", only=(DATA,), more=(f"data.revision={unknown}",))
    asked.fetch[DATA] = DATA_COMMAND.format(PINNED)
    assert asked.files() == []
    check_halves(asked, answering, monkeypatch)
    check_cached(asked, monkeypatch)
    assert no_network == []


def check_away(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub at all: unreachable, unknown, silent, switched off."""
    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_connection", fail(OSError("Network is unreachable")))
        asked.refused("away", "Network is unreachable")
        patch.setattr(socket, "create_connection", fail(socket.gaierror(-2, "Name or service not known")))
        asked.refused("name", "Name or service not known")
        patch.setattr(hub, "PROBE_SECONDS", 0.3)
        silence = threading.Event()

        def wait(*_: Any, **__: Any) -> None:
            silence.wait(30)
            raise OSError("too late")

        patch.setattr(socket, "create_connection", wait)
        asked.refused("silent", "no answer in 0.3 s")
        silence.set()
    for flag in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        with monkeypatch.context() as patch:
            patch.setenv(flag, "1")
            asked.refused(flag.lower(), f"switched off by {flag}")
    assert asked.files() == []


def check_halves(asked: Asked, answering: type[Answering], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file breaks off: it is no entry, and what arrived before it is none either."""
    for kind, files in answering.files.items():
        for number, name in enumerate(files):
            shutil.rmtree(asked.cache, ignore_errors=True)
            answering.cut = name
            with monkeypatch.context() as patch:
                if number and not THOROUGH:  # the library waits five times for a second; once is enough
                    patch.setattr(file_download, "time", SimpleNamespace(sleep=lambda _: None))
                asked.refused(f"half{number}", only=(kind,))
            assert [path for path in asked.files() if path.name == Path(name).name] == []
            with monkeypatch.context() as patch:
                patch.setenv("HF_HUB_OFFLINE", "1")
                asked.refused(f"rest{number}", "switched off by HF_HUB_OFFLINE", only=(kind,))
                if kind == MODEL:  # a commit is looked up without the hub's word for what is its newest
                    asked.fetch[MODEL] = f"`hf download {MODEL} --revision {COMMIT}`"
                    # huggingface_hub before its listings were cached takes whatever is there for a whole snapshot.
                    patch.setattr(_snapshot_download, "_raise_if_incomplete_snapshot", lambda **_: None, raising=False)
                    asked.refused(f"pinned{number}", only=(MODEL,), more=(f"model.revision={COMMIT}",))
                    asked.fetch[MODEL] = f"`hf download {MODEL}`"
    answering.cut = ""


def check_cached(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """What broke off is fetched again as a whole, and from then on the cache is used, and said."""
    qaexp = asked.qaexp
    for kind, words in asked.words.items():
        name = kind.partition("/")[2]
        fetched = tiny_run.read_json(qaexp.train(f"name=fetched-{name}", *words) / "summary.json")
        with monkeypatch.context() as patch:
            patch.setenv("HF_HUB_OFFLINE", "1")
            done = qaexp.call("train", f"name=cached-{name}", *words)
        assert done.code == 0, done.err
        run = qaexp.folder / "outputs" / f"cached-{name}"
        cached = tiny_run.read_json(run / "summary.json")
        assert (cached["num_steps"], cached["f1"]) == (0, fetched["f1"])
        said = f"{MODEL}: commit {COMMIT} of the hub" if kind == MODEL else f"{DATA} at {PINNED} is read from the cache"
        assert said in (run / "train.log").read_text()
