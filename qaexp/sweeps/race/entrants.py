"""Who takes part in a race: the configurations that override lines give, and the seeds that all of them may get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.comparison.racing import MIN_SEEDS
from qaexp.errors import ConfigError
from qaexp.runs.metrics import NUMBERS
from qaexp.runs.number import Number
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.runs.short_words import told_word
from qaexp.sweeps.grid import job_lines
from qaexp.sweeps.job import Job

Lines = list[tuple[tuple[str, ...], tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A configuration in a race.

    Attributes:
        name: What sets it apart, as people read it.
        jobs: One for each seed, in the order of the seeds.
    """

    name: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """What a race is over.

    Attributes:
        lines: The override lines of each job, those of the first configuration first.
        names: Of the configurations.
        seeds: The words of the seeds, each `key=value`.
    """

    lines: Lines
    names: tuple[str, ...]
    seeds: tuple[str, ...]

    def entries(self, jobs: Sequence[Job]) -> list[Entry]:
        """Put the identified jobs of `lines` together; of configurations that are the same one the first counts.

        Raises:
            ConfigError: Fewer than two are left, or they do not answer the same questions.
        """
        size = len(self.seeds)
        found: dict[str, Entry] = {}
        for place, name in enumerate(self.names):
            own = tuple(jobs[place * size : (place + 1) * size])
            found.setdefault(own[0].sha256, Entry(name, own))
        if len(found) < 2:
            raise ConfigError(f"{', '.join(self.names)}: are the same configuration; a race needs two that differ")
        _check_measured_alike(list(found.values()))
        return list(found.values())


def read_field(lines: Sequence[str]) -> Field:
    """Read the override lines of a race; of a key that comes twice the last counts.

    Args:
        lines: The lines of a preset, then those of the command line.

    Raises:
        ConfigError: Fewer than two configurations, fewer than `MIN_SEEDS` seeds, or several kinds of seeds.

    >>> field = read_field(["a=1,2", "seed=0,1,2"])
    >>> field.names, field.seeds
    (('a=1', 'a=2'), ('seed=0', 'seed=1', 'seed=2'))
    """
    by_entrant: dict[tuple[str, ...], dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    kinds = dict[str, None]()
    for words, swept in job_lines(lines):
        seeds = [word for word in swept if _key(word) in SEED_KEYS]
        kinds |= dict.fromkeys(map(_key, seeds))
        own = tuple(word for word in swept if word not in seeds)
        by_entrant.setdefault(own, {})[" ".join(seeds)] = (words, (*own, *seeds))
    every = list(by_entrant)
    seeds_given = tuple(next(iter(by_entrant.values())))
    _check(every, seeds_given, list(kinds))
    return Field(
        [line for rows in by_entrant.values() for line in rows.values()],
        tuple(" ".join(map(told_word, own)) for own in every),
        seeds_given,
    )


def scored_by(metric: str) -> Number:
    """The row of a metric that a race may be about: known for each dev question, and better in one direction.

    Raises:
        ConfigError: There is no such metric.
    """
    able = [name for name, row in NUMBERS.items() if row.column and row.better and row.table == "scores.csv"]
    if metric not in able:
        raise ConfigError(
            f"hydra.sweeper.metric={metric}: a race needs a score of each dev question; give one of {', '.join(able)}"
        )
    return NUMBERS[metric]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")


def _check(entrants: Sequence[tuple[str, ...]], seeds: Sequence[str], kinds: Sequence[str]) -> None:
    problems = []
    if len(entrants) < 2:
        problems.append(
            "sweep=race: there is one configuration, and a race needs two; give a key with values, as "
            "optimizer.lr=1e-4,3e-4"
        )
    if len(kinds) > 1:
        problems.append(f"{', '.join(kinds)}: a race adds one kind of seed after the other value; sweep one of them")
    elif len(seeds) < MIN_SEEDS:
        given = "is one seed" if len(seeds) == 1 else f"are {len(seeds)} seeds"
        problems.append(
            f"sweep=race: there {given}, and nothing is decided with fewer than {MIN_SEEDS}; give as many as a "
            "configuration may get at most, as 'seed=range(12)'"
        )
    if problems:
        raise ConfigError(*problems)


def _check_measured_alike(entries: Sequence[Entry]) -> None:
    """Refuse configurations that answer other questions, or decode otherwise: their scores mean different things.

    Raises:
        ConfigError: Naming what differs.
    """
    configs = [entry.jobs[0].config for entry in entries]
    measures: dict[str, list[Any]] = {
        "data.dev_file": [one.data.dev_file for one in configs],
        "data.dev_size": [one.data.dev_size for one in configs],
        "seeds.dev": [one.seeds.dev for one in configs],
        "decoding": [one.decoding for one in configs],
    }
    for name, values in measures.items():
        if any(value != values[0] for value in values):
            raise ConfigError(
                f"{name}: differs between the configurations of the race, which must be scored on the same questions "
                "in the same way; give it one value"
            )
