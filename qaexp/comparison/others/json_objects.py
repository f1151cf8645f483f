"""Reads a JSON object of another program, whose keys are ids: one that stands there twice is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from qaexp.errors import DataError
from qaexp.storage.formats import json_reason
from qaexp.storage.reading import MAX_NESTED, MAX_TABLE_BYTES, read_bytes

_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
"""How files of gzip, zstd and zip begin."""


class _RepeatedError(Exception):
    """A key that an object has twice."""


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        DataError: It is not there, holds anything else, or a key twice.
        IntegrityError: It is a link, a pipe or too large.
    """
    try:
        text = text_in(path)
    except FileNotFoundError:
        raise DataError(f"{path}: is missing; give the file") from None
    if text.count("[") + text.count("{") > MAX_NESTED:
        raise DataError(f"{path}: has more than {MAX_NESTED:,} lists and objects; give results of fewer questions")
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
    except _RepeatedError as error:
        raise DataError(f"{path}: has {str(error)!r:.80} twice; ids must be unique") from None
    except RecursionError:
        raise DataError(f"{path}: nested too deeply; give results of questions") from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {json_reason(error)}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no JSON object; give {{id: text}}, or a log of one of the known programs")
    return value


def text_in(path: Path) -> str:
    """The text of a file of results.

    Raises:
        DataError: It is not UTF-8.
        FileNotFoundError: It is not there.
        IntegrityError: It is a link, a pipe or too large.
    """
    data = read_bytes(path, MAX_TABLE_BYTES)
    if data.startswith(_PACKED):
        raise DataError(f"{path}: is compressed; give it unpacked")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8 where it was made") from error


def texts_of(path: Path, found: Mapping[str, Any]) -> dict[str, str]:
    """The values of an object `{id: text}`.

    Raises:
        DataError: One is not a text.
    """
    for id, text in found.items():
        if not isinstance(text, str):
            raise DataError(f"{path}: the answer to {id!r:.80} is {text!r:.40}, not a text; give {{id: text}}")
    return dict(found)


def check_same_ids(path: Path, found: Collection[str], texts: Collection[str], name: str) -> None:
    """Hold the ids of a file against those of the answers that it belongs to.

    Args:
        path: The file.
        found: Its ids.
        texts: The ids of the answers.
        name: The file of the answers, in words.

    Raises:
        DataError: Some are missing, or are of no answer.
    """
    told = []
    if lacking := [id for id in texts if id not in found]:
        told.append(f"lacks {len(lacking):,} of its {len(texts):,} questions, first {lacking[0]!r:.80}")
    if added := [id for id in found if id not in texts]:
        told.append(f"has {len(added):,} that are not in it, first {added[0]!r:.80}")
    if told:
        raise DataError(f"{path}: does not belong to {name}: it {' and '.join(told)}; give the files of one evaluation")


def numbers_of(path: Path, found: Mapping[str, Any]) -> dict[str, float]:
    """The values of an object `{id: number}`.

    Raises:
        DataError: One is not a finite number.
    """
    return {id: finite(path, id, value) for id, value in found.items()}


def finite(path: Path, id: str, value: Any) -> float:
    """A value as a finite number.

    Raises:
        DataError: It is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{path}: the value of {id!r:.80} is {value!r:.40}, it must be a finite number")
    return number


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _RepeatedError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found
