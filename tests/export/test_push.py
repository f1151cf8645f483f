"""A folder is pushed to a hub on this machine: in one commit, or refused in one sentence without the token."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from qaexp.errors import ConfigError, QaexpError, StorageError
from qaexp.export.push import push
from qaexp.storage import hub

TOKEN = "hf_" + "secretsecretsecret"
REPO = "me/mine"


class Taking(BaseHTTPRequestHandler):
    """As much of a hub as an upload asks for; `refusals` are statuses by the word in the path that they answer."""

    refusals: dict[str, int]
    exists: bool
    is_private: bool
    commits: list[list[dict[str, Any]]]
    asked: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = next((status for word, status in self.refusals.items() if word in self.path), None)
        if self.path.endswith("/commit/main"):
            lines = [json.loads(line) for line in body.splitlines()]
            if status is None:
                self.commits.append(lines)
        else:
            self.asked.append((self.path, json.loads(body)))
        if status is not None:
            error = f"No, {self.headers.get('Authorization')}: not you"
            return self.answer(status, {"error": error, "errors": [{"message": error}]})
        return self._accept(body)

    def _accept(self, body: bytes) -> None:
        address = f"http://{self.headers['Host']}/{REPO}"
        if self.path == "/api/repos/create":
            if self.exists:
                return self.answer(409, {"error": "You already created this model repo", "url": address})
            return self.answer(200, {"url": address})
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"warnings": [], "errors": []})
        if "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        commit = {"commitUrl": f"{address}/commit/abc", "commitOid": "abc", "success": True}
        return self.answer(200, commit)

    def do_GET(self) -> None:
        if self.exists:
            return self.answer(200, {"id": REPO, "sha": "abc", "private": self.is_private, "siblings": []})
        return self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    def answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Taking]]:
    """A hub on this machine which takes everything, and a token for it."""
    state = {"refusals": {}, "exists": False, "is_private": False, "commits": [], "asked": []}
    handler = type("OneHub", (Taking,), state)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        huggingface_hub.close_session()
        yield handler
        running.shutdown()
        thread.join()
    huggingface_hub.close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small export."""
    made = tmp_path / "an export"
    (made / ".eval_results").mkdir(parents=True)
    (made / "README.md").write_text("---\nlicense: mit\n---\n\n# Model\n")
    (made / ".eval_results" / "squad_v2.yaml").write_text("- value: 1\n")
    (made / "model.safetensors").write_bytes(b"\x00" * 64)
    return made


def test_a_folder_is_one_commit(server: type[Taking], folder: Path) -> None:
    url = push(folder, REPO, is_private=False)
    assert url.endswith(f"/{REPO}/commit/abc")
    (commit,) = server.commits
    files = {line["value"]["path"]: line["value"]["content"] for line in commit if line["key"] == "file"}
    assert set(files) == {"README.md", ".eval_results/squad_v2.yaml", "model.safetensors"}
    assert base64.b64decode(files["README.md"]) == (folder / "README.md").read_bytes()
    assert server.asked[0] == ("/api/repos/create", {"name": "mine", "organization": "me"})


def test_a_repository_that_is_there_is_used(server: type[Taking], folder: Path) -> None:
    server.exists = True
    assert push(folder, REPO, is_private=False).endswith("/commit/abc")
    assert "/api/repos/create" not in [path for path, _ in server.asked]


def test_private_means_private(server: type[Taking], folder: Path) -> None:
    push(folder, REPO, is_private=True)
    assert server.asked[0][1]["visibility"] == "private"
    server.exists, server.is_private = True, True
    push(folder, REPO, is_private=True)
    server.is_private = False
    with pytest.raises(ConfigError, match="is there and public, and --private would change nothing"):
        push(folder, REPO, is_private=True)
    assert len(server.commits) == 2


@pytest.mark.parametrize(
    ("refusals", "message"),
    [
        ({"create": 401}, r"does not know the token \(401\); run `hf auth login`"),
        ({"create": 403}, r"lets this token not write to me \(403\); choose an owner"),
        ({"create": 500}, r"answered with an error .*500.*; try again"),
        ({"commit": 403}, r"lets this token not write to me \(403\)"),
        ({"validate": 400}, r"refuses the folder \(Invalid metadata in README.md"),
        ({"create": 429}, r"answered with an error .*429"),
    ],
)
def test_refusals_are_one_sentence_without_the_token(
    server: type[Taking], folder: Path, refusals: dict[str, int], message: str
) -> None:
    server.refusals = refusals
    with pytest.raises(StorageError, match=message) as caught:
        push(folder, REPO, is_private=False)
    told(caught.value, later=True)
    assert caught.value.exit_code == 5
    assert f"`hf upload {REPO} '{folder}'` uploads the folder later" in str(caught.value)
    assert server.commits == []


def test_no_token(server: type[Taking], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "none"))
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(ConfigError, match=r"there is no token for http.*`hf auth login`, or set HF_TOKEN"):
        push(folder, REPO, is_private=False)
    assert server.asked == []


def test_offline_and_unreachable(server: type[Taking], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StorageError, match="the hub is switched off by HF_HUB_OFFLINE; `hf upload"):
        push(folder, REPO, is_private=False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "unreachable", lambda _: "huggingface.co cannot be reached (no route)")
    with pytest.raises(StorageError, match=r"cannot be reached \(no route\); `hf upload") as caught:
        push(folder, REPO, is_private=True)
    assert "--private` uploads the folder later" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    "repo", ["", "mine", "a/b/c", "me/mi ne", "me/--x", "../x", "me/x.git", "me/" + "x" * 99, "é/x"]
)
def test_a_name_that_is_none(folder: Path, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "why_not_there", lambda: pytest.fail("the hub was asked"))
    with pytest.raises(ConfigError, match="is no name of a repository; give owner/name") as caught:
        push(folder, repo, is_private=False)
    assert len(str(caught.value)) < 400


def told(error: QaexpError, *, later: bool) -> None:
    """One line, without the token."""
    text = str(error)
    assert TOKEN not in text
    assert TOKEN[3:] not in text
    assert "\n" not in text
    assert not text.endswith(".")
    assert error.__cause__ is None
    assert ("later" in text) is later
