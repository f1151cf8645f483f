"""Shares of a question set: together they are all of it, in the batches that one process alone would make."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest

from qaexp.evaluation import together
from qaexp.evaluation.logits import LogitsInMemory
from qaexp.evaluation.predict import predict_logits
from qaexp.evaluation.together import predict_together, share_of
from tests.fixtures import tiny_training as tiny

ASKED: dict[str, Any] = {"pad_token_id": 0, "padding_side": "right", "with_token_types": True}


class Thread:
    """Stands for a process: what it sends goes through a queue."""

    def __init__(self, index: int, number: int, queues: list[queue.Queue[Any]]) -> None:
        self.index, self.number, self._queues = index, number, queues

    def meet(self) -> None:
        pass

    def send(self, values: Any) -> None:
        self._queues[self.index].put(values.copy())

    def receive(self, index: int, values: Any) -> None:
        values[...] = self._queues[index].get(timeout=60)


@pytest.mark.parametrize("number", [1, 2, 3, 50])
def test_shares_are_a_partition(number: int) -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 33)
    shares = [share_of(lengths, 64, index, number) for index in range(number)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(33))
    assert share_of(lengths, 64, 0, 1).tolist() == np.argsort(-lengths, kind="stable").tolist()


@pytest.mark.parametrize(("number", "at_once"), [(1, 2**20), (2, 2**20), (3, 50), (40, 2**20)])
def test_all_logits_come_to_the_first_with_the_bytes_of_one_alone(
    number: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "_TOKENS_AT_ONCE", at_once)
    loaded = tiny.make_model()
    features = tiny.make_features(loaded, 23)
    expected = predict_logits(loaded.model, features, token_budget=100, **ASKED)
    queues: list[queue.Queue[Any]] = [queue.Queue() for _ in range(number)]
    made = LogitsInMemory(features.indptr)
    told: list[int] = []
    threads = [
        threading.Thread(
            target=predict_together,
            args=(loaded.model, features, made.put, Thread(index, number, queues)),
            kwargs={"token_budget": 100, **ASKED, "seen": lambda done, _: told.append(done)},
        )
        for index in range(number)
    ]
    for thread in reversed(threads):  # each alone, since they share one model here
        thread.start()
        thread.join()
    found = made.all()
    assert found.start.tobytes() == expected.start.tobytes()
    assert found.end.tobytes() == expected.end.tobytes()
    assert max(told) == 23
