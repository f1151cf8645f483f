"""Words of a command line that fit nothing, with what was most likely meant."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping

from qaexp.config.checks.habits import in_our_words, said_of
from qaexp.config.checks.holders import holders
from qaexp.config.checks.other_tools import NOT_NEEDED
from qaexp.config.checks.suggest import nearest, offered
from qaexp.errors.advice import COLUMNS
from qaexp.storage.evaluation_sets import KEY as SETS

# Flags without their dashes, as keys.
_FLAGS = {
    "config": "--config-dir=DIR --config-name={}",
    "config_name": "--config-dir=DIR --config-name={}",
    "config_dir": "--config-dir={}",
    "config_path": "--config-dir={}",
    "from": "--from {}",
    "multirun": "-m",
    "allow": "--allow {}",
}

_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|nan|inf)$)[A-Za-z_][\w.-]*", re.IGNORECASE)


def columns_by_key(given: Mapping[str, str], standing: Mapping[str, str]) -> str:
    """What is said of columns that were named key by key, in the form that is read.

    Args:
        given: What followed `data.columns.`, and its value; two names in the other order are turned.
        standing: The columns that are named otherwise.

    >>> columns_by_key({"id": "qid", "passage": "context"}, {"question": "query"})
    "data.columns.id is not a key; write 'data.columns={question: query, id: qid, context: passage}'"
    """
    pairs = [
        (theirs, ours) if theirs in COLUMNS and ours not in COLUMNS else (ours, theirs)
        for ours, theirs in given.items()
    ]
    if wrong := [ours for ours, _ in pairs if ours not in COLUMNS]:
        return (
            f"data.columns.{wrong[0]} is not a key, and the columns are {', '.join(COLUMNS)}; write qaexp's name "
            "first, then the file's, as 'data.columns={context: passage}'"
        )
    inside = ", ".join(f"{ours}: {_quoted(theirs)}" for ours, theirs in {**standing, **dict(pairs)}.items())
    return f"data.columns.{next(iter(given))} is not a key; write {shlex.quote(f'data.columns={{{inside}}}')}"


def sets_by_key(given: Mapping[str, str], standing: Mapping[str, str]) -> str:
    """What is said of evaluation sets that were named key by key, in the form that is read.

    Args:
        given: What followed `data.test_files.`, and its value.
        standing: The sets that are named otherwise.

    >>> sets_by_key({"news": "news.jsonl"}, {"bio": "bio.json"})
    "data.test_files.news is not a key; write 'data.test_files={bio: bio.json, news: news.jsonl}'"
    """
    inside = ", ".join(f"{name}: {_quoted_path(path)}" for name, path in {**standing, **given}.items())
    return f"{SETS}.{next(iter(given))} is not a key; write {shlex.quote(f'{SETS}={{{inside}}}')}"


def _quoted_path(path: str) -> str:
    return path if re.fullmatch(r"[\w./-]+", path, re.ASCII) else json.dumps(path, ensure_ascii=False)


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def unknown_key(key: str, line: str, legal: Iterable[str]) -> str:
    """What is said of a key that there is not.

    Args:
        key: The key.
        line: The override.
        legal: All keys and groups.
    """
    value, known = line.partition("=")[2], list(legal)
    if key in _FLAGS:
        return f"{key} is a flag, no key; write {_FLAGS[key].format(value)}"
    said, ours = said_of(key, value), in_our_words(key, value)
    if ours == NOT_NEEDED:
        return f"{key} is not a key, and nothing needs it here; leave it out"
    if ours is not None and (said or " " in ours or not ours.endswith(f"={value}") or _is_elsewhere(ours, key, known)):
        return f"{key} is not a key{said}; write {ours}"
    return f"{key} is not a key{said or holders(key) or offered(key, known)}"


def _is_elsewhere(ours: str, key: str, known: Collection[str]) -> bool:
    """Whether the nearest key to a habit is not the one that it means: `output_dir`, `trainer.save_steps`."""
    return nearest(key, known) != ours.partition("=")[0]
