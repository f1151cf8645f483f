"""The one thread that answers: it reads windows of all who wait in passes, and a failure costs only those it is about.

There is no time to gather requests: those that come while a pass is computed share the next one, and a lone request
waits for nobody.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qaexp.errors import OutOfMemoryError, QaexpError, is_out_of_memory
from qaexp.errors.advice import REQUEST, spoken_by
from qaexp.evaluation.logits import LogitsInMemory
from qaexp.serve.passes import joined, next_pass
from qaexp.serve.reading import Reader
from qaexp.serve.waiting import Queue, Ticket
from qaexp.web.refusals import RefusedError

if TYPE_CHECKING:
    from qaexp.evaluation.question_set import QuestionSet
    from qaexp.serve.figures import Figures


class _Begun:
    """A question that is cut into windows, some of which have been read."""

    def __init__(self, ticket: Ticket, questions: QuestionSet, num_passes: int) -> None:
        self.ticket, self.questions = ticket, questions
        lengths = questions.features.lengths.tolist()
        self.remaining = sorted(((length, number) for number, length in enumerate(lengths)), reverse=True)
        self.logits = LogitsInMemory(questions.features.indptr)
        # As if read by the last pass but one: before those that are read for long, and never so far that those who keep
        # coming would keep them from being read.
        self.last_pass, self.is_alone = num_passes - 1, False


class Worker:
    """Answers the questions of a queue, in a thread of its own."""

    def __init__(self, reader: Reader, queue: Queue, figures: Figures, complain: Callable[[str], None]) -> None:
        """Take the model, the questions, who counts, and who is told of failures; `start` begins."""
        self._reader, self._queue, self._figures, self._complain = reader, queue, figures, complain
        self._begun: list[_Begun] = []
        self._num_passes = 0
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether questions are answered."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until all is answered, after the queue was closed."""
        self._thread.join(seconds)

    def _run(self) -> None:
        # A thread begins without the context of its parent, which knows in whose words messages are.
        with spoken_by(REQUEST):
            while (tickets := self._queue.take(waits=not self._begun)) is not None or self._begun:
                for ticket in tickets or ():
                    self._begin(ticket)
                self._begun = [one for one in self._begun if not one.ticket.is_over]
                if self._begun:
                    self._pass()

    def _begin(self, ticket: Ticket) -> None:
        if ticket.is_over:
            return
        try:
            questions = self._reader.cut(ticket.question, ticket.context, ticket.wanted)
            self._begun.append(_Begun(ticket, questions, self._num_passes))
        except BaseException as error:  # panics of Rust are no Exceptions
            self._fail(ticket, error)

    def _pass(self) -> None:
        """Read some windows; who has no further one is answered."""
        chosen = next_pass(self._begun, self._reader.token_budget)
        rows = [(self._begun[place], number) for place, number in chosen]
        owners = list(dict.fromkeys(owner for owner, _ in rows))
        self._num_passes += 1
        for owner in owners:
            owner.last_pass = self._num_passes
        try:
            self._read(rows)
        except BaseException as error:  # panics of Rust are no Exceptions
            self._part(owners, error)
            return
        for owner, number in rows:
            owner.remaining.remove((int(owner.questions.features.lengths[number]), number))
        for owner in owners:
            if not owner.remaining:
                self._finish(owner)

    def _read(self, rows: Sequence[tuple[_Begun, int]]) -> None:
        features = joined([(owner.questions.features, number) for owner, number in rows])
        began = time.perf_counter()
        logits = self._reader.read(features)
        self._figures.count_pass(
            time.perf_counter() - began, len(rows), len({id(owner) for owner, _ in rows}), features.num_tokens
        )
        for place, (owner, number) in enumerate(rows):
            own = logits.part(place, place + 1)
            owner.logits.put(np.array([number], np.int64), own.start, own.end)

    def _part(self, owners: Sequence[_Begun], error: BaseException) -> None:
        """After a failed pass: each of its questions is tried alone, so that one of them costs no other."""
        if len(owners) == 1:
            self._fail(owners[0].ticket, error)
        for owner in owners:
            owner.is_alone = True

    def _finish(self, one: _Begun) -> None:
        try:
            found = self._reader.answer(one.questions, one.logits.all())
        except BaseException as error:  # panics of Rust are no Exceptions
            self._fail(one.ticket, error)
            return
        if not one.ticket.answer.cancelled():  # first, so that who has an answer finds it counted
            self._figures.count_answer(is_empty=not found.answer.answer)
        with suppress(InvalidStateError):  # who asked has gone this moment
            one.ticket.answer.set_result(found)

    def _fail(self, ticket: Ticket, error: BaseException) -> None:
        refusal = refusal_of(error)
        if refusal.status >= 500:
            self._complain(f"qaexp serve: a question could not be answered: {_place(error)}")
        ticket.fail(refusal)


def refusal_of(error: BaseException) -> RefusedError:
    """What is said to who asked; nothing of the server's inside.

    >>> refusal_of(MemoryError()).status, refusal_of(KeyError("x")).status
    (507, 500)
    """
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, OutOfMemoryError) or is_out_of_memory(error):
        return RefusedError(
            507, "the server's memory does not hold this question; send a shorter text, or ask again later"
        )
    if isinstance(error, QaexpError):
        return RefusedError(500, f"the model gave no answer: {error.problems[0]}")
    return RefusedError(
        500, f"the model failed ({type(error).__name__}); the server goes on, and says more on its terminal"
    )


def _place(error: BaseException) -> str:
    """What failed, and where: never the error's own words, which may hold a text that was sent."""
    if isinstance(error, QaexpError):
        return error.problems[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{where}"
