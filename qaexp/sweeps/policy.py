"""What a sweep does when jobs fail: go on, or stop after so many."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """`sweep.on_failure`.

    Attributes:
        max_failures: So many failed jobs end the sweep; None: none does.
    """

    max_failures: int | None = None

    def is_over(self, num_failed: int) -> bool:
        """Shall no further job be started?"""
        return self.max_failures is not None and num_failed >= self.max_failures


def read_policy(text: str) -> FailurePolicy:
    """Return the policy that a checked word of the config means.

    >>> read_policy("stop_after:2"), read_policy("continue")
    (FailurePolicy(max_failures=2), FailurePolicy(max_failures=None))
    """
    _, _, count = text.partition(":")
    return FailurePolicy(int(count) if count else None)
