"""The node `data`: from the config's words to the train, dev and test examples of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.data.distinct_sets import mixed_already, same_content, same_questions
from qaexp.data.files.names import check_columns
from qaexp.data.files.shards import Shards
from qaexp.data.files.split_records import content_sha256
from qaexp.data.local_files import MIXED, key_of, local_file
from qaexp.data.mixed_split import draw_mix
from qaexp.data.ondisk.reading import read_any_split
from qaexp.data.readers import reader_of
from qaexp.data.squad import Example
from qaexp.data.subsets import draw, draw_in_order, drawable
from qaexp.errors import ConfigError, DataError, collected
from qaexp.errors.rules import refuse
from qaexp.storage.evaluation_sets import set_problems, split_of
from qaexp.storage.mix import mix_of
from qaexp.storage.mix_problems import mix_key_problems, mix_problems
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
    num_duplicates, those counts of RESPELLED that are not 0, and up to 20 problems. That of a mix (kind `mix`) has the
    sums of these, and under `sets` the same of each set, with its weight, num_drawable and num_drawn.
    `drawn_from` says of how many examples of which kind the split was drawn; None where none were drawn.
    """

    examples: Sequence[Example]
    source: dict[str, Any]
    drawn_from: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Splits:
    """What a run trains on, is scored on after each epoch, and is scored on once at the end.

    `tests` holds `test`, the split of `data.test_file`, and `test_NAME` for each set of `data.test_files`.
    """

    train: Split
    dev: Split
    tests: Mapping[str, Split]

    @property
    def named(self) -> dict[str, Split]:
        """All of them by name."""
        return {"train": self.train, "dev": self.dev, **self.tests}


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
        mix: Any = None,
        test_files: Any = None,
    ) -> None:
        """Take the keys of the config's group `data`; nothing is looked at until a method is called."""
        self.source = source
        self.dataset, self.config_name, self.revision = dataset, config_name, revision
        self.train_file, self.dev_file, self.test_file = train_file, dev_file, test_file
        self.test_files = test_files
        self.train_size, self.dev_size = train_size, dev_size
        self.subset = subset
        self.on_bad = on_bad
        self.columns = columns
        self.mix = mix

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the data, before any of it is parsed: sha256 of the files, or the hub's commit.

        Raises:
            ConfigError: Keys are missing or have no effect with this source.
            DataError: Files cannot be read, or an evaluation set is another split; all of them are named.
        """
        pinned = self._check()
        hashes: dict[str, str] = {}
        problems: list[str] = []
        for split, shards in self._files(is_pinned=bool(pinned)).items():
            with collected(problems, DataError, f"{key_of(split)}: "):
                sha256 = content_sha256(shards)
                if split.startswith(MIXED) and (twin := mixed_already(sha256, hashes)):
                    raise DataError(f"{shards.name} holds the same as {twin}; leave one of them out.")
                hashes[split] = sha256
        problems += same_content(hashes)
        if problems:
            raise DataError(*problems)
        mixed = {split.removeprefix(MIXED): found for split, found in hashes.items() if split.startswith(MIXED)}
        whole = {f"{split}_sha256": found for split, found in hashes.items() if not split.startswith(MIXED)}
        return {"kind": self.source, **pinned, **whole, **({"mix_sha256": mixed} if mixed else {})}

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
                read[name] = self._read(shards, "json" if name in self._test_files() else self.source)
        problems += () if problems else same_questions({name: part.examples for name, part in read.items()})
        if problems:
            raise DataError(*dict.fromkeys(problems))  # of a file that is two splits once
        train: Split | None = None
        dev: Sequence[Example] = ()
        with collected(problems, ConfigError):
            train = self._drawn(read, subset_seed)
        with collected(problems, ConfigError):
            dev = draw_in_order(read["dev"].examples, self.dev_size, dev_seed, key="data.dev_size")
        if train is None or problems:
            raise ConfigError(*problems)
        return Splits(
            train,
            Split(dev, read["dev"].source, drawable(read["dev"].examples, "random")),
            {name: read[name] for name in self._test_files()},
        )

    def _drawn(self, read: Mapping[str, Split], seed: int) -> Split:
        """The train split, of one set or of several."""
        if not self.mix:
            whole = read["train"]
            examples = draw(whole.examples, self.train_size, self.subset, seed)
            return Split(examples, whole.source, drawable(whole.examples, self.subset))
        mix = mix_of(self.mix)
        sets = {name: (read[f"{MIXED}{name}"].examples, read[f"{MIXED}{name}"].source) for name in mix}
        examples, source, most = draw_mix(sets, mix, self.train_size, self.subset, seed)
        return Split(examples, source, (most, "examples of the mix"))

    def _check(self) -> dict[str, str]:
        """Refuse keys that are missing and keys that have no effect, all at once; return what pins the data."""
        check_columns(self.columns)
        refuse(mix_problems(self.mix))
        refuse(set_problems(self.test_files))
        keys = vars(self)
        refuse(source_problems(self.source, keys))
        refuse(mix_key_problems(self.source, keys))
        return reader_of(self.source).identity(keys)

    def _files(self, *, is_pinned: bool = False) -> dict[str, Shards]:
        """Return the files of each split; pinned: only those that the source does not identify already."""
        found: dict[str, Shards] = {}
        problems: list[str] = []
        if not is_pinned:
            with collected(problems, DataError):
                found |= reader_of(self.source).files(vars(self))
        for split, file in self._test_files().items():
            with collected(problems, DataError, f"{key_of(split)}: "):
                found[split] = local_file(file)
        if problems:
            raise DataError(*problems)
        return found

    def _test_files(self) -> dict[str, str]:
        """The files of each split of test questions by its name."""
        sets = {split_of(str(name)): str(file) for name, file in (self.test_files or {}).items()}
        return {**({"test": self.test_file} if self.test_file else {}), **sets}

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
