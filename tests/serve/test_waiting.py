"""The queue: bounded, first come first served, and no long text keeps short ones behind it."""

from __future__ import annotations

import threading
import time

import pytest

from qaexp.serve.asked import Wanted
from qaexp.serve.waiting import Queue, Ticket
from qaexp.web.refusals import RefusedError


def tickets(*lengths: int) -> list[Ticket]:
    return [Ticket("Who?", "x" * length, Wanted(), time.monotonic() + 60) for length in lengths]


def test_all_of_a_request_or_nothing_of_it() -> None:
    queue = Queue(3)
    first = tickets(1, 1)
    queue.put(first)
    with pytest.raises(RefusedError, match=r"^2 questions wait already") as refused:
        queue.put(tickets(1, 1))
    assert (refused.value.status, refused.value.retry_after, len(queue)) == (503, 1, 2)
    with pytest.raises(RefusedError, match=r"^4 questions in one request; send at most 3"):
        queue.put(tickets(1, 1, 1, 1))
    assert queue.take(waits=True) == first
    # What is being answered is still there.
    assert len(queue) == 2
    first[0].fail(RefusedError(500, "no"))
    first[1].answer.cancel()
    assert len(queue) == 0


def test_who_goes_away_leaves_nothing_behind() -> None:
    queue = Queue(2)
    for _ in range(100):
        (one,) = tickets(10**6)
        queue.put([one])
        one.answer.cancel()
    assert (len(queue), queue.take(waits=False)) == (0, [])


def test_short_texts_pass_a_long_one_that_is_not_first() -> None:
    queue = Queue(9)
    given = tickets(900_000, 10, 800_000, 20, 700_000)
    queue.put(given)
    assert queue.take(waits=False) == [given[0], given[1], given[3]]
    assert queue.take(waits=False) == [given[2]]
    later = tickets(5)
    queue.put(later)
    assert queue.take(waits=False) == [given[4], *later]
    many = tickets(*[100_000] * 4)
    queue = Queue(9)
    queue.put(many)
    assert queue.take(waits=False) == many[:3]


def test_a_closed_queue_is_emptied_and_lets_nobody_in() -> None:
    queue = Queue(3)
    waiting, late = tickets(1), tickets(1)
    queue.put(waiting)
    queue.close()
    with pytest.raises(RefusedError, match="is being stopped"):
        queue.put(late)
    assert queue.take(waits=True) == waiting
    assert queue.take(waits=True) is None
    queue.give_up()
    with pytest.raises(RefusedError, match="is being stopped"):
        waiting[0].answer.result(0)


def test_who_takes_waits_until_there_is_one() -> None:
    queue, given = Queue(3), tickets(1)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(queue.take(waits=True)))
    thread.start()
    queue.put(given)
    thread.join(30)
    assert found == [given]


def test_a_ticket_whose_time_is_up_is_over() -> None:
    now = time.monotonic()
    assert Ticket("Who?", "x", Wanted(), now - 1).is_over
    assert not Ticket("Who?", "x", Wanted(), now + 60).is_over
