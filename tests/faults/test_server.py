"""A server among clients who send anything, and one that is killed and comes back."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from qaexp.errors import OutOfMemoryError
from qaexp.predictor import Predictor
from tests.fixtures import tiny_run
from tests.fixtures.served import Served, at_port, started

PAIR = {"question": "Where was Anna born?", "context": "Anna was born in Paris in 1900."}
BODIES: dict[bytes, int] = {
    b"": 400,
    b"\xff\xfe": 400,
    b"[" * 10**5: 400,
    b'{"a":' * 10**5: 400,
    b'{"question": "a", "question": "b", "context": "c"}': 400,
    b'{"question": NaN, "context": "c"}': 400,
    b'{"question": "\\udc80", "context": "c"}': 400,
    b'{"question": "a", "context": ""}': 422,
    b'{"question": ["a"], "context": "c"}': 422,
    b'{"question": "a"}': 422,
    b'{"question": "a", "context": "c", "extra": 1}': 422,
    json.dumps({**PAIR, "context": "x" * 10**7}).encode(): 413,
}
RAW = (b"\x16\x03\x01", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"GET /hea", b"")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.train(tmp_path_factory.mktemp("work"), "one", *tiny_run.DEMO, "trainer.epochs=0")


def say(url: str, sent: bytes) -> socket.socket:
    """Send bytes that are no request, and keep the connection."""
    place = urlsplit(url)
    client = socket.create_connection((place.hostname, place.port), timeout=20)
    client.sendall(sent)
    return client


@pytest.mark.fault("N1")
def test_clients_that_send_anything(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.web.listening.HEAD_SECONDS", 0.5)
    served = Served(Predictor(run, device="cpu", precision="fp32"))
    with at_port(served) as url, httpx.Client(timeout=300) as client:
        expected = client.post(f"{url}/answer", json=PAIR).json()
        rude = [say(url, sent) for sent in RAW]
        for body, status in BODIES.items():
            reply = client.post(f"{url}/answer", content=body)
            assert (reply.status_code, list(reply.json())) == (status, ["error"]), body[:50]
        with monkeypatch.context() as patch:
            patch.setattr(served.desk.worker._reader, "read", _no_memory)
            assert client.post(f"{url}/answer", json=PAIR).status_code == 507
        assert client.post(f"{url}/answer", json=PAIR).json() == expected
        for one in rude:
            with one:
                assert b"".join(iter(lambda one=one: one.recv(1000), b""))[:12] in (b"HTTP/1.1 400", b"")
        assert client.get(f"{url}/health").json()["queue_length"] == 0
    served.close()
    assert not any("Anna" in line for line in served.lines)


def _no_memory(_: Any) -> Any:
    raise OutOfMemoryError("one feature of 64 tokens does not fit")


@pytest.mark.thorough
@pytest.mark.fault("N2")
def test_a_server_that_is_killed_and_comes_back(run: Path) -> None:
    texts = [f"Client {number} lives in house {number}. " * (1 + number) for number in range(8)]
    alone = Predictor(run, device="cpu", precision="fp32").answer_all(
        [(f"Who is client {n}?", text) for n, text in enumerate(texts)]
    )
    is_over, lost = threading.Event(), [0] * 8
    found: list[list[dict[str, Any]]] = [[] for _ in texts]

    def ask(number: int, url: str) -> None:
        document = {"question": f"Who is client {number}?", "context": texts[number]}
        with httpx.Client(timeout=300) as client:
            while not is_over.is_set():
                try:
                    found[number].append(client.post(f"{url}/answer", json=document).raise_for_status().json())
                except httpx.TransportError:
                    lost[number] += 1
                    time.sleep(0.05)

    with started(run) as (process, url):
        threads = [threading.Thread(target=ask, args=(number, url)) for number in range(8)]
        for thread in threads:
            thread.start()
        _wait_for(found, 3)
        process.kill()
        assert process.wait(300) == -signal.SIGKILL
        before = [len(some) for some in found]
        with started(run, port=int(url.rpartition(":")[2])) as (again, _):
            _wait_for(found, max(before) + 3)
            is_over.set()
            for thread in threads:
                thread.join(60)
            again.send_signal(signal.SIGTERM)
            assert again.wait(300) == 0
    assert all(lost)
    for some, expected in zip(found, alone, strict=True):
        for one in some:
            assert (one["answer"], one["start_char"]) == (expected.answer, expected.start_char)
            assert one["null_score_diff"] == pytest.approx(expected.null_score_diff, abs=1e-4)


def _wait_for(found: list[list[Any]], number: int) -> None:
    end = time.monotonic() + 120
    while min(map(len, found)) < number:
        assert time.monotonic() < end
        time.sleep(0.02)
