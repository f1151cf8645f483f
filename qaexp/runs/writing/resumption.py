"""What an attempt resumes from: the newest usable checkpoint, if nothing that can change results has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import another_name
from qaexp.runs.checkpoint import TrainingCheckpoint
from qaexp.runs.directory import CONFIG, DATA, ENVIRONMENT, RUN, SUMMARY
from qaexp.runs.kept_checkpoints import find_checkpoints, newest_checkpoint, put_back
from qaexp.runs.writing.drift import Changes, config_changes, environment_changes, shown
from qaexp.runs.writing.run_start import RunStart
from qaexp.storage.reading import read_json, read_small

_FORMATS = ("fp32", "bf16", "fp16")
# The attention of all runs whose config.json does not name one.
PLAIN = "plain"
_ATTENTIONS = (PLAIN, "unpadded")


@dataclass(frozen=True, slots=True)
class Resumption:
    """What an attempt resumes from; empty for one that starts from the beginning.

    Attributes:
        checkpoint: The newest checkpoint that can be used.
        changes: What has changed since and can change results, without secrets.
        problems: What is wrong with newer checkpoints, a sentence each.
        damaged: The folders of these.
    """

    checkpoint: TrainingCheckpoint | None = None
    changes: Changes = field(default_factory=dict)
    problems: Sequence[str] = ()
    damaged: Sequence[Path] = ()

    @property
    def step(self) -> int | None:
        """The step of the checkpoint."""
        return self.checkpoint.step if self.checkpoint else None


def resumption(directory: Path, start: RunStart, previous: Mapping[str, Any], *, allow_drift: bool) -> Resumption:
    """Find what a run can resume from.

    Args:
        directory: The run directory, which this process holds.
        start: What the run is started with now.
        previous: The run.json of the attempt before; empty for the first.
        allow_drift: Take a checkpoint made with another config, package or device.

    Raises:
        ConfigError: Something has changed, without `allow_drift`.
        IntegrityError: There are checkpoints, and none can be used.
    """
    if not previous or (directory / SUMMARY).exists():
        return Resumption()
    put_back(directory)
    checkpoint, problems = newest_checkpoint(directory, None if allow_drift else start.identity.sha256)
    if checkpoint is None:
        return Resumption()
    newer = find_checkpoints(directory)
    changes = {
        **config_changes(directory, previous, start.identity),
        **environment_changes(directory, start.environment),
    }
    if not allow_drift:
        check_no_drift(directory, changes)
    return Resumption(checkpoint, start.redactor.tree(changes), problems, newer[: newer.index(checkpoint.path)])


def started_threads(directory: Path) -> int | None:
    """The number of threads that the run in a directory was started with; None where there is none yet."""
    try:
        threads = read_json(directory / RUN).get("threads")
    except (FileNotFoundError, IntegrityError):
        return None
    return threads if isinstance(threads, int) and threads > 0 else None


@dataclass(frozen=True, slots=True)
class Begun:
    """In which number format, and with which attention, a run was begun.

    Attributes:
        word: What its config.json says of it: the format, or `auto`.
        format: The format itself.
        device: Where it was computed.
        attention: What `trainer.attention` was; None where nothing was begun yet.
    """

    word: str
    format: str
    device: str = ""
    attention: str | None = None


def begun_format(directory: Path) -> Begun | None:
    """The number format of the unfinished run in a directory; None where there is none, or its files do not tell."""
    if not (directory / RUN).exists() or (directory / SUMMARY).exists():
        return None
    return stored_format(directory)


def stored_format(directory: Path) -> Begun | None:
    """The number format of the run in a directory, completed or not; None where its files do not tell."""
    config, environment = (read_small(directory / name)[0] or {} for name in (CONFIG, ENVIRONMENT))
    trainer, device = config.get("trainer"), environment.get("device")
    word = trainer.get("precision") if isinstance(trainer, Mapping) else None
    format = device.get("precision") if isinstance(device, Mapping) else None
    if not isinstance(device, Mapping) or format not in _FORMATS:
        return None
    # A word that came from the environment is stored by its expression; `auto` alone stands for fp32 too.
    known = word if word in (*_FORMATS, "auto") else "auto" if format == "fp32" else format
    attention = trainer.get("attention", PLAIN) if isinstance(trainer, Mapping) else None
    return Begun(str(known), str(format), str(device.get("device")), attention if attention in _ATTENTIONS else None)


def check_no_drift(directory: Path, changes: Changes) -> None:
    """Refuse to resume a training after something changed that can change results.

    Raises:
        ConfigError: Naming each key, what it was and what it is.
    """
    if changes:
        raise ConfigError(
            f"{directory}: was trained up to its last checkpoint with something that can change results: "
            f"{shown(changes)}; go back to what it was, or set trainer.allow_drift=true, which resumes and marks the "
            "run as not bit-exact"
        )


def example_changes(directory: Path, ids: Mapping[str, Sequence[str]]) -> Changes:
    """Return `{data.<split>_ids: (number before, numbers now and changed)}`; empty for the same in the same order.

    Args:
        directory: The run directory; without a data.json nothing is known.
        ids: The ids that were drawn now, by `train` and `dev`.
    """
    stored = read_json(directory / DATA) if (directory / DATA).exists() else {}
    changes: Changes = {}
    for split, now in ids.items():
        before = stored.get(f"{split}_ids")
        if isinstance(before, list) and (count := sum(one != other for one, other in zip_longest(before, now))):
            changes[f"data.{split}_ids"] = (f"{len(before):,} ids", f"{len(now):,} ids, {count:,} of them others")
    return changes


def check_same_examples(directory: Path, changes: Changes) -> None:
    """Refuse to resume with other examples.

    Raises:
        ConfigError: Naming the splits.
    """
    if changes:
        told = ", ".join(f"{key} was {old}, now {new}" for key, (old, new) in changes.items())
        raise ConfigError(
            f"{directory}: the data give other examples than when the run was started ({told}); {another_name()}, or "
            "set trainer.allow_drift=true, which resumes and marks the run as not bit-exact"
        )
