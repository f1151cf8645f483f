"""Which of several workers of a search is at which trial, by claims as they have them on jobs."""

from __future__ import annotations

from qaexp.runs.claims import Claim, Claims


class LostTrialError(Exception):
    """Another worker took a trial over, as this one gave no sign of life: what comes of it is for that one to say."""


class HeldTrials:
    """The claims on the trials of a search, as one of its workers sees them; trials go by their numbers."""

    def __init__(self, claims: Claims | None) -> None:
        """Take the claims of a worker; None: nobody else makes trials."""
        self._claims, self._own = claims, dict[int, Claim]()

    def take(self, number: int) -> None:
        """Claim a trial that was just drawn, which one worker at a time does."""
        if self._claims is not None:
            mine = self._claims.take(_name(number), self._newest(number))
            assert mine is not None, "one worker at a time draws"
            self._own[number] = mine

    def check(self, number: int) -> None:
        """See whether a trial is still this worker's: that is a look at one file.

        Raises:
            LostTrialError: Another worker took it over.
        """
        if self._is_lost(number):
            raise LostTrialError

    def put_down(self, number: int) -> None:
        """Give up the claim on a trial; one that was not told is made again by whoever asks next."""
        is_lost = self._is_lost(number)
        mine = self._own.pop(number, None)
        if self._claims is not None and mine is not None and not is_lost:
            self._claims.end(mine, "over")

    def take_over(self, number: int) -> bool:
        """Let the worker of a trial find out that it lost it, should it wake up; False: somebody else was quicker."""
        if self._claims is None:
            return True
        mine = self._claims.take(_name(number), self._newest(number))
        if mine is not None:
            self._claims.end(mine, "over")
        return mine is not None

    def is_free(self, number: int) -> bool:
        """Whether nobody is at a trial."""
        if self._claims is None:
            return True
        claim = self._newest(number)
        return claim is None or claim.end is not None or not self._claims.is_alive(claim)

    def place(self, number: int) -> str | None:
        """Which process is at a trial, for people; None where that is not known."""
        claim = self._newest(number)
        return None if claim is None else claim.place

    def _is_lost(self, number: int) -> bool:
        mine = self._own.get(number)
        return self._claims is not None and mine is not None and self._claims.is_lost(mine)

    def _newest(self, number: int) -> Claim | None:
        return None if self._claims is None else self._claims.newest().get(_name(number))


def _name(number: int) -> str:
    """What the claim on a trial is called."""
    return f"trial{number}"
