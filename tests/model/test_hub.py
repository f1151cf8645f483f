"""A hub that is far away, silent, wrong or right: a fake cache and a fake server, no network."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from qaexp.errors import ConfigError, DataError
from qaexp.model import Checkpoint
from qaexp.storage import hub
from tests.fixtures.checkpoints import TINY_FOLDER
from tests.fixtures.waiting import waits_at_most

COMMIT = "c0ffee" * 6 + "abcd"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub, and no environment that says anything about it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def store(cache: Path, *, ref: str = "main") -> Path:
    """Put a checkpoint into the cache as a download does."""
    entry = cache / "models--owner--name"
    snapshot = entry / "snapshots" / COMMIT
    shutil.copytree(TINY_FOLDER, snapshot)
    (entry / "refs").mkdir()
    (entry / "refs" / ref).write_text(COMMIT)
    return snapshot


def checkpoint(**settings) -> Checkpoint:
    return Checkpoint(**{"checkpoint": "owner/name", "random_weights": True, **settings})


@pytest.fixture
def no_network(monkeypatch) -> None:
    def refuse(*_args, **_keywords):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)


def test_unreachable_and_not_cached_says_what_to_run_before(cache, no_network) -> None:
    with waits_at_most(10), pytest.raises(DataError, match=r"run `hf download owner/name --revision v1`") as caught:
        checkpoint(revision="v1").load(seed=0)
    assert caught.value.exit_code == 3
    assert "huggingface.co cannot be reached (Network is unreachable)" in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_name_server_that_is_silent_is_not_waited_for(cache, monkeypatch) -> None:
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.2)
    silence = threading.Event()

    def look_up(*_args, **_keywords):
        silence.wait(30)
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", look_up)
    with waits_at_most(5), pytest.raises(DataError, match=r"no answer in 0\.2 s"):
        checkpoint().load(seed=0)
    silence.set()


def test_unreachable_and_cached_is_used_and_said(cache, no_network, caplog) -> None:
    store(cache)
    loaded = checkpoint().load(seed=0)
    assert (loaded.source["kind"], loaded.source["commit"]) == ("hub", COMMIT)
    assert f"the cached commit {COMMIT} is used, because huggingface.co cannot be reached" in caplog.text


def test_a_cached_commit_asks_nobody(cache, monkeypatch, caplog) -> None:
    store(cache)
    monkeypatch.setattr(hub, "why_not_there", lambda: pytest.fail("the hub was asked"))
    found = checkpoint(revision=COMMIT).fingerprint()
    assert found["commit"] == COMMIT
    assert found["weights_sha256"] is None
    assert len(found["config_sha256"]) == 64
    assert caplog.text == ""


def test_the_offline_flag_is_obeyed(cache, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "unreachable", lambda _: pytest.fail("the network was touched"))
    with pytest.raises(DataError, match="switched off by HF_HUB_OFFLINE"):
        checkpoint().load(seed=0)
    store(cache)
    assert checkpoint().load(seed=0).source["commit"] == COMMIT


def test_a_snapshot_that_was_cut_off_does_not_count(cache, no_network) -> None:
    snapshot = store(cache)
    with pytest.raises(DataError, match="is not cached"):
        checkpoint(random_weights=False).load(seed=0)  # it has no weights
    (snapshot / "config.json").unlink()
    with pytest.raises(DataError, match="is not cached"):
        checkpoint().load(seed=0)


class FakeHub(BaseHTTPRequestHandler):
    """Answers by repository: owner/missing, owner/busy, owner/name with revision main, and nothing else."""

    def do_GET(self) -> None:
        if "/owner/busy" in self.path:
            self.answer(429, {"error": "Too many requests"})
        elif "/owner/broken" in self.path:
            self.answer(500, {"error": "Internal error"})
        elif self.path.startswith("/api/models/owner/name/revision/nope"):
            self.answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        elif self.path.startswith("/api/models/owner/name/tree/"):
            files = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": f.name}
                for f in sorted(TINY_FOLDER.iterdir())
                if f.is_file()
            ]
            self.answer(200, files)
        elif self.path.startswith("/api/models/owner/name"):
            self.answer(200, {"id": "owner/name", "sha": COMMIT, "siblings": []})
        elif self.path.startswith(f"/owner/name/resolve/{COMMIT}/"):
            self.answer(200, (TINY_FOLDER / self.path.rpartition("/")[2]).read_bytes())
        else:
            self.answer(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status, content, headers=None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.path.rpartition("/")[2]}"', **(headers or {})}
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_args) -> None:
        pass


@pytest.fixture
def fake_hub(cache, monkeypatch) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    yield endpoint
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"checkpoint": "owner/missing"}, "shows no such model; check the spelling"),
        ({"revision": "nope"}, "has no revision nope of it; choose another model.revision"),
        ({"checkpoint": "owner/busy"}, "answered with an error .*429.*run `hf download owner/busy`"),
        ({"checkpoint": "owner/broken"}, "answered with an error .*500.*run `hf download owner/broken`"),
    ],
)
def test_refusals_of_the_hub_are_told_within_seconds(fake_hub, cache, settings, message) -> None:
    with waits_at_most(10), pytest.raises(DataError, match=message):
        checkpoint(**settings).load(seed=0)
    assert not list(cache.glob("models--*/snapshots/*/*"))


def test_a_refusal_does_not_spoil_what_is_cached(fake_hub, cache, monkeypatch, caplog) -> None:
    store(cache)
    shutil.move(cache / "models--owner--name", cache / "models--owner--busy")
    assert checkpoint(checkpoint="owner/busy").load(seed=0).source["commit"] == COMMIT
    assert "is used, because" in caplog.text


def test_a_checkpoint_is_fetched_and_then_found_without_a_network(fake_hub, cache, monkeypatch) -> None:
    assert checkpoint().load(seed=0).source["commit"] == COMMIT
    monkeypatch.setattr(hub, "unreachable", lambda _: "it is gone")
    assert checkpoint().load(seed=0).source["commit"] == COMMIT
    assert checkpoint().fingerprint() == checkpoint(revision=COMMIT).fingerprint()


def test_a_checkpoint_without_safetensors_is_refused(fake_hub) -> None:
    with pytest.raises(ConfigError, match=r"has no model\.safetensors, and qaexp opens no pickled weights"):
        checkpoint(random_weights=False).load(seed=0)
