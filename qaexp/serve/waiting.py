"""Questions that wait for their answers: so many at most, each until its time is up or who asked it is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from qaexp.serve.asked import Wanted
from qaexp.serve.reading import Found
from qaexp.web.refusals import RefusedError

# Characters that are taken from the queue at once, beside the text that came first: a megabyte is cut into windows in
# about a second, in which nobody is answered.
_CHARACTERS_AT_ONCE = 200_000


@dataclass(eq=False, slots=True)
class Ticket:
    """One question that waits.

    Attributes:
        question: The question.
        context: Its text.
        wanted: What is wanted of the answer.
        expires: The time of `time.monotonic()` after which nobody waits for it any more.
        answer: Becomes the answer, or the reason why there is none; cancelled where nobody waits any more.
    """

    question: str
    context: str
    wanted: Wanted
    expires: float
    answer: Future[Found] = field(default_factory=Future)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.answer.done() or time.monotonic() >= self.expires

    def fail(self, refusal: RefusedError) -> None:
        """Give the reason why there is no answer, if somebody waits for it."""
        with suppress(InvalidStateError):  # it is answered, or nobody waits
            self.answer.set_exception(refusal)


class Queue:
    """The questions that have come and are not answered yet, for many who put and one who takes."""

    def __init__(self, size: int) -> None:
        """Take how many questions there may be, those that are being answered included."""
        self.size = size
        self._changed = threading.Condition()
        self._open: dict[Ticket, None] = {}
        self._waiting: dict[Ticket, None] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._open)

    def put(self, tickets: Sequence[Ticket]) -> None:
        """Let questions wait: all of them, or none.

        Raises:
            RefusedError: 503: there is no room now, or the server is being stopped; 422: there never will be room.
        """
        if len(tickets) > self.size:
            raise RefusedError(422, f"{len(tickets):,} questions in one request; send at most {self.size:,}")
        with self._changed:
            if self._is_closed:
                raise stopping()
            if len(self._open) + len(tickets) > self.size:
                raise RefusedError(
                    503, f"{len(self._open):,} questions wait already; ask again in a second", retry_after=1
                )
            for ticket in tickets:
                self._open[ticket] = self._waiting[ticket] = None
            self._changed.notify()
        # Outside of the lock: who is done by now is called back at once.
        for ticket in tickets:
            ticket.answer.add_done_callback(partial(self._forget, ticket))

    def take(self, *, waits: bool) -> list[Ticket] | None:
        """Take the question that came first, and with it others in their order, as long as their texts are not long.

        Those behind a long text, or behind several, so wait for one of them.

        Args:
            waits: Whether to wait until there is one.

        Returns:
            The questions; None where the queue is closed and nothing waits any more.
        """
        with self._changed:
            while waits and not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed and not self._waiting:
                return None
            taken: list[Ticket] = []
            characters = 0
            for ticket in self._waiting:
                if not taken or characters + len(ticket.context) <= _CHARACTERS_AT_ONCE:
                    characters += len(ticket.context) if taken else 0
                    taken.append(ticket)
            for ticket in taken:
                del self._waiting[ticket]
            return taken

    def close(self) -> None:
        """Let nothing more in; what waits is still taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def give_up(self) -> None:
        """Give no answer to all that are open."""
        for ticket in list(self._open):
            ticket.fail(stopping())

    def _forget(self, ticket: Ticket, _: Future[Found]) -> None:
        with self._changed:
            self._open.pop(ticket, None)
            self._waiting.pop(ticket, None)


def stopping() -> RefusedError:
    """What is said to those who ask while the server ends."""
    return RefusedError(503, "the server is being stopped; ask again when it is back", retry_after=5, closes=True)
