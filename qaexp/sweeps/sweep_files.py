"""What a sweep leaves in its directory: the plan to go on from, and sweep.json and sweep.csv of its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig, neutral_keys
from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.directory import HYDRA_FILES, REPORT, SCHEMA_VERSION, SUMMARY_KEYS, SWEEP, SWEEP_PLAN, SWEEP_TABLE
from qaexp.runs.identity import code_hash
from qaexp.runs.metrics import GROUPS, TEST, side_by_side
from qaexp.runs.owners import utc_now
from qaexp.runs.readers.collect import RunFiles, find, is_run
from qaexp.runs.readers.folder import (
    COMPLETED,
    DAMAGED,
    KILLED,
    NEWER,
    NOT_A_RUN,
    RUNNING,
    UNFINISHED_END,
    Folder,
    look,
)
from qaexp.runs.readers.repeats import Group, group_runs
from qaexp.runs.writing.looks import LOOKS, with_look
from qaexp.storage.files import write_changed
from qaexp.storage.formats import csv_text, json_table_text, json_text
from qaexp.storage.origins import Origins
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.storage.redact import Redactor
from qaexp.sweeps.health import flag_names
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.plan import Plan
from qaexp.sweeps.swept import SWEPT, Earlier, as_run, differing_keys, job_words, read_earlier, value_of, words_of

THREADS = "threads"
"""The key of a plan's settings: CPU threads of a job whose config says nothing of them."""

_UNTOLD = (NOT_A_RUN, RUNNING, KILLED)
"""States in which a folder does not say how its job ended."""

ToConfig = Callable[[Mapping[str, Any]], tuple[ExperimentConfig, Origins]]
"""Makes of a stored tree a checked config, and what of it came from the environment."""


def write_plan(sweep: Path, plan: Plan, command_line: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Commit plan.json: all that `qaexp resume` needs to go on with the sweep, as data and without secrets."""
    redactors = [planned.job.redactor for planned in plan.jobs]
    redactor = Redactor(os.environ, command_line)
    content = {
        "schema_version": SCHEMA_VERSION,
        "command_line": list(map(redactors[0].word if redactors else redactor.word, command_line)),
        "working_directory": str(Path.cwd()),
        "code_hash": code_hash(),
        "settings": redactor.tree(settings),
    }
    jobs = [
        {
            "run_id": planned.job.run_id,
            "sha256": planned.job.sha256,
            "path": planned.job.folder.name,
            "overrides": list(map(redactor.word, planned.job.overrides)),
            "changes": list(planned.job.changes),
            "config": planned.job.shown_config,
            "hydra": redactor.tree(planned.job.hydra_files),
        }
        for planned, redactor in zip(plan.jobs, redactors, strict=True)
    ]
    text = json_table_text(content, "jobs", jobs)
    write_changed(sweep / SWEEP_PLAN, text.encode("utf-8", "backslashreplace"))


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """What plan.json says.

    Attributes:
        jobs: The jobs, not identified.
        launcher: The name and the keywords of its launcher; None for one that is not qaexp's.
        on_failure: `sweep.on_failure`.
        max_checkpoint_mib: `sweep.max_checkpoint_mib`.
        working_directory: Where the sweep was started.
        command_line: The words that started it.
        threads: CPU threads of a job whose config says nothing of them; None: what its machine gives.
        run_ids: What each job's run id was when it was planned.
        code_hash: The hash of the code that planned it; None in the plan of an older qaexp.
    """

    jobs: Sequence[Job]
    launcher: dict[str, Any] | None
    on_failure: str
    max_checkpoint_mib: float | None
    working_directory: Path
    command_line: Sequence[str] = ()
    threads: int | None = None
    run_ids: Sequence[str] = ()
    code_hash: str | None = None


def read_plan(sweep: Path, to_config: ToConfig) -> StoredPlan:
    """Read plan.json.

    Args:
        sweep: The sweep's directory.
        to_config: Makes of a stored tree a checked config, and what of it came from the environment.

    Raises:
        ConfigError: A newer qaexp made it, or a config is refused.
        IntegrityError: It cannot be read.
    """
    stored = read_json(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
    try:
        if stored.get("schema_version", 0) > SCHEMA_VERSION:
            raise ConfigError(f"{sweep / SWEEP_PLAN}: made by a newer qaexp; upgrade qaexp")
        command_line = tuple(stored["command_line"])
        jobs = [_stored_job(job, command_line, to_config) for job in stored["jobs"]]
        settings, folder = stored["settings"], Path(stored["working_directory"])
        budget = settings.get("max_checkpoint_mib")
        on_failure = settings.get("on_failure", "continue")
        return StoredPlan(
            jobs,
            _mapping(settings.get("launcher"), "settings.launcher"),
            on_failure,
            budget,
            folder,
            command_line,
            threads=planned_threads(settings),
            run_ids=[str(job["run_id"]) for job in stored["jobs"]],
            code_hash=stored.get("code_hash"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{sweep / SWEEP_PLAN}: is no plan of a sweep ({error}); give the command again"
        ) from error


def _mapping(stored: Any, name: str) -> dict[str, Any] | None:
    if stored is None or isinstance(stored, dict):
        return stored
    raise TypeError(f"{name} is {stored!r}")


def planned_threads(settings: Mapping[str, Any]) -> int | None:
    """CPU threads of a job whose config says nothing of them, by a plan's settings; None: what its machine gives.

    Raises:
        TypeError: It is no number of threads.
    """
    stored = settings.get(THREADS)
    if stored is None or (isinstance(stored, int) and not isinstance(stored, bool) and stored >= 1):
        return stored
    raise TypeError(f"{THREADS} is {stored!r}")


def _stored_job(job: Mapping[str, Any], command_line: tuple[str, ...], to_config: ToConfig) -> Job:
    words, changes = tuple(job["overrides"]), tuple(job["changes"])
    config, origins = to_config(job["config"])
    return Job(words, changes, config, command_line, _hydra_files(job.get("hydra")), origins)


def _hydra_files(stored: Any) -> dict[str, Any]:
    """The trees of the files of `.hydra/`; nothing under another name, which may lead elsewhere, becomes a file."""
    if not isinstance(stored, Mapping):
        return {}
    return {name: stored[name] for name in HYDRA_FILES if isinstance(stored.get(name), dict | list)}


def write_results(
    sweep: Path,
    jobs: Sequence[Job],
    outcomes: Mapping[str, Outcome],
    *,
    planned: Sequence[str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], list[Group]]:
    """Commit sweep.json and sweep.csv from the run directories; files that say the same already are not touched.

    Args:
        sweep: The sweep's directory.
        jobs: The jobs of the plan.
        outcomes: How those that were started ended, by identity.
        planned: The run ids that belong to the plan, in their order, where they are more than those of `jobs`.
        more: Further keys of sweep.json.

    Returns:
        A row for each run in the directory and each job without one, and the groups over seeds.
    """
    folders = {f.path.relative_to(sweep).as_posix(): f for f in find(sweep).folders if is_run(f)}
    before, own = read_earlier(sweep), {job.folder.name: job for job in jobs}
    rows = [
        _row(name, folders.get(name) or look(job.folder), job, outcomes.get(job.sha256)) for name, job in own.items()
    ]
    rows += [_row(name, folder, None, None) for name, folder in sorted(folders.items()) if name not in own]
    if planned is not None:
        rows = _ordered(rows, planned, before)
    swept = list(dict.fromkeys([*before.swept, *(key for job in jobs for key in words_of(job.changes))]))
    runs = {name: as_files(folder) for name, folder in folders.items()}
    begun = {**{name: as_run(job) for name, job in own.items() if name not in runs}, **runs}
    _tell_values(rows, swept, begun, own, before)
    completed = [run for name, run in runs.items() if folders[name].state == COMPLETED]
    groups = group_runs(completed, side_by_side(GROUPS), neutral_keys())
    looks = with_look(before.looks, utc_now().isoformat(timespec="seconds"), {run.run_id for run in completed})
    content = {
        "schema_version": SCHEMA_VERSION,
        "name": sweep.name,
        SWEPT: swept,
        "jobs": rows,
        "groups": [asdict(group) for group in groups],
        LOOKS: [asdict(seen) for seen in looks],
        **(more or {}),
    }
    write_changed(sweep / SWEEP, json_text(content).encode("utf-8", "backslashreplace"))
    write_changed(sweep / SWEEP_TABLE, csv_text(_table(rows)).encode("utf-8", "backslashreplace"))
    return rows, groups


def results_stand(sweep: Path, jobs: Sequence[Job]) -> bool:
    """Whether nothing need be written again: all files are there, and sweep.json tells how the jobs ended."""
    names = [SWEEP_TABLE, *([REPORT] if any(job.config.reporter.html for job in jobs) else [])]
    if not all((sweep / name).is_file() for name in names):
        return False
    told = {path: row.get("state") for path, row in read_earlier(sweep).rows.items()}
    return all(told.get(job.folder.name) == look(job.folder).state for job in jobs)


def as_files(folder: Folder) -> RunFiles:
    """What of a run's files can be read, whatever state it is in."""
    return RunFiles(folder.path, folder.config or {}, folder.record or {}, folder.summary)


def _ordered(rows: Sequence[dict[str, Any]], planned: Sequence[str], before: Earlier) -> list[dict[str, Any]]:
    """The rows of a plan of which this command had a part, those of the plan first."""
    places = {run_id: place for place, run_id in enumerate(planned)}
    found = {row["run_id"]: row for row in rows if row["is_planned"]}
    for row in rows:
        if row["run_id"] in places and row["path"].endswith(f"-{row['run_id']}") and "/" not in row["path"]:
            found.setdefault(row["run_id"], row)["is_planned"] = True
    # A job that was ended before it left anything is known from the command that planned it alone.
    lost = [row for row in before.without_runs() if row["run_id"] in places and row["run_id"] not in found]
    return sorted(
        [*rows, *lost], key=lambda row: places.get(row["run_id"], len(places)) if row["is_planned"] else len(places)
    )


def _tell_values(
    rows: Sequence[dict[str, Any]],
    swept: Sequence[str],
    runs: Mapping[str, RunFiles],
    jobs: Mapping[str, Job],
    before: Earlier,
) -> None:
    """Give every row the value that its run has of each key that was ever swept, or in which the runs differ."""
    keys = list(dict.fromkeys([*swept, *differing_keys(list(runs.values()), neutral_keys())]))
    for row in rows:
        path = row["path"]
        earlier = before.words(path, row["run_id"])
        words = job_words(jobs[path]) if path in jobs else {}
        row["changes"] = {
            key: value_of(key, runs[path], words, earlier) if path in runs else earlier.get(key) for key in keys
        }


def _row(name: str, folder: Folder, job: Job | None, outcome: Outcome | None) -> dict[str, Any]:
    """One job as sweep.json tells it; what its directory says counts."""
    record = folder.record or {}
    error = record.get("error")
    state = folder.state
    if not error and outcome is not None and outcome.message and (not record or state in _UNTOLD):
        error = {"kind": outcome.kind, "message": outcome.message}
    if state in _UNTOLD:
        state = outcome.state if outcome else "planned" if state == NOT_A_RUN else state
    elif state in (DAMAGED, NEWER, UNFINISHED_END) and not error:
        error = {"kind": "integrity", "message": folder.sentence}
    return {
        "run_id": job.run_id if job else record.get("run_id"),
        "path": name,
        "is_planned": job is not None,
        "changes": {},
        "state": state,
        "flags": flag_names(as_files(folder)) if record else [],
        "error": None if state == "completed" else error,
        "summary": folder.summary,
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    of_test_file = dict.fromkeys(name for row in rows for name in row["summary"] or {} if name.startswith(TEST))
    return [
        {
            "run_id": row["run_id"],
            "path": row["path"],
            "state": row["state"],
            "flags": " ".join(row["flags"]) or None,
            **row["changes"],
            **{name: (row["summary"] or {}).get(name) for name in (*SUMMARY_KEYS, *of_test_file)},
        }
        for row in rows
    ]
