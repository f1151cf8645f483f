"""Collapse, and what outputs tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qaexp.comparison import collapse, compare, contrasts, group_tests, groups, ranks, reasons, score_tests
from qaexp.comparison.shown import document, figure_data, paper, report, tables
from qaexp.runs.number import Number
from tests.fixtures.patching import Patch, everywhere
from tests.relations.broken.registry import noticed_by


@noticed_by("collapse")
def collapsed_judged(patch: Patch) -> None:
    everywhere(patch, reasons.silence, lambda *_: None)


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
    original = contrasts.judge
    patch(contrasts, "judge", lambda tested, case: original(tested, replace(case, metric="score")))


@noticed_by("untested_metrics")
def other_set_is_dev_set(patch: Patch) -> None:
    everywhere(patch, score_tests.measured_of, lambda entry, metric, reader: reader.measured(entry.run, "f1"))


@noticed_by("untested_metrics")
def golds_of_test_set_ignored(patch: Patch) -> None:
    patch(score_tests, "measured_of", lambda entry, metric, reader: reader.measured(entry.run, metric))


@noticed_by("splits")
def mean_of_unlike_runs(patch: Patch) -> None:
    original = group_tests.untested

    def shifted(a: group_tests.Side, b: group_tests.Side) -> Any:
        found = original(a, b)
        return replace(found, difference=found.difference + 1.0)

    everywhere(patch, original, shifted)


@noticed_by("formats")
def missing_sorts_as_minus_one(patch: Patch) -> None:
    original = report.page
    everywhere(patch, original, lambda *words: original(*words).replace('data-sort=""', 'data-sort="-1"'))


@noticed_by("untested_metrics")
def single_group_ranked(patch: Patch) -> None:
    original = compare.ranks

    def of(several: Any, *words: Any) -> Any:
        return {several[0].name: ranks.Rank(1, 1)} if len(several) == 1 else original(several, *words)

    patch(compare, "ranks", of)


@noticed_by("formats")
def contrasts_numbered_by_rows(patch: Patch) -> None:
    original = document._contrast

    def row(one: Any, table: Any) -> Any:
        names = [group.name for group in table.groups]
        return {**original(one, table), "a_number": names.index(one.a) + 1, "b_number": names.index(one.b) + 1}

    patch(document, "_contrast", row)
