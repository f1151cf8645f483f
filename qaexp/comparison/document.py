"""A comparison as one JSON document, and as the rows of tables: the same numbers for every reader."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qaexp.comparison.compare import Comparison, Table
from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.groups import Group
from qaexp.comparison.verdict import Tested
from qaexp.runs.directory import SCHEMA_VERSION

COLUMNS = ("crossfit_f1", "f1", "exact", "has_ans_f1", "no_ans_f1", "best_f1", "null_threshold")
COSTS = ("best_epoch", "kept_epoch", "train_seconds", "tokens_per_second", "peak_memory_mib")
Row = dict[str, Any]


def document(comparison: Comparison) -> Row:
    """Return everything as JSON can hold it: no NaN, no infinity (an unknown end of an interval is null)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "metric": comparison.options.metric,
        "baseline": comparison.tables[0].baseline if comparison.tables else None,
        "clusters": comparison.cluster_kind,
        "runs": [
            {
                "run_id": entry.run.run_id,
                "path": str(entry.run.path),
                "name": comparison.names[entry.run.path],
                "state": "completed",
                "flags": list(entry.flags),
                "notes": list(entry.notes),
                "config": _plain(entry.run.config),
                "summary": _plain(entry.run.summary),
            }
            for entry in comparison.entries
        ],
        "groups": [_group(group, table) for table in comparison.tables for group in table.groups],
        "contrasts": [_contrast(contrast) for table in comparison.tables for contrast in table.contrasts],
        "refused": [{"paths": [str(path) for path in paths], "reason": reason} for paths, reason in comparison.refused],
        "skipped": [{"path": str(path), "reason": reason} for path, reason in comparison.skipped],
    }


def group_rows(table: Table, metric: str) -> list[Row]:
    """One row a group with plain numbers: what the CSV holds."""
    rows = []
    for group in table.groups:
        row: Row = {"rank": table.ranks[group.name], "group": group.name, "n": group.n}
        for name in dict.fromkeys((metric, *COLUMNS, *COSTS)):
            found = group.metrics.get(name)
            row[name] = found.mean if found else None
            if name == metric or name in COLUMNS:
                row |= {
                    f"{name}_sd": found.sd if found else None,
                    f"{name}_low": _finite(found.low) if found else None,
                    f"{name}_high": _finite(found.high) if found else None,
                }
        row["interval_over"] = group.metrics[metric].over if metric in group.metrics else None
        row["flags"] = flags(group)
        row["verdict"] = verdict(table, group)
        row["run_ids"] = " ".join(entry.run.run_id for entry in group.entries)
        rows.append(row)
    return rows


def verdict(table: Table, group: Group) -> str:
    """What a group is, compared with the baseline."""
    if group.name == table.baseline:
        return "baseline"
    return next((one.verdict for one in table.contrasts if (one.a, one.b) == (table.baseline, group.name)), "")


def flags(group: Group) -> str:
    """The health flags of a group, with how many runs raised them."""
    return ", ".join(f"{name} ({count} of {group.n})" for name, count in group.flags.items())


def _group(group: Group, table: Table) -> Row:
    return {
        "name": group.name,
        "run_ids": [entry.run.run_id for entry in group.entries],
        "n": group.n,
        "rank": table.ranks[group.name],
        "changes": _plain(dict(group.changes)),
        "flags": dict(group.flags),
        "is_collapsed": group.is_collapsed,
        "measured_apart": table.reason,
        "metrics": {
            name: {
                "mean": found.mean,
                "sd": found.sd,
                "low": _finite(found.low),
                "high": _finite(found.high),
                "n": found.n,
                "interval_over": found.over,
            }
            for name, found in group.metrics.items()
        },
    }


def _contrast(contrast: Contrast) -> Row:
    return {
        "a": contrast.a,
        "b": contrast.b,
        "difference_is": "b - a",
        "single_factor": contrast.single_factor,
        "changed": list(contrast.changed),
        "factors": list(contrast.factors),
        "kind": contrast.kind,
        **{name: _tested(found, name) for name, found in contrast.tests.items()},
        "metric": contrast.metric,
        "verdict": contrast.verdict,
        "sentence": contrast.sentence,
    }


def _tested(found: Tested, name: str) -> Row:
    row: Row = {
        "difference": found.difference.difference,
        "low": _finite(found.difference.low),
        "high": _finite(found.difference.high),
        "p": found.p,
        "p_holm": found.p_holm,
        "minimum_detectable": _finite(found.minimum_detectable),
        "minimum_detectable_with_more_seeds": {str(number): points for number, points in found.more_seeds.items()},
    }
    if name.endswith("exact"):
        row["mcnemar_b"], row["mcnemar_c"] = found.mcnemar or (None, None)
        row["p_clusters"] = found.difference.p
    return row


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A tree read from anybody's JSON without the numbers that JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
