"""What an optimiser searches: keys with ranges or choices, and beside them the seeds, which are repeats of a trial."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from qaexp.config.checks.words import parse_overrides
from qaexp.errors import ConfigError
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.sweeps.grid import values_of


@dataclass(frozen=True, slots=True)
class Space:
    """A search.

    Attributes:
        fixed: Override lines of every job.
        repeats: For each repeat of a trial its override lines: one combination of the swept seeds.
        distributions: Key to what its values are drawn from.
    """

    fixed: tuple[str, ...]
    repeats: tuple[tuple[str, ...], ...]
    distributions: Mapping[str, BaseDistribution]

    def jobs(self, values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The override lines of the jobs of a trial, and those of them that set it apart."""
        drawn = tuple(f"{key}={value}" for key, value in drawn_words(values).items())
        return [((*self.fixed, *drawn, *repeat), (*drawn, *repeat)) for repeat in self.repeats]

    def corners(self) -> list[dict[str, Any]]:
        """Values at the ends of every range, and every choice: if these are legal, all are."""
        ends = {key: _ends(distribution) for key, distribution in self.distributions.items()}
        longest = max((len(values) for values in ends.values()), default=1)
        return [{key: values[min(n, len(values) - 1)] for key, values in ends.items()} for n in range(longest)]


def read_space(lines: Sequence[str]) -> Space:
    """Read the override lines of a search; of a key that comes twice the last counts.

    Args:
        lines: The lines of a preset, then those of the command line.

    Raises:
        ConfigError: A line is no override, a range is empty, or there is nothing to search.

    >>> space = read_space(["a=1", "seed=0,1", "optimizer.lr=tag(log,interval(1e-5,1e-3))"])
    >>> space.fixed, space.repeats, list(space.distributions)
    (('a=1',), (('seed=0',), ('seed=1',)), ['optimizer.lr'])
    """
    overrides, problems = parse_overrides(lines)
    last = {str(override.get_key_element()): override for override in overrides}
    seeds = {key: override for key, override in last.items() if key in SEED_KEYS}
    searched = {key: one for key, one in last.items() if one.is_sweep_override() and key not in seeds}
    distributions = {}
    for key, override in searched.items():
        try:
            distributions[key] = _distribution(key, override)
        except ValueError as error:
            problems.append(f"{override.input_line}: {error}; give a range with a low and a high end, or choices")
    problems += [
        f"{one.input_line}: a seed is a repeat, not something to search; give values, as seed=0,1,2"
        for one in seeds.values()
        if one.is_sweep_override() and not one.is_discrete_sweep()
    ]
    if not searched and not problems:
        problems.append("there is nothing to search; give keys with ranges, as 'optimizer.lr=interval(1e-5,1e-3)'")
    if problems:
        raise ConfigError(*problems)
    fixed = tuple(line for key, one in last.items() if key not in {**seeds, **searched} for line in values_of(key, one))
    repeats = tuple(itertools.product(*(values_of(key, one) for key, one in seeds.items())))
    return Space(fixed, repeats, distributions)


def _distribution(key: str, override: Override) -> BaseDistribution:
    value = override.value()
    if isinstance(value, IntervalSweep):
        low, high, is_log = value.start, value.end, "log" in value.tags
        assert low is not None
        assert high is not None
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=is_log)
        return FloatDistribution(float(low), float(high), log=is_log)
    if isinstance(value, RangeSweep) and isinstance(value.start, int) and isinstance(value.step, int):
        assert value.stop is not None
        num_steps = (int(value.stop) - 1 - value.start) // value.step
        return IntDistribution(value.start, value.start + num_steps * value.step, step=value.step)
    return CategoricalDistribution([word.partition("=")[2] for word in values_of(key, override)])


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return [distribution.low, distribution.high]


def drawn_words(values: Mapping[str, Any]) -> dict[str, str]:
    """What was drawn as jobs are given it, in four digits: it is written into names, and more of them say nothing.

    >>> drawn_words({"optimizer.lr": 0.000123456, "batches": "short"})
    {'optimizer.lr': '0.0001235', 'batches': 'short'}
    """
    return {key: _written(value) for key, value in values.items()}


def _written(value: Any) -> str:
    """Four digits: what is drawn is written into names, and more of them say nothing.

    A fraction stays one: of `data.train_size` 1.0 is all, and 1 is one example.

    >>> _written(0.12345), _written(1.0), _written(1e-5), _written(3)
    ('0.1235', '1.0', '1e-05', '3')
    """
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.4g}"
    return text if set(text) & set(".enfa") else f"{text}.0"
