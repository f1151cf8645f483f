"""The options of a comparison, and the check that the runs have the metric asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qaexp.comparison.entries import Entry
from qaexp.comparison.key_lookup import like
from qaexp.errors import ConfigError
from qaexp.runs.metrics import NUMBERS

DEFAULT_METRIC = "crossfit_f1"
ANYTIME, FIXED = "anytime", "fixed"


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may ask for.

    Attributes:
        metric: What groups are ranked by: a number of summary.json.
        baseline: A group to compare with; None: the one nearest to the default config.
        by: Group by the value of this key alone (a seed, or any other key); other settings are averaged.
        where: Conditions such as `optimizer.lr>=1e-4` on the config or the summary.
        sort: A metric to order the table by, instead of the ranking.
        allow_mixed: Show runs that were measured differently in one table; they are still not tested together.
        relevant: The smallest difference that matters; None: that of the metric.
        any_look: Whether verdicts hold however often one looks while seeds are added; else for one planned look.
        neutral: Dotted keys of the config that cannot change results.
        defaults: The default config, by dotted key.
    """

    metric: str = DEFAULT_METRIC
    baseline: str | None = None
    by: str | None = None
    where: Sequence[str] = ()
    sort: str | None = None
    allow_mixed: bool = False
    relevant: float | None = None
    any_look: bool = True
    neutral: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def intervals(self) -> str:
        """What intervals and verdicts are for: `anytime`, or `fixed` numbers of seeds."""
        return ANYTIME if self.any_look else FIXED


def with_metric(options: Options, entries: Sequence[Entry]) -> tuple[Options, list[str]]:
    """The options with a metric that runs have; if the default cannot apply, f1 replaces it, with a note."""
    notes: list[str] = []
    if not entries:
        return options, notes
    other = _other_without(DEFAULT_METRIC, entries)
    has_default = other is None and any(DEFAULT_METRIC in entry.metrics for entry in entries)
    if options.metric == DEFAULT_METRIC and not has_default and any("f1" in entry.metrics for entry in entries):
        why = _nowhere(DEFAULT_METRIC, entries) if other is None else f"{other.run.shown_name} has no {DEFAULT_METRIC}"
        notes.append(f"{why}: f1 is compared")
        options = replace(options, metric="f1")
    _check_metric("--metric", options.metric, entries)
    if options.sort is not None:
        _check_metric("--sort", options.sort, entries)
    return options, notes


def _other_without(metric: str, entries: Sequence[Entry]) -> Entry | None:
    """The first results of another program without a metric; None where all have it."""
    return next((entry for entry in entries if entry.run.program is not None and metric not in entry.metrics), None)


def _nowhere(metric: str, entries: Sequence[Entry]) -> str:
    """Why no run has a metric, in words that begin with it."""
    faulty = [entry for entry in entries if metric in entry.faults]
    if faulty:
        return f"{metric} counts in no run ({faulty[0].run.shown_name}: {faulty[0].faults[metric]})"
    needs = " (it needs two articles or paragraphs of dev questions)" if metric.startswith("crossfit_") else ""
    return f"{metric} is null in all runs{needs}"


def _check_metric(option: str, metric: str, entries: Sequence[Entry]) -> None:
    if any(metric in entry.metrics for entry in entries):
        return
    if metric in NUMBERS or any(metric in entry.faults for entry in entries):
        told = _nowhere(metric, entries).removeprefix(metric).lstrip()
        raise ConfigError(f"{option} {metric}: it {told}; give another number of summary.json, such as f1")
    known = dict.fromkeys(name for entry in entries for name in entry.metrics)
    raise ConfigError(
        f"{option} {metric}: no run has it{like(metric, [*known, *NUMBERS])}; give a number of summary.json, such as f1"
    )
