"""What a model folder says about its own use: windows, decoding and null threshold, `qaexp.json`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.model.folder import read_bounded
from qaexp.model.owned import check_owned

SETTINGS = "qaexp.json"
_RUN = "run.json"

# What a model folder that qaexp did not make is read with: the windows and decoding of conf/features/standard.yaml.
_FOREIGN: Mapping[str, Any] = {
    "max_length": 384,
    "doc_stride": 128,
    "allow_no_answer": True,
    "n_best_size": 20,
    "max_answer_length": 30,
    "null_threshold": 0.0,
    "nodes": {},
}
# What of a run's config decides how its model is used, where it names a class of the user's own.
NODES = ("features", "decoding")


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_threshold(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _are_nodes(value: object) -> bool:
    return isinstance(value, dict) and all(
        kind in NODES and isinstance(node, dict) and isinstance(node.get("_target_"), str)
        for kind, node in value.items()
    )


_LEGAL: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "max_length": (_is_count, "a whole number from 1 up"),
    "doc_stride": (lambda value: value == 0 or _is_count(value), "a whole number from 0 up"),
    "allow_no_answer": (lambda value: isinstance(value, bool), "true or false"),
    "n_best_size": (_is_count, "a whole number from 1 up"),
    "max_answer_length": (_is_count, "a whole number from 1 up"),
    "null_threshold": (_is_threshold, "a finite number"),
    "nodes": (_are_nodes, f"nodes with _target_ under {' and '.join(NODES)}"),
}


def model_settings(folder: Path) -> dict[str, Any]:
    """Read windows, decoding and threshold of a model folder; the standard ones where a foreign one has no qaexp.json.

    Args:
        folder: A model folder, that of a run among them.

    Raises:
        ConfigError: qaexp.json cannot be read, or a value is none that there can be.
        IntegrityError: The same of a run's model, where it may not be missing or another one either: other
            answers would be given.
    """
    file = folder / SETTINGS
    is_of_a_run = (folder.parent / _RUN).is_file()
    if not file.is_file() and not is_of_a_run:
        return dict(_FOREIGN)
    try:
        settings = {**_FOREIGN, **_read(file)}
        _check(file, settings)
    except ConfigError as error:
        if is_of_a_run:
            raise IntegrityError(*error.problems) from error
        raise
    return settings


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ConfigError(f"{file} is missing: it holds the threshold and the windows of the model; copy the run again")
    try:
        content = read_bounded(file)
        stored = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} cannot be read ({error}); export the model again") from error
    if not isinstance(stored, dict):
        raise ConfigError(f"{file} holds no JSON object; export the model again")
    check_owned(file.parent, {file.name: hashlib.sha256(content).hexdigest()})
    return stored


def _check(file: Path, settings: Mapping[str, Any]) -> None:
    for key, (is_legal, words) in _LEGAL.items():
        if not is_legal(settings[key]):
            found = f"{settings[key]!r:.60}"
            raise ConfigError(f"{file}: {key} is {found}, it must be {words}; export the model again")
