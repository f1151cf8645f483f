"""From a sweep's override lines to those of its jobs: every combination of the values, in the order they are given."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.words import MAX_JOBS, parse_overrides
from qaexp.errors import ConfigError

# One value for the whole sweep: the folder's name, how jobs are started, what happens when one fails.
_OF_THE_SWEEP = ("name", "steal_lock", "sweep", "hydra")


def job_lines(lines: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the override lines of each job, and those of them that are swept.

    Args:
        lines: The lines of a preset, then those of the command line: of a key that comes twice the last counts.

    Raises:
        ConfigError: A line is no override, has no list of values, or sweeps what belongs to the whole sweep; or there
            would be more than `MAX_JOBS` jobs.

    >>> job_lines(["a=1", "seed=0,1"])
    [(('a=1', 'seed=0'), ('seed=0',)), (('a=1', 'seed=1'), ('seed=1',))]
    """
    overrides, problems = parse_overrides(lines)
    last = {str(override.get_key_element()): override for override in overrides}
    problems += [problem for override in last.values() for problem in _problems(override)]
    if problems:
        raise ConfigError(*problems)
    if (number := math.prod(map(_num_values, last.values()))) > MAX_JOBS:
        raise ConfigError(f"the sweep has {number:,} jobs, and it may have {MAX_JOBS:,}; name fewer values")
    choices = [values_of(key, override) for key, override in last.items()]
    swept = [override.is_sweep_override() for override in last.values()]
    return [
        (words, tuple(word for word, is_swept in zip(words, swept, strict=True) if is_swept))
        for words in itertools.product(*choices)
    ]


def _problems(override: Override) -> list[str]:
    key = override.key_or_group
    if not override.is_sweep_override():
        return []
    if not override.is_discrete_sweep():
        return [f"{override.input_line}: a range has no list of values to try; sweep=optuna draws from it"]
    if key.partition(".")[0].partition("/")[0] in _OF_THE_SWEEP:
        return [f"{key}: is that of the whole sweep and has one value; sweep another key"]
    return []


def _num_values(override: Override) -> int:
    return len(list(override.sweep_iterator())) if override.is_sweep_override() else 1


def values_of(key: str, override: Override) -> list[str]:
    """The lines that an override stands for: one, or one for each value that it sweeps."""
    if override.is_delete():
        return [str(override.input_line)]
    # The functions of the grammar take the quotes off.
    is_swept = override.is_sweep_override()
    values = override.sweep_string_iterator() if is_swept else [override.get_value_element_as_str()]
    return keep_texts([f"{key}={value}" for value in values])
