"""What the server replies: answers of the Predictor, in the hub's JSON and in its own, and a sentence for all else."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest

import qaexp
from qaexp.errors import OutOfMemoryError
from tests.fixtures.served import Served

CONTEXT = "Anna was born in Paris in 1900, and later Anna taught at a school for years."
QUESTION = "Where was Anna born?"
PAIR = {"question": QUESTION, "context": CONTEXT}
LONG = " ".join([CONTEXT] * 30)


def test_the_answers_are_those_of_the_predictor(served: Served, predictor: qaexp.Predictor) -> None:
    for context in (CONTEXT, LONG):
        answer = predictor.answer(QUESTION, context)
        own = served.post("/answer", {"question": QUESTION, "context": context}).json()
        expected = asdict(answer)
        for name, value in expected.items():
            if name != "n_best":
                assert own[name] == (pytest.approx(value, abs=1e-4) if isinstance(value, float) else value), name
        assert [span["text"] for span in own["n_best"]] == [span["text"] for span in answer.n_best]
        assert own["n_best"][0]["probability"] == pytest.approx(answer.probability, abs=1e-4)
        assert own["no_answer_probability"] == pytest.approx(answer.no_answer_probability, abs=1e-4)
        hub = served.post("/", {"inputs": {"question": QUESTION, "context": context}}).json()
        assert hub == {"answer": answer.answer, "score": pytest.approx(answer.probability, abs=1e-4),
                       "start": answer.start_char, "end": answer.end_char}  # fmt: skip


def test_the_windows_cover_the_text(served: Served, predictor: qaexp.Predictor) -> None:
    windows = served.post("/answer", {"question": QUESTION, "context": LONG}).json()["windows"]
    assert len(windows) > 5
    assert (windows[0]["start_char"], windows[-1]["end_char"]) == (0, len(LONG))
    for one, other in pairwise(windows):
        assert one["start_char"] < other["start_char"] < one["end_char"] < other["end_char"]


def test_lists_and_top_k(served: Served) -> None:
    found = served.post("/", {"inputs": PAIR, "parameters": {"top_k": 3, "handle_impossible_answer": False}}).json()
    assert len(found) == 3
    assert all(CONTEXT[one["start"] : one["end"]] == one["answer"] != "" for one in found)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    several = served.post("/", {"inputs": [PAIR, {"question": QUESTION, "context": LONG}]}).json()
    assert [set(one) for one in several] == [{"answer", "score", "start", "end"}] * 2
    alone = served.post("/", {"inputs": [PAIR]}).json()
    assert several[0] == {**alone[0], "score": pytest.approx(alone[0]["score"], abs=1e-4)}


def test_no_answer_is_one_of_the_answers_where_it_may_be(predictor: qaexp.Predictor) -> None:
    unsure = qaexp.Predictor(predictor.folder, device="cpu", precision="fp32", null_threshold=-1e5)
    served = Served(unsure)
    both = [served.post("/", {"inputs": PAIR, "parameters": {"handle_impossible_answer": some}}).json()
            for some in (None, True, False)]  # fmt: skip
    ranked = served.post("/", {"inputs": PAIR, "parameters": {"top_k": 20}}).json()
    own = served.post("/answer", PAIR).json()
    served.close()
    assert both[0] == both[1] == {"answer": "", "score": pytest.approx(own["probability"]), "start": 0, "end": 0}
    assert both[2]["answer"] == own["n_best"][0]["text"]
    assert both[2]["score"] == pytest.approx(own["n_best"][0]["probability"] / (1 - own["no_answer_probability"]))
    assert ranked[0] == both[0]
    assert [one["answer"] for one in ranked].count("") == 1
    assert (own["answer"], own["start_char"]) == ("", None)


def test_every_parameter_changes_what_it_says(served: Served) -> None:
    def hub(context: str = LONG, **parameters: Any) -> Any:
        reply = served.post("/", {"inputs": {"question": QUESTION, "context": context}, "parameters": parameters})
        assert reply.status_code == 200, reply.text
        return reply.json()

    assert not any(" " in one["answer"] for one in hub(max_answer_len=1, top_k=20))
    assert any(" " in one["answer"] for one in hub(top_k=20))
    plain, narrow = hub(), hub(max_seq_len=40, doc_stride=8)
    assert plain["score"] != narrow["score"]
    assert hub(doc_stride=30)["score"] != plain["score"]
    assert hub(max_question_len=2)["score"] != plain["score"]
    assert hub(max_question_len=99) == pytest.approx(plain)
    for one in hub(top_k=20, align_to_words=True):
        assert not (one["start"] and LONG[one["start"] - 1].isalnum() and one["answer"][:1].isalnum())


def bad(**changed: Any) -> dict[str, Any]:
    return {"inputs": PAIR, "parameters": changed}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "the body has no inputs"),
        ({"inputs": PAIR, "options": {}}, "the unknown key 'options'"),
        ({"inputs": []}, "inputs is an empty list"),
        ({"inputs": "text"}, "inputs is a text; it must be an object with question and context"),
        ({"inputs": [PAIR, None]}, r"inputs\[1\] is null"),
        ({"inputs": {"question": "Who?"}}, "inputs has no context"),
        ({"inputs": {**PAIR, "question": ""}}, "question of inputs is empty"),
        ({"inputs": {**PAIR, "context": " \n"}}, "context of inputs is empty"),
        ({"inputs": {**PAIR, "context": 7}}, "context of inputs is a number"),
        ({"inputs": {**PAIR, "title": ""}}, "the unknown key 'title'"),
        ({"inputs": PAIR, "parameters": []}, "parameters is a list"),
        (bad(topk=1), "the unknown key 'topk'; known are top_k"),
        (bad(top_k=0), "top_k=0 is too small"),
        (bad(top_k=21), "21 answers are asked for: the model's decoding keeps 20"),
        (bad(top_k=1.5), "top_k is no whole number"),
        (bad(top_k=True), "top_k is true or false"),
        (bad(top_k=10**300), "10000000000000000000 answers"),
        (bad(top_k=-(10**300)), "is too small"),
        (bad(max_answer_len=0), "max_answer_len=0 is too small"),
        (bad(align_to_words="yes"), "align_to_words is a text; it must be true or false"),
        (bad(max_seq_len=65), "max_seq_len=65: the model reads 64 tokens at once"),
        (bad(max_seq_len=10), "doc_stride=16 leaves no room in max_seq_len=10"),
        (bad(doc_stride=64), "doc_stride=64 leaves no room"),
        (bad(doc_stride=-1), "doc_stride=-1 is too small"),
        (bad(max_question_len=0), "max_question_len=0 is too small"),
        ({"inputs": {**PAIR, "question": "who " * 200}}, "the question is longer than the model reads"),
        ({"inputs": [PAIR] * 65}, "65 questions in one request; send at most 64"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_by_name(served: Served, document: Any, says: str) -> None:
    reply = served.post("/", document)
    assert reply.status_code == 422
    assert list(reply.json()) == ["error"]
    assert re.search(says, reply.json()["error"]), reply.json()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"inputs": {}} x', "is not JSON"),
        (b"[]", "is a list; send one JSON object"),
        (b"\xff{}", "is not UTF-8"),
        ("{}".encode("utf-16"), "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"inputs": NaN}', "NaN, which is not JSON"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"inputs": {"question": "\\ud800", "context": "x"}}', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 500 + b"]" * 500, "is a list"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper"),
        (b'{"a":' + b"9" * 5000 + b"}", "a number that is too long"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/answer"])
def test_what_is_no_json_is_refused(served: Served, path: str, body: bytes, says: str) -> None:
    reply = served.send("POST", path, content=body)
    assert reply.status_code == 400, reply.text
    assert says in reply.json()["error"]


def test_own_endpoint_takes_what_it_names(served: Served) -> None:
    assert len(served.post("/answer", {**PAIR, "n_best": 2}).json()["n_best"]) == 2
    for document, says in (({**PAIR, "n_best": 0}, "n_best=0 is too small"), ({**PAIR, "top_k": 1}, "'top_k'"),
                           ({"question": "Who?"}, "no context")):  # fmt: skip
        reply = served.post("/answer", document)
        assert (reply.status_code, says in reply.json()["error"]) == (422, True)


def test_other_addresses_and_methods(served: Served) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/answer/", 404), ("GET", "/answer", 405),
                                 ("PUT", "/", 405), ("OPTIONS", "/", 405), ("GET", "/../page.html", 404)):  # fmt: skip
        reply = served.send(method, path)
        assert (reply.status_code, list(reply.json())) == (status, ["error"]), path
    assert "GET" in served.send("PUT", "/").headers["allow"]
    for path in ("/", "/serve.js", "/serve.css", "/icon.svg", "/health", "/metrics"):
        assert served.send("GET", path).status_code == served.send("HEAD", path).status_code == 200


def test_headers_that_protect(served: Served) -> None:
    for reply in (served.send("GET", "/"), served.post("/", {}), served.send("GET", "/no")):
        assert reply.headers["content-security-policy"].startswith("default-src 'self';")
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in reply.headers


def test_pages_of_other_sites_may_not_ask(served: Served) -> None:
    own = {"sec-fetch-site": "same-origin", "origin": "http://localhost"}
    for headers in ({}, own, {"host": "LOCALHOST.:8000"}, {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
                    {"host": "127.0.0.1:1"}, {"host": "app.localhost"}):  # fmt: skip
        assert served.post("/", {"inputs": PAIR}, headers=headers).status_code == 200, headers
    for origin in ("http://evil.example", "null", "http://localhost:3000", "", "http://localhost.evil.example"):
        reply = served.post("/", {"inputs": PAIR}, headers={"origin": origin})
        assert (reply.status_code, "another site" in reply.json()["error"]) == (403, True), origin
    assert served.post("/", {"inputs": PAIR}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    # A link on another site's page leads here.
    assert served.send("GET", "/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_name_that_another_site_points_here_is_refused(make_served: Callable[..., Served]) -> None:
    alone, open_to_all = make_served(own_name="mybox"), make_served(own_name=None)
    for host in ("evil.example", "evil.example:8000", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example"):
        # Its origin is that of the name, so that only the name gives it away.
        headers = {"host": host, "origin": f"http://{host}"}
        for method, path, more in (("POST", "/answer", {"json": PAIR}), ("GET", "/health", {}), ("GET", "/", {})):
            refused = alone.send(method, path, headers=headers, **more)
            assert (refused.status_code, f"'{host}'" in refused.json()["error"]) == (403, True), (host, path)
            assert open_to_all.send(method, path, headers=headers, **more).status_code == 200
    assert alone.send("GET", "/", headers={"host": "mybox:8000"}).status_code == 200
    assert open_to_all.post("/answer", PAIR, headers={"origin": "http://evil.example"}).status_code == 403


def test_large_bodies(make_served: Callable[..., Served]) -> None:
    served = make_served(max_bytes=300)
    assert served.post("/answer", PAIR).status_code == 200
    large = json.dumps({**PAIR, "context": "x" * 300}).encode()

    async def chunks() -> Any:
        for first in range(0, len(large), 50):
            yield large[first : first + 50]

    for content in (large, chunks()):
        reply = served.send("POST", "/answer", content=content)
        assert (reply.status_code, reply.headers["connection"]) == (413, "close")
        assert reply.json() == {"error": "the body is larger than 300 bytes; send a shorter text"}
    packed = served.send("POST", "/answer", content=b"x", headers={"content-encoding": "gzip"})
    assert packed.status_code == 415


def test_a_slow_body(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.serve.body.SECONDS", 0.05)

    async def slow() -> Any:
        yield b"{"
        await asyncio.sleep(0.2)
        yield b"}"

    reply = served.send("POST", "/answer", content=slow())
    assert (reply.status_code, reply.json()["error"][:21]) == (408, "the body did not come")


def test_many_clients_get_their_own_answers(served: Served, predictor: qaexp.Predictor) -> None:
    texts = [f"Number {number} lives in street {number}. " * (1 + 7 * (number % 5)) for number in range(32)]
    alone = [predictor.answer(f"Who is number {number}?", text) for number, text in enumerate(texts)]

    async def all_at_once() -> list[dict[str, Any]]:
        async with served.client() as client:
            documents = [{"question": f"Who is number {n}?", "context": text} for n, text in enumerate(texts)]
            replies = await asyncio.gather(*(client.post("/answer", json=document) for document in documents))
            return [reply.json() for reply in replies]

    for number, (found, expected) in enumerate(zip(served.call(all_at_once()), alone, strict=True)):
        assert texts[number][found["start_char"] : found["end_char"]] == found["answer"] != ""
        for name in ("score", "null_score_diff", "probability"):
            assert found[name] == pytest.approx(getattr(expected, name), abs=1e-4)
        # Of spans with nearly one score, whose texts repeat here, any may be the first: which windows share a pass, and
        # are rounded together, is a matter of time.
        scores = {(span["start_char"], span["end_char"]): span["score"] for span in expected.n_best}
        assert scores[found["start_char"], found["end_char"]] == pytest.approx(expected.score, abs=1e-4)
        assert [span["score"] for span in found["n_best"]] == pytest.approx(
            [span["score"] for span in expected.n_best], abs=1e-4
        )
    assert 'qaexp_answers_total{kind="span"} 32' in served.send("GET", "/metrics").text


class Failing:
    """Wraps the model: a question with `poison` fails."""

    def __init__(self, reader: Any, method: str, error: BaseException) -> None:
        self._reader, self._method, self._error = reader, method, error
        self._poisoned: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def cut(self, question: str, context: str, wanted: Any) -> Any:
        if self._method == "cut" and "poison" in question:
            raise self._error
        made = self._reader.cut(question, context, wanted)
        if "poison" in question:
            self._poisoned.add(made.features.input_ids[: made.features.indptr[1]].tobytes())
        return made

    def read(self, features: Any) -> Any:
        rows = {features.input_ids[a:b].tobytes() for a, b in zip(features.indptr, features.indptr[1:], strict=False)}
        if self._method == "read" and rows & self._poisoned:
            raise self._error
        return self._reader.read(features)

    def answer(self, questions: Any, logits: Any) -> Any:
        if self._method == "answer" and "poison" in questions.examples[0].question:
            raise self._error
        return self._reader.answer(questions, logits)


@pytest.mark.parametrize("method", ["cut", "read", "answer"])
@pytest.mark.parametrize(
    ("error", "status"), [(OutOfMemoryError("a feature does not fit"), 507), (KeyError("secret text"), 500),
                          (MemoryError(), 507), (SystemExit(3), 500)]
)  # fmt: skip
def test_a_failure_costs_only_its_own_question(served: Served, method: str, error: BaseException, status: int) -> None:
    served.desk.worker._reader = Failing(served.desk.reader, method, error)  # type: ignore[assignment]

    async def together() -> list[Any]:
        async with served.client() as client:
            documents = [{**PAIR, "question": f"{word} is it?"} for word in ("What", "poison", "Who", "Where")]
            return list(await asyncio.gather(*(client.post("/answer", json=document) for document in documents)))

    for _ in range(2):
        assert [reply.status_code for reply in served.call(together())] == [200, status, 200, 200]
    assert served.send("GET", "/health").json()["status"] == "ok"
    assert any("could not be answered" in line for line in served.lines)
    assert not any("secret" in line or "poison" in line or "Anna" in line for line in served.lines)


class Waiting:
    """Wraps the model: it computes nothing before it is told to."""

    def __init__(self, reader: Any) -> None:
        self._reader, self.may_go, self.num_cut = reader, threading.Event(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def cut(self, *given: Any) -> Any:
        self.num_cut += 1
        self.may_go.wait(300)
        return self._reader.cut(*given)


def test_a_full_queue_and_questions_that_are_given_up(make_served: Callable[..., Served]) -> None:
    served = make_served(max_queue=3, timeout=0.3)
    served.desk.worker._reader = slow = Waiting(served.desk.reader)  # type: ignore[assignment]

    async def too_many() -> list[Any]:
        async with served.client() as client:
            first = [asyncio.create_task(client.post("/answer", json=PAIR)) for _ in range(3)]
            await asyncio.sleep(0.1)
            refused = await client.post("/answer", json=PAIR)
            return [refused, *await asyncio.gather(*first)]

    refused, *late = served.call(too_many())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "3 questions wait already" in refused.json()["error"]
    assert [reply.status_code for reply in late] == [504] * 3
    assert "no answer within 0.3 seconds (--timeout of the server)" in late[0].json()["error"]
    slow.may_go.set()
    # Those that were given up are not computed: there is room again, and only one of them had been begun.
    assert served.post("/answer", PAIR).status_code == 200
    assert slow.num_cut == 2


def test_a_client_that_goes_away_leaves_no_work(served: Served) -> None:
    served.desk.worker._reader = slow = Waiting(served.desk.reader)  # type: ignore[assignment]

    async def leave() -> int:
        async with served.client() as client:
            tasks = [asyncio.create_task(client.post("/answer", json=PAIR)) for _ in range(5)]
            await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return len(served.desk.queue)

    assert served.call(leave()) == 0
    slow.may_go.set()
    assert served.post("/answer", PAIR).status_code == 200
    assert slow.num_cut == 2


def test_health_and_metrics(served: Served) -> None:
    served.post("/answer", PAIR)
    served.post("/answer", {})
    served.send("GET", "/somewhere")
    health = served.send("GET", "/health").json()
    assert (health["status"], health["model"], health["queue_length"], health["queue_size"]) == ("ok", "one", 0, 64)
    reply = served.send("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = reply.text.splitlines()
    for line in ('qaexp_requests_total{path="/answer",status="200"} 1',
                 'qaexp_requests_total{path="/answer",status="422"} 1',
                 'qaexp_requests_total{path="other",status="404"} 1', "qaexp_queue_length 0",
                 'qaexp_answers_total{kind="span"} 1', 'qaexp_pass_windows_bucket{le="1"} 1'):  # fmt: skip
        assert line in lines, reply.text
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    named = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
    assert {name for name in named if not any(name.startswith(kind) for kind in typed)} == set()


def test_no_text_is_logged(served: Served) -> None:
    served.post("/answer", PAIR)
    served.send("GET", "/?question=secret")
    served.send("GET", "/secret")
    assert len(served.lines) == 3
    assert not any("Anna" in line or "secret" in line for line in served.lines)
    assert " POST /answer 200 " in served.lines[0]
