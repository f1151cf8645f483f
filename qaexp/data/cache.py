"""Features kept between runs: one file per content of everything that decides them, checked before it is used.

The order of the examples decides nothing but the order of their features: runs that draw all examples, each seed in an
order of its own, share one file. A run that draws some examples has a file of its own: features of all of them would
take minutes and hundreds of megabytes where a thousand questions take a second.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from qaexp.data.cache_folder import default_cache_dir, locked, warn_once, warn_unwritable
from qaexp.data.cache_limit import keep_to_limit, mark_used
from qaexp.data.features import Features, build_features, warn_truncated_questions
from qaexp.data.squad import Example
from qaexp.data.tokenization import distinct, plain_backend
from qaexp.errors import StorageError
from qaexp.storage.files import TEMP_PREFIX, write_bytes
from qaexp.storage.folders import remove

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_log = logging.getLogger("qaexp")
# Raised when a change of the code gives other features, or another file, for the same input.
_FORMAT = "qaexp features 5"


def cached_features(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    max_length: int,
    doc_stride: int,
    cache_dir: Path | None = None,
) -> tuple[Features, bool]:
    """Return the features of `build_features`, from the cache where they are there.

    They are kept in the order of the examples' ids, and given in that of the examples.

    Processes that want the same features at once build them once. A damaged file is built anew; where the folder cannot
    be written, features are built for this process alone, with a warning.

    Args:
        examples: As for `build_features`.
        tokenizer: As for `build_features`.
        max_length: As for `build_features`.
        doc_stride: As for `build_features`.
        cache_dir: The folder; None for `$QAEXP_CACHE_DIR`, or `~/.cache/qaexp` without it.

    Returns:
        The features, and whether they came from the cache.

    Raises:
        ConfigError: As `build_features`.
        DataError: As `build_features`.
    """
    order = sorted(range(len(examples)), key=lambda place: examples[place].id)
    features, is_cached = _kept_features(
        [examples[place] for place in order], tokenizer, max_length, doc_stride, cache_dir
    )
    is_same = order == list(range(len(order)))
    return features if is_same else features.in_order(np.asarray(order, np.int64)), is_cached


def _kept_features(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    max_length: int,
    doc_stride: int,
    cache_dir: Path | None,
) -> tuple[Features, bool]:
    """The features of examples in the order in which they are kept, and whether they came from the cache."""
    key = features_key(examples, tokenizer, max_length=max_length, doc_stride=doc_stride)
    path = (cache_dir or default_cache_dir()) / "features" / f"{key}.safetensors"
    features = _load(path, key)
    if features is not None:
        return features, True
    with locked(path) as is_locked:
        # Another process may have built them while this one waited.
        features = _load(path, key) if is_locked else None
        if features is not None:
            return features, True
        features = build_features(examples, tokenizer, max_length=max_length, doc_stride=doc_stride)
        _log.info("features: %d built of %d examples", len(features), len(examples))
        if is_locked:
            _store(path, key, features)
    return features, False


def features_key(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, *, max_length: int, doc_stride: int
) -> str:
    """Return the sha256, in hex, of all that decides features: examples, tokenizer, settings and versions."""
    settings, backend_json = features_settings(tokenizer, max_length=max_length, doc_stride=doc_stride)
    digest = hashlib.sha256()
    text = json.dumps({"format": _FORMAT, **settings}, sort_keys=True)
    for part in (text, backend_json, *_example_parts(examples)):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def features_settings(
    tokenizer: PreTrainedTokenizerFast, *, max_length: int, doc_stride: int
) -> tuple[dict[str, Any], str]:
    """Return all that decides features beside the examples: settings and versions, and the tokenizer as JSON."""
    with plain_backend(tokenizer) as backend:
        # Without truncation and padding, which any call of a tokenizer changes.
        backend_json = backend.to_str()
        is_split = backend.encode_special_tokens
    return {
        "tokenizers": importlib.metadata.version("tokenizers"),
        "max_length": max_length,
        "doc_stride": doc_stride,
        "class": type(tokenizer).__name__,
        "is_fast": tokenizer.is_fast,
        "cls": tokenizer.cls_token_id,
        "pad": tokenizer.pad_token_id,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "inputs": list(tokenizer.model_input_names),
        "split": is_split,
    }, backend_json


def _example_parts(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the whole content of examples; a context, which many questions share, comes once, behind them."""
    contexts, context_index = distinct(example.context for example in examples)
    yield str(len(examples))
    for example, number in zip(examples, context_index.tolist(), strict=True):
        answers = [(answer.text, answer.start_char) for answer in example.answers]
        yield json.dumps([example.id, example.title, number, example.question, answers])
    yield from contexts


def _load(path: Path, key: str) -> Features | None:
    """Return what is stored, or None where nothing is, or nothing that can be trusted."""
    try:
        data = path.read_bytes() if path.is_file() else None
    except OSError:
        return None
    if data is None:
        return None
    digest, payload = data[:64], data[64:]
    if digest != _digest(key, payload):
        warn_once(f"features: {path} is damaged and is built again")
        return None
    columns = safetensors.numpy.load(payload)
    features = Features(num_truncated_questions=int(columns.pop("num_truncated_questions")[0]), **columns)
    mark_used(path)
    _log.info("features: %d from the cache, %s", len(features), path)
    warn_truncated_questions(features.num_truncated_questions)
    return features


def _store(path: Path, key: str, features: Features) -> None:
    count = np.array([features.num_truncated_questions], np.int64)
    payload = safetensors.numpy.save({**features.columns(), "num_truncated_questions": count})
    try:
        for temp in path.parent.glob(f"{TEMP_PREFIX}{path.name}-*"):
            # Under the lock of this file, a temp file of it is what a killed process left.
            remove(temp)
        write_bytes(path, _digest(key, payload) + payload)
    except StorageError as error:
        warn_unwritable(path.parent, error)
    else:
        keep_to_limit(path.parent.parent, path)


def _digest(key: str, payload: bytes) -> bytes:
    """Return what stands before the payload: 64 hex digits, which a file under another key's name has wrong too."""
    return hashlib.sha256(key.encode() + payload).hexdigest().encode()
