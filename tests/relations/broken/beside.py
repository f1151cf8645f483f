"""What stands beside the verdicts: machines, effects, flips, slices and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qaexp.comparison import (
    compare,
    flips,
    group_answers,
    machines,
    main_effects,
    slices,
)
from tests.fixtures.patching import Patch, everywhere
from tests.relations.broken.registry import answering, noticed_by


@noticed_by("machines")
def first_machine_alone(patch: Patch) -> None:
    original = machines.Machines.differences
    patch(machines.Machines, "differences", lambda self, several: original(self, [group[:1] for group in several]))


@noticed_by("machines")
def machines_no_cause(patch: Patch) -> None:
    patch(machines.Machines, "causes", lambda *_: [])


@noticed_by("machines")
def machines_always_unpaired(patch: Patch) -> None:
    original = machines.Machines._shares
    patch(machines.Machines, "_shares", lambda self, group, _: original(self, group, False))


@noticed_by("machines")
def threads_a_cause(patch: Patch) -> None:
    patch(machines, "CAUSES", (*machines.CAUSES, "threads"))


@noticed_by("main_effects")
def aliased_given_effects(patch: Patch) -> None:
    patch(main_effects, "_is_determined", lambda *_: True)


@noticed_by("main_effects")
def effects_from_first_value(patch: Patch) -> None:
    original = main_effects._coded
    patch(main_effects, "_coded", lambda values: np.maximum(original(values), 0.0))


@noticed_by("main_effects")
def collapsed_in_effects(patch: Patch) -> None:
    original = main_effects.main_effects

    def effects(several: Any, metric: str) -> Any:
        return original([replace(group, entries=answering(group)) for group in several], metric)

    everywhere(patch, original, effects)


@noticed_by("flips")
def half_is_a_majority(patch: Patch) -> None:
    everywhere(patch, group_answers.most, lambda share: share >= 50)


@noticed_by("flips")
def flips_show_the_first_run(patch: Patch) -> None:
    original = group_answers._answer

    def answer(texts: Any, exact: Any, f1: Any) -> Any:
        return replace(original(texts, exact, f1), text=texts[0])

    patch(group_answers, "_answer", answer)


@noticed_by("flips")
def flips_one_way(patch: Patch) -> None:
    original = flips.flip_kind
    patch(flips, "flip_kind", lambda *words: "fixed" if original(*words) == "broken" else original(*words))


@noticed_by("consistency")
def slices_uncorrected(patch: Patch) -> None:
    patch(slices, "holm", list)


@noticed_by("reproducible")
def looks_forgotten(patch: Patch) -> None:
    patch(compare.EarlierLooks, "of", lambda *_: [])


@noticed_by("machines")
def mixed_is_a_cause(patch: Patch) -> None:
    def causes(self: machines.Machines, a: Any, b: Any) -> list[str]:
        return [key for key in machines.CAUSES if len({self.of(entry).get(key) for entry in (*a, *b)}) > 1]

    patch(machines.Machines, "causes", causes)


@noticed_by("main_effects")
def effects_shared_by_columns(patch: Patch) -> None:
    original = main_effects._Fit.effect

    def effect(self: Any, *words: int) -> Any:
        found, low, high = original(self, *words)
        return found / len(self._beta), low, high

    patch(main_effects._Fit, "effect", effect)


@noticed_by("main_effects")
def keys_never_joined(patch: Patch) -> None:
    def separate(several: Any) -> Any:
        keys = main_effects._own_keys(several)
        return {key: {id(group): str(group.changes.get(key)) for group in several} for key in keys}

    patch(main_effects, "_separate_keys", separate)


@noticed_by("main_effects")
def effects_never_determined(patch: Patch) -> None:
    patch(main_effects, "_is_determined", lambda *_: False)
