"""The rounds of a race as the process sees them that runs no job itself: what its workers decide is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from qaexp.runs.claims import Claims
from qaexp.sweeps.queue import failed_before
from qaexp.sweeps.race.course import Round
from qaexp.sweeps.race.track import Track

_LOOK_SECONDS = 2.0


class RoundsElsewhere:
    """Follows the runs of a race that workers make."""

    def __init__(self, track: Track, claims: Claims, tell: Callable[[Sequence[Round]], None]) -> None:
        """Take the race, who has which job, and who is told of rounds that were decided."""
        self._track, self._claims, self._tell, self._looked = track, claims, tell, 0.0

    @property
    def is_over(self) -> bool:
        """Whether no run is missing."""
        return self._track.course.end is not None

    def look(self) -> None:
        """Tell what is new, at most every two seconds."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._tell(self._track.advance(failed_before(self._claims, self._track.jobs())))
