"""A run from Python: its numbers, and its config, epochs, answers, pictures and model when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs import directory as layout
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles, run_files
from qaexp.runs.readers.folder import COMPLETED, SWEEP, Folder, look
from qaexp.runs.readers.frame import OnePath, history_frame, one_or_several, predictions_frame
from qaexp.storage.formats import one_line

if TYPE_CHECKING:
    import pandas as pd

    from qaexp.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a run: a path, which a notebook shows as what is in it."""

    path: Path

    def __fspath__(self) -> str:
        """The file."""
        return str(self.path)

    def __repr__(self) -> str:
        """The file, where no picture can be shown."""
        return one_line(f"<picture {self.path}>")

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        from qaexp.storage.reading import read_bytes

        return read_bytes(self.path)


class Pictures(dict[str, Picture]):
    """The pictures of a run by name; of one that is missing it says what draws it."""

    def __init__(self, run: Path) -> None:
        """Look for the pictures of a run.

        Raises:
            IntegrityError: Its plots/ is a link.
        """
        folder = run / layout.PLOTS
        if folder.is_symlink():
            raise IntegrityError(f"{folder}: is a link, which is not followed")
        super().__init__((file.stem, Picture(file)) for file in sorted(folder.glob("*.png")))
        self._run = run

    def __missing__(self, name: str) -> Any:
        """Say how to come by a picture."""
        has = f"it has {', '.join(self)}" if self else "it has none"
        raise KeyError(f"{self._run} has no picture {name}: {has}; qaexp plot draws them")


class Run(dict[str, Any]):
    """A run: the numbers of its summary.json by name, and what else its folder holds, read when it is asked for.

    A run that is running or was stopped has no numbers, but may have a config and a history. What is known is what
    there was when the run was opened; only the history of one that is not completed is read anew each time.

    >>> result = Run.of(Path("outputs/try"), "7ace3b22", {"f1": 88.5})
    >>> result["f1"], result.run_id, result.path.name
    (88.5, '7ace3b22', 'try')

    Attributes:
        path: The run directory.
        run_id: The first eight hex digits of its identity.
    """

    path: Path
    run_id: str

    def __init__(self, path: OnePath) -> None:
        """Open a run directory.

        Args:
            path: The run directory; of several runs `qaexp.load_runs` makes a table.

        Raises:
            ConfigError: It is not a run directory, or a newer qaexp made it.
            IntegrityError: It is damaged.
        """
        given = one_or_several(path)
        if len(given) != 1:
            raise ConfigError(f"Run() takes one run directory, not {len(given)}; qaexp.load_runs() takes several")
        folder = look(Path(given[0]))
        if folder.state == SWEEP:
            raise ConfigError(f"{folder.path}: is a sweep; qaexp.load_runs() and qaexp.compare() take it as a whole")
        files = run_files(folder)
        super().__init__(files.summary or {})
        self.path, self.run_id = files.path, files.run_id
        # A cached property that is known already.
        self.__dict__["_looked_at"] = folder

    @classmethod
    def of(cls, path: Path, run_id: str, summary: Mapping[str, Any]) -> Run:
        """A run of which this much is known, also where nothing is at its path yet, as after a dry run."""
        made = cls.__new__(cls)
        made.update(summary)
        made.path, made.run_id = path, run_id
        return made

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run_id

    @property
    def state(self) -> str:
        """How it stands: `completed`, `running`, `failed`, `preempted`, `killed` or `unfinished end`."""
        return self._looked_at.state

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json; nothing where the run is not completed."""
        return dict(self)

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.json, groups inside it as dicts: `run.config["optimizer"]["lr"]`."""
        return self._files.config

    @property
    def flags(self) -> list[dict[str, Any]]:
        """The health flags that were raised, each with `name`, `step` and `advice`."""
        return self._files.flags

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch, with the columns of history.csv: `epoch`, `step`, `train_loss`, `f1`, ...

        Raises:
            ConfigError: There is no run at its path.
            IntegrityError: history.csv cannot be read.
        """
        return self._history if self.state == COMPLETED else history_frame(self._files)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row a dev question: `id`, `question`, `golds`, `prediction_text`, `exact`, `f1`, ...

        `qaexp.load_predictions` says what the columns mean, and has those of several runs in one table.

        Raises:
            ConfigError: The run is not completed, and has no predictions yet.
            IntegrityError: Its predictions are missing or cannot be read.
        """
        found = predictions_frame(self._files)
        if not len(found):
            self._looked_at.check_completed()
            raise IntegrityError(f"{self.path / layout.PREDICTIONS}: is missing or empty; qaexp verify tells more")
        return found

    @cached_property
    def contexts(self) -> dict[str, str]:
        """The contexts of the dev questions, by `paragraph` of a prediction.

        `run.predictions["paragraph"].map(run.contexts)` is a column of them.
        """
        return self._files.contexts()

    @property
    def plots(self) -> Pictures:
        """The pictures in plots/ by name, as `run.plots["loss"]`; those that are missing `qaexp plot` draws."""
        return Pictures(self.path)

    @property
    def report(self) -> Path | None:
        """The page of the run; None where it is missing, and `qaexp plot` makes it."""
        found = self.path / layout.REPORT
        return found if found.is_file() else None

    def model(
        self, *, null_threshold: float | None = None, device: str | None = None, precision: str | None = None
    ) -> Predictor:
        """Load the run's model, to answer questions.

        Args:
            null_threshold: As for `qaexp.Predictor`; None: the run's tuned threshold.
            device: The device; None: a GPU if there is one.
            precision: The number format; None: the fastest one of the device.

        Raises:
            ConfigError: The run has no model, or the device is not there.
            IntegrityError: The model was changed.
        """
        from qaexp.predictor import Predictor

        return Predictor(self.path, null_threshold=null_threshold, device=device, precision=precision)

    def __missing__(self, name: str) -> Any:
        """Say why there is no such number."""
        from qaexp.config.checks.suggest import did_you_mean

        known = did_you_mean(str(name), self) or "; .summary has all of them"
        why = known if self else f": it is not completed ({self.state})"
        raise KeyError(f"run {self.run_id} has no number {name}{why}")

    def __fspath__(self) -> str:
        """The run directory, so that the run can be used as a path."""
        return os.fspath(self.path)

    def __repr__(self) -> str:
        """The id, the folder and the main numbers, or how it stands."""
        main = [name for name in ("f1", "exact") if is_number(self.get(name))]
        numbers = [f"{name} {number_of(name).shown(self[name])}" for name in main]
        opened = self.__dict__.get("_looked_at")
        shown = ", ".join(numbers) or (opened.state if opened else "")
        return one_line(f"<run {self.run_id} in {self.path}{': ' + shown if shown else ''}>")

    def _repr_html_(self) -> str:
        """What a notebook shows: name, state, flags, and the scores with their intervals."""
        from qaexp.errors import QaexpError
        from qaexp.reporting.page.card import Card, card_html, run_card

        try:
            return card_html(run_card(self._files, self._looked_at))
        except QaexpError as error:
            return card_html(Card(self.path.name, lines=[repr(self)], warnings=[("nothing to show", str(error))]))

    @cached_property
    def _looked_at(self) -> Folder:
        return look(self.path)

    @cached_property
    def _files(self) -> RunFiles:
        return run_files(self._looked_at)

    @cached_property
    def _history(self) -> pd.DataFrame:
        return history_frame(self._files)
