"""The server at a port of its own: the hub's client, slow and rude clients, and its end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

import qaexp
from qaexp.errors import ConfigError
from qaexp.web.listening import Listener
from tests.fixtures.served import Served, at_port

CONTEXT = "Anna was born in Paris in 1900, and later Anna taught at a school for years."
QUESTION = "Where was Anna born?"
PAIR = {"question": QUESTION, "context": CONTEXT}


@pytest.fixture
def url(served: Served) -> Iterator[str]:
    with at_port(served) as found:
        yield found


def connected(url: str, sent: bytes) -> socket.socket:
    """A connection over which something was sent."""
    place = urlsplit(url)
    client = socket.create_connection((place.hostname, place.port), timeout=20)
    client.sendall(sent)
    return client


def received(client: socket.socket) -> bytes:
    """All that comes until the server closes, which may be before it has read what was sent."""
    parts = []
    with client, suppress(ConnectionResetError):
        while part := client.recv(2**16):
            parts.append(part)
    return b"".join(parts)


def test_the_client_of_the_hub(url: str, predictor: qaexp.Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Under HF_HUB_OFFLINE, as tests run, it asks nobody at all.
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: False)
    client = InferenceClient(model=url)
    expected = predictor.answer(QUESTION, CONTEXT)
    one = client.question_answering(question=QUESTION, context=CONTEXT)
    assert (one.answer, one.start, one.end) == (expected.answer, expected.start_char, expected.end_char)
    assert one.score == pytest.approx(expected.probability, abs=1e-4)
    several = client.question_answering(
        question=QUESTION, context=CONTEXT, top_k=3, handle_impossible_answer=False, align_to_words=True,
        max_answer_len=9, max_question_len=12, max_seq_len=60, doc_stride=8,
    )  # fmt: skip
    assert len(several) == 3
    assert all(CONTEXT[found.start : found.end] == found.answer != "" for found in several)
    with pytest.raises(HfHubHTTPError, match="max_seq_len=999: the model reads 64 tokens at once"):
        client.question_answering(question=QUESTION, context=CONTEXT, max_seq_len=999)
    with pytest.raises(HfHubHTTPError, match="question of inputs is empty"):
        client.question_answering(question="", context=CONTEXT)


def test_clients_that_do_not_send_are_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.web.listening.HEAD_SECONDS", 0.3)
    monkeypatch.setattr("qaexp.web.listening.KEEP_SECONDS", 1)
    monkeypatch.setattr("qaexp.serve.body.SECONDS", 0.3)
    with at_port(served) as url:
        silent, slow = connected(url, b""), connected(url, b"GET /hea")
        half = connected(url, b"POST /answer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
        assert httpx.post(f"{url}/answer", json=PAIR).status_code == 200
        assert received(silent) == received(slow) == b""
        assert received(half).startswith(b"HTTP/1.1 408 ")
        # A connection that was used may be silent for longer, and half a second request is no use either.
        again = connected(url, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nGET /h")
        assert received(again).startswith(b"HTTP/1.1 200 ")


def test_clients_that_never_ask_make_room_for_those_who_do(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.web.listening.most_connections", lambda: 5)
    with at_port(served) as url, httpx.Client() as client:
        assert client.get(f"{url}/health").status_code == 200
        silent = [connected(url, b"GET /hea") for _ in range(8)]
        assert [received(one) for one in silent[:4]] == [b""] * 4
        assert client.post(f"{url}/answer", json=PAIR).status_code == 200
        assert httpx.post(f"{url}/answer", json=PAIR).status_code == 200
        for one in silent[4:]:
            one.close()


def test_what_is_no_http_is_refused(url: str) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000):
        head, _, body = received(connected(url, sent)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), sent[:10]
        assert b"content-type: application/json" in head.lower()
        assert list(json.loads(body)) == ["error"]
    assert httpx.get(f"{url}/health").status_code == 200


def test_a_body_of_ten_megabytes_is_told(url: str) -> None:
    for content in (b"x" * 10**7, iter([b"x" * 10**6] * 10)):
        reply = httpx.post(f"{url}/answer", content=content, headers={"content-type": "application/json"})
        assert (reply.status_code, reply.json()) == (
            413, {"error": "the body is larger than 1,048,576 bytes; send a shorter text"}
        )  # fmt: skip


def test_who_waits_is_answered_when_the_server_ends(served: Served) -> None:
    replies: list[Any] = []
    with at_port(served) as url:
        lock = served.desk.worker
        begun = threading.Event()
        read = lock._reader.read

        def slowly(features: Any) -> Any:
            begun.set()
            time.sleep(0.3)
            return read(features)

        lock._reader.read = slowly  # type: ignore[method-assign]
        threads = [
            threading.Thread(target=lambda: replies.append(httpx.post(f"{url}/answer", json=PAIR, timeout=300)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        assert begun.wait(300)
        while len(served.desk.queue) < 6:
            time.sleep(0.01)
    for thread in threads:
        thread.join(30)
    assert [reply.status_code for reply in replies] == [200] * 6
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_who_would_wait_too_long_is_refused_when_the_server_ends(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qaexp.web.listening.GRACE_SECONDS", 0.3)
    replies: list[Any] = []
    may_end = threading.Event()
    read = served.desk.reader.read

    def stuck(features: Any) -> Any:
        may_end.wait(300)
        return read(features)

    served.desk.worker._reader.read = stuck  # type: ignore[method-assign]
    with at_port(served) as url:
        thread = threading.Thread(target=lambda: replies.append(httpx.post(f"{url}/answer", json=PAIR, timeout=300)))
        thread.start()
        while not len(served.desk.queue):
            time.sleep(0.01)
    thread.join(30)
    may_end.set()
    assert (replies[0].status_code, replies[0].headers["connection"]) == (503, "close")
    assert "is being stopped" in replies[0].json()["error"]


def test_addresses_that_cannot_be_had() -> None:
    first = Listener("127.0.0.1", 0)
    first.open()
    port = first.socket.getsockname()[1]
    with pytest.raises(ConfigError, match=f"^--port {port} is in use; give another one, or --port 0"):
        Listener("127.0.0.1", port)
    first.close()
    # Two that begin at the same moment: the one that comes later is told when it begins to listen.
    one, other = Listener("127.0.0.1", port), Listener("127.0.0.1", port)
    one.open()
    with pytest.raises(ConfigError, match=f"^--port {port} is in use"):
        other.open()
    one.close()
    for host in ("no.such.host.invalid", "192.0.2.1", "", "a" * 300, "\udcff"):
        with pytest.raises(ConfigError, match=r"^--host .*is no address"):
            Listener(host, 0)
    for host, is_loopback in (("127.0.0.1", True), ("0.0.0.0", False)):
        listener = Listener(host, 0)
        assert (listener.is_loopback, json.dumps(listener.url).isascii()) == (is_loopback, True)
        listener.close()
