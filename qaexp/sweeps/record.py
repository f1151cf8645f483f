"""What a sweep leaves in its directory: the plan to go on from, and sweep.json and sweep.csv of its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.collect import collect, find, is_run
from qaexp.runs.directory import SCHEMA_VERSION, SUMMARY_KEYS, SWEEP, SWEEP_PLAN, SWEEP_TABLE
from qaexp.runs.files import write_text
from qaexp.runs.folder import DAMAGED, KILLED, NEWER, NOT_A_RUN, RUNNING, UNFINISHED_END, Folder, look
from qaexp.runs.formats import csv_text, json_text
from qaexp.runs.groups import Group, group_runs
from qaexp.runs.reading import read_json
from qaexp.runs.redact import Redactor
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.plan import Plan

METRICS = ("crossfit_f1", "crossfit_exact", "f1", "exact", "has_ans_f1", "no_ans_f1", "best_f1", "train_seconds")
"""What groups have a mean and a standard deviation of."""


def write_plan(sweep: Path, plan: Plan, command_line: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Commit plan.json: all that `qaexp resume` needs to go on with the sweep, as data and without secrets."""
    trees = [asdict(planned.job.config) for planned in plan.jobs]
    redactor = Redactor(os.environ, command_line, trees)
    content = {
        "schema_version": SCHEMA_VERSION,
        "command_line": list(command_line),
        "working_directory": str(Path.cwd()),
        "settings": dict(settings),
        "jobs": [
            {
                "run_id": planned.job.run_id,
                "path": planned.job.folder.name,
                "overrides": list(planned.job.overrides),
                "changes": list(planned.job.changes),
                "config": tree,
            }
            for planned, tree in zip(plan.jobs, trees, strict=True)
        ],
    }
    _write_changed(sweep / SWEEP_PLAN, json_text(redactor.tree(content)))


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """What plan.json says.

    Attributes:
        jobs: The jobs, not identified.
        launcher: The settings of the local launcher; None for any other.
        on_failure: `sweep.on_failure`.
        max_checkpoint_mib: `sweep.max_checkpoint_mib`.
        working_directory: Where the sweep was started.
    """

    jobs: Sequence[Job]
    launcher: dict[str, Any] | None
    on_failure: str
    max_checkpoint_mib: float | None
    working_directory: Path


def read_plan(sweep: Path, to_config: Callable[[Mapping[str, Any]], ExperimentConfig]) -> StoredPlan:
    """Read plan.json.

    Args:
        sweep: The sweep's directory.
        to_config: Makes a checked config of a stored tree.

    Raises:
        ConfigError: A newer qaexp made it, or a config is refused.
        IntegrityError: It cannot be read.
    """
    stored = read_json(sweep / SWEEP_PLAN)
    if stored.get("schema_version", 0) > SCHEMA_VERSION:
        raise ConfigError(f"{sweep / SWEEP_PLAN}: made by a newer qaexp; upgrade qaexp")
    try:
        command_line = tuple(stored["command_line"])
        jobs = [
            Job(tuple(job["overrides"]), tuple(job["changes"]), to_config(job["config"]), command_line)
            for job in stored["jobs"]
        ]
        settings, folder = stored["settings"], Path(stored["working_directory"])
        budget = settings.get("max_checkpoint_mib")
        return StoredPlan(jobs, settings.get("launcher"), settings.get("on_failure", "continue"), budget, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{sweep / SWEEP_PLAN}: is no plan of a sweep ({error}); give the command again"
        ) from error


def write_results(
    sweep: Path, jobs: Sequence[Job], outcomes: Mapping[str, Outcome], *, more: Mapping[str, Any] | None = None
) -> tuple[list[dict[str, Any]], list[Group]]:
    """Commit sweep.json and sweep.csv from the run directories; files that say the same already are not touched.

    Args:
        sweep: The sweep's directory.
        jobs: The jobs of the plan.
        outcomes: How those that were started ended, by identity.
        more: Further keys of sweep.json.

    Returns:
        A row for each run in the directory and each job without one, and the groups over seeds.
    """
    runs = {folder.path.name: folder for folder in find(sweep).folders if is_run(folder)}
    rows = [_row(runs.pop(job.folder.name, look(job.folder)), job, outcomes.get(job.sha256)) for job in jobs]
    rows += [_row(folder, None, None) for _, folder in sorted(runs.items())]
    groups = group_runs(collect(sweep).runs, METRICS, neutral_keys())
    content = {
        "schema_version": SCHEMA_VERSION,
        "name": sweep.name,
        "jobs": rows,
        "groups": [asdict(group) for group in groups],
        **(more or {}),
    }
    _write_changed(sweep / SWEEP, json_text(content))
    _write_changed(sweep / SWEEP_TABLE, csv_text(_table(rows)))
    return rows, groups


def _row(folder: Folder, job: Job | None, outcome: Outcome | None) -> dict[str, Any]:
    """One job as sweep.json tells it; what its directory says counts."""
    record = folder.record or {}
    error = record.get("error")
    if not record and outcome is not None and outcome.message:
        error = {"kind": outcome.kind, "message": outcome.message}
    state = folder.state
    if state in (NOT_A_RUN, RUNNING, KILLED):
        state = outcome.state if outcome else "planned" if state == NOT_A_RUN else state
    elif state in (DAMAGED, NEWER, UNFINISHED_END) and not error:
        error = {"kind": "integrity", "message": folder.sentence}
    return {
        "run_id": job.run_id if job else record.get("run_id"),
        "path": folder.path.name,
        "is_planned": job is not None,
        "changes": _changes(job.changes) if job else {},
        "state": state,
        "error": None if state == "completed" else error,
        "summary": folder.summary,
    }


def _changes(words: Sequence[str]) -> dict[str, str]:
    return {word.partition("=")[0].lstrip("+"): word.partition("=")[2] for word in words}


def _table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = list(dict.fromkeys(key for row in rows for key in row["changes"]))
    return [
        {
            "run_id": row["run_id"],
            "path": row["path"],
            "state": row["state"],
            **{key: row["changes"].get(key) for key in keys},
            **{name: (row["summary"] or {}).get(name) for name in SUMMARY_KEYS},
        }
        for row in rows
    ]


def _write_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        write_text(path, text)
