"""What a tracker is told of a run beside its numbers, from the small files of the run directory alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from qaexp.runs.directory import PLOTS, RUN, SWEEP, SWEEP_PLAN
from qaexp.storage.formats import dotted, json_line
from qaexp.storage.reading import read_json

# Hex digits of the key of a run: trackers of many users hold millions of runs.
_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class About:
    """One run, as trackers know it.

    Attributes:
        key: The same for the same run in the same folder of the same sweep, wherever the working directory lies.
        run_id: The first eight hex digits of its identity.
        name: The name of its folder.
        sweep: The name of its sweep; None for a single run.
        directory: The run directory.
        parameters: The resolved config without secrets, by dotted key.
        tags: The words that the user gave it, `tags`.
        started: When its first attempt began, with its zone.
    """

    key: str
    run_id: str
    name: str
    sweep: str | None
    directory: Path
    parameters: Mapping[str, Any]
    tags: Sequence[str]
    started: datetime

    @property
    def title(self) -> str:
        """Its name, behind that of its sweep."""
        return f"{self.sweep}/{self.name}" if self.sweep else self.name

    @property
    def place(self) -> str:
        """The same as a folder: runs of one name in different folders have places of their own."""
        return self.title if self.name.endswith(self.run_id) else f"{self.title}-{self.run_id}"

    def time_at(self, seconds: float) -> datetime:
        """The time so many seconds after the start."""
        return self.started + timedelta(seconds=seconds)


def about_run(directory: Path, config: Mapping[str, Any]) -> About:
    """Describe a run that has begun.

    Args:
        directory: The run directory.
        config: Its resolved config without secrets.

    Raises:
        QaexpError: run.json cannot be read.
        OSError: It cannot be opened.
    """
    record, place = read_json(directory / RUN), directory.resolve()
    run_id, sweep = str(record.get("run_id", "")), sweep_of(place)
    words = config.get("tags")
    return About(
        key=key_of(run_id, sweep or "", place.name),
        run_id=run_id,
        name=place.name,
        sweep=sweep,
        directory=place,
        parameters={"run_id": run_id, **dotted(config)},
        tags=[str(word) for word in words] if isinstance(words, list) else (),
        started=_time(record.get("started")),
    )


def sweep_of(directory: Path) -> str | None:
    """The name of the sweep that a run directory is in; None for a single run."""
    is_job = any((directory.parent / name).is_file() for name in (SWEEP_PLAN, SWEEP))
    return directory.parent.name if is_job else None


def key_of(*words: str) -> str:
    """A key that trackers take as an id, made of words that nothing else has together.

    >>> key_of("b9417e1d", "rates", "lr=1e-4-b9417e1d")
    '2d1786001e955cd1'
    """
    return hashlib.sha256(json_line(list(words)).encode()).hexdigest()[:_KEY_LENGTH]


def pictures(directory: Path) -> list[Path]:
    """The pictures of a run, by name; none where its reporter draws none."""
    folder = directory / PLOTS
    return [] if folder.is_symlink() else sorted(path for path in folder.glob("*.png") if path.is_file())


def text_of(value: Any) -> str:
    """A setting as one text: JSON, but for a text itself.

    >>> text_of("adamw"), text_of(None), text_of([0.9, 0.999])
    ('adamw', 'null', '[0.9, 0.999]')
    """
    return value if isinstance(value, str) else json_line(value).strip()


def _time(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
