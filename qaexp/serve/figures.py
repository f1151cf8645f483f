"""What a monitor reads of the server: counts, seconds and batch sizes, in the text format of Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Histogram:
    """How often a value was at most so large."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Take the upper bounds, ascending."""
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """The histogram as Prometheus reads it."""
        total = 0
        for bound, count in zip((*map(_plain, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {_plain(self._sum)}"
        yield f"{name}_count {total}"


class Figures:
    """Counts of one server, written by several threads; they begin at 0 with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._answers: Counter[str] = Counter()
        self._request_seconds = Histogram(_SECONDS)
        self._pass_windows, self._pass_questions = Histogram(_SIZES), Histogram(_SIZES)
        self._compute_seconds, self._num_tokens = 0.0, 0

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            path: One that the server has, or a word for all others.
            status: Of the reply.
            seconds: From its first byte to the reply.
        """
        with self._lock:
            self._requests[path, status] += 1
            self._request_seconds.add(seconds)

    def count_pass(self, seconds: float, num_windows: int, num_questions: int, num_tokens: int) -> None:
        """Count a forward pass: its windows, the questions they belong to, their tokens without padding."""
        with self._lock:
            self._pass_windows.add(num_windows)
            self._pass_questions.add(num_questions)
            self._compute_seconds += seconds
            self._num_tokens += num_tokens

    def count_answer(self, *, is_empty: bool) -> None:
        """Count an answered question."""
        with self._lock:
            self._answers["none" if is_empty else "span"] += 1

    def text(self, queue_length: int, queue_size: int) -> str:
        """All figures, with those of the queue at this moment."""
        with self._lock:
            return "\n".join((*self._lines(queue_length, queue_size), ""))

    def _lines(self, queue_length: int, queue_size: int) -> Iterator[str]:
        requests = {f'{{path="{path}",status="{status}"}}': count for (path, status), count in self._requests.items()}
        answers = {f'{{kind="{kind}"}}': self._answers[kind] for kind in ("span", "none")}
        yield from _metric("requests_total", "counter", "Requests by path and status.", requests)
        yield from _histogram("request_seconds", "Seconds from a request to its reply.", self._request_seconds)
        yield from _metric(
            "answers_total", "counter", "Questions that were answered, by a span or by nothing.", answers
        )
        yield from _metric("queue_length", "gauge", "Questions that wait or are answered.", {"": queue_length})
        yield from _metric("queue_size", "gauge", "Questions that there may be at a time.", {"": queue_size})
        yield from _histogram("pass_windows", "Windows that were read at once.", self._pass_windows)
        yield from _histogram("pass_questions", "Questions whose windows were read at once.", self._pass_questions)
        yield from _metric("compute_seconds_total", "counter", "Seconds in the model.", {"": self._compute_seconds})
        yield from _metric("tokens_total", "counter", "Tokens that the model read.", {"": self._num_tokens})


def _metric(name: str, kind: str, about: str, values: Mapping[str, float]) -> Iterator[str]:
    yield from _head(name, kind, about)
    for labels, value in sorted(values.items()):
        yield f"qaexp_{name}{labels} {_plain(value)}"


def _histogram(name: str, about: str, histogram: Histogram) -> Iterator[str]:
    yield from _head(name, "histogram", about)
    yield from histogram.lines(f"qaexp_{name}")


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP qaexp_{name} {about}"
    yield f"# TYPE qaexp_{name} {kind}"


def _plain(value: float) -> str:
    """A number without an exponent or a needless point.

    >>> _plain(2.0), _plain(0.025), _plain(1e-7)
    ('2', '0.025', '0.0000001')
    """
    return f"{value:.7f}".rstrip("0").rstrip(".")
