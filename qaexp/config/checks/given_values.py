"""What an override gives: its values, and the line of one run that stands for a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.types import Glob, IntervalSweep, Override

from qaexp.config.checks.texts import keep_texts


def first_lines(overrides: Sequence[Override]) -> list[str]:
    """The overrides as lines of one run: those of a sweep with their first value, and those of Hydra without any."""
    return [
        f"{_pluses(one)}{first_line(one)}" if one.is_sweep_override() else str(one.input_line)
        for one in overrides
        if not (one.is_sweep_override() and one.is_hydra_override())
    ]


def _pluses(override: Override) -> str:
    """What stands before a key that is new, or may be."""
    line = str(override.input_line)
    return line[: len(line) - len(line.lstrip("+"))]


def first_line(override: Override) -> str:
    """The line that sets a key to the first value of a sweep."""
    value = override.value()
    if isinstance(value, IntervalSweep):  # it has no list of values, but a low end
        return f"{override.key_or_group}={value.start}"
    return keep_texts([f"{override.key_or_group}={next(override.sweep_string_iterator())}"])[0]


def given_values(override: Override, legal: Sequence[str]) -> list[object]:
    """The values that an override gives: one, or all those of a sweep (of an interval its ends).

    Args:
        override: The override.
        legal: What glob() chooses from.
    """
    value: object = override.value()
    if not override.is_sweep_override():
        return [value]
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    if isinstance(value, Glob):
        return list(value.filter(sorted(legal)))
    return list(override.sweep_iterator())
