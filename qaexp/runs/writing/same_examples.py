"""Are the examples of a run that goes on those that it was started with: their ids against its data.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from qaexp.errors import ConfigError
from qaexp.errors.advice import another_name
from qaexp.runs.directory import DATA
from qaexp.runs.writing.drift import Changes
from qaexp.storage.reading import read_json


def example_changes(directory: Path, ids: Mapping[str, Sequence[str]]) -> Changes:
    """Return `{data.<split>_ids: (so many, so many of them others)}`; empty for the same examples in the same order.

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
    """Refuse to go on with other examples.

    Raises:
        ConfigError: Naming the splits.
    """
    if changes:
        told = ", ".join(f"{key} was {old}, now {new}" for key, (old, new) in changes.items())
        raise ConfigError(
            f"{directory}: the data give other examples than when the run was started ({told}); {another_name()}, or "
            "set trainer.allow_drift=true, which goes on and marks the run as not bit-exact"
        )
