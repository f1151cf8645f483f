"""The tracker Trackio: a project in its local store, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.experiment.tracking.about import About, key_of, text_of
from qaexp.experiment.tracking.numbers import SUMMARY, units_text
from qaexp.experiment.tracking.packaged import ComparisonTable, PackagedTracker, Point, Seen, package


class Trackio(PackagedTracker):
    """Writes into Trackio's own folder, which TRACKIO_DIR names: `trackio show --project qaexp` shows it.

    The jobs of a sweep are a group, and a further run of the group holds the comparison, once the sweep has ended.
    Nothing is doubled, because the store takes each entry by its id once.
    """

    _config: Mapping[str, Any]

    def __init__(self, *, project: str = "qaexp") -> None:
        """Take the name of the project."""
        self._project = project

    def comparison(self, table: ComparisonTable) -> None:
        """Log the table into the run of the comparison, unless it is there already."""
        self._import()
        name = table.sweep.resolve().name
        self._key, self._name = key_of("sweep", name), f"{name}/comparison"
        self._config = {"_Group": name}
        rows = [{key: "" if value is None else value for key, value in row.items()} for row in table.rows]
        columns = list(rows[0]) if rows else ["group"]
        shown = self._trackio.Table(columns=columns, data=[[row[column] for column in columns] for row in rows])
        content = {"comparison": shown._to_dict(self._project, self._name)}
        self._log([content], [len(table.run_keys)], [f"{self._key}-{key_of(table.markdown)}"])

    def _import(self) -> None:
        self._trackio = package("trackio", "trackio")
        self._store = self._trackio.SQLiteStorage
        self._store.validate_project_name(self._project)

    def _open(self, about: About, step: int) -> Seen:
        self._import()
        self._key, self._name = about.key, about.title
        # Names with an underscore are those with which Trackio itself stores them.
        self._config = {
            **{key: text_of(value) for key, value in about.parameters.items()},
            "tags": list(about.tags),
            "folder": str(about.directory),
            "units": units_text(),
            "_Group": about.sweep,
            "_Created": about.started.isoformat(),
            "_Username": None,
        }
        logs = self._store.get_logs(self._project, self._name, run_id=self._key)
        return Seen(is_complete=any(name.startswith(f"{SUMMARY}/") for row in logs for name in row))

    def _send(self, points: Sequence[Point]) -> None:
        self._log(
            [dict(point.numbers) for point in points],
            [point.step for point in points],
            [f"{self._key}-{point.kind}-{point.step}" for point in points],
            [point.at for point in points],
        )

    def _tell(self, texts: Mapping[str, str], step: int) -> None:
        if texts:
            self._log([dict(texts)], [step], [f"{self._key}-probes-{step}"])

    def _show(self, files: Sequence[Path], step: int) -> None:
        for file in files:
            picture = self._trackio.Image(str(file), caption=file.stem)
            picture._save(self._project, self._name, step)
            self._log([{f"plots/{file.stem}": picture._to_dict()}], [step], [f"{self._key}-plots-{file.stem}"])

    def _close(self, *, is_completed: bool, at: datetime) -> None:
        """Every entry is committed when it is sent."""

    def _log(
        self,
        entries: Sequence[Mapping[str, Any]],
        steps: Sequence[int],
        ids: Sequence[str],
        times: Sequence[datetime] | None = None,
    ) -> None:
        self._store.bulk_log(
            project=self._project,
            run=self._name,
            run_id=self._key,
            metrics_list=list(entries),
            steps=list(steps),
            timestamps=None if times is None else [at.isoformat() for at in times],
            config=dict(self._config),
            log_ids=list(ids),
        )
