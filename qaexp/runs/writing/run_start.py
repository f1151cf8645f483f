"""What a run is started with, and the files that say so: config.json, env.json and `.hydra/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from qaexp.runs.directory import CONFIG, ENVIRONMENT, HYDRA
from qaexp.runs.identity import Identity
from qaexp.runs.readers.typed import kept
from qaexp.storage.files import write_json, write_text
from qaexp.storage.folders import make_directory
from qaexp.storage.origins import Origins, with_origins
from qaexp.storage.redact import Redactor, redactor_of
from qaexp.storage.yaml_text import yaml_text


@dataclass(frozen=True)
class RunStart:
    """What a run is started with.

    Attributes:
        config: The resolved config, JSON-able.
        identity: The identity of the run.
        environment: The content of env.json.
        hydra_files: Trees of the files of `.hydra/` by file name.
        origins: What of the config came from the environment, and is shown by its expression.
        threads: CPU threads that the run computes with.
    """

    config: Mapping[str, Any]
    identity: Identity
    environment: Mapping[str, Any]
    hydra_files: Mapping[str, Any] | None = None
    origins: Origins | None = field(default=None, kw_only=True)
    threads: int | None = field(default=None, kw_only=True)

    @cached_property
    def redactor(self) -> Redactor:
        """What knows the secrets of the run."""
        words, trees = self.environment.get("command_line", []), (self.hydra_files or {}).values()
        return redactor_of(self.config, self.origins or {}, words, trees)

    @property
    def shown_config(self) -> dict[str, Any]:
        """The resolved config as config.json holds it: without secrets and values from the environment."""
        shown: dict[str, Any] = self.redactor.tree(with_origins(self.config, self.origins or {}, self.identity.neutral))
        return shown

    def write(self, directory: Path) -> None:
        """Commit the files; without any of Hydra's, env.json keeps the words of the first start."""
        environment = self.environment if self.hydra_files else {**kept(directory), **self.environment}
        write_json(directory / CONFIG, self.shown_config)
        write_json(directory / ENVIRONMENT, self.redactor.tree(environment))
        if self.hydra_files:
            make_directory(directory / HYDRA)
        for name, tree in (self.hydra_files or {}).items():
            write_text(directory / HYDRA / name, yaml_text(self.redactor.tree(tree)))
