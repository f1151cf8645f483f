"""The tracker MLflow: a run of an experiment in a local store, or where MLFLOW_TRACKING_URI leads."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qaexp.data.cache_folder import default_cache_dir, locked
from qaexp.experiment.tracking.about import About, key_of, text_of
from qaexp.experiment.tracking.numbers import units_text
from qaexp.experiment.tracking.packaged import ComparisonTable, PackagedTracker, Point, Seen, package
from qaexp.storage.files import write_bytes
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import csv_text

# What MLflow takes: parameters and numbers a call, characters of a parameter and of a tag.
_MOST_PARAMETERS, _MOST_NUMBERS, _LONGEST_VALUE, _LONGEST_KEY, _LONGEST_TAG = 100, 1_000, 6_000, 250, 5_000
_KEY, _STATE, _SWEEP, _PARENT = "qaexp.key", "qaexp.state", "qaexp.sweep", "mlflow.parentRunId"
_COMPLETED, _OPEN = "completed", "open"


class MLflow(PackagedTracker):
    """Writes into mlflow.db and mlartifacts/ of a folder: `mlflow ui` there shows them.

    The jobs of a sweep are nested below a run that has the sweep's name and its comparison, once the sweep has ended.
    """

    def __init__(self, *, folder: str = ".", experiment: str = "qaexp") -> None:
        """Take the folder of the local store and the name of the experiment."""
        self._folder, self._experiment = Path(folder).absolute(), experiment

    def comparison(self, table: ComparisonTable) -> None:
        """Write comparison.md and comparison.csv into the run of the sweep, and nest its jobs below."""
        self._connect()
        name = table.sweep.resolve().name
        parent = self._found(key_of("sweep", name))
        if parent is None:
            tags = {_KEY: key_of("sweep", name), _STATE: _COMPLETED, _SWEEP: name}
            parent = self._client.create_run(self._place, tags=tags, run_name=name)
        run_id = parent.info.run_id
        self._client.log_text(run_id, table.markdown, "comparison.md")
        self._client.log_text(run_id, csv_text(table.rows), "comparison.csv")
        self._client.set_terminated(run_id, "FINISHED")
        for key in table.run_keys:
            job = self._found(key)
            if job is not None and job.data.tags.get(_PARENT) != run_id:
                self._client.set_tag(job.info.run_id, _PARENT, run_id)

    def _connect(self) -> None:
        """Open the store, and the experiment in it."""
        # Read when the package is imported: without it, it tells its makers that it is used.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Its own seven tries of two minutes each keep silent about a server that is not there.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        package("sqlalchemy", "mlflow")
        mlflow = package("mlflow", "mlflow")
        # It tells the terminal of each table that it creates.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or self._local_store(mlflow.MlflowClient)
        self._entities, self._client = mlflow.entities, mlflow.MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            # Another job of the sweep may create it at the same moment.
            with suppress(package("mlflow.exceptions", "mlflow").MlflowException):
                self._client.create_experiment(self._experiment, artifact_location=self._artifacts())
            found = self._client.get_experiment_by_name(self._experiment)
        self._place = found.experiment_id

    def _local_store(self, client: Callable[[str], Any]) -> str:
        """The address of mlflow.db, which is made when it is missing.

        MLflow makes its tables one by one: of a process that is killed meanwhile it could not use what is left. So they
        are made elsewhere, and the file appears as a whole.
        """
        file = self._folder / "mlflow.db"
        make_directory(self._folder)
        with locked(default_cache_dir() / "trackers" / key_of(str(file))):
            if not file.exists():
                with TemporaryDirectory() as folder:
                    made = Path(folder) / file.name
                    client(f"sqlite:///{made}").search_experiments(max_results=1)
                    write_bytes(file, made.read_bytes())
        return f"sqlite:///{file}"

    def _artifacts(self) -> str | None:
        """Where files go; None: where a server of the user's own puts them."""
        own = os.environ.get("MLFLOW_TRACKING_URI")
        return None if own else (self._folder / "mlartifacts" / self._experiment).as_uri()

    def _found(self, key: str) -> Any:
        found = self._client.search_runs([self._place], f"tags.`{_KEY}` = '{key}'", max_results=1)
        return found[0] if found else None

    def _open(self, about: About, step: int) -> Seen:
        self._connect()
        found = self._found(about.key)
        if found is None:
            tags = {
                _KEY: about.key,
                _STATE: _OPEN,
                "qaexp.run_id": about.run_id,
                "qaexp.folder": str(about.directory),
                **({_SWEEP: about.sweep} if about.sweep else {}),
                **({"qaexp.tags": ", ".join(about.tags)[:_LONGEST_TAG]} if about.tags else {}),
                "mlflow.note.content": units_text()[:_LONGEST_TAG],
            }
            found = self._client.create_run(self._place, _milliseconds(about.started), tags=tags, run_name=about.title)
        self._run_id = found.info.run_id
        if found.data.tags.get(_STATE) == _COMPLETED:
            return Seen(is_complete=True)
        self._client.update_run(self._run_id, status="RUNNING")
        # A parameter is never changed: what the first attempt sent stays.
        new = {key[:_LONGEST_KEY]: value for key, value in about.parameters.items() if key not in found.data.params}
        params = [self._entities.Param(key, _shortened(text_of(value))) for key, value in new.items()]
        for some in _parts(params, _MOST_PARAMETERS):
            self._client.log_batch(self._run_id, params=some)
        return Seen(self._last("train/", found), self._last("dev/", found))

    def _last(self, place: str, found: Any) -> int:
        """The last step of the numbers of a place; -1 where there is none."""
        names = [name for name in found.data.metrics if name.startswith(place)]
        histories = (self._client.get_metric_history(self._run_id, name) for name in names)
        return max((number.step for history in histories for number in history), default=-1)

    def _send(self, points: Sequence[Point]) -> None:
        numbers = [
            self._entities.Metric(name, value, _milliseconds(point.at), point.step)
            for point in points
            for name, value in point.numbers.items()
        ]
        for some in _parts(numbers, _MOST_NUMBERS):
            self._client.log_batch(self._run_id, metrics=some)

    def _tell(self, texts: Mapping[str, str], step: int) -> None:
        for name, text in texts.items():
            self._client.log_text(self._run_id, text, f"probes/{name}/step-{step:07}.txt")

    def _show(self, files: Sequence[Path], step: int) -> None:
        for file in files:
            self._client.log_artifact(self._run_id, str(file), "plots")

    def _close(self, *, is_completed: bool, at: datetime) -> None:
        if is_completed:
            self._client.set_tag(self._run_id, _STATE, _COMPLETED)
        self._client.set_terminated(self._run_id, "FINISHED" if is_completed else "FAILED", _milliseconds(at))


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


def _milliseconds(at: datetime) -> int:
    return math.floor(at.timestamp() * 1_000)


def _shortened(text: str) -> str:
    """A setting as long as MLflow takes it; one that is cut says so.

    >>> len(_shortened("x" * 7_000)), _shortened("x" * 7_000)[-3:], _shortened("x")
    (6000, 'xx…', 'x')
    """
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
