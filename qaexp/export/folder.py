"""The files of an exported folder: weights or a graph, the tokenizer without leftovers, and how the model is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from qaexp.config.checks.positions import position_limit
from qaexp.data.batches import collate
from qaexp.data.features import Features
from qaexp.errors import StorageError
from qaexp.evaluation.question_set import Answering
from qaexp.export.graphs import write_graph
from qaexp.export.needs import HF
from qaexp.model.loading import quiet
from qaexp.model.plain_tokenizer import described
from qaexp.model.settings import SETTINGS
from qaexp.storage.files import write_json
from qaexp.storage.vouched import sha256_of

_TOKENIZER = "tokenizer_config.json"
# What the tokenizer of a checkpoint was once called with, or where it lay: nothing that another program should go by.
_LEFTOVERS = (
    *("max_length", "stride", "truncation_strategy", "pad_to_multiple_of", "pad_token_type_id", "padding"),
    *("is_local", "local_files_only", "name_or_path", "special_tokens_map_file", "tokenizer_file"),
)


def write_files(
    folder: Path, source: Answering, settings: Mapping[str, Any], some: Features, *, format: str, quantize: str | None
) -> None:
    """Write what opens as a model.

    Args:
        folder: An empty folder.
        source: The model and its tokenizer.
        settings: What `qaexp.json` says, up to what the format adds.
        some: A few real features, which a graph is traced with.
        format: `hf`, `onnx` or `openvino`.
        quantize: `int8`, or None.

    Raises:
        ConfigError: The format cannot hold this type of model.
        StorageError: The disk is full.
    """
    if format == HF:
        _write_weights(source.model, folder)
    else:
        write_graph(source.model, _batch(some, source), folder, format, quantize)
        with quiet():
            source.model.config.save_pretrained(folder)
    _write_tokenizer(source, folder, settings["max_length"])
    write_settings(folder, source, settings, format, is_finished=False)


def write_settings(
    folder: Path, source: Answering, settings: Mapping[str, Any], format: str, *, is_finished: bool
) -> None:
    """Write qaexp.json: windows, decoding and threshold, and for a graph what it lacks; an older one is replaced.

    Args:
        folder: The folder.
        source: The model and its tokenizer.
        settings: What the file says, up to what the format adds.
        format: `hf`, `onnx` or `openvino`.
        is_finished: Whether it says that the folder is an export: without export.json, whose hashes vouch for it, such
            a folder is refused.
    """
    about = {} if format == HF else {"format": format, "tokenizer": described(source.tokenizer)}
    write_json(folder / SETTINGS, {**settings, **about, **({"exported": True} if is_finished else {})})


def _batch(features: Features, source: Answering) -> dict[str, Any]:
    """Two rows, as a model takes them: of a single one, the number would be taken for fixed."""
    made = collate(
        features,
        np.array([0, len(features) - 1]),
        pad_token_id=int(source.tokenizer.pad_token_id),
        padding_side=str(source.tokenizer.padding_side),
        with_token_types=source.with_token_types,
    )
    return {name: tensor for name, tensor in made.items() if not name.endswith("_positions")}


def _write_weights(model: Any, folder: Path) -> None:
    with quiet():
        try:
            model.save_pretrained(folder)
        except SafetensorError as error:  # its own type, even when the disk is full
            raise StorageError(
                f"{folder}: cannot be written: {error}; free space, then run the same command again"
            ) from error


def _write_tokenizer(source: Answering, folder: Path, max_length: int) -> None:
    """Write the tokenizer; its longest text is that of the model's positions, or of the windows where they set none."""
    with quiet():
        source.tokenizer.save_pretrained(folder)
    stored = json.loads((folder / _TOKENIZER).read_text("utf-8"))
    kept = {key: value for key, value in stored.items() if key not in _LEFTOVERS}
    config = source.model.config
    positions = getattr(config, "max_position_embeddings", None)
    limit = position_limit({**config.to_dict(), "max_position_embeddings": positions})
    write_json(folder / _TOKENIZER, {**kept, "model_max_length": limit or max_length})


def file_bytes(folder: Path) -> dict[str, int]:
    """The size of each file, by its name."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}


def vouched_files(folder: Path) -> dict[str, dict[str, Any]]:
    """The size and the sha256 of each file, by its name: what whoever opens the folder can check it by."""
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in _files(folder)
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
