"""A search that survives kills: Optuna's study in the sweep's directory, its trials counted over every start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.files import truncate, write_bytes
from qaexp.runs.log import LOGGER

JOURNAL = "optuna.journal"
MAX_RETRIES = 2
"""So often a trial whose process was killed is tried again."""

_RETRIES = "retries"
_DIRECTIONS = {"maximize": StudyDirection.MAXIMIZE, "minimize": StudyDirection.MINIMIZE}
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Search:
    """The trials of a search: asked for one by one, and told what came of them."""

    def __init__(
        self,
        sweep: Path,
        distributions: Mapping[str, BaseDistribution],
        objectives: Mapping[str, str],
        *,
        num_trials: int,
        seed: int,
        is_pruning: bool,
    ) -> None:
        """Open the study of a sweep's directory, or begin one.

        Args:
            sweep: The directory, which exists.
            distributions: Key to what its values are drawn from.
            objectives: Name of a number in summary.json to `maximize` or `minimize`.
            num_trials: Trials in all, those of earlier starts counted.
            seed: Of the sampler; trial n draws the same values however often the search was stopped.
            is_pruning: End trials that do worse than the median at the same epoch.

        Raises:
            ConfigError: The study there has other objectives.
            IntegrityError: Its journal is damaged.
        """
        check_journal(sweep / JOURNAL)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions, self._seed, self.num_trials = dict(distributions), seed, num_trials
        self.objectives = dict(objectives)
        self.is_pruning = is_pruning and len(objectives) == 1
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5) if self.is_pruning else optuna.pruners.NopPruner()
        ways = [_DIRECTIONS[way] for way in objectives.values()]
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(sweep / JOURNAL))),
            study_name="qaexp",
            directions=ways,
            pruner=pruner,
            load_if_exists=True,
        )
        names = self.study.user_attrs.get("objectives", list(objectives))
        if self.study.directions != ways or names != list(objectives):
            raise ConfigError(f"{sweep}: searches {', '.join(names)} so far; take another name= for other objectives")
        self.study.set_user_attr("objectives", list(objectives))
        self._take_up_stale_trials()

    @property
    def num_left(self) -> int:
        """Trials that are still to be made."""
        return self.num_trials - len(self._counted())

    def ask(self) -> Trial:
        """Draw the next trial."""
        # A sampler of its own for each trial: one that began anew at every start would repeat its first draws.
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = optuna.samplers.TPESampler(seed=self._seed * 1_000_003 + number)
        return self.study.ask(self._distributions)

    def tell(self, trial: Trial, summaries: Sequence[Mapping[str, Any] | None], *, is_pruned: bool = False) -> None:
        """Say what came of a trial.

        Args:
            trial: The trial.
            summaries: The summary of each of its repeats; None for one that failed, which fails the trial.
            is_pruned: It was ended early.
        """
        values = [_mean([summary.get(name) for summary in summaries if summary]) for name in self.objectives]
        if is_pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        elif None in summaries or None in values:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, [value for value in values if value is not None])

    def rows(self) -> list[dict[str, Any]]:
        """The trials as sweep.json lists them."""
        return [
            {"number": trial.number, "state": trial.state.name.lower(), "values": trial.values, "params": trial.params}
            for trial in self.study.get_trials(deepcopy=False)
            if trial.state in _ENDED
        ]

    def _counted(self) -> list[FrozenTrial]:
        """Ended trials, less those that another one repeats."""
        trials = self.study.get_trials(deepcopy=False)
        num_repeated = sum(_RETRIES in trial.user_attrs for trial in trials)
        return [trial for trial in trials if trial.state in _ENDED][num_repeated:]

    def _take_up_stale_trials(self) -> None:
        """Trials that a killed process left: marked as failed, and asked for again with the same values."""
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state != TrialState.RUNNING:
                continue
            retries = int(trial.user_attrs.get(_RETRIES, 0))
            self.study.tell(trial.number, state=TrialState.FAIL)
            if retries < MAX_RETRIES:
                self.study.enqueue_trial(trial.params, user_attrs={_RETRIES: retries + 1})


def check_journal(path: Path) -> None:
    """Cut a torn last line off a journal; a journal that is damaged elsewhere is refused, and copied.

    Raises:
        IntegrityError: Naming the line and the copy.
    """
    if not path.exists():
        return
    data = path.read_bytes()
    lines = data.split(b"\n")
    if lines[-1]:
        LOGGER.warning("%s: a torn last line was dropped", path)
        truncate(path, len(data) - len(lines[-1]))
    for number, line in enumerate(lines[:-1], 1):
        try:
            is_record = isinstance(json.loads(line), dict)
        except ValueError:
            is_record = False
        if not is_record:
            copy = path.with_name(f"{path.name}.damaged")
            write_bytes(copy, data)
            raise IntegrityError(
                f"{path}: line {number} is damaged; a copy is in {copy}; move the journal away to begin the search "
                "anew: its runs stay, and are used again where the same values are drawn"
            )


def _mean(values: Sequence[Any]) -> float | None:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if numbers else None
