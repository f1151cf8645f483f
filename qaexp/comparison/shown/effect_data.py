"""What each key does to the metric, as rows and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qaexp.comparison.dimensions import Dimension, effect_words
from qaexp.comparison.effect_tests import effects_sentence, judged
from qaexp.comparison.main_effects import Effect, main_effects
from qaexp.comparison.result import Comparison, Table
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.repeats import SEED_KEYS

Numbers = dict[str, Any]


def effect_data(comparison: Comparison, apart: Sequence[Dimension]) -> tuple[list[Numbers], str, list[str]]:
    """The main effects with what is shown of them, the sentence about them, and the keys that the runs cannot separate.

    None where groups are seeds, or several keys change with each group together: they would be the groups once more.
    """
    table, metric = comparison.tables[0], comparison.options.metric
    effects = main_effects(table.groups, metric)
    keys = {effect.key for effect in effects.rows}
    repeats = len(keys) == 1 and " + " in keys.pop() and len(effects.rows) == len(table.groups)
    if repeats or comparison.options.by in SEED_KEYS:
        return [], "", list(effects.aliased)
    found = judged(effects, table.groups, metric, comparison.reader, any_look=comparison.options.any_look)
    words = [_words(effect, table, apart) for effect in effects.rows]
    shown = [number_of(metric).signed(effect.effect) for effect in effects.rows]
    names = [f"{one['key']} = {one['value']} ({effect})" for one, effect in zip(words, shown, strict=True)]
    rows = [
        {**asdict(effect), **asdict(one), **said} for effect, one, said in zip(effects.rows, found, words, strict=True)
    ]
    return rows, effects_sentence(effects, found, table.groups, metric, names), list(effects.aliased)


def _words(effect: Effect, table: Table, found: Sequence[Dimension]) -> Numbers:
    key, value = effect_words(effect.key, effect.value, table.groups, found)
    return {"key": key, "value": value}
