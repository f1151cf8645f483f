"""The addresses of the board: what they reply, to whom, and that nothing of a folder becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.board import drawing
from tests.board.conftest import SMALL
from tests.fixtures import fake_run
from tests.fixtures.boarded import Boarded, change, digest

Make = Callable[..., Boarded]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def board(outputs: Path, make_board: Make) -> Boarded:
    found = make_board(outputs)
    found.look()
    return found


def until_complete(board: Boarded) -> dict[str, Any]:
    """Ask as a page does, until all folders have been looked at."""
    while True:
        found: dict[str, Any] = board.send("/api/runs").json()
        if found["is_complete"]:
            return found


def test_a_page_asks_for_what_changed(outputs: Path, make_board: Make) -> None:
    board = make_board(outputs)
    found = until_complete(board)
    assert {run["name"] for run in found["runs"]} == {"a", "b", "c"}
    assert found["roots"] == [str(outputs)]
    again = board.send("/api/runs", params={"since": board.send("/api/runs").json()["token"]}).json()
    assert (again["is_all"], again["runs"], again["gone"]["runs"]) == (False, [], [])
    change(outputs / "b", state="failed", error={"kind": "data", "message": HOSTILE})
    board.look()
    (changed,) = board.send("/api/runs", params={"since": again["token"]}).json()["runs"]
    assert (changed["name"], changed["state"]) == ("b", "failed")
    assert HOSTILE in changed["note"]


def test_the_files_of_the_page(board: Boarded) -> None:
    page = board.send("/").text
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"/board.css", "/board.js", "/curves.js", "/icon.svg"} <= set(named)
    for path in [*[name for name in named if name.startswith("/")], "/echarts.js"]:
        reply = board.send(path)
        assert reply.status_code == 200, path
        assert reply.headers["content-security-policy"].startswith("default-src 'self'")
        assert reply.headers["x-content-type-options"] == "nosniff"
    # The policy knows no exception: neither styles nor scripts stand in the page.
    assert not re.search(r"<script>|<style|style=|onclick|innerHTML", page)
    scripts = board.send("/board.js").text + board.send("/curves.js").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", scripts)


def test_head_and_other_methods_and_addresses(board: Boarded) -> None:
    assert board.send("/", "HEAD").status_code == 200
    for path in ("/", "/api/runs", "/run"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            reply = board.send(path, method)
            assert reply.status_code == 405, (path, method)
            assert "only reads" in reply.text
    assert board.send("/api/curves", "POST").json() == {
        "error": "the board only reads: it takes GET and HEAD, and not POST"
    }
    for path in ("/nothing", "/run/", "/..%2f..%2fetc/passwd", "/page.html"):
        assert board.send(path).status_code == 404, path


def test_pages_of_other_sites_may_not_ask(board: Boarded) -> None:
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "null"}):
        for path in ("/", "/api/runs", "/compare"):
            assert board.send(path, headers=headers).status_code == 403, headers
    assert board.send("/", headers={"host": "localhost:8001"}).status_code == 200


@pytest.mark.parametrize("name", ["", "zz", "../a", "/etc/passwd", HOSTILE, "a" * 5000])
def test_no_path_comes_from_an_address(board: Boarded, name: str) -> None:
    for path in ("/api/curves", "/run"):
        reply = board.send(path, params={"run": name})
        assert reply.status_code == 404
        assert "the board has no run" in reply.text.replace("The board", "the board")
        assert "<img" not in reply.text or reply.headers["content-type"] == "application/json"
    assert board.send("/compare", params={"run": [board.rows()["a"]["id"], name]}).status_code == 404


def test_a_comparison_of_nothing_or_of_too_many(board: Boarded, monkeypatch: pytest.MonkeyPatch) -> None:
    assert board.send("/compare").status_code == 422
    monkeypatch.setattr(drawing, "MOST_RUNS", 2)
    ids = [row["id"] for row in board.rows().values()]
    reply = board.send("/compare", params={"run": ids})
    assert reply.status_code == 422
    assert "3 runs are selected; a comparison takes at most 2" in reply.text


@pytest.mark.slow
def test_the_page_of_a_run_is_drawn_and_never_taken_from_its_folder(
    outputs: Path, board: Boarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outputs / "a" / "report.html").write_text("<h1>forged</h1><script>alert(1)</script>")
    before = digest(outputs)
    name = board.look()["a"]["id"]
    reply = board.send("/run", params={"run": name})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "forged" not in reply.text
    assert "data:image/png;base64," in reply.text
    policy = reply.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert policy[0].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy[0]
    assert digest(outputs) == before
    # It is kept as long as the files are what they were.
    with monkeypatch.context() as patch:
        patch.setattr(drawing.Drawer, "_in_a_process", lambda *_: pytest.fail("it was drawn again"))
        assert board.send("/run", params={"run": name}).content == reply.content
    (outputs / "a" / "history.csv").write_text("epoch,step,f1\n1,2,33.25\n")
    assert board.send("/run", params={"run": name}).content != reply.content


@pytest.mark.slow
def test_a_comparison_is_that_of_the_command(outputs: Path, board: Boarded, tmp_path: Path) -> None:
    from tests.fixtures import tiny_run

    before = digest(outputs)
    ids = [board.rows()[name]["id"] for name in ("a", "b")]
    reply = board.send("/compare", params={"run": ids})
    assert reply.status_code == 200
    assert reply.headers["content-security-policy"].startswith("sandbox")
    assert digest(outputs) == before
    done = tiny_run.call(tmp_path, "compare", str(outputs / "a"), str(outputs / "b"), "--html", "page.html")
    assert done.code == 0, done.err
    assert reply.content == (tmp_path / "page.html").read_bytes()


@pytest.mark.slow
def test_what_cannot_be_drawn_is_told_as_text(outputs: Path, board: Boarded) -> None:
    change(outputs / "a", state="failed", error={"kind": "data", "message": HOSTILE})
    reply = board.send("/compare", params={"run": board.look()["a"]["id"]})
    assert (reply.status_code, reply.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "Nothing to compare among 1 run" in reply.text
    assert "&lt;img" in reply.text
    assert "<img" not in reply.text
    name = board.rows()["b"]["id"]
    (outputs / "b").rename(outputs / "moved")
    reply = board.send("/run", params={"run": name})
    assert reply.status_code == 422
    assert "there is nothing" in reply.text


def test_pages_are_drawn_one_at_a_time_and_only_so_many_wait(board: Boarded, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    may_end, running = threading.Event(), []

    def draw(_: drawing.Drawer, paths: list[Path], is_comparison: bool) -> tuple[bytes | None, str]:
        running.append(paths)
        assert may_end.wait(300)
        return b"page", ""

    monkeypatch.setattr(drawing.Drawer, "_in_a_process", draw)
    monkeypatch.setattr(drawing, "MOST_WAITING", 2)
    drawer, paths = board.desk.drawer, [Path(row) for row in "abc"]
    first = drawer.page(paths[:1], is_comparison=False)
    assert drawer.page(paths[:1], is_comparison=False) is first
    second = drawer.page(paths[:2], is_comparison=True)
    with pytest.raises(drawing.RefusedError, match="other pages are being drawn"):
        drawer.page(paths, is_comparison=True)
    assert not second.done()
    may_end.set()
    assert (first.result(60), second.result(60)) == (b"page", b"page")
    assert running == [paths[:1], paths[:2]]


def test_a_process_that_dies_is_told(board: Boarded, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_and_kill(process: Any) -> None:
        process.start()
        process.kill()

    monkeypatch.setattr(drawing, "_start_without_signals", start_and_kill)
    reply = board.send("/run", params={"run": board.rows()["a"]["id"]})
    assert reply.status_code == 422
    assert "was killed" in reply.text


def test_who_waits_for_a_page_is_refused_when_the_server_ends(board: Boarded, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_and_end(process: Any) -> None:
        process.start()
        process.kill()
        board.desk.drawer._is_closed = True

    monkeypatch.setattr(drawing, "_start_without_signals", start_and_end)
    name = board.rows()["a"]["id"]
    assert board.send("/run", params={"run": name}).status_code == 503
    assert board.send("/run", params={"run": name}).status_code == 503


def test_names_of_any_bytes_are_told(tmp_path: Path, make_board: Make) -> None:
    fake_run.build(tmp_path / HOSTILE.replace("/", "") / "\udcff\n", **SMALL)
    board = make_board(tmp_path)
    board.look()
    document = json.loads(board.send("/api/runs").content)
    assert document["folders"][0]["path"].endswith(HOSTILE)
    assert board.lines == []
