"""`qaexp serve`: from its words to its end, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures import tiny_run
from tests.fixtures.served import started

PAIR = {"question": "Where was Anna born?", "context": "Anna was born in Paris in 1900. " * 40}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.train(tmp_path_factory.mktemp("work"), "one", *tiny_run.DEMO, "trainer.epochs=0")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, which has to come soon, and what was said last on stderr."""
    _, said = process.communicate(timeout=300)
    return process.returncode, said


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_under_load_and_nobody_is_cut_off(run: Path, number: signal.Signals, code: int) -> None:
    replies: list[Any] = []
    is_over = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(timeout=300) as client:
            while not is_over.is_set():
                try:
                    replies.append(client.post(f"{url}/answer", json=PAIR))
                except httpx.TransportError as error:
                    replies.append(error)
                    return

    with started(run) as (process, url):
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(replies) < 16:
            time.sleep(0.01)
        process.send_signal(number)
        found, said = ended(process)
        is_over.set()
        for thread in threads:
            thread.join(30)
    assert found == code, said
    assert "Traceback" not in said
    assert said.strip().endswith("qaexp serve: stopped by Ctrl-C") is (code == 130)
    # Who was let in has a reply; who came later found nobody there.
    lost = [reply for reply in replies if isinstance(reply, Exception)]
    assert all(isinstance(error, httpx.ConnectError | httpx.RemoteProtocolError | httpx.ReadError) for error in lost)
    assert {reply.status_code for reply in replies if not isinstance(reply, Exception)} <= {200, 503}
    assert said.count(" 200 ") == sum(getattr(reply, "status_code", 0) == 200 for reply in replies)


def test_a_run_that_is_deleted_or_changed_is_still_served(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    with started(copy) as (_, url):
        before = httpx.post(f"{url}/answer", json=PAIR, timeout=300).json()
        weights = copy / "model" / "model.safetensors"
        os.truncate(weights, 10)
        shutil.rmtree(copy)
        assert httpx.post(f"{url}/answer", json=PAIR, timeout=300).json() == before
        assert httpx.get(f"{url}/").status_code == 200


def test_a_port_in_use_and_another_host(run: Path) -> None:
    with started(run, "--host", "0.0.0.0") as (process, url):
        assert process.stdout is not None
        assert "everybody who reaches this machine there can ask" in process.stdout.readline()
        done = tiny_run.call(run.parent, "serve", str(run), "--port", url.rpartition(":")[2])
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(
        r"qaexp serve: --port \d+ is in use; give another one, or --port 0 for any that is free\n", done.err
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nothing",), 2, "nothing holds no model"),
        ((), 2, "the following arguments are required: run"),
        (("{run}", "--port", "70000"), 2, "--port 70000 is no port; give one from 0"),
        (("{run}", "--port", "x"), 2, "--port"),
        (("{run}", "--max-queue", "0"), 2, "0 is below 1"),
        (("{run}", "--timeout", "0"), 2, "0 is below 0.1"),
        (("{run}", "--host", "192.0.2.1"), 2, "--host 192.0.2.1 is no address of this machine"),
        (("{run}", "--device", "nowhere"), 2, "--device nowhere"),
        (("{run}", "--precision", "fp16"), 2, "--precision fp16 needs CUDA"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(
    run: Path, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    given = [word.format(run=run) for word in words]
    done = tiny_run.call(tmp_path, "serve", *given, *(() if "--port" in given else ("--port", "0")))
    assert (done.code, done.out) == (code, ""), done.err
    assert says in done.last_line


def test_a_missing_extra_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.commands.addressed.find_spec", lambda name: None if name == "uvicorn" else object())
    done = tiny_run.call(tmp_path, "serve", str(run), "--port", "0")
    assert (done.code, done.last_line) == (
        2, "qaexp serve: uvicorn is missing, which serve needs: pip install 'qaexp[serve]'"
    )  # fmt: skip


def test_it_answers_to_the_names_of_this_machine_where_it_listens_to_it_alone(run: Path) -> None:
    for words, status in (((), 403), (("--host", "0.0.0.0"), 200)):
        with started(run, *words) as (_, url):
            port = url.rpartition(":")[2]
            named = httpx.get(f"http://127.0.0.1:{port}/health", headers={"host": "evil.example"})
            assert named.status_code == status
            assert httpx.get(f"http://localhost:{port}/health").status_code == 200
