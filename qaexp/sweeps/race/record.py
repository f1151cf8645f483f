"""race.json: each decision of a race with its evidence; derived from the runs, so that nothing is lost with it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from qaexp.comparison.racing import ALPHA, level_of
from qaexp.runs.directory import SCHEMA_VERSION, SWEEP_RACE
from qaexp.runs.readers.race import read_race
from qaexp.storage.files import write_changed
from qaexp.storage.formats import json_text
from qaexp.sweeps.race.course import Course, Round

OPEN, DROPPED, SET_ASIDE = "open", "dropped", "set aside"
"""How a configuration stands."""


def write_race(sweep: Path, course: Course) -> None:
    """Commit what is known of a race, unless the record knows the same race further.

    Another worker, which comes to the same decisions, may be ahead. A record that says anything else, because it was
    damaged or edited, or of another metric or other configurations, gives way.

    Args:
        sweep: The directory of the race.
        course: The race.

    Raises:
        StorageError: The directory cannot be written.
    """
    content = {"schema_version": SCHEMA_VERSION, **document(course)}
    stored = read_race(sweep)
    number = len(course.rounds)
    if stored is not None and len(stored["rounds"]) > number and stored["rounds"][:number] == content["rounds"]:
        return
    write_changed(sweep / SWEEP_RACE, json_text(content).encode("utf-8", "backslashreplace"))


def document(course: Course) -> dict[str, Any]:
    """What race.json says of a race, as plain data."""
    rules = course.rules
    return {
        "metric": rules.metric,
        "better": rules.better,
        "relevant": rules.relevant,
        "alpha": ALPHA,
        "level": level_of(len(course.names)),
        "budget": {"runs": rules.budget_runs, "steps": rules.budget_steps, "seconds": rules.budget_seconds},
        "seeds": list(course.seeds),
        "configurations": [_configuration(course, name) for name in course.names],
        "rounds": [_round(number, one) for number, one in enumerate(course.rounds, 1)],
        "spent": asdict(course.spent),
        "end": course.end,
    }


def _configuration(course: Course, name: str) -> dict[str, Any]:
    state, at, reason = OPEN, None, None
    for number, one in enumerate(course.rounds, 1):
        if name in one.set_aside:
            state, at, reason = SET_ASIDE, number, one.set_aside[name]
        elif one.standing is not None and name in one.standing.dropped:
            state, at = DROPPED, number
    runs = course.runs_of(name)
    values = [float(one.measured.values.mean()) for one in runs if one.measured is not None]
    mean = sum(values) / len(values) if values else None
    return {"name": name, "state": state, "round": at, "reason": reason, "num_runs": len(runs), "mean": mean}


def _round(number: int, made: Round) -> dict[str, Any]:
    standing = made.standing
    evidence = {} if standing is None else standing.evidence
    return {
        "round": number,
        "num_seeds": made.num_seeds,
        "spent": asdict(made.spent),
        "set_aside": dict(made.set_aside),
        "leader": None if standing is None else standing.leader,
        "decisions": [
            {
                "name": name,
                "decision": DROPPED if standing is not None and name in standing.dropped else OPEN,
                **{key: _finite(value) for key, value in asdict(one).items()},
            }
            for name, one in evidence.items()
        ],
    }


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if np.isfinite(value) else None
