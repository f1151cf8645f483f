"""What the path of a data file names: one file, or the shards of a split in the order in which they are read."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.data.files.compression import suffix_of
from qaexp.data.files.saved_folders import is_saved, is_saved_dict, refuse_saved_dict, saved_files
from qaexp.errors import DataError

# What the shards of one split have in common; parquet files and Arrow streams are tables with types.
KINDS = {
    ".parquet": "parquet",
    ".arrow": "Arrow",
    ".json": "JSON",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
}
_MAGIC = re.compile(r"[*?[]")
_NUMBER = re.compile(r"(\d+)")
_OF_SEVERAL = re.compile(r"(?P<before>.*?)(?P<number>\d+)-of-(?P<total>\d+)(?P<after>.*)")
_WORD = re.compile(r"[a-z]+")
# Words in names that say to which split a file belongs.
_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    **dict.fromkeys(("dev", "val", "valid", "validation", "eval"), "dev"),
}
# Markers and checksums of Spark and others begin so; so do hidden files.
_NO_DATA = (".", "_")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shards:
    """The files that hold a split.

    Attributes:
        name: The path as it was given.
        paths: The files, at least one, in the order in which they are read.
        is_one: Whether the path names a file itself, and not a folder or a pattern.
    """

    name: Path
    paths: tuple[Path, ...]
    is_one: bool = False

    @property
    def kind(self) -> str:
        """What all of the shards are; empty for a file whose name does not say it."""
        return KINDS.get(suffix_of(self.paths[0]), "")

    def labels(self) -> dict[Path, str]:
        """The name of each shard inside this split: its own, behind the folders in which shards differ."""
        root = os.path.commonpath([path.parent for path in self.paths])
        return {path: os.path.relpath(path, root) for path in self.paths}


def one_file(path: Path) -> Shards:
    """A split that is one file."""
    return Shards(path, (path,), is_one=True)


def find_shards(path: Path) -> Shards:
    """Find what a path names.

    Raises:
        DataError: A folder or a pattern has no shards, files of several kinds or of several splits, or lacks a shard
            that the names of the others count.
        IntegrityError: A folder that `datasets` saved names files outside of it.
    """
    for is_named, files_of in _NAMED:
        if is_named(path):
            return Shards(path, tuple(files_of(path)))
    return one_file(path)


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by name, numbers by their value.

    >>> [path.name for path in in_order(map(Path, ["b", "a-10", "a-9"]))]
    ['a-9', 'a-10', 'b']
    """

    def key(path: Path) -> tuple[list[tuple[int, str]], str]:
        parts = _NUMBER.split(str(path))
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)

    return sorted(paths, key=key)


def missing_shard(names: Sequence[str]) -> str | None:
    """The name of a shard that others of the form `train-00000-of-00002` count and that is not there, or None.

    >>> missing_shard(["train-00001-of-00003.parquet", "train-00000-of-00003.parquet"])
    'train-00002-of-00003.parquet'
    >>> missing_shard(["a.parquet"]) is None
    True
    """
    sets: dict[tuple[str, str, str], dict[int, int]] = {}
    for found in filter(None, map(_OF_SEVERAL.fullmatch, names)):
        numbers = sets.setdefault((found["before"], found["total"], found["after"]), {})
        numbers[int(found["number"])] = len(found["number"])
    for (before, total, after), numbers in sets.items():
        first = int(0 not in numbers and int(total) in numbers)
        absent = next(number for number in range(first, first + len(numbers) + 1) if number not in numbers)
        if absent < first + int(total):
            return f"{before}{absent:0{max(numbers.values())}}-of-{total}{after}"
    return None


def is_complete(names: Sequence[str]) -> bool:
    """Whether these files are surely all of a split: one whose name counts no others, or all that the names count.

    >>> is_complete(["train-0.parquet"]), is_complete(["train-0.parquet", "train-1.parquet"])
    (True, False)
    >>> is_complete(["train-00000-of-00002.arrow"])
    False
    """
    parts = list(map(_OF_SEVERAL.fullmatch, names))
    if not names or not all(parts):
        return len(names) == 1
    return missing_shard(names) is None and {int(found["total"]) for found in parts if found} == {len(names)}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_pattern(path: Path) -> bool:
    return _MAGIC.search(str(path)) is not None and not os.path.lexists(path)


def _in_folder(folder: Path) -> list[Path]:
    """The shards that lie in a folder."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(_NO_DATA)]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}; check the path and its permissions.") from error
    if not any(suffix_of(entry) in KINDS for entry in entries):
        found = ", ".join(sorted(entry.name for entry in entries)[:_SHOWN]) or "nothing"
        raise DataError(
            f"{folder} is a directory without data files (it holds {found}); give the path of a data file, or of a "
            "folder with the shards of one split."
        )
    return _of_one_split(folder, folder, entries)


def _fitting(pattern: Path) -> list[Path]:
    """The shards that a pattern fits."""
    found = [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 (it may be absolute)
    if not found:
        raise DataError(f"{pattern}: there is no such file, and as a pattern it fits none; check the path.")
    return _of_one_split(pattern, Path(os.path.commonpath([path.parent for path in found])), found)


_NAMED: tuple[tuple[Callable[[Path], bool], Callable[[Path], list[Path]]], ...] = (
    (is_saved_dict, refuse_saved_dict),
    (is_saved, saved_files),
    (_is_folder, _in_folder),
    (_is_pattern, _fitting),
)
"""What a path may name other than one file, the first that holds, with what lists its shards."""


def _of_one_split(name: Path, root: Path, paths: Sequence[Path]) -> list[Path]:
    """Return the shards in order, if they are all of one kind and one split, and complete."""
    ordered = in_order(paths)
    labels = [os.path.relpath(path, root) for path in ordered]
    strangers = [label for label in labels if not _kind(label) or _is_folder(root / label)]
    problem = _stranger(strangers, labels) or _kinds(labels) or _splits(labels)
    if problem is not None:
        what, pattern = problem
        raise DataError(
            f"{name} has {what}; name the shards of one split by a pattern, for example '{root}/{pattern}'."
        )
    if (two := _two_sets(labels)) is not None:
        raise DataError(f"{name} has {' and '.join(two)}, which count different numbers of shards; remove the old set.")
    if (absent := missing_shard(labels)) is not None:
        raise DataError(f"{name} lacks the shard {absent}, which the names of the others count; bring it back.")
    return ordered


def _two_sets(labels: Sequence[str]) -> tuple[str, str] | None:
    """Two shards whose names are alike and count different numbers of shards."""
    first: dict[tuple[str, str], re.Match[str]] = {}
    for found in filter(None, map(_OF_SEVERAL.fullmatch, labels)):
        other = first.setdefault((found["before"], found["after"]), found)
        if other["total"] != found["total"]:
            return other.string, found.string
    return None


def _kind(label: str) -> str:
    return KINDS.get(suffix_of(Path(label)), "")


def _stranger(strangers: Sequence[str], labels: Sequence[str]) -> tuple[str, str] | None:
    """What is no shard, and a pattern without it."""
    if not strangers:
        return None
    suffix = next((suffix_of(Path(label)) for label in labels if label not in strangers), ".jsonl")
    return f"{', '.join(strangers[:_SHOWN])}, not a shard of a data set", f"*{suffix}"


def _kinds(labels: Sequence[str]) -> tuple[str, str] | None:
    """Shards of different kinds, and a pattern of one of them."""
    first = {_kind(label): label for label in reversed(labels)}
    if len(first) == 1:
        return None
    examples = "; ".join(f"{kind}: {label}" for kind, label in sorted(first.items()))
    return f"shards of several kinds ({examples})", f"*{suffix_of(Path(labels[0]))}"


def _splits(labels: Sequence[str]) -> tuple[str, str] | None:
    """Shards of different splits, by the words in their names, and a pattern of one of them."""
    words = [[word for word in _WORD.findall(label.lower()) if word in _SPLITS] for label in labels]
    splits = [frozenset(map(_SPLITS.__getitem__, found)) for found in words]
    if len(set(splits)) == 1 or len(frozenset().union(*splits)) == 1:
        return None
    other = next(number for number, split in enumerate(splits) if split != splits[0])
    return f"shards of several splits ({labels[0]}, {labels[other]})", f"*{(words[0] or words[other])[0]}*"
