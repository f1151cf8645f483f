"""One job of a sweep: a checked config, what sets it apart from its siblings, and the directory it belongs into."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig, as_stored, neutral_keys
from qaexp.runs.identity import RUN_ID_LENGTH
from qaexp.runs.short_words import told_word
from qaexp.storage.origins import Origins, with_origins
from qaexp.storage.redact import Redactor, redactor_of
from qaexp.storage.secret_forms import as_folder

_LONGEST_NAME = 120


@dataclass(frozen=True)
class Job:
    """A run inside a sweep.

    Attributes:
        overrides: All override lines of the job.
        changes: Those of the swept keys: what sets it apart.
        config: Its checked config.
        command_line: The words that started the sweep, for env.json.
        hydra_files: Trees of the files of `.hydra/`.
        origins: What of its config came from the environment.
        environment: Variables for the run's body, `hydra.job.env_set`.
        sha256: Its identity in hex; empty before it is known.
        directory: Its run directory; None before the identity is known.
        precision: What `trainer.precision=auto` is in it; None where a format was typed, or none is known yet.
    """

    overrides: tuple[str, ...]
    changes: tuple[str, ...]
    config: ExperimentConfig
    command_line: tuple[str, ...] = ()
    hydra_files: Mapping[str, Any] = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    directory: Path | None = None
    precision: str | None = None

    @property
    def run_id(self) -> str:
        """The first eight hex digits of the identity."""
        return self.sha256[:RUN_ID_LENGTH]

    @functools.cached_property
    def redactor(self) -> Redactor:
        """Knows the secrets of the job."""
        trees = [*self.hydra_files.values(), {"env_set": dict(self.environment)}]
        return redactor_of(asdict(self.config), self.origins, [*self.overrides, *self.command_line], trees)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: the fields alone."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def shown_config(self) -> dict[str, Any]:
        """Its config as config.json holds it."""
        shown: dict[str, Any] = self.redactor.tree(with_origins(as_stored(self.config), self.origins, neutral_keys()))
        return shown

    @property
    def label(self) -> str:
        """What sets the job apart, for people."""
        return " ".join(map(told_word, self.changes)) or "the config as it is"

    @property
    def folder(self) -> Path:
        """The run directory of a job that is identified."""
        assert self.directory is not None, "identified before it is used"
        return self.directory

    def with_threads(self, threads: int | None) -> Job:
        """The job with its share of the cores, where its config says nothing of threads.

        Otherwise the last job of a sweep, or one that is run again, would compute with more and get other bits.
        """
        if threads is None or self.config.threads is not None:
            return self
        return replace(self, config=replace(self.config, threads=threads))

    def to_be_run(self) -> Job:
        """The job as its run stores it, whoever is going to run it."""
        if not self.config.sweep.plan_only:
            return self
        return replace(self, config=replace(self.config, sweep=replace(self.config.sweep, plan_only=False)))

    def identified(self, sha256: str, sweep: Path, existing: Mapping[str, Path] | None = None) -> Job:
        """Return the job with its identity and its directory: the one that ends with its run id, if there is one.

        Args:
            sha256: The identity in hex.
            sweep: The sweep's directory.
            existing: What `folders_by_id` says of it; None: it is looked at.
        """
        run_id = sha256[:RUN_ID_LENGTH]
        found = (folders_by_id(sweep) if existing is None else existing).get(run_id)
        return replace(self, sha256=sha256, directory=found or sweep / f"{readable_name(self.changes)}-{run_id}")


def folders_by_id(sweep: Path) -> dict[str, Path]:
    """The folders of a sweep by the run id that their names end with, of several the first; of no sweep nothing."""
    try:
        with os.scandir(sweep) as entries:
            names = sorted((entry.name for entry in entries if "-" in entry.name and entry.is_dir()), reverse=True)
    except OSError:
        return {}
    return {name.rpartition("-")[2]: sweep / name for name in names}


def readable_name(changes: Sequence[str]) -> str:
    """The readable part of a job's folder: what was swept, as a name that every file system takes.

    >>> readable_name(["seed=1", "model.checkpoint=a/b"])
    'seed=1,model.checkpoint=a_b'
    """
    words = ",".join(word.lstrip("+") for word in changes)
    return as_folder(words)[:_LONGEST_NAME].lstrip(".-") or "job"
