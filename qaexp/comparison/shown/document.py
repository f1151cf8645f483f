"""A comparison as one JSON document, and as the rows of tables: the same numbers for every reader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.entries import Entry
from qaexp.comparison.groups import Group
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.shown.findings import findings
from qaexp.comparison.shown.sets_document import sets_document
from qaexp.comparison.statistics.chances import MODEL, Chances
from qaexp.comparison.verdict import COLLAPSED, Tested
from qaexp.comparison.winner import Winner, winner_of
from qaexp.runs.directory import SCHEMA_VERSION
from qaexp.runs.metrics import ASIDE, BOARD, COSTS, CSV, RUN, number_of, shown_in, side_by_side
from qaexp.runs.number import LOWER, Number
from qaexp.runs.readers.group_names import is_job
from qaexp.runs.readers.typed import typed

# Numbers with their spread in the CSV, and what runs cost.
COLUMNS = side_by_side(CSV, BOARD, ASIDE)
_COSTS = side_by_side(COSTS)
Row = dict[str, Any]


def document(comparison: Comparison) -> Row:
    """Return everything as JSON can hold it: no NaN, no infinity (an unknown end of an interval is null)."""
    found = {
        "schema_version": SCHEMA_VERSION,
        "findings": [],
        "metric": comparison.options.metric,
        "by": comparison.options.by,
        "relevant": comparison.relevant,
        "intervals": comparison.options.intervals,
        "baseline": comparison.tables[0].baseline if comparison.tables else None,
        "baseline_reason": comparison.tables[0].baseline_reason if comparison.tables else None,
        "clusters": comparison.cluster_kind,
        "notes": [*comparison.notes, *([comparison.doubt] if comparison.doubt else [])],
        "runs": [_run(entry, comparison.names[entry.run.path]) for entry in comparison.entries],
        "groups": [_group(group, table) for table in comparison.tables for group in table.groups],
        "contrasts": [_contrast(contrast, table) for table in comparison.tables for contrast in table.contrasts],
        "winner": _winner(winner_of(comparison)),
        "sets": sets_document(comparison),
        "refused": [{"paths": [str(path) for path in paths], "reason": reason} for paths, reason in comparison.refused],
        "skipped": [{"path": str(path), "reason": reason} for path, reason in comparison.skipped],
    }
    told: Row = comparison.source.tree({**found, "findings": findings(found)})
    return told


def group_rows(table: Table, metric: str) -> list[Row]:
    """One row a group with plain numbers: the content of the CSV."""
    rows = []
    for group in table.groups:
        rank = table.places[group.name]
        row: Row = {
            "number": group.number,
            "rank": rank.best if rank else None,
            "rank_worst": rank.worst if rank else None,
            "group": group.name,
            "n": group.n,
        }
        for name in dict.fromkeys((metric, *COLUMNS, *_COSTS)):
            found = group.metrics.get(name)
            row[name] = found.mean if found else None
            if name == metric or name in COLUMNS:
                row |= {
                    f"{name}_sd": found.sd if found else None,
                    f"{name}_low": found.low if found else None,
                    f"{name}_high": found.high if found else None,
                }
        row["interval_over"] = group.metrics[metric].over if metric in group.metrics else None
        row["design"] = group.design.words
        row["flags"] = flags(group)
        row["verdict"] = verdict(table, group, metric)
        row["run_ids"] = " ".join(entry.run.run_id for entry in group.entries)
        rows.append(row)
    return rows


def beside(groups: Sequence[Group], metric: str) -> list[str]:
    """The other scores of a leaderboard; scores that older versions did not write only if a group has them."""
    usual = shown_in(RUN)
    names = (name for name in side_by_side(BOARD) if name != metric)
    return [name for name in names if name in usual or any(name in group.metrics for group in groups)]


def verdict(table: Table, group: Group, metric: str) -> str:
    """The verdict on a group in a metric, against the baseline; empty if another score was tested."""
    if group.name == table.baseline:
        return f"baseline, {COLLAPSED}" if group.is_collapsed else "baseline"
    if group.is_collapsed:
        return COLLAPSED
    found = (one for one in table.contrasts if (one.a, one.b) == (table.baseline, group.name))
    return next((one.verdict for one in found if one.metric == metric), "")


def flags(group: Group) -> str:
    """The health flags of a group, with how many runs raised them."""
    return ", ".join(f"{name} ({count} of {group.n})" for name, count in group.flags.items())


def _run(entry: Entry, name: str) -> Row:
    was_typed = typed(entry.run.path)
    return {
        "run_id": entry.run.run_id,
        "path": str(entry.run.path),
        "name": name,
        "state": "completed",
        "started": str(entry.run.run.get("started") or ""),
        "is_collapsed": entry.is_collapsed,
        "flags": list(entry.flags),
        "notes": list(entry.notes),
        "is_job": is_job(entry.run),
        "choices": dict(was_typed.choices),
        "overrides": list(was_typed.overrides),
        "config_flags": None if was_typed.flags is None else list(was_typed.flags),
        "config": _plain(entry.run.config),
        "summary": _plain(entry.run.summary),
    }


def _group(group: Group, table: Table) -> Row:
    rank = table.places[group.name]
    return {
        "number": group.number,
        "name": group.name,
        "run_ids": [entry.run.run_id for entry in group.entries],
        "n": group.n,
        "design": group.design.words,
        "rank": rank.best if rank else None,
        "rank_worst": rank.worst if rank else None,
        "changes": _plain(dict(group.changes)),
        "flags": dict(group.flags),
        "is_collapsed": group.is_collapsed,
        "num_collapsed": group.num_collapsed,
        "silence": group.silence,
        "share_no_ans": group.entries[0].share_no_ans,
        "program": group.program,
        "measured_apart": table.reason,
        "metrics": {
            name: {
                "mean": found.mean,
                "sd": found.sd,
                "low": found.low,
                "high": found.high,
                "n": found.n,
                "interval_over": found.over,
                "no_interval": found.problem,
            }
            for name, found in group.metrics.items()
        },
    }


def _contrast(contrast: Contrast, table: Table) -> Row:
    return {
        "a": contrast.a,
        "b": contrast.b,
        "a_number": table.group(contrast.a).number,
        "b_number": table.group(contrast.b).number,
        "difference_is": "b - a",
        "single_factor": contrast.single_factor,
        "changed": list(contrast.changed),
        "factors": list(contrast.factors),
        "machines": list(contrast.machines),
        "kind": contrast.kind,
        "observations": contrast.how,
        **{name: tested_row(found, name) for name, found in contrast.tests.items()},
        "metric": contrast.metric,
        "p_verdict": contrast.tests[contrast.metric].p_verdict,
        "num_contrasts": contrast.num_contrasts,
        "earlier_looks": [list(look) for look in contrast.looks],
        "verdict": contrast.verdict,
        "sentence": contrast.sentence,
    }


def _winner(found: Winner | None) -> Row | None:
    """The best of three or more, with what to expect of it; None where there is none."""
    if found is None:
        return None
    confirmed = found.confirmed
    return {
        "number": found.group.number,
        "name": found.group.name,
        "mean": found.mean,
        "corrected": found.corrected,
        "corrected_over": found.over,
        "num_settings": found.num_settings,
        "confirmed": None
        if confirmed is None
        else {
            "metric": confirmed.metric,
            "against": confirmed.a,
            "verdict": confirmed.verdict,
            "sentence": confirmed.sentence,
            **tested_row(confirmed.tests[confirmed.metric], confirmed.metric),
        },
    }


def tested_row(found: Tested, name: str) -> Row:
    """A tested difference as JSON can hold it."""
    row: Row = {
        "difference": found.difference.difference,
        "low": found.low,
        "high": found.high,
        "level": found.level,
        "p": found.p,
        "p_holm": found.p_holm,
        "minimum_detectable": _finite(found.minimum_detectable),
        "minimum_detectable_with_more_seeds": {str(number): points for number, points in found.more_seeds.items()},
        "more_seeds_needed": found.enough_seeds,
        "questions_needed": found.enough_questions,
        "both_would_tell": found.do_both_help,
        "p_equivalent": found.p_equivalent,
        "probability": None if found.chances is None else _probability(found.chances, number_of(name)),
    }
    if name.endswith("exact"):
        # `p` and `p_holm` are McNemar's between two runs; the interval and the verdict go by clusters of questions.
        row["mcnemar_b"], row["mcnemar_c"] = found.mcnemar or (None, None)
        row["p_clusters"] = None if found.p is None else found.difference.p
        row["p_clusters_holm"] = found.p_verdict
    return row


def _probability(found: Chances, number: Number) -> Row:
    """How probable it is that b is better, or worse, by more than what matters, and under which model."""
    better, worse = (found.below, found.above) if number.better == LOWER else (found.above, found.below)
    return {"better": better, "within": found.within, "worse": worse, "model": MODEL}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A tree read from any JSON file, without numbers that JSON does not allow."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
