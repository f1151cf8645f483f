"""What is wrong with `data.mix`, one sentence a problem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.errors.advice import setting
from qaexp.storage.mix import is_weight, sets_of
from qaexp.storage.sources import SOURCES

EXAMPLE = "data.mix={squad: {file: squad.json, weight: 0.7}, nq: {file: nq.jsonl.gz, weight: 0.3}}"
# A name is part of dotted keys, and of the ids of its questions.
_NAME = re.compile(r"\w[\w-]{0,59}")
_KEYS = ("file", "weight")


def mix_problems(value: Any) -> Iterator[str]:
    """Say what is wrong with a mix, one sentence a problem; whether its files are there is not looked at.

    >>> list(mix_problems({"a": {"file": "a.json", "weight": 0}}))[0].partition(";")[0]
    'data.mix.a.weight=0 must be a number above 0 (1e-9 to 1e9)'
    """
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f"data.mix is {str(value)[:60]!a}, it must name training sets, as '{EXAMPLE}'"
        return
    entries = {name: entry for name, entry in sets_of(value).items() if entry is not None}
    if not entries:
        yield f"data.mix names no training set; name some, as '{EXAMPLE}', or give null"
    for name, entry in entries.items():
        yield from _entry_problems(name, entry)
    files: dict[Any, str] = {}
    weighted = []
    for name, entry in entries.items():
        file = entry.get("file") if isinstance(entry, Mapping) else entry
        if isinstance(file, str) and (first := files.setdefault(file, name)) != name:
            yield f"data.mix.{name} and data.mix.{first} are one file, {file}; leave one of them out"
        if isinstance(entry, Mapping) and entry.get("weight") is not None:
            weighted.append(name)
    if weighted and (bare := [name for name in entries if name not in weighted]):
        yield (
            f"data.mix.{bare[0]} has no weight, and data.mix.{weighted[0]} has one; give all of them a weight, or none "
            "(then every set counts by its size)"
        )


def mix_key_problems(source: str, keys: Mapping[str, object]) -> Iterator[str]:
    """Say which other keys of the group `data` a mix contradicts.

    Args:
        source: The value of `data.source`, a row of the table of sources.
        keys: The keys of the group.

    >>> list(mix_key_problems("json", {"mix": {"a": "a.json"}, "train_file": "b.json"}))
    ['data.mix and data.train_file=b.json both say what is trained on; set data.train_file=null, or leave data.mix out']
    """
    if not keys.get("mix"):
        return
    if "train_file" not in SOURCES[source].needs:
        yield f"data.mix has no effect with {setting('data.source', source)}; choose {setting('data', 'json')}"
    elif keys.get("train_file"):
        yield (
            f"data.mix and data.train_file={keys['train_file']} both say what is trained on; set data.train_file=null, "
            "or leave data.mix out"
        )


def _entry_problems(name: str, entry: Any) -> Iterator[str]:
    key = f"data.mix.{name}"
    if not _NAME.fullmatch(name):
        yield f"data.mix has the name {name[:80]!a}; use letters, digits, '_' and '-', at most 60"
        return
    if not isinstance(entry, Mapping):
        if not isinstance(entry, str) or not entry.strip():
            yield f"{key}={str(entry)[:60]} must be a file, or {{file: FILE, weight: NUMBER}}"
        return
    for other in (str(one) for one in entry if one not in _KEYS):
        yield f"{key}.{other[:60]} is not a key; a set of a mix has {' and '.join(_KEYS)}"
    file, weight = entry.get("file"), entry.get("weight")
    if not isinstance(file, str) or not file.strip():
        found = "missing" if file is None else f"{str(file)[:60]!a}"
        yield f"{key}.file is {found}, it must be the path of a file or of shards"
    if weight is not None and not is_weight(weight):
        yield (
            f"{key}.weight={str(weight)[:60]} must be a number above 0 (1e-9 to 1e9); weights are shares, and only "
            f"what they are to each other counts ({key}=null leaves the set out)"
        )
