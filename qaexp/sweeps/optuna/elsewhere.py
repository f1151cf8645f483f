"""The trials of a search as the process sees them that makes none itself: what its workers begin and end is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from qaexp.runs.metrics import number_of
from qaexp.sweeps.optuna.space import drawn_words

if TYPE_CHECKING:
    from qaexp.sweeps.optuna.study import Search

_LOOK_SECONDS = 2.0


class TrialsElsewhere:
    """Tells how the trials of a search go."""

    def __init__(self, search: Search, say: Callable[[str], None]) -> None:
        """Take a search; that trials have ended by now, or have lost their workers, is no news.

        Args:
            search: The search.
            say: Is told a line for each trial that begins or ends.
        """
        self._search, self._say, self._looked = search, say, 0.0
        self._states = {
            trial.number: trial.state
            for trial in search.trials()
            if trial.state.is_finished() or (trial.state == TrialState.RUNNING and search.is_stale(trial))
        }
        self._num_left = search.num_left

    @property
    def is_over(self) -> bool:
        """Whether no trial is missing."""
        return self._num_left == 0

    def look(self) -> None:
        """Tell what is new, at most every two seconds: the study's journal is read for it."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        trials, self._num_left = self._search.trials(), self._search.num_left
        for trial in trials:
            if trial.state != TrialState.WAITING and self._states.get(trial.number) != trial.state:
                self._states[trial.number] = trial.state
                self._say(f"trial {trial.number + 1} {self._words(trial)}")

    def _words(self, trial: FrozenTrial) -> str:
        """What is new of a trial."""
        if trial.state == TrialState.RUNNING:
            drawn = " ".join(f"{key}={word}" for key, word in drawn_words(trial.params).items())
            place = self._search.place_of(trial)
            return f"{drawn}: begun{f' by {place}' if place else ''}"
        to_go = f"; {self._num_left} to go"
        if trial.state == TrialState.COMPLETE:
            values = zip(self._search.objectives, trial.values, strict=True)
            return f"ended: {', '.join(f'{name} {number_of(name).shown(value)}' for name, value in values)}{to_go}"
        way = "given up" if trial.state == TrialState.PRUNED else "failed"
        return f"{way}: {self._search.why(trial)}{to_go}"
