"""What one worker has made of a search, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qaexp.runs.claims import Claims
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome

MAX_FAILED_IN_A_ROW = 5


@dataclass
class Made:
    """What one worker has made of a search.

    Attributes:
        claims: Which worker has what.
        num_most: So many trials are enough; None: all that are missing.
        jobs: The jobs of its trials, by identity.
        outcomes: How those that were started ended.
        num_trials: Trials that it made.
    """

    claims: Claims
    num_most: int | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    num_trials: int = 0

    @property
    def is_enough(self) -> bool:
        """Whether no further trial is to be made here."""
        return self.num_most is not None and self.num_trials >= self.num_most

    def add(self, jobs: Sequence[Job], outcomes: Mapping[str, Outcome]) -> None:
        """Take in the jobs of a trial, and how they ended."""
        self.jobs |= {job.sha256: job for job in jobs}
        self.outcomes |= outcomes
