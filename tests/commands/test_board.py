"""`qaexp board`: from its words to its end, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.board.conftest import SMALL
from tests.faults.test_sweeps import wait_until
from tests.fixtures import fake_run, tiny_run
from tests.fixtures.boarded import digest
from tests.fixtures.served import started
from tests.sweeps.test_stopped import all_below


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return fake_run.build(tmp_path / "outputs" / "one", **SMALL).parent


def runs_at(url: str) -> set[str]:
    """The runs that the board shows, once all folders have been looked at."""
    while True:
        found = httpx.get(f"{url}/api/runs", timeout=300).json()
        if found["is_complete"]:
            return {run["name"] for run in found["runs"]}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_shows_runs_until_a_signal(outputs: Path, number: signal.Signals, code: int) -> None:
    before = digest(outputs)
    with started(outputs, command="board") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert runs_at(url) == {"one"}
        process.send_signal(number)
        said, told = process.communicate(timeout=300)
    assert process.returncode == code, told
    assert said == ""
    # A page that lives asks again and again: requests are not told.
    assert told == ("qaexp board: stopped by Ctrl-C\n" if code == 130 else "")
    assert digest(outputs) == before


def test_a_page_that_is_being_drawn_does_not_hold_up_the_end(outputs: Path) -> None:
    with started(outputs, command="board") as (process, url):
        runs_at(url)
        (run,) = httpx.get(f"{url}/api/runs", timeout=300).json()["runs"]
        asking = threading.Thread(target=ask, args=(f"{url}/run?run={run['id']}",))
        asking.start()
        wait_until(lambda: len(all_below(process.pid)) > 1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=300)
        asking.join(60)
    assert (process.returncode, told) == (0, "")


def ask(address: str) -> None:
    """Ask for a page, which may come, be refused, or never come."""
    with suppress(httpx.TransportError):
        assert httpx.get(address, timeout=300).status_code in (200, 503)


def test_without_folders_it_waits_for_those_that_runs_go_to(
    tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = outputs.rename(tmp_path / "away")
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "qaexp", "board", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith(" shows the runs in outputs and multirun_outputs; Ctrl-C ends it, and no run\n")
        url = line.split()[0]
        assert runs_at(url) == set()
        away.rename(outputs)
        while runs_at(url) != {"one"}:
            pass
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing",), "nothing: there is no such folder; give a sweep, or a folder of runs"),
        (("outputs/on",), "outputs/on: there is no such folder; did you mean outputs/one?"),
        (("outputs/one/run.json",), "outputs/one/run.json: is not a folder; give a sweep, or a folder of runs"),
        (("outputs", "--port", "70000"), "--port 70000 is no port; give one from 0"),
        (("outputs", "--host", "0.0.0.0"), "--host 0.0.0.0: others reach this machine there"),
        (("outputs", "--host", "192.0.2.1"), "--host 192.0.2.1 is no address of this machine"),
        (("s3://bucket/runs",), "s3://bucket/runs"),
    ],
)
def test_what_cannot_be_shown_is_told_in_a_sentence(
    tmp_path: Path, outputs: Path, words: tuple[str, ...], says: str
) -> None:
    assert outputs.is_dir()
    done = tiny_run.call(tmp_path, "board", *words, *(() if "--port" in words else ("--port", "0")))
    assert (done.code, done.out) == (2, ""), done.err
    assert says in done.last_line


def test_every_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "board", "x", "y")
    assert done.code == 2
    assert [line.split(":")[1].strip() for line in done.err.splitlines()] == ["x", "y"]


def test_a_missing_extra_is_named(tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.commands.addressed.find_spec", lambda _: None)
    done = tiny_run.call(tmp_path, "board", str(outputs))
    assert (done.code, done.last_line) == (
        2, "qaexp board: starlette and uvicorn are missing, which board needs: pip install 'qaexp[serve]'"
    )  # fmt: skip


def test_a_port_in_use_and_another_name_of_this_machine(outputs: Path, tmp_path: Path) -> None:
    with started(outputs, command="board") as (_, url):
        port = url.rpartition(":")[2]
        done = tiny_run.call(tmp_path, "board", str(outputs), "--port", port)
        assert httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "evil.example"}).status_code == 403
        assert httpx.get(f"http://localhost:{port}/").status_code == 200
    assert done.code == 2
    assert f"--port {port} is in use" in done.last_line


def test_its_help_fits_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = subprocess.run(
        [sys.executable, "-m", "qaexp", "board", "--help"], capture_output=True, text=True, check=True
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "multirun_outputs" in done.stdout
