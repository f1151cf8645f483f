"""Collapse, outputs, and what is told of machines, effects, flips and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qaexp.comparison import (
    collapse,
    compare,
    contrasts,
    document,
    figure_data,
    flips,
    groups,
    machines,
    main_effects,
    paper,
    ranks,
    report,
    sides,
    slices,
    tables,
)
from qaexp.runs.metrics import Number
from tests.relations.broken.registry import Patch, answering, everywhere, noticed_by


@noticed_by("collapse")
def collapsed_judged(patch: Patch) -> None:
    patch(contrasts, "_collapse", lambda *_: None)


@noticed_by("collapse")
def collapsed_by_flag_alone(patch: Patch) -> None:
    patch(collapse, "_is_silent", lambda *_: False)


@noticed_by("collapse")
def one_silent_run_forgiven(patch: Patch) -> None:
    patch(groups.Group, "is_collapsed", property(lambda self: self.num_collapsed == self.n))


@noticed_by("collapse")
def collapsed_unsaid(patch: Patch) -> None:
    everywhere(patch, document.verdict, lambda table, group, metric: "")


@noticed_by("baseline", "more_groups")
def ranks_by_position(patch: Patch) -> None:
    def of(several: Any, *_: Any) -> Any:
        return {group.name: ranks.Rank(place, place) for place, group in enumerate(several, start=1)}

    patch(compare, "ranks", of)


@noticed_by("untested_metrics")
def untested_judged(patch: Patch) -> None:
    original = document.verdict

    def judged(table: Any, group: Any, metric: str) -> str:
        return original(table, group, table.tested_metric or metric)

    everywhere(patch, original, judged)


@noticed_by("formats", "untested_metrics")
def bold_is_highest(patch: Patch) -> None:
    patch(paper, "_bold", lambda table, metric: {max(table.groups, key=lambda g: g.metrics[metric].mean).name})


@noticed_by("formats")
def numbers_cut_not_rounded(patch: Patch) -> None:
    def shown(self: Number, value: float | None) -> str:
        scale = 10.0**self.decimals
        return "-" if value is None else f"{np.floor(value * scale) / scale:,.{self.decimals}f}"

    patch(Number, "shown", shown)


@noticed_by("formats")
def page_ranked_by_rows(patch: Patch) -> None:
    original = report._table

    def table(one: Any, comparison: Any) -> Any:
        found = original(one, comparison)
        return {**found, "rows": [{**row, "rank": place} for place, row in enumerate(found["rows"], start=1)]}

    patch(report, "_table", table)


@noticed_by("formats")
def terminal_without_intervals(patch: Patch) -> None:
    patch(tables, "interval", lambda found, row: row.shown(found.mean if found else None))


@noticed_by("formats")
def figures_uncorrected(patch: Patch) -> None:
    original = figure_data.figure_data

    def data(comparison: Any) -> Any:
        found = original(comparison)
        tested = {one.b: one.tests[one.metric].difference for one in comparison.tables[0].contrasts}
        for one in found["contrasts"]:
            one |= {"low": tested[one["name"]].low, "high": tested[one["name"]].high}
        return found

    everywhere(patch, original, data)


@noticed_by("untested_metrics")
def sentence_about_the_metric(patch: Patch) -> None:
    original = contrasts.Circumstances
    patch(contrasts, "Circumstances", lambda **words: original(**{**words, "metric": "score"}))


@noticed_by("untested_metrics")
def other_set_is_dev_set(patch: Patch) -> None:
    everywhere(patch, contrasts.measured_of, lambda entry, metric, reader: reader.measured(entry.run, "f1"))


@noticed_by("untested_metrics")
def golds_of_test_set_ignored(patch: Patch) -> None:
    patch(contrasts, "measured_of", lambda entry, metric, reader: reader.measured(entry.run, metric))


@noticed_by("splits")
def mean_of_unlike_runs(patch: Patch) -> None:
    original = sides.unknown
    everywhere(patch, original, lambda points: original(points + 1.0))


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
    patch(flips, "_most", lambda share: share >= 50)


@noticed_by("flips")
def flips_show_the_first_run(patch: Patch) -> None:
    original = flips._answer

    def answer(rows: Any, exact: Any, f1: Any) -> Any:
        return replace(original(rows, exact, f1), text=str(rows[0]["prediction_text"]))

    patch(flips, "_answer", answer)


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
