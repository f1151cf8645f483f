"""The node `data`: from the config's words to the train, dev and test examples of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.data.files.names import check_columns
from qaexp.data.files.shards import Shards
from qaexp.data.files.split_records import content_sha256
from qaexp.data.local_files import local_file
from qaexp.data.ondisk.reading import read_any_split
from qaexp.data.readers import reader_of
from qaexp.data.squad import Example
from qaexp.data.subsets import draw, draw_in_order, drawable
from qaexp.errors import ConfigError, DataError, collected
from qaexp.errors.rules import refuse
from qaexp.storage.sources import FILES, SOURCES, source_problems

MAX_PROBLEMS = 20
RESPELLED = ("num_number_ids", "num_made_ids", "num_blank_answers")
"""What was read in another spelling than qaexp's own, counted in data.json; nothing is wrong with it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Split:
    """The examples of a split, and where they come from.

    `source` can be written as JSON: kind, path or dataset and revision, sha256 of the content, that of each shard where
    there are several, squad_version, num_examples (in the files, before any draw), num_skipped, num_fixed,
    num_duplicates, those counts of RESPELLED that are not 0, and up to 20 problems.
    `drawn_from` says of how many examples of which kind the split was drawn; None where none were drawn.
    """

    examples: Sequence[Example]
    source: dict[str, Any]
    drawn_from: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Splits:
    """What a run trains on, is scored on after each epoch, and (None: not at all) is scored on once at the end."""

    train: Split
    dev: Split
    test: Split | None


class DataPipeline:
    """Finds, reads, validates and draws the examples of a run."""

    def __init__(
        self,
        *,
        source: str,
        dataset: str | None,
        config_name: str | None,
        revision: str | None,
        train_file: str | None,
        dev_file: str | None,
        test_file: str | None,
        train_size: float | None,
        dev_size: float | None,
        subset: str,
        on_bad: str,
        columns: Any = None,
    ) -> None:
        """Take the keys of the config's group `data`; nothing is looked at until a method is called."""
        self.source = source
        self.dataset, self.config_name, self.revision = dataset, config_name, revision
        self.train_file, self.dev_file, self.test_file = train_file, dev_file, test_file
        self.train_size, self.dev_size = train_size, dev_size
        self.subset = subset
        self.on_bad = on_bad
        self.columns = columns

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the data, before any of it is parsed: sha256 of the files, or the hub's commit.

        Raises:
            ConfigError: Keys are missing or have no effect with this source.
            DataError: Files cannot be read; all of them are named.
        """
        pinned = self._check()
        identity: dict[str, Any] = {"kind": self.source, **pinned}
        problems: list[str] = []
        for split, shards in self._files(is_pinned=bool(pinned)).items():
            with collected(problems, DataError, f"data.{split}_file: "):
                identity[f"{split}_sha256"] = content_sha256(shards)
        if problems:
            raise DataError(*problems)
        return identity

    def load(self, *, subset_seed: int, dev_seed: int) -> Splits:
        """Read the splits; draw the train split by `subset` and `subset_seed`, the dev split by `dev_seed`.

        Drawn dev examples keep the order of their file, drawn train examples have the order of the draw.

        Raises:
            ConfigError: As for `fingerprint`, or a size is more than there are.
            DataError: A file cannot be read or does not hold valid examples, or the hub data set cannot be had.
        """
        self._check()
        read: dict[str, Split] = {}
        problems: list[str] = []
        for name, shards in self._files().items():
            with collected(problems, DataError):
                read[name] = self._read(shards, "json" if name == "test" else self.source)
        if problems:
            raise DataError(*dict.fromkeys(problems))  # of a file that is two splits once
        train: Sequence[Example] = ()
        dev: Sequence[Example] = ()
        with collected(problems, ConfigError):
            train = draw(read["train"].examples, self.train_size, self.subset, subset_seed)
        with collected(problems, ConfigError):
            dev = draw_in_order(read["dev"].examples, self.dev_size, dev_seed, key="data.dev_size")
        if problems:
            raise ConfigError(*problems)
        return Splits(
            Split(train, read["train"].source, drawable(read["train"].examples, self.subset)),
            Split(dev, read["dev"].source, drawable(read["dev"].examples, "random")),
            read.get("test"),
        )

    def _check(self) -> dict[str, str]:
        """Refuse keys that are missing and keys that have no effect, all at once; return what pins the data."""
        check_columns(self.columns)
        keys = vars(self)
        refuse(source_problems(self.source, keys))
        return reader_of(self.source).identity(keys)

    def _files(self, *, is_pinned: bool = False) -> dict[str, Shards]:
        """Return the files of each split; pinned: only those that the source does not identify already."""
        found: dict[str, Shards] = {}
        problems: list[str] = []
        if not is_pinned:
            with collected(problems, DataError):
                found |= reader_of(self.source).files(vars(self))
        if self.test_file:
            with collected(problems, DataError, "data.test_file: "):
                found["test"] = local_file(self.test_file)
        if problems:
            raise DataError(*problems)
        return found

    def _read(self, shards: Shards, kind: str) -> Split:
        """Read a split and note where it came from."""
        file = read_any_split(shards, self.on_bad, columns=self.columns)
        origin: dict[str, Any] = {"kind": kind, **reader_of(kind).identity(vars(self))}
        if SOURCES[kind].named_by in FILES:
            origin["path"] = str(shards.name)
        counts = {"num_skipped": file.num_skipped, "num_fixed": file.num_fixed, "num_duplicates": file.num_duplicates}
        if any(counts.values()):
            _log.warning("%s: %s", shards.name, ", ".join(f"{name} {count}" for name, count in counts.items()))
        return Split(
            file.examples,
            {
                **origin,
                "sha256": file.sha256,
                **({"shards": dict(file.shards)} if file.shards else {}),
                "squad_version": file.squad_version,
                "num_examples": len(file.examples),
                **counts,
                **{name: count for name in RESPELLED if (count := getattr(file, name))},
                "problems": list(file.problems[:MAX_PROBLEMS]),
            },
        )
