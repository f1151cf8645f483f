"""Runs put into groups: equal up to their seeds, or in one key, and what sets each group apart from the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qaexp.comparison.entries import Entry
from qaexp.comparison.estimates import estimates
from qaexp.comparison.groups import PROGRAM, Group
from qaexp.comparison.key_lookup import value_of
from qaexp.comparison.observations import design
from qaexp.comparison.scores import ScoreReader
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.group_names import group_names, prefixes, setting_names, unique
from qaexp.runs.readers.repeats import SEED_KEYS, SEED_KINDS, differing, gather, settings, with_all_keys
from qaexp.runs.readers.typed import Typed
from qaexp.storage.formats import dotted


def form_groups(
    entries: Sequence[Entry],
    reader: ScoreReader,
    neutral: frozenset[str],
    *,
    by: str | None = None,
    taken: Collection[str] = (),
) -> list[Group]:
    """Group runs over their seeds, or by the value of one key alone.

    Args:
        entries: Runs that were measured alike, none of them a repeat of another one's settings and seeds.
        reader: Reads the scores of small groups again, for their interval.
        neutral: Dotted keys that cannot change results.
        by: A dotted key of the config, or a config group; runs with the same value of it are one group, whatever else
            differs.
        taken: Names of groups that were measured differently, which these cannot have.
    """
    of_run = {id(entry.run): entry for entry in entries}
    runs_of = gathered([entry.run for entry in entries], neutral, by)
    formed = [[of_run[id(run)] for run in runs] for runs in runs_of]
    formed = [sorted(group, key=lambda entry: (repr(entry.seeds), entry.run.run_id)) for group in formed]
    # By content, so that folders decide neither the order of keys in a name nor which of two equal names comes first.
    formed.sort(key=lambda group: _content(group, neutral, by))
    told = [{by: value_of(group[0].run, by)} if by else settings(group[0].run, neutral) for group in formed]
    several = [[entry.run for entry in group] for group in formed]
    changes = _changes(several, told)
    # Grouped by one key, names contain no other key.
    nothing = [Typed()] * len(several)
    names = setting_names([runs[0] for runs in several], told, nothing) if by else _names(several, changes)
    long_names = unique(list(map(with_all_keys, told if by else changes)))
    return [
        _group(named, changed, group, reader, neutral, by)
        for *named, changed, group in zip(unique(names, taken), long_names, changes, formed, strict=True)
    ]


def gathered(runs: Sequence[RunFiles], neutral: frozenset[str], by: str | None) -> list[list[RunFiles]]:
    """Runs that form a group: equal up to their seeds, or with the same value of one key, in the order of the first."""
    if by is None:
        return gather(runs, neutral)
    found: dict[str, list[RunFiles]] = {}
    for run in runs:
        found.setdefault(repr(value_of(run, by)), []).append(run)
    return list(found.values())


def _changes(several: Sequence[Sequence[RunFiles]], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What sets groups apart: runs by the keys in which they differ from runs, other programs' results by name."""
    runs = iter(differing([one for runs, one in zip(several, told, strict=True) if runs[0].program is None]))
    return [{PROGRAM: runs_of[0].shown_name} if runs_of[0].program else next(runs) for runs_of in several]


def _names(several: Sequence[Sequence[RunFiles]], changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of groups; other programs' results have those of their files."""
    own = [place for place, runs in enumerate(several) if runs[0].program is None]
    named = iter(group_names([several[place] for place in own], [changes[place] for place in own]) if own else [])
    return unique([runs[0].shown_name if runs[0].program else next(named) for runs in several])


def _group(
    names: Sequence[str],
    changes: Mapping[str, Any],
    group: Sequence[Entry],
    reader: ScoreReader,
    neutral: frozenset[str],
    by: str | None,
) -> Group:
    each = [settings(entry.run, neutral) for entry in group]
    varying = differing(each) if by else [{} for _ in group]
    if by and by not in dotted(group[0].run.config):
        each = _without_brought(each, [entry.run for entry in group], by)
    if by in SEED_KEYS:
        each = [one | _other_seeds(entry, by) for one, entry in zip(each, group, strict=True)]
    if by:
        varying = [{key: value for key, value in one.items() if not _belongs(key, by)} for one in varying]
    others = [repr(sorted(one.items(), key=repr)) for one in varying]
    seeds = [entry.seeds for entry in group]
    found = design(seeds, others if by else None, tuple(varying[0]))
    return Group(
        number=0,
        name=names[0],
        long_name=names[1],
        changes=changes,
        settings=_common(each) | ({by: value_of(group[0].run, by)} if by else {}),
        entries=tuple(group),
        design=found,
        averaged=frozenset(others),
        metrics=estimates(group, found, reader),
        flags=_counted(group),
    )


def _other_seeds(entry: Entry, by: str) -> dict[str, Any]:
    """The other seeds of a run than the one that forms groups; for `seed`, those that were set to another value."""
    found = {f"seeds.{kind}": seed for kind, seed in zip(SEED_KINDS, entry.seeds, strict=True)}
    seed = entry.run.config.get("seed")
    return {key: value for key, value in found.items() if key != by and not (by == "seed" and value == seed)}


def _belongs(key: str, by: str) -> bool:
    """Whether a key follows from `by`: itself, or a key of the node whose `_target_` is chosen."""
    return key == by or (by.endswith("_target_") and key.startswith(by.removesuffix("_target_")))


def _common(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of several runs: one value where they agree, else all of them."""
    keys = dict.fromkeys(key for one in each for key in one)
    found = {}
    for key in keys:
        values = {repr(one.get(key)): one.get(key) for one in each}
        found[key] = (
            next(iter(values.values())) if len(values) == 1 else ", ".join(str(values[text]) for text in sorted(values))
        )
    return found


def _content(group: Sequence[Entry], neutral: frozenset[str], by: str | None) -> str:
    return repr(value_of(group[0].run, by) if by else sorted(settings(group[0].run, neutral).items(), key=repr))


def _without_brought(each: Sequence[Mapping[str, Any]], runs: Sequence[RunFiles], by: str) -> list[dict[str, Any]]:
    """Settings without the keys that came with the choice of a config group: not typed, and equal in all runs."""
    words = {key for run in runs for key in run.typed.words}
    begins = prefixes(by, [key for one in each for key in one])
    alike = {key for key in each[0] if len({repr(one.get(key)) for one in each}) == 1}
    return [
        {key: value for key, value in one.items() if not (key in alike - words and begins and key.startswith(begins))}
        for one in each
    ]


def _counted(group: Sequence[Entry]) -> dict[str, int]:
    flags = [flag for entry in group for flag in entry.flags]
    return {flag: flags.count(flag) for flag in sorted(set(flags))}
