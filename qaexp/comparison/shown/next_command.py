"""The command that runs more seeds of settings that were compared, from what was typed for their runs."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.runs.readers.typed import words_of_silence
from qaexp.storage.origins import REDACTED

# More seeds than these are written as a range.
_MAX_NAMED = 8

# Maximum number of commands.
_MAX_SWEEPS = 3

_NAME = "name"
# The key of an override: a leading minus sign would make it a flag.
_KEY = re.compile(r"\+{0,2}~?(?!-)[\w./@-]+")

Row = Mapping[str, Any]


def with_seeds(runs: Sequence[Row], numbers: Sequence[int]) -> str | None:
    """The command line that runs all settings of some runs with these seeds; existing runs are not run again.

    Args:
        runs: The runs, as a comparison's document has them.
        numbers: The seeds that each setting has in the end.

    Returns:
        The line, quoted for a shell: one sweep where the settings are a grid, else one for each of a few settings. None
        if the folders do not give it: no words were recorded, one holds a secret, kinds of seeds were swept apart, or a
        word is a flag instead of an override, which no folder may set.
    """
    lines = [_words(run) for run in runs]
    if not lines or any(line is None for line in lines) or any(run["config_flags"] is None for run in runs):
        return None
    if len({tuple(run["config_flags"]) for run in runs}) > 1:
        return None
    settings = _settings([line for line in lines if line is not None])
    is_long = len(numbers) > _MAX_NAMED and list(numbers) == list(range(len(numbers)))
    seeds = f"range(0,{len(numbers)})" if is_long else ",".join(map(str, numbers))
    swept = _grid(settings)
    if swept is None and len(settings) > _MAX_SWEEPS:
        return None
    each = [swept] if swept is not None else settings
    start, end = ["qaexp", "train", "-m", *runs[0]["config_flags"]], f"seed={seeds}"
    commands = [[*start, *(f"{key}={value}" for key, value in words.items()), end] for words in each]
    return " && ".join(shlex.join(words) for words in commands)


def _settings(lines: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The words of each setting once; where its runs lie in several sweeps, with the name of that with the most."""
    found: dict[tuple[tuple[str, str], ...], list[Mapping[str, str]]] = {}
    for line in lines:
        found.setdefault(tuple(sorted((key, value) for key, value in line.items() if key != _NAME)), []).append(line)
    settings = []
    for several in found.values():
        counts = Counter(line.get(_NAME) for line in several)
        # Of equally many the first by name, so that the order of the runs decides nothing.
        name = min(counts, key=lambda name: (-counts[name], name or ""))
        settings.append(next(line for line in several if line.get(_NAME) == name))
    return settings


def _grid(settings: Sequence[Mapping[str, str]]) -> dict[str, str] | None:
    """The words of one sweep over all settings; None if they are not a grid."""
    keys = list(settings[0])
    if any(sorted(one) != sorted(keys) for one in settings):
        return None
    values = {key: list(dict.fromkeys(one[key] for one in settings)) for key in keys}
    if math.prod(map(len, values.values())) != len(settings):
        return None
    return {key: ",".join(_sorted(found)) for key, found in values.items()}


def _words(run: Row) -> dict[str, str] | None:
    """The words of a run without its seeds, by their keys as they were typed (`+myexp`); None if one is unknown."""
    words = [word.partition("=") for word in run["overrides"]]
    if not words or any(not sign or REDACTED in value or not _KEY.fullmatch(key) for key, sign, value in words):
        return None
    found = {key: value for key, _, value in words if key.lstrip("+") not in SEED_KEYS}
    if len(found) < len({key for key, _, _ in words} - {"seed"}):
        return None
    found |= {key: value for key, value in words_of_silence(run["config"]).items() if key not in found}
    if not run["is_job"]:
        # Single runs have a name each; the jobs of a sweep share one.
        found.pop(_NAME, None)
    return found


def seeds_of(runs: Sequence[Row], number: int) -> list[int]:
    """Return at least so many seeds: all that some of the runs have, and the next ones."""
    known = sorted({seed for run in runs if isinstance(seed := run["config"].get("seed"), int)})
    candidate = 0
    while len(known) < number:
        if candidate not in known:
            known.append(candidate)
        candidate += 1
    return sorted(known)


def _sorted(values: Sequence[str]) -> list[str]:
    """Values in an order that does not depend on the runs: numbers by size, then texts."""

    def place(value: str) -> tuple[bool, float, str]:
        try:
            return False, float(value), value
        except ValueError:
            return True, 0.0, value

    return sorted(values, key=place)
