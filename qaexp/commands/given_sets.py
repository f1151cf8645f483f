"""The files that `evaluate` is given, one or several with names; what makes scores say little is refused or told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.errors import ConfigError, DataError, IntegrityError
from qaexp.reporting.terminal.printing import complain
from qaexp.runs.directory import DATA
from qaexp.storage.evaluation_sets import OVERLAP_SHARE, is_set_name, name_problems
from qaexp.storage.formats import counted
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json

if TYPE_CHECKING:
    from qaexp.data.squad import SquadFile

ALONE = ""
"""The name of a file that was given without one."""

# Other splits of a training, and here as good a name as any.
_SPLITS = ("train", "dev", "test")


def given_sets(words: Sequence[str]) -> dict[str, Path]:
    """The files by their names; the only one need not have a name.

    Args:
        words: What followed each `--data`: FILE or NAME=FILE.

    Raises:
        ConfigError: Several files without names, a name that a set cannot have, or one that is given twice.

    >>> given_sets(["dev.json"]), given_sets(["bio=a/bio.json", "news=news.jsonl"])
    ({'': PosixPath('dev.json')}, {'bio': PosixPath('a/bio.json'), 'news': PosixPath('news.jsonl')})
    """
    split = [_split(word) for word in words]
    problems = list(_problems(split))
    if problems:
        raise ConfigError(*problems)
    return {name: Path(file) for name, file in split}


def check_distinct(read: Mapping[str, SquadFile]) -> None:
    """Refuse files of which one has the questions of another.

    Raises:
        DataError: With a sentence for each pair.
    """
    from qaexp.data.audit import shared_questions

    problems = [
        f"--data {two}=...: asks the questions of {one} again, so they would count twice; give each file once"
        for (one, known), (two, asked) in combinations(read.items(), 2)
        if len(known.examples) == len(asked.examples)
        and (known.sha256 == asked.sha256 or shared_questions(known.examples, asked.examples) == len(asked.examples))
    ]
    if problems:
        raise DataError(*problems)


def tell_trained_on(model: Path, read: Mapping[str, SquadFile], files: Mapping[str, Path]) -> None:
    """Say on stderr which files have questions that the run was trained on, by their ids; other models tell no ids.

    Args:
        model: The folder of the run, or of its model.
        read: What each file holds.
        files: Each file.
    """
    trained = _train_ids(model)
    for name, found in read.items():
        num = sum(example.id in trained for example in found.examples) if trained else 0
        if num >= max(1.0, OVERLAP_SHARE * len(found.examples)):
            complain(
                f"{files[name]}: {num:,} of {counted(len(found.examples), 'id')} are ids of questions that this model "
                "was trained on: if they are the same questions, its scores say little about new ones"
            )


def _train_ids(model: Path) -> frozenset[str]:
    for folder in (model, model.parent):
        try:
            ids = read_json(folder / DATA, MAX_TABLE_BYTES).get("train_ids")
        except (OSError, IntegrityError):
            continue
        if isinstance(ids, list):
            return frozenset(one for one in ids if isinstance(one, str))
    return frozenset()


def _split(word: str) -> tuple[str, str]:
    """The name and the file of a word; a path with an equals sign that is there is a path.

    Raises:
        ConfigError: The name is empty.
    """
    name, equals, file = word.partition("=")
    is_path = not equals or "/" in name or Path(word).exists()
    if equals and not name and not is_path:
        raise ConfigError(f"--data {word}: has no name before the equals sign; write --data bio={file or 'FILE'}")
    return (ALONE, word) if is_path else (name, file)


def _problems(split: Sequence[tuple[str, str]]) -> Iterator[str]:
    names = [name for name, _ in split]
    for name, file in split:
        if name == ALONE and len(split) > 1:
            stem = Path(file).stem.lower()
            such_as = stem if is_set_name(stem) else "bio"
            yield f"--data {file}: has no name, and several files need one each; write --data {such_as}={file}"
        elif name not in (ALONE, *_SPLITS):
            yield from name_problems("--data: ", name, allowed=_SPLITS)
        if not file:
            yield f"--data {name}=: names no file; write --data {name or 'bio'}=FILE"
    for name in dict.fromkeys(name for name in names if name != ALONE and names.count(name) > 1):
        yield f"--data {name}=...: is given {names.count(name)} times; give each set a name of its own"
