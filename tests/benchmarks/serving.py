"""`qaexp serve` under load: `python -m tests.benchmarks.serving RUN [--clients 1 8 32] [--seconds 20] [--kill]`.

Each client is a thread with a connection of its own, which asks one question after the other for some seconds: about a
text of its own, with a number that no other has, of 1 to `--sentences` sentences. Every reply is held against the
answer that the Predictor gives to the same question alone: one with another text or score is counted as mixed up, a
request without any reply as lost. `--kill` kills the server with SIGKILL after half of the time and starts it again at
the same port: requests fail meanwhile, and none of the replies may be wrong.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from qaexp.predictor import Answer, Predictor

_NEAR = 1e-4


@dataclass
class Seen:
    """What one client saw.

    Attributes:
        seconds: Of each answer.
        outcomes: `answered`, `mixed up`, `lost`, `found no server`, or the status of a refusal, with how often.
        answered_at: When each answer came.
    """

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    answered_at: list[float] = field(default_factory=list)


def pairs_of(client: int, sentences: int) -> list[tuple[str, str]]:
    """The questions of a client: what is asked of its n-th text is answered by a number that no other text has."""
    found = []
    for turn in range(8):
        number = 1000 * (client + 1) + turn
        around = [f"Anna saw the town {1 + (client + turn + step) % 9} times." for step in range(sentences)]
        length = 1 + (client * 5 + turn * 3) % sentences
        found.append(
            (
                f"Where does client {number} live?",
                f"Client {number} lives in house {number}. {' '.join(around[:length])}",
            )
        )
    return found


def started(run: str, port: int) -> subprocess.Popen[bytes]:
    """A server, once it answers."""
    words = [sys.executable, "-m", "qaexp", "serve", run, "--port", str(port), "--max-queue", "128"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
            return process
        except httpx.TransportError:
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(words)} ended with {process.returncode}") from None
            time.sleep(0.05)


def ask(url: str, pairs: Sequence[tuple[str, str]], expected: Sequence[Answer], end: float, seen: Seen) -> None:
    """Ask until the time is up."""
    client, turn = httpx.Client(timeout=60), 0
    while time.perf_counter() < end:
        (question, context), answer = pairs[turn % len(pairs)], expected[turn % len(pairs)]
        turn += 1
        began = time.perf_counter()
        try:
            reply = client.post(f"{url}/answer", json={"question": question, "context": context})
        except httpx.TransportError as error:
            seen.outcomes["found no server" if isinstance(error, httpx.ConnectError) else "lost"] += 1
            time.sleep(0.1)
            continue
        if reply.status_code != 200:
            seen.outcomes[str(reply.status_code)] += 1
            continue
        seen.outcomes["answered" if is_same(reply.json(), answer) else "mixed up"] += 1
        seen.seconds.append(time.perf_counter() - began)
        seen.answered_at.append(time.perf_counter())
    client.close()


def is_same(found: dict[str, Any], expected: Answer) -> bool:
    """Whether a reply is the Predictor's answer, up to float error."""
    near = all(abs(found[name] - getattr(expected, name)) < _NEAR for name in ("score", "null_score_diff"))
    return near and [found[name] for name in ("answer", "start_char", "end_char")] == [
        expected.answer, expected.start_char, expected.end_char
    ]  # fmt: skip


def loaded(
    url: str, asked: Sequence[Any], num_clients: int, seconds: float
) -> tuple[list[Seen], float, threading.Thread]:
    """Begin to ask with some clients; the thread ends when all are done."""
    seen, began = [Seen() for _ in range(num_clients)], time.perf_counter()
    threads = [
        threading.Thread(target=ask, args=(url, *asked[number], began + seconds, seen[number]))
        for number in range(num_clients)
    ]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    whole = threading.Thread(target=run)
    whole.start()
    return seen, began, whole


def row(seen: Sequence[Seen], began: float) -> str:
    """Answers a second, median and 99th percentile of their milliseconds, and what else came."""
    seconds = sorted(value for one in seen for value in one.seconds)
    took = max((at for one in seen for at in one.answered_at), default=began) - began
    outcomes = sum((one.outcomes for one in seen), Counter())
    p99 = seconds[min(len(seconds) - 1, int(0.99 * len(seconds)))]
    shares = " | ".join(f"{1000 * value:.0f}" for value in (statistics.median(seconds), p99))
    rest = ", ".join(f"{count:,} {what}" for what, count in sorted(outcomes.items()))
    return f"| {len(seen)} | {len(seconds) / took:.1f} | {shares} | {rest} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    # As the command line does it: threads that spin take the cores from each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    predictor = Predictor(given.run)
    pairs = [pairs_of(client, given.sentences) for client in range(max(given.clients))]
    began = time.perf_counter()
    asked = [(some, [predictor.answer(*pair) for pair in some]) for some in pairs]
    alone = sum(map(len, pairs)) / (time.perf_counter() - began)
    del predictor
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = started(given.run, port)
    print(f"Predictor.answer, one question after the other: {alone:.1f} a second; {os.cpu_count()} CPUs")
    print("| clients | answers/s | p50 ms | p99 ms | requests |")
    print("| ---: | ---: | ---: | ---: | --- |")
    for num_clients in given.clients:
        seen, began, whole = loaded(f"http://127.0.0.1:{port}", asked, num_clients, given.seconds)
        if given.kill:
            time.sleep(given.seconds / 2)
            process.kill()
            process.wait()
            down = time.perf_counter()
            process = started(given.run, port)
            up = time.perf_counter()
        whole.join()
        print(row(seen, began))
        if given.kill:
            again = sum(at > up for one in seen for at in one.answered_at)
            print(f"  killed after {down - began:.1f} s, back {up - down:.1f} s later; {again:,} answers since then")
    process.send_signal(signal.SIGTERM)
    print(f"exit code after SIGTERM: {process.wait(30)}")


if __name__ == "__main__":
    main()
