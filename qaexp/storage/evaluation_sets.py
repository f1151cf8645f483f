"""The evaluation sets of a run: their legal names, and what their splits, tables and numbers are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

KEY = "data.test_files"
FOLDER = "test_sets"
"""The folder of a run directory with a table of scores for each set."""

PREFIX = "test_"
"""What the splits and numbers of sets begin with: `test_bio`, `test_bio_f1`."""

OVERLAP_SHARE = 0.01
"""The least share of a split's questions in the training data that is told: it can lift the score by a point."""

_NAME = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)
# Other splits, the rows below the sets in a table, and names whose numbers would be those of `data.test_file`:
# test_best_f1, test_crossfit_f1.
_RESERVED = ("train", "dev", "test", "mean", "iqm", "best", "best_epoch", "crossfit")
# test_bio_has_ans_f1 is a number of the set `bio`.
_RESERVED_ENDS = ("has_ans", "no_ans")


def is_set_name(name: str) -> bool:
    """Whether an evaluation set may have this name.

    >>> [is_set_name(name) for name in ("bio", "news_2020", "Bio", "../bio", "dev", "bio_no_ans", "")]
    [True, True, False, False, False, False, False]
    """
    return _NAME.fullmatch(name) is not None and name not in _RESERVED and not _ends_reserved(name)


def split_of(name: str) -> str:
    """The split of a set, as data.json calls it.

    >>> split_of("bio")
    'test_bio'
    """
    return f"{PREFIX}{name}"


def table_of(name: str) -> str:
    """The table with the scores of a set, in the run directory.

    >>> table_of("bio")
    'test_sets/bio.csv'
    """
    return f"{FOLDER}/{name}.csv"


def set_of_table(table: str) -> str | None:
    """The set that a file of a run directory has the scores of; None where it is no such table.

    >>> set_of_table("test_sets/bio.csv"), set_of_table("scores.csv"), set_of_table("test_sets/../bio.csv")
    ('bio', None, None)
    """
    name = PurePosixPath(table).stem
    return name if is_set_name(name) and table == table_of(name) else None


def key_of(split: str) -> str:
    """The config key that names the files of a split of test questions.

    >>> key_of("test"), key_of("test_bio")
    ('data.test_file', 'data.test_files.bio')
    """
    return f"{KEY}.{split.removeprefix(PREFIX)}" if split.startswith(PREFIX) else "data.test_file"


def set_problems(files: Any) -> Iterator[str]:
    """Say what is wrong with the value of `data.test_files`; nothing where there are no sets.

    >>> list(set_problems({"bio": "bio.json"})), list(set_problems(None))
    ([], [])
    >>> next(set_problems({"BioASQ": "bio.json"}))
    "data.test_files: 'BioASQ' cannot name a set; use a-z, 0-9 and _, at most 40 of them, such as bioasq"
    >>> next(set_problems(["bio.json"]))
    "data.test_files=['bio.json'] is no mapping; write data.test_files={bio: bio.json, news: news.jsonl}"
    """
    if files is None:
        return
    if not isinstance(files, Mapping):
        yield f"{KEY}={str(files)[:60]} is no mapping; write {KEY}={{bio: bio.json, news: news.jsonl}}"
        return
    for name, file in files.items():
        yield from name_problems(f"{KEY}: ", str(name))
        if not isinstance(file, str) or not file.strip():
            yield f"{KEY}.{name}={file!r} is no path of a file; give one, or leave the set out"


def name_problems(start: str, name: str, *, allowed: Collection[str] = ()) -> Iterator[str]:
    """Say why a set cannot have a name.

    Args:
        start: What the sentence begins with: where the name stands.
        name: The name.
        allowed: Names that have a meaning elsewhere and may be given here.
    """
    if is_set_name(name):
        return
    if _NAME.fullmatch(name):
        ends = f", nor end with {' or '.join(_RESERVED_ENDS)}" if _ends_reserved(name) else ""
        words = ", ".join(word for word in _RESERVED if word not in allowed)
        yield f"{start}{name!r} has a meaning of its own; a set cannot be called {words}{ends}; such as {name}_set"
        return
    likely = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:40]
    such_as = likely if is_set_name(likely) else "bio"
    yield f"{start}{name[:60]!r} cannot name a set; use a-z, 0-9 and _, at most 40 of them, such as {such_as}"


def _ends_reserved(name: str) -> bool:
    return any(name == end or name.endswith(f"_{end}") for end in _RESERVED_ENDS)
