"""Looks up what a run has under a key that a user typed: a config key, the end of one, or a config group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from qaexp.errors import ConfigError
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.group_names import prefixes
from qaexp.runs.readers.repeats import SEED_KEYS, leaves
from qaexp.runs.short_words import meant_keys

# What people note on a run, with the value for runs from before the key existed.
LABELS: Mapping[str, Any] = {"tags": [], "notes": "", "group": None}

# Instead of a choice that the run made but did not record.
NOT_RECORDED = "not recorded"


def settings_of(run: RunFiles) -> dict[str, Any]:
    """The values of a run by the keys that groups can be formed by: config groups, labels, the config."""
    return {**run.typed.choices, **LABELS, **leaves(run)}


def value_of(run: RunFiles, key: str) -> Any:
    """What a run has under a key that groups are formed by; `NOT_RECORDED` for a choice that is not known."""
    found = settings_of(run)
    if key in found:
        return found[key]
    return NOT_RECORDED if prefixes(key, found) else None


def values_of(run: RunFiles) -> dict[str, Any]:
    """The values of a run by the keys that conditions know: those of `settings_of`, its flags, id and summary."""
    flags = [str(flag.get("name")) for flag in run.flags]
    return {**settings_of(run), "flags": flags, "run_id": run.run_id, **(run.summary or {})}


def meant(option: str, words: str, several: Sequence[Mapping[str, Any]]) -> str:
    """The one key that is meant; it may be typed as the end of a dotted key.

    Args:
        option: What it was typed for, for the message.
        words: What was typed.
        several: The values of each run.

    Raises:
        ConfigError: No run has such a key, or several keys end like this.
    """
    known = dict.fromkeys(key for values in several for key in values)
    found = meant_keys(words, known)
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{option}: {words} may be {', '.join(found)}; give more of the key")
    guess = like(words, [*known, *SEED_KEYS])
    raise ConfigError(
        f"{option}: no run has the key {words}{guess}; keys are those of config.json and summary.json, such as "
        "optimizer.lr, and config groups, such as optimizer"
    )


def like(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a misspelt one, as the end of a sentence; keys are also matched by their last part.

    >>> like("optimizer.lrr", ["optimizer.lr", "seed"]), like("lrr", ["optimizer.lr"]), like("colour", ["seed"])
    ('; did you mean optimizer.lr?', '; did you mean optimizer.lr?', '')
    """
    names = {key.rpartition(".")[2]: key for key in sorted(known)} | {key: key for key in known}
    found = get_close_matches(word, names, n=1, cutoff=0.7)
    return f"; did you mean {names[found[0]]}?" if found else ""
