"""The tracker Weights & Biases: offline, in a local folder, unless WANDB_MODE says otherwise."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.experiment.tracking.about import About, key_of, text_of
from qaexp.experiment.tracking.numbers import DEV, TRAIN, units_text
from qaexp.experiment.tracking.packaged import ComparisonTable, PackagedTracker, Point, Seen, package
from qaexp.experiment.tracking.wandb_files import record_bodies
from qaexp.storage.files import storage_errors
from qaexp.storage.folders import make_directory

# Keys of a run's summary: whether all of it is there, and which comparison is.
_STATE, _COMPLETED, _DIGEST = "qaexp/state", "completed", "qaexp/comparison"


class Wandb(PackagedTracker):
    """Writes into wandb/ of a folder; `wandb sync wandb/offline-run-*` sends it to a server.

    The jobs of a sweep are a group, and a further run of the group holds the comparison, once the sweep has ended.
    """

    def __init__(self, *, folder: str = ".", project: str = "qaexp") -> None:
        """Take the folder and the name of the project; WANDB_DIR and WANDB_PROJECT go before them."""
        self._folder, self._project = Path(folder).absolute(), project

    def comparison(self, table: ComparisonTable) -> None:
        """Log the table into the run of the comparison, unless it is there already."""
        name = table.sweep.resolve().name
        key, digest = key_of("sweep", name), key_of(table.markdown)
        self._import()
        if self._summary_there(key).get(_DIGEST) == digest:
            return
        self._begin(key, f"{name}/comparison", name, {}, "comparison")
        columns = list(table.rows[0]) if table.rows else ["group"]
        data = [[row[column] for column in columns] for row in table.rows]
        self._run.log({"comparison": self._wandb.Table(columns, data, allow_mixed_types=True)})
        self._run.summary[_DIGEST] = digest
        self._run.finish()

    def _import(self) -> None:
        # Read when the package is imported: what goes wrong in it is not told to its makers.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self._wandb = package("wandb", "wandb")
        self._mode = os.environ.get("WANDB_MODE", "offline")
        self._place = Path(os.environ.get("WANDB_DIR") or self._folder)

    def _begin(self, key: str, name: str, group: str | None, config: Mapping[str, Any], kind: str, **more: Any) -> None:
        """Begin a run of wandb, or on a server go on with it."""
        _check_may_write(self._place / "wandb")
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or self._project,
            id=key,
            name=name,
            group=group,
            job_type=kind,
            config=dict(config),
            dir=str(self._place),
            mode=self._mode,
            resume=None if self._mode == "offline" else "allow",
            reinit="create_new",
            settings=settings,
            **more,
        )

    def _open(self, about: About, step: int) -> Seen:
        self._import()
        seen = self._seen_in_files(about.key)
        if seen.is_complete:
            return seen
        parameters = {key: text_of(value) for key, value in about.parameters.items()}
        notes = f"{about.directory}\n{units_text()}"
        self._begin(about.key, about.title, about.sweep, parameters, "run", tags=list(about.tags), notes=notes)
        if self._mode == "offline":
            return seen
        # A server says how far the run is.
        last = int(self._run.step) - 1
        return Seen(last, last, self._run.summary.get(_STATE) == _COMPLETED)

    def _seen_in_files(self, key: str) -> Seen:
        """What the files of earlier attempts hold of a run."""
        step = evaluation = -1
        for record in self._records(key):
            if record.WhichOneof("record_type") == "history":
                item = {_name(entry): entry.value_json for entry in record.history.item}
                at = int(json.loads(item.get("_step", "-1")))
                step = max(step, at) if any(name.startswith(f"{TRAIN}/") for name in item) else step
                evaluation = max(evaluation, at) if any(name.startswith(f"{DEV}/") for name in item) else evaluation
        return Seen(step, evaluation, self._summary_there(key).get(_STATE) == _COMPLETED)

    def _summary_there(self, key: str) -> dict[str, Any]:
        """The summary that the files of earlier attempts hold."""
        return {
            _name(entry): json.loads(entry.value_json)
            for record in self._records(key)
            if record.WhichOneof("record_type") == "summary"
            for entry in record.summary.update
        }

    def _records(self, key: str) -> list[Any]:
        files = sorted(self._place.glob(f"wandb/offline-run-*-{key}/run-{key}.wandb"))
        bodies = [body for file in files for body in record_bodies(file)]
        messages = package("wandb.proto.wandb_internal_pb2", "wandb")
        return [messages.Record.FromString(body) for body in bodies]

    def _send(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log(dict(point.numbers), step=point.step)
            self._run.summary.update(dict(point.numbers))

    def _tell(self, texts: Mapping[str, str], step: int) -> None:
        self._flush()
        if texts:
            self._run.log(dict(texts), step=step)

    def _show(self, files: Sequence[Path], step: int) -> None:
        if files:
            self._run.log({f"plots/{file.stem}": self._wandb.Image(str(file)) for file in files}, step=step)

    def _close(self, *, is_completed: bool, at: datetime) -> None:
        if is_completed:
            self._run.summary[_STATE] = _COMPLETED
        self._run.finish(exit_code=0 if is_completed else 1)


def _check_may_write(folder: Path) -> None:
    """Make a folder that can be written into: elsewhere wandb would take a temporary one, where nobody looks.

    Raises:
        StorageError: The system refuses.
    """
    make_directory(folder)
    with storage_errors(folder), tempfile.TemporaryFile(dir=folder):
        pass


def _name(entry: Any) -> str:
    """The name of a value in a record, which stands in one of two fields."""
    return str(entry.key or "/".join(entry.nested_key))
