"""The numbers behind the report's figures, as plain JSON: curves, intervals, effects, questions that flipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from qaexp.comparison.dimensions import Dimension, dimensions, effect_words
from qaexp.comparison.effect_tests import effects_sentence, judged
from qaexp.comparison.effects import learning_curve, quality_and_cost, seed_shares
from qaexp.comparison.flips import FLIP_WORDS, FLIPS, Flip, changes, filled
from qaexp.comparison.group_answers import stability
from qaexp.comparison.groups import Group
from qaexp.comparison.main_effects import Effect, main_effects
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.sets import each_over_sets
from qaexp.comparison.short_numbers import shorten_numbers
from qaexp.comparison.shown.captions import captions
from qaexp.comparison.shown.parallel import parallel
from qaexp.comparison.slices import slice_differences, sliced
from qaexp.comparison.verdict import COLLAPSED
from qaexp.errors import IntegrityError
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.readers.repeats import SEED_KEYS

# Groups whose curves are drawn: the best ones, and the baseline.
MAX_CURVES = 12

MAX_LOSSES = 120
MAX_EPOCHS = 1000
MAX_FLIPS = 1_000
Numbers = dict[str, Any]


def figure_data(comparison: Comparison) -> Numbers:
    """Return the numbers of all figures of the first table; an empty part is not drawn."""
    if not comparison.tables:
        return {}
    table, metric = comparison.tables[0], comparison.options.metric
    drawn = _drawn(table)
    pair = comparison.main_pair
    row, apart = number_of(metric), dimensions(table.groups)
    score = sliced(metric, *pair) if pair else "f1"
    effects, effects_told, aliased = _effects(comparison, apart)
    return {
        "captions": {id: asdict(caption) for id, caption in captions(comparison).items()},
        "groups": _groups(table, pair or ()),
        "metric": metric,
        "decimals": row.decimals,
        "limits": [row.low, row.high],
        "baseline": table.baseline,
        "intervals": [_interval(group, metric) for group in table.groups if metric in group.metrics],
        "contrasts": [
            {
                "name": contrast.b,
                "y": found.difference.difference,
                "low": found.low,
                "high": found.high,
                "verdict": contrast.verdict,
                "score": contrast.metric,
            }
            for contrast in table.contrasts
            if contrast.a == table.baseline
            and contrast.verdict != COLLAPSED
            and (found := contrast.tests[contrast.metric])
        ],
        "curves": [{"group": group.name, "runs": _histories(group, comparison)} for group in drawn],
        "losses": [{"group": group.name, "runs": _losses(group, comparison)} for group in drawn],
        "effects": effects,
        "effects_told": effects_told,
        "aliased": aliased,
        "seed_shares": seed_shares(table.groups, metric),
        "profile": _profiles(comparison),
        "parallel": parallel(table, metric, comparison.names, apart),
        "learning": [asdict(point) for point in learning_curve(table.groups, metric)],
        "cost": _cost(comparison),
        "sliced": score,
        "slices": _slices(comparison, score),
        "differences": {name: _differences_of(name) for name in (comparison.about, metric, score)},
        "stability": [
            {"group": group.name, **counts} for group in drawn if (counts := stability(group, comparison.reader))
        ],
        "flips": _flips(*pair, comparison) if pair else None,
    }


def _slices(comparison: Comparison, score: str) -> list[Numbers]:
    """Where the two groups of the main pair differ."""
    pair = comparison.main_pair
    if pair is None:
        return []
    found = slice_differences(*pair, comparison.reader, score, any_look=comparison.options.any_look)
    return [asdict(one) for one in found]


def _differences_of(name: str) -> Numbers:
    """How differences in a score are drawn: their digits, and how large they can be; None: no bound."""
    row = number_of(name)
    return {"decimals": row.decimals, "width": row.width if math.isfinite(row.width) else None}


def _cost(comparison: Comparison) -> list[Numbers]:
    """Quality against cost; of seeds nothing, as they are better or cheaper by chance only."""
    if comparison.options.by in SEED_KEYS:
        return []
    return [asdict(point) for point in quality_and_cost(comparison.tables[0].groups, comparison.options.metric)]


def _profiles(comparison: Comparison) -> list[Numbers]:
    """The performance profiles of the first table's best groups and its baseline."""
    drawn = {group.name for group in _drawn(comparison.tables[0])}
    found = (sets for table, sets in each_over_sets(comparison) if table is comparison.tables[0])
    return [
        {"group": one.group.name, "points": [list(point) for point in one.profile]}
        for sets in found
        for one in sorted(sets.groups, key=lambda one: one.group.number)
        if one.profile and one.group.name in drawn
    ]


def _groups(table: Table, pair: Sequence[Group]) -> list[Numbers]:
    """The letter and the shown name of each group, and of the main pair, which may be in another table."""
    groups = [*table.by_number, *(group for group in pair if group not in table.groups)]
    labels = shorten_numbers([group.name for group in groups])
    return [
        {"letter": group.letter, "name": group.name, "label": label}
        for group, label in zip(groups, labels, strict=True)
    ]


def _drawn(table: Table) -> list[Group]:
    by_rank = table.by_number
    kept = {group.name for group in by_rank[:MAX_CURVES]} | {table.baseline}
    return [group for group in by_rank if group.name in kept]


def _interval(group: Group, metric: str) -> Numbers:
    found = group.metrics[metric]
    values = [entry.metrics[metric] for entry in group.entries if metric in entry.metrics]
    return {
        "name": group.name,
        "n": group.n,
        "y": found.mean,
        "low": found.low,
        "high": found.high,
        "over": found.over,
        "values": values,
        "is_collapsed": group.is_collapsed,
    }


def _histories(group: Group, comparison: Comparison) -> list[Numbers]:
    """Of each run the scores by epoch; a run without a readable history.csv has none."""
    found = []
    for entry in group.entries:
        try:
            rows = entry.run.history()
        except IntegrityError:
            rows = []
        kept = [row for row in rows if is_number(row.get("epoch")) and is_number(row.get("f1"))]
        # Of very many evaluations, some at equal distances, including the last.
        step = max(1, math.ceil(len(kept) / MAX_EPOCHS))
        kept = kept[::-1][::step][::-1]
        found.append(
            {
                "name": comparison.names[entry.run.path],
                "x": [row["epoch"] for row in kept],
                "f1": [row["f1"] for row in kept],
                "exact": [row.get("exact") if is_number(row.get("exact")) else None for row in kept],
            }
        )
    return found


def _losses(group: Group, comparison: Comparison) -> list[Numbers]:
    """Of each run the training loss by step, means of neighbours where there are many."""
    found = []
    for entry in group.entries:
        try:
            rows = entry.run.steps().rows
        except IntegrityError:
            rows = []
        kept = [(row["step"], row["loss"]) for row in rows if is_number(row.get("step")) and is_number(row.get("loss"))]
        size = max(1, math.ceil(len(kept) / MAX_LOSSES))
        parts = [kept[begin : begin + size] for begin in range(0, len(kept), size)]
        found.append(
            {
                "name": comparison.names[entry.run.path],
                "x": [part[-1][0] for part in parts],
                "y": [round(sum(loss for _, loss in part) / len(part), 4) for part in parts],
            }
        )
    return found


def _effects(comparison: Comparison, apart: Sequence[Dimension]) -> tuple[list[Numbers], str, list[str]]:
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


def _flips(a: Group, b: Group, comparison: Comparison) -> Numbers | None:
    try:
        found = changes(a, b, comparison.reader)
        shown = filled(found[:MAX_FLIPS], a, b)
        contexts = {**b.entries[0].run.contexts(), **a.entries[0].run.contexts()}
    except IntegrityError:
        return None
    paragraphs = list(dict.fromkeys(flip.paragraph for flip in shown))
    return {
        "a": a.name,
        "b": b.name,
        "a_n": a.n,
        "b_n": b.n,
        "num_questions": len(comparison.reader.read(a.entries[0].run).questions),
        "num_found": len(found),
        "kinds": [FLIP_WORDS[kind] for kind in FLIPS],
        "counts": [sum(one.kind == kind for one in found) for kind in FLIPS],
        "contexts": [str(contexts.get(paragraph, "")) for paragraph in paragraphs],
        "rows": [_flip_row(flip, paragraphs.index(flip.paragraph)) for flip in shown],
    }


def _flip_row(flip: Flip, context: int) -> Numbers:
    return {
        "id": flip.id,
        "kind": FLIPS.index(flip.kind),
        "question": flip.question,
        "title": flip.title,
        "context": context,
        "golds": list(flip.golds),
        "a": flip.a,
        "b": flip.b,
        "scores": [round(score, 4) for score in (flip.a_exact, flip.b_exact, flip.a_f1, flip.b_f1)],
        "spans": [[_span(span) for span in spans] for spans in (flip.a_spans, flip.b_spans)],
    }


def _span(span: Mapping[str, Any]) -> list[Any]:
    score = span.get("score")
    return [span["text"], round(score, 2) if is_number(score) else None]
