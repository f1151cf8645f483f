"""Checkpoints that cannot answer questions, and a hub that is away, silent or wrong."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from qaexp import hub
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import TINY_FOLDER

COMMIT = "c0ffee" * 6 + "abcd"


def edited(name: str, **changes: Any) -> Callable[[Path], None]:
    """Change keys of a JSON file of a folder; `...` leaves one out."""

    def edit(folder: Path) -> None:
        content = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return edit


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (without("config.json"), "has no config.json"),
    "config is no JSON": (with_text("config.json", "{"), "config.json is no config"),
    "config is a list": (with_text("config.json", "[]"), "config.json is no config"),
    "unknown architecture": (edited("config.json", model_type="nosuchmodel"), "config.json is no config"),
    "no question answering": (edited("config.json", model_type="vit"), "no question-answering head"),
    "vocabulary": (edited("config.json", vocab_size=10), "ids up to"),
    "tokenizer is no JSON": (with_text("tokenizer.json", "{"), "its tokenizer cannot be opened"),
    "no pad": (edited("tokenizer_config.json", pad_token=None), "no padding token"),
    "no cls": (edited("tokenizer_config.json", cls_token=None), "no CLS token"),
}


@pytest.mark.fault("D9")
def test_checkpoints(qaexp: Any, tmp_path: Path) -> None:
    for number, (case, (spoil, expected)) in enumerate(FAULTS.items()):
        folder = tmp_path / f"checkpoint{number}"
        shutil.copytree(TINY_FOLDER, folder)
        spoil(folder)
        words = ("train", f"name=c{number}", *tiny_run.DEMO, f"model.checkpoint={folder}")
        qaexp.refused(2, *words, says=(expected,), last=("model.checkpoint",))
        assert not (qaexp.folder / "outputs" / f"c{number}" / "summary.json").exists(), case
    left = tmp_path / "left"
    shutil.copytree(TINY_FOLDER, left)
    edited("tokenizer_config.json", padding_side="left")(left)
    qaexp.train("name=left", *tiny_run.DEMO, "trainer.epochs=1", f"model.checkpoint={left}")


class Answering(BaseHTTPRequestHandler):
    """A hub that answers every question alike, or breaks off in the middle of a file."""

    status = 500
    breaks_off = False

    def do_GET(self) -> None:
        if not self.breaks_off:
            code = {"X-Error-Code": "RevisionNotFound"} if self.status == 404 else {}
            return self.answer(self.status, b"{}", code)
        if self.path.startswith("/api/") and "/tree/" in self.path:
            files = [{"type": "file", "path": name, "size": 400, "oid": name} for name in ("config.json",)]
            return self.answer(200, json.dumps(files).encode())
        if self.path.startswith("/api/"):
            return self.answer(200, json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": []}).encode())
        return self.answer(200, b"{" * 400, {"ETag": '"x"', "X-Repo-Commit": COMMIT}, sent=100)

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
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Answering], Callable[[], None]]]:
    """A hub on this machine, and what sends questions to it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}"

        def take() -> None:
            monkeypatch.setenv("HF_ENDPOINT", address)
            monkeypatch.setattr(constants, "ENDPOINT", address)
            template = address + "/{repo_id}/resolve/{revision}/{filename}"
            monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

        monkeypatch.setattr(Answering, "status", 500)
        monkeypatch.setattr(Answering, "breaks_off", False)
        yield Answering, take
        running.shutdown()
        thread.join()


@pytest.mark.fault("D10")
def test_hub(
    qaexp: Any,
    cache: Path,
    server: tuple[type[Answering], Callable[[], None]],
    no_network: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    demo = (*tiny_run.DEMO, "trainer.epochs=0")
    model = ("train", *demo, "model.checkpoint=owner/name")
    data = ("train", *tiny_run.MODEL, "data=squad_v2")
    fetch = {model: "hf download owner/name", data: "load_dataset('rajpurkar/squad_v2', 'squad_v2', revision="}

    def refused(case: str, *parts: str) -> None:
        for words, command in fetch.items():
            qaexp.refused(3, *words, f"name={case}", last=(command, *parts))
            assert qaexp.seconds < 10, case
        assert not list(cache.glob("*/snapshots/*/*")), case

    def fail(error: OSError) -> Callable[..., None]:
        def connect(*_: Any, **__: Any) -> None:
            raise error

        return connect

    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_connection", fail(OSError("Network is unreachable")))
        refused("away", "Network is unreachable")
        patch.setattr(socket, "create_connection", fail(socket.gaierror(-2, "Name or service not known")))
        refused("name", "Name or service not known")
        patch.setattr(hub, "PROBE_SECONDS", 0.3)
        silence = threading.Event()

        def wait(*_: Any, **__: Any) -> None:
            silence.wait(30)
            raise OSError("too late")

        patch.setattr(socket, "create_connection", wait)
        refused("silent", "no answer in 0.3 s")
        silence.set()
    with monkeypatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        refused("offline", "switched off by HF_HUB_OFFLINE")
    answering, take = server
    take()
    for status in (401, 403, 429, 500, 503):
        monkeypatch.setattr(answering, "status", status)
        for words in fetch:
            qaexp.refused(
                3, *words, f"name=s{status}", last=(("rajpurkar/squad_v2" if words is data else "owner/name"),)
            )
            assert qaexp.seconds < 10, status
    monkeypatch.setattr(answering, "status", 404)
    qaexp.refused(3, *model, "name=revision", "model.revision=nope", last=("no revision nope", "model.revision"))
    monkeypatch.setattr(answering, "breaks_off", True)
    qaexp.refused(3, *model, "name=half", last=("hf download owner/name",))
    assert qaexp.seconds < 10
    assert not list(cache.glob("*/snapshots/*/*"))
    # What is cached is used, and said.
    monkeypatch.setattr(answering, "breaks_off", False)
    shutil.rmtree(cache, ignore_errors=True)
    entry = cache / "models--owner--name"
    shutil.copytree(TINY_FOLDER, entry / "snapshots" / COMMIT)
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text(COMMIT)
    run = qaexp.train("name=cached", *model[1:], "model.random_weights=true")
    assert tiny_run.read_json(run / "summary.json")["num_steps"] == 0
    assert no_network == []
