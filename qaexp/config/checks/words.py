"""The words of a command line as Hydra's overrides: words that are none are reported, what follows from them is not."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException

from qaexp.config.checks.repeated_keys import repeated_key
from qaexp.config.checks.unreadable import cut, cut_apart, no_override
from qaexp.config.checks.values import shortened
from qaexp.config.guards.interpolations import MAX_VALUES

# Most jobs of a sweep and values of a range: more are a mistake, and take minutes to compose.
MAX_JOBS = 10_000


def parse_overrides(lines: Sequence[str]) -> tuple[list[Override], list[str]]:
    """Parse each line with Hydra's grammar.

    Returns:
        The parsed overrides, and a sentence for each line that is not an override.
    """
    parsed, problems = [], []
    place = 0
    while place < len(lines):
        line = lines[place]
        found = _parsed(line)
        place += 1
        if isinstance(found, str) or line.endswith("="):
            together = cut_apart(lines[place - 1 :], _reads)
            if together is not None:
                number, whole = together
                problems.append(cut(lines[place - 1 : place - 1 + number], whole))
                place += number - 1
                continue
        if isinstance(found, str):
            problems.append(found)
        else:
            parsed.append(found)
    return parsed, problems


def _parsed(line: str) -> Override | str:
    """What Hydra's grammar makes of a line, or what is wrong with it."""
    if (count := line.count("${")) > MAX_VALUES:
        # Looked at before the grammar: it takes a second for some thousand.
        limit = f"a value may have {MAX_VALUES}; write out what is meant"
        return f"{shortened(line)!r} has {count} interpolations, and {limit}"
    if line.startswith("="):
        return f"{shortened(line)!r} has no key before its =; write key=value"
    try:
        found = OverridesParser.create().parse_override(line)
        if (number := _num_values(found)) > MAX_JOBS:
            return f"{shortened(line)!r} has {number:,} values, and a range may have {MAX_JOBS:,}; name fewer"
        if (key := repeated_key(line)) is not None:
            return f"{shortened(line)!r} names {shortened(key)} twice; name each key once"
        return found
    except (HydraException, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        return no_override(line, shortened(reason), _reads)


def _num_values(override: Override) -> int:
    """How many values a range has, without making them; 1 for anything else, whose values somebody typed."""
    value = override.value() if override.is_sweep_override() else None
    if not isinstance(value, RangeSweep) or not value.step or value.start is None or value.stop is None:
        return 1
    return max(0, math.ceil((value.stop - value.start) / value.step))


def _reads(line: str) -> bool:
    """Whether Hydra's grammar takes a word."""
    try:
        OverridesParser.create().parse_override(line)
    except (HydraException, RecursionError):
        return False
    return line.count("${") <= MAX_VALUES


def key_of(line: str) -> str:
    """The key or group of a word, whatever its value is.

    >>> key_of("+optimizer.amsgrad=true"), key_of("data.dev_file=~~~")
    ('optimizer.amsgrad', 'data.dev_file')
    """
    return line.lstrip("+~").partition("=")[0].partition("@")[0]


def follows(problem: str, others: Sequence[str], wrong: Collection[str], used: Collection[str]) -> bool:
    """Say whether a problem only follows from others: what it names was given, in a word that could not be used.

    Args:
        problem: What is wrong with the config as a whole.
        others: What is wrong with single words.
        wrong: Keys and groups whose words could not be used.
        used: Keys whose words were: what is wrong with them is a mistake of its own.

    >>> follows("data.dev_file is not set; give it", ["'data.dev_file=)' is not an override"], {"data.dev_file"}, ())
    True
    >>> follows("data.dev_file is not set; give it", [], {"seed"}, ())
    False
    >>> follows("optimizer.lr=-1 is too low", ["optimizer has no 'adamv'"], {"optimizer"}, {"optimizer.lr"})
    False
    """
    named = re.match(r"[\w.]+", problem)
    key = named[0].rstrip(".") if named and others else ""
    return key not in used and any(key == one or key.startswith(f"{one}.") for one in wrong)


def swept_keys(lines: Sequence[str]) -> list[str]:
    """The keys and groups that a command line sweeps.

    >>> swept_keys(["seed=0,1", "name=a", "optimizer.lr=choice(1,2)"])
    ['seed', 'optimizer.lr']
    """
    return [override.key_or_group for override in parse_overrides(lines)[0] if override.is_sweep_override()]
