"""A search that survives kills: Optuna's study in the sweep's directory, its trials counted over every start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from qaexp.errors import ConfigError
from qaexp.runs.claims import Claims
from qaexp.sweeps.optuna.held import HeldTrials, LostTrialError
from qaexp.sweeps.optuna.journal import JOURNAL, check_journal
from qaexp.sweeps.optuna.made import MAX_FAILED_IN_A_ROW
from qaexp.sweeps.optuna.pruning import MINIMIZE, given_up, watched_number
from qaexp.sweeps.optuna.space import drawn_words
from qaexp.sweeps.optuna.winners import Found

MAX_RETRIES = 2
"""So often a trial whose process was killed is tried again."""

_RETRIES, _RUNS, _WHY = "retries", "run_ids", "why"
_OBJECTIVES, _WATCHED = "objectives", "watched"
_ONCE_WATCHED = "f1"
"""What was reported at each epoch's end, whatever the objective, before a study noted what it is."""
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
        claims: Claims | None = None,
    ) -> None:
        """Open the study of a sweep's directory, or begin one.

        Args:
            sweep: The directory, which exists.
            distributions: Key to what its values are drawn from.
            objectives: Name of a number in summary.json to `maximize` or `minimize`.
            num_trials: Trials in all, those of earlier starts counted.
            seed: Of the sampler; trial n draws the same values however often the search was stopped.
            is_pruning: End trials that do worse than the median at the same epoch, where anything tells that.
            claims: Which workers have which trials; None: nobody else makes any.

        Raises:
            ConfigError: The study there has other objectives.
            IntegrityError: Its journal is damaged.
        """
        check_journal(sweep / JOURNAL)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions, self._seed, self.num_trials = dict(distributions), seed, num_trials
        self.objectives = dict(objectives)
        self.watched, self.why_off = watched_number(objectives)
        is_pruning = is_pruning and self.watched is not None
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5) if is_pruning else optuna.pruners.NopPruner()
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(sweep / JOURNAL))),
            study_name="qaexp",
            directions=[_DIRECTIONS[way] for way in objectives.values()],
            pruner=pruner,
            load_if_exists=True,
        )
        self._check_objectives(sweep)
        self._check_watched()
        self.is_pruning = is_pruning and self.watched is not None
        self._held = HeldTrials(claims)
        self._num_before = len(self.trials())
        if claims is None:
            self.take_up_stale_trials()

    @property
    def num_left(self) -> int:
        """Trials that are still to be made, or are being made by other workers."""
        return self.num_trials - len(self._counted())

    @property
    def num_elsewhere(self) -> int:
        """Trials that other workers are at."""
        return sum(trial.state == TrialState.RUNNING and not self.is_stale(trial) for trial in self.trials())

    @property
    def is_hopeless(self) -> bool:
        """Whether the last trials that were begun since this start failed all, whoever made them: the next would, too.

        One whose process was killed says nothing: it is made again.
        """
        ended = [
            trial
            for trial in self.trials()[self._num_before :]
            if trial.state in _ENDED and (trial.state != TrialState.FAIL or _WHY in trial.user_attrs)
        ]
        last = ended[-MAX_FAILED_IN_A_ROW:]
        return len(last) == MAX_FAILED_IN_A_ROW and all(trial.state == TrialState.FAIL for trial in last)

    @property
    def has_next(self) -> bool:
        """Whether a trial is left that no other worker is at, as far as can be told without a turn."""
        return self.num_left > self.num_elsewhere

    def next_trial(self) -> Trial | None:
        """Draw a trial, if any is left that no other worker is at; called by one worker at a time.

        Raises:
            StorageError: The sweep's directory cannot be written.
        """
        self.take_up_stale_trials()
        if not self.has_next:
            return None
        trial = self.ask()
        self._held.take(trial.number)
        return trial

    def ask(self) -> Trial:
        """Draw the next trial."""
        # A sampler of its own for each trial: one that began anew at every start would repeat its first draws.
        number = len(self.trials())
        self.study.sampler = optuna.samplers.TPESampler(seed=self._seed * 1_000_003 + number)
        return self.study.ask(self._distributions)

    def begun(self, trial: Trial, run_ids: Sequence[str]) -> None:
        """Note which runs a trial has.

        Raises:
            LostTrialError: Another worker took it over.
        """
        with self._unless_lost(trial):
            trial.set_user_attr(_RUNS, list(run_ids))

    def check_own(self, trial: Trial) -> None:
        """See whether a trial is still this worker's, by its claim: that is a look at one file.

        Raises:
            LostTrialError: Another worker took it over.
        """
        self._held.check(trial.number)

    def report(self, trial: Trial, epoch: int, value: float, *, of: str = "") -> str | None:
        """Say what a trial has at an epoch's end.

        Args:
            trial: The trial.
            epoch: Counted from 1; none twice.
            value: Of `watched.metric`.
            of: The seeds of the run that it is of, where the trial has others.

        Returns:
            Why the trial is given up; None when it is not.

        Raises:
            LostTrialError: Another worker took it over.
        """
        with self._unless_lost(trial):
            trial.report(value, epoch)
        if self.watched is None or not self.is_pruning or not trial.should_prune():
            return None
        trials = self.trials()
        best = (min if self.watched.way == MINIMIZE else max)(trials[trial.number].intermediate_values.values())
        done = [one.intermediate_values for one in trials if one.state == TrialState.COMPLETE]
        return given_up(self.watched, epoch, best, [values[epoch] for values in done if epoch in values], of=of)

    def tell(
        self,
        trial: Trial,
        summaries: Sequence[Mapping[str, Any] | None],
        *,
        is_pruned: bool = False,
        why: str | None = None,
    ) -> str | None:
        """Say what came of a trial.

        Args:
            trial: The trial.
            summaries: The summary of each of its repeats; None for one that failed, which fails the trial.
            is_pruned: It was ended early; a trial whose repeats were all done by then is complete all the same.
            why: Why it was ended early.

        Returns:
            Why the trial failed; None when it did not.

        Raises:
            LostTrialError: Another worker took it over; nothing is told.
        """
        with self._unless_lost(trial):
            failure = self._tell(trial, summaries, is_pruned=is_pruned, why=why)
        self.put_down(trial)
        return failure

    def put_down(self, trial: Trial) -> None:
        """Give up the claim on a trial; one that was not told is made again by whoever asks next."""
        self._held.put_down(trial.number)

    @contextmanager
    def _unless_lost(self, trial: Trial) -> Iterator[None]:
        """Write about a trial in the body, which fails if the trial was taken over and told before."""
        self.check_own(trial)
        if self.trials()[trial.number].state.is_finished():
            raise LostTrialError
        try:
            yield
        except UpdateFinishedTrialError as error:
            raise LostTrialError from error

    def _tell(
        self, trial: Trial, summaries: Sequence[Mapping[str, Any] | None], *, is_pruned: bool, why: str | None
    ) -> str | None:
        missing = [name for name in self.objectives if _mean(summaries, name) is None]
        failure = None
        if None in summaries:
            failure = f"{summaries.count(None)} of {len(summaries)} jobs are not completed"
        elif missing:
            failure = f"{', '.join(missing)} has no value in every one of its {len(summaries)} runs"
        if is_pruned and None in summaries:
            trial.set_user_attr(_WHY, why)
            self.study.tell(trial, state=TrialState.PRUNED)
            return None
        if failure:
            trial.set_user_attr(_WHY, failure)
            self.study.tell(trial, state=TrialState.FAIL)
            return failure
        self.study.tell(trial, [value for name in self.objectives if (value := _mean(summaries, name)) is not None])
        return None

    def rows(self) -> list[dict[str, Any]]:
        """The trials as sweep.json lists them; the values drawn as their jobs were given them."""
        return [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                # Optuna gives a trial that is given up its last reported value: that of a stand-in, and of one seed.
                "values": trial.values if trial.state == TrialState.COMPLETE else None,
                "params": _as_given(trial.params),
                "run_ids": trial.user_attrs.get(_RUNS, []),
                "why": trial.user_attrs.get(_WHY),
            }
            for trial in self.trials()
            if trial.state in _ENDED
        ]

    def trials(self) -> list[FrozenTrial]:
        """All trials, in their order; not to be changed."""
        return self.study.get_trials(deepcopy=False)

    def begun_trials(self) -> list[FrozenTrial]:
        """The trials that have runs, in their order."""
        return [trial for trial in self.trials() if trial.user_attrs.get(_RUNS)]

    def place_of(self, trial: FrozenTrial) -> str | None:
        """Which process is at a trial; None where that is not known."""
        return self._held.place(trial.number)

    def why(self, trial: FrozenTrial) -> str:
        """Why a trial failed, or was given up."""
        return str(trial.user_attrs.get(_WHY, "its process ended before it did"))

    def run_ids(self) -> list[str]:
        """The runs of all trials that were begun, in their order."""
        trials = self.trials()
        return list(dict.fromkeys(run_id for trial in trials for run_id in trial.user_attrs.get(_RUNS, [])))

    def best(self) -> list[Found]:
        """The completed trials; with several objectives those that no other one beats in all of them."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        chosen = done if len(self.objectives) == 1 else self.study.best_trials
        return [Found(one.values, drawn_words(one.params), one.user_attrs.get(_RUNS, [])) for one in chosen]

    def _check_objectives(self, sweep: Path) -> None:
        """Refuse to go on with a study that searches for something else."""
        names = self.study.user_attrs.get(_OBJECTIVES, list(self.objectives))
        ways = {direction: way for way, direction in _DIRECTIONS.items()}
        stored = dict(zip(names, (ways.get(one, "?") for one in self.study.directions), strict=False))
        if list(stored.items()) != list(self.objectives.items()):
            told = ", ".join(f"{name} ({way})" for name, way in stored.items())
            raise ConfigError(f"{sweep}: searches {told} so far; take another name= for other objectives")
        if _OBJECTIVES not in self.study.user_attrs:
            self.study.set_user_attr(_OBJECTIVES, list(self.objectives))

    def _check_watched(self) -> None:
        """Trials of which something else was reported have no median that this one could be held against."""
        if self.watched is None:
            return
        trials = self.trials()
        usual = _ONCE_WATCHED if any(trial.intermediate_values for trial in trials) else self.watched.metric
        stored = self.study.user_attrs.get(_WATCHED, usual)
        if stored != self.watched.metric:
            self.why_off = f"the trials of earlier starts were watched by {stored}, not by {self.watched.metric}"
            self.watched = None
        elif _WATCHED not in self.study.user_attrs:
            self.study.set_user_attr(_WATCHED, stored)

    def _counted(self) -> list[FrozenTrial]:
        """Ended trials, less those that another one repeats."""
        trials = self.trials()
        num_repeated = sum(_RETRIES in trial.user_attrs for trial in trials)
        return [trial for trial in trials if trial.state in _ENDED][num_repeated:]

    def is_stale(self, trial: FrozenTrial) -> bool:
        """Whether nobody is at a trial that has begun and not ended."""
        return self._held.is_free(trial.number)

    def take_up_stale_trials(self) -> None:
        """Trials that a killed process left: marked as failed, and asked for again with the same values."""
        for trial in self.trials():
            if trial.state != TrialState.RUNNING or not self.is_stale(trial) or not self._held.take_over(trial.number):
                continue
            retries = int(trial.user_attrs.get(_RETRIES, 0))
            if self._mark_as_dead(trial.number) and retries < MAX_RETRIES:
                self.study.enqueue_trial(trial.params, user_attrs={_RETRIES: retries + 1})

    def _mark_as_dead(self, number: int) -> bool:
        """Fail a trial without a reason; False: its worker woke up in time, and has told what came of it."""
        try:
            told = self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        except UpdateFinishedTrialError:
            return False
        return told.state == TrialState.FAIL and _WHY not in told.user_attrs


def _as_given(params: Mapping[str, Any]) -> dict[str, Any]:
    words = drawn_words(params)
    return {key: float(words[key]) if isinstance(value, float) else value for key, value in params.items()}


def _mean(summaries: Sequence[Mapping[str, Any] | None], name: str) -> float | None:
    """The mean of a number over all repeats; None where one has none: a mean over other seeds is another number."""
    values = [summary.get(name) if summary else None for summary in summaries]
    numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None
