"""What started a run, beside its config: words, files of Hydra, variables, and the number format it was begun in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qaexp.storage.origins import Origins

if TYPE_CHECKING:
    from qaexp.runs.writing.resumption import Begun


@dataclass(frozen=True, slots=True)
class Command:
    """What a run stores about the command that started it, in addition to the config.

    Attributes:
        words: The command line; empty: this process's own.
        hydra_files: Trees of the files of `.hydra/`.
        origins: Which values of the config came from the environment.
        environment: Variables for the run's body (`hydra.job.env_set`). They are set after the config is built, so
            that they cannot influence what is built.
        begun: In which number format what is made again or gone on with was begun; None: as the directory says.
        may_requeue: Whether the run puts its Slurm job back into the queue; in a sweep its parent does.
    """

    words: Sequence[str] = ()
    hydra_files: Mapping[str, Any] | None = None
    origins: Origins | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    begun: Begun | None = None
    may_requeue: bool = True
