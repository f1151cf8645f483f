"""The course of a race, as its completed runs tell it: which runs come next, and what was decided after each round.

Nothing else enters: whoever looks at the same runs comes to the same decisions, however often the race was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from qaexp.comparison.racing import BEST, MIN_SEEDS, Standing, judge, obstacle
from qaexp.comparison.scores import Measured
from qaexp.errors import ConfigError
from qaexp.sweeps.race.finished import Finished

BUDGET, SEEDS, LEFT, NOBODY, FEW_CLUSTERS = "budget", "seeds", "left", "nobody", "clusters"
"""Other ends of a race: no budget or no seed is left; one configuration is left because the others failed; all
failed; the questions come from too few texts for any statement."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a race goes by.

    Attributes:
        metric: The score.
        better: Whether `higher` or `lower` scores are better.
        relevant: The smallest difference that matters, in the metric's unit.
        budget_runs: So many runs at most; None: no limit.
        budget_steps: The same in steps of training.
        budget_seconds: The same in seconds, those of all runs added up.
    """

    metric: str
    better: str
    relevant: float
    budget_runs: int | None = None
    budget_steps: int | None = None
    budget_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What runs took."""

    runs: int = 0
    steps: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(self.runs + other.runs, self.steps + other.steps, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class Round:
    """What was decided after a round.

    Attributes:
        num_seeds: That each open configuration had by then.
        spent: By then, in all.
        set_aside: Configurations that cannot take part any more, with the reason.
        standing: Of the others; None where none was left.
    """

    num_seeds: int
    spent: Cost
    set_aside: Mapping[str, str]
    standing: Standing | None


@dataclass
class Course:
    """A race as far as it is known.

    Attributes:
        names: The configurations, in their order.
        seeds: The words of those that a configuration may get at most, in order.
        rules: What it goes by.
        rounds: What was decided, in order.
        end: Why it is over; None while it is not.
    """

    names: Sequence[str]
    seeds: Sequence[str]
    rules: Rules
    rounds: list[Round] = field(default_factory=list)
    end: str | None = None
    _has_failed: bool = False
    _open: list[str] = field(init=False)
    _runs: dict[str, list[Finished]] = field(init=False)

    def __post_init__(self) -> None:
        """Nobody has run yet."""
        self._open, self._runs = list(self.names), {name: [] for name in self.names}

    @property
    def open(self) -> tuple[str, ...]:
        """Those that are still in the race."""
        return tuple(self._open)

    @property
    def has_failed(self) -> bool:
        """Whether runs failed; others are set aside for what they answer, which stays as it is."""
        return self._has_failed

    @property
    def spent(self) -> Cost:
        """By all runs that were counted."""
        return self.rounds[-1].spent if self.rounds else Cost()

    def wanted(self, *, over_budget: bool = False) -> dict[str, range]:
        """The seeds of the next round, by their places, for each open configuration; nothing where the race is over.

        With `over_budget` also of a round that the budget does not allow.
        """
        if self.end is not None and not (over_budget and self.end == BUDGET):
            return {}
        done = self.rounds[-1].num_seeds if self.rounds else 0
        places = range(done, MIN_SEEDS if done == 0 else done + 1)
        return dict.fromkeys(self._open, places)

    def take(self, found: Mapping[str, Sequence[Finished]], failed: Mapping[str, str]) -> Round:
        """Decide a round.

        Args:
            found: Of each open configuration the runs of this round that are completed.
            failed: Why runs of a configuration are missing.

        Raises:
            ConfigError: Two configurations were scored on different questions.
        """
        places = next(iter(self.wanted(over_budget=True).values()))
        aside = dict(failed)
        self._has_failed |= bool(failed)
        for name in self._open:
            self._runs[name] += found[name]
            for place, one in zip(places, found[name], strict=False):
                if one.fault:
                    aside.setdefault(name, f"{one.fault} with {self.seeds[place]}")
        self._open = [name for name in self._open if name not in aside]
        spent = self.spent + _cost([one for name in found for one in found[name]])
        standing = self._judged()
        made = Round(places.stop, spent, aside, standing)
        self.rounds.append(made)
        if standing is not None:
            self._open = [name for name in self._open if name not in standing.dropped]
        self.end = self._ended(made)
        return made

    def _judged(self) -> Standing | None:
        if not self._open:
            return None
        measured = {name: [_measured(one) for one in self._runs[name]] for name in self._open}
        first = next(iter(measured.values()))[0]
        for name, every in measured.items():
            if any(one.digest != first.digest for one in every):
                raise ConfigError(
                    f"{name}: was scored on other questions than {self._open[0]}; the configurations of a race must "
                    "answer the same ones"
                )
        tables = {name: np.stack([one.values for one in every]) for name, every in measured.items()}
        rules = self.rules
        return judge(tables, first.clusters, num_entrants=len(self.names), relevant=rules.relevant, better=rules.better)

    def _ended(self, made: Round) -> str | None:
        """Why the race is over after a round; None where it is not."""
        if made.standing is None:
            return NOBODY
        if made.standing.verdict == BEST and any(one.set_aside for one in self.rounds):
            return LEFT
        if made.standing.verdict is not None:
            return made.standing.verdict
        if obstacle(_measured(self._runs[self._open[0]][0]).clusters):
            return FEW_CLUSTERS
        if made.num_seeds >= len(self.seeds):
            return SEEDS
        return BUDGET if self._is_beyond_budget() else None

    def _is_beyond_budget(self) -> bool:
        """Whether another round does not fit: what it takes is told by what each configuration took so far."""
        ahead = Cost()
        for name in self._open:
            whole = _cost(self._runs[name])
            ahead += Cost(1, whole.steps / whole.runs, whole.seconds / whole.runs)
        then, rules = self.spent + ahead, self.rules
        limits = (
            (then.runs, rules.budget_runs),
            (then.steps, rules.budget_steps),
            (then.seconds, rules.budget_seconds),
        )
        return any(limit is not None and value > limit for value, limit in limits)

    def runs_of(self, name: str) -> Sequence[Finished]:
        """The runs of a configuration that were counted, by seed."""
        return self._runs[name]


def _measured(one: Finished) -> Measured:
    assert one.measured is not None, "runs that do not count set their configuration aside"
    return one.measured


def _cost(runs: Sequence[Finished]) -> Cost:
    return Cost(len(runs), float(sum(one.steps for one in runs)), sum(one.seconds for one in runs))
