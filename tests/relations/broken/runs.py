"""Which runs are observations, what groups are called and in which order they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qaexp.comparison import baseline, compare, group_forming, groups, guard, observations, reasons, selection
from qaexp.comparison.shown import document
from qaexp.runs import short_words
from qaexp.runs.readers import group_names
from qaexp.runs.readers import repeats as run_groups
from tests.fixtures.patching import Patch, everywhere
from tests.relations.broken.registry import answering, noticed_by


@noticed_by("folders_and_names", "seeds")
def repeats_counted(patch: Patch) -> None:
    patch(selection, "distinct", lambda runs, _: (list(runs), []))


@noticed_by("folders_and_names")
def kept_repeat_by_name(patch: Patch) -> None:
    patch(run_groups, "_age", lambda run: str(run.path))


@noticed_by("seeds")
def kinds_of_seeds_unread(patch: Patch) -> None:
    everywhere(patch, run_groups.seeds_of, lambda run: (run.config.get("seed"),) * 4)


@noticed_by("seeds")
def crossed_seeds_independent(patch: Patch) -> None:
    def of_seeds(rows: Any, seeds: Any, num_settings: int, keys: Any) -> observations.Design:
        codes = (np.arange(len(rows)),) if len(rows) > 1 else ()
        kinds = ("seed",) if len(rows) > 1 else ()
        return observations.Design(rows, seeds, kinds, codes, num_settings=num_settings, setting_keys=keys)

    patch(observations, "_of_seeds", of_seeds)


@noticed_by("seeds")
def incomplete_crossing_accepted(patch: Patch) -> None:
    original = observations._of_seeds

    def of_seeds(rows: Any, seeds: Any, num_settings: int, keys: Any) -> observations.Design:
        found = original(rows, seeds, num_settings, keys)
        if not found.problem:
            return found
        return replace(found, problem=None, kinds=("seed",), factors=(np.arange(len(rows)),))

    patch(observations, "_of_seeds", of_seeds)


@noticed_by("seeds")
def nested_seeds_independent(patch: Patch) -> None:
    original = observations._determines
    patch(observations, "_determines", lambda fine, coarse: original(coarse, fine))


@noticed_by("seeds")
def fixed_kinds_unsaid(patch: Patch) -> None:
    original = observations._of_seeds
    patch(observations, "_of_seeds", lambda *words: replace(original(*words), fixed=()))


@noticed_by("splits")
def settings_counted_as_seeds(patch: Patch) -> None:
    def design(seeds: Sequence[Any], settings: Any = None, setting_keys: Any = ()) -> observations.Design:
        rows, codes = tuple((place,) for place in range(len(seeds))), np.arange(len(seeds))
        if settings is None or len(seeds) == 1:
            return original(seeds)
        return observations.Design(rows, tuple((place,) for place in range(len(seeds))), ("seed",), (codes,))

    original = observations.design
    patch(group_forming, "design", design)


@noticed_by("splits")
def other_settings_compared(patch: Patch) -> None:
    everywhere(patch, reasons.why_not_tested, reasons.silence)


@noticed_by("folders_and_names")
def names_not_unique(patch: Patch) -> None:
    patch(group_names, "value_texts", lambda values: list(map(short_words.value_text, values)))
    everywhere(patch, group_names.unique, lambda names, taken=(): list(names))


@noticed_by("folders_and_names")
def order_of_groups_by_folders(patch: Patch) -> None:
    patch(group_forming, "_content", lambda group, *_: min(str(entry.run.path) for entry in group))


@noticed_by("folders_and_names")
def first_table_by_folders(patch: Patch) -> None:
    original = guard.blocks
    everywhere(patch, original, lambda entries: _by_folders(original(entries)))


def _by_folders(found: list[guard.Block]) -> list[guard.Block]:
    ordered = sorted(found, key=lambda block: (-len(block.entries), str(block.entries[0].run.path)))
    return [replace(block, reason="other" if place else None) for place, block in enumerate(ordered)]


@noticed_by("baseline")
def baseline_by_text(patch: Patch) -> None:
    patch(baseline, "_distance", lambda *_: 1.0)


@noticed_by("more_groups", "collapse")
def baseline_may_collapse(patch: Patch) -> None:
    original = baseline.nearest

    def nearest(several: Sequence[groups.Group], defaults: Any) -> Any:
        return original([replace(group, entries=answering(group)) for group in several], defaults)

    patch(compare, "nearest", lambda several, defaults: _same(several, nearest(several, defaults)))


def _same(several: Sequence[groups.Group], found: tuple[groups.Group, str]) -> tuple[groups.Group, str]:
    return next(group for group in several if group.name == found[0].name), found[1]


@noticed_by("formats")
def numbers_by_sorting(patch: Patch) -> None:
    original = document.group_rows

    def group_rows(table: Any, metric: str) -> Any:
        return [{**row, "number": place} for place, row in enumerate(original(table, metric), start=1)]

    everywhere(patch, original, group_rows)


@noticed_by("folders_and_names")
def given_order_kept(patch: Patch) -> None:
    original = compare.collected

    def collected(paths: Any) -> Any:
        places = [str(path) for path in paths]
        runs, skipped = original(places)
        return sorted(runs, key=lambda run: places.index(str(run.path)) if str(run.path) in places else 0), skipped

    patch(compare, "collected", collected)
    patch(group_forming, "_content", lambda *_: "")
    patch(compare, "ranked", lambda several, _: list(several))


@noticed_by("folders_and_names")
def ranked_by_folders(patch: Patch) -> None:
    def ranked(several: Sequence[groups.Group], _: str) -> list[groups.Group]:
        return sorted(several, key=lambda group: str(group.entries[0].run.path))

    patch(compare, "ranked", ranked)


@noticed_by("folders_and_names")
def runs_named_by_paths(patch: Patch) -> None:
    patch(compare, "_names", lambda entries, _: {entry.run.path: str(entry.run.path) for entry in entries})


@noticed_by("nothing_to_learn", "folders_and_names")
def neutral_keys_count(patch: Patch) -> None:
    original = run_groups._settings_key
    patch(run_groups, "_settings_key", lambda run, _: original(run, frozenset()))


@noticed_by("splits", "seeds")
def last_run_lost(patch: Patch) -> None:
    original = group_forming.gathered
    patch(group_forming, "gathered", lambda *words: [group[:-1] or group for group in original(*words)])


@noticed_by("splits")
def first_setting_stands_for_all(patch: Patch) -> None:
    patch(observations.Design, "observations", lambda self, values: values[[places[0] for places in self.rows]])


@noticed_by("baseline")
def baseline_by_first_key(patch: Patch) -> None:
    original = baseline._differing
    patch(baseline, "_differing", lambda group, defaults: original(group, defaults)[:1])


@noticed_by("seeds")
def one_run_a_group(patch: Patch) -> None:
    def distinct(runs: Any, neutral: Any) -> Any:
        firsts = [group[0] for group in run_groups.gather(runs, neutral)]
        return firsts, []

    patch(selection, "distinct", distinct)
