"""What a request is refused with: a status of HTTP, and one sentence that says what was wrong and what to do."""

from __future__ import annotations

GONE = 499
"""The status that is counted where the client went away before it had an answer; nobody receives it."""


class RefusedError(Exception):
    """A request that gets no answer.

    Attributes:
        status: The status of HTTP.
        sentence: What is wrong, and the way out.
        retry_after: Seconds after which the same request may be answered; None where it never will.
        closes: Whether the connection is of no use any more, because the rest of the body was not read.
    """

    def __init__(self, status: int, sentence: str, *, retry_after: int | None = None, closes: bool = False) -> None:
        """Take the status and the sentence."""
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after, self.closes = status, sentence, retry_after, closes

    def headers(self) -> dict[str, str]:
        """The headers that belong to it.

        >>> RefusedError(503, "the queue is full", retry_after=1).headers()
        {'retry-after': '1'}
        """
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return found | ({"connection": "close"} if self.closes else {})
