"""The table of sources: one row for each place that the examples of a run may come from.

Whoever has to know which source a config names reads this table: the schema (legal words), the check of a config, the
data pipeline, the completion of paths, the run's page. It names readers by their addresses and imports none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from qaexp.errors.advice import setting
from qaexp.errors.rules import choice_problems
from qaexp.storage.mix import is_mix, mix_of

FILES = ("train_file", "dev_file", "test_file")
"""The keys of the group `data` that name files; every source takes the last one."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place that examples come from.

    Attributes:
        name: The word for it in `data.source`.
        reader: The module that finds its files, with the functions of `qaexp.data.readers.Reader`.
        needs: The keys of the group `data` that it needs, and that have no effect with sources that do not.
        named_by: The key whose value people call the data by; None: they call it by its word.
        where_missing: What is said of the source where a key that it needs is not set.
        chosen_by: The choice of the group `data` for whoever set such a key with another source; None: there is no one
            choice, so that the key is to be removed.
    """

    name: str
    reader: str
    needs: tuple[str, ...] = ()
    named_by: str | None = None
    where_missing: str = ""
    chosen_by: str | None = None


_ROWS = (
    Source("demo", "qaexp.data.demo.generated"),
    Source(
        "hub",
        "qaexp.data.hub_dataset",
        needs=("dataset", "config_name", "revision"),
        named_by="dataset",
        where_missing="has no data set without it; conf/data/squad_v2.yaml shows the three keys that belong together",
    ),
    Source(
        "json",
        "qaexp.data.local_files",
        needs=("train_file", "dev_file"),
        named_by="train_file",
        where_missing="has no other examples; give the path of a SQuAD file",
        chosen_by="json",
    ),
)
SOURCES: Mapping[str, Source] = {row.name: row for row in _ROWS}
# Each key that a source needs, with the first row that needs it.
_OWNERS = {key: row for row in reversed(_ROWS) for key in row.needs}

_TRAIN_FILE = "train_file"
_COLUMNS = "columns"
_MAX_NAMED = 3

HUB_SPLITS = {"train": "train", "dev": "validation"}
"""What the hub calls the two splits."""


def source_problems(name: str, keys: Mapping[str, object]) -> Iterator[str]:
    """Say what is wrong with the keys of a source: the word itself, keys that are missing, keys without effect.

    Args:
        name: The value of `data.source`.
        keys: Values of other keys of the group `data`; a key that is not among them is not asked for.

    >>> list(source_problems("demo", {"train_file": "a.json"}))
    ['data.train_file=a.json has no effect with data.source=demo; choose data=json']
    >>> list(source_problems("csv", {}))
    ['data.source=csv is none of demo, hub, json']
    """
    if name not in SOURCES:
        yield from choice_problems("data.source", name, tuple(SOURCES))
        return
    row, typed = SOURCES[name], setting("data.source", name)
    replaced = {_TRAIN_FILE} if keys.get("mix") else set()
    for key, owner in _OWNERS.items():
        if key in row.needs and key in keys and not keys[key] and key not in replaced:
            chosen = setting("data", row.chosen_by) if row.chosen_by else typed
            yield f"data.{key} is not set, and {chosen} {row.where_missing}"
        elif key not in row.needs and keys.get(key):
            way_out = f"choose {setting('data', owner.chosen_by)}" if owner.chosen_by else "remove it"
            yield f"data.{key}={keys[key]} has no effect with {typed}; {way_out}"
    if not row.needs and keys.get(_COLUMNS):
        yield f"data.{_COLUMNS} has no effect with {typed}; choose {setting('data', 'json')}"


def full_name(data: Mapping[str, object]) -> str:
    """What people call the data of a config: a file, the sets of a mix, or a hub id; nothing where it names no source.

    Args:
        data: The keys of the group `data`, which may come from a file that anybody wrote.

    >>> full_name({"source": "hub", "dataset": "rajpurkar/squad_v2"}), full_name({"source": "demo"}), full_name({})
    ('rajpurkar/squad_v2', 'demo', '')
    """
    word = str(data.get("source") or "")
    row = SOURCES.get(word)
    if is_mix(data.get("mix")):
        names = list(mix_of(data["mix"]))
        return "+".join([*names[:_MAX_NAMED], *(["..."] if len(names) > _MAX_NAMED else [])])
    value = data.get(row.named_by) if row and row.named_by else None
    if not isinstance(value, str) or not value:
        return word
    return PurePath(value).name or word if row and row.named_by in FILES else value


def data_name(data: Mapping[str, object]) -> str:
    """The same without the owner of a hub data set, for a line of the terminal.

    >>> data_name({"source": "demo"}), data_name({"source": "json", "train_file": "/a/train.json"}), data_name({})
    ('demo', 'train.json', 'data')
    """
    return full_name(data).rpartition("/")[2] or "data"
