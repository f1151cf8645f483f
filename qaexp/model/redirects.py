"""What of a checkpoint's JSON files would open other files than those that are hashed, or run code: refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.errors.advice import the_model

_TRUST = "get the checkpoint from a source that you trust"
# Keys of config.json that make transformers open other files, or build another model than the weights are of.
_REDIRECTS = (
    "transformers_weights",
    "configuration_files",
    "quantization_config",
    "compression_config",
    "fusion_config",
)
# Any other name is fetched as code from a repository, and `flash_attention_*` may be where its package is missing.
_IMPLEMENTATIONS = {"attn": ("eager", "sdpa", "flex_attention"), "experts": ("eager", "batched_mm", "grouped_mm")}
_MAX_NUMBER = 2**31 - 1
_MAX_POSITIONS = 2**20
# Tables of sines are computed number by number.
_MAX_SINES = 2**14
_MAX_PARTS = 10_000
# Words in the names of keys that count what is built one by one.
_PARTS = ("layer", "block", "group", "stack", "num_labels")
# Keys of tokenizer_config.json that hold content, where a text would be taken for a path.
_CONTENT = ("vocab", "merges", "tokenizer_object", "gguf_file")
# Paths that transformers writes there itself, and never opens.
_REMEMBERED = ("tokenizer_file", "special_tokens_map_file", "added_tokens_file", "tokenizer_config_file")


def parse_object(content: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object that a small file of a checkpoint holds.

    Raises:
        ValueError: It holds anything else, or is nested too deeply.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no JSON object")
    return value


def check_config(checkpoint: str, values: Mapping[str, Any]) -> None:
    """Refuse a config.json that leads elsewhere, runs code, or asks for more parts than any model has.

    Args:
        checkpoint: What the user called it, for the message.
        values: Its content.

    Raises:
        IntegrityError: Naming the key and its value.
    """
    where = f"{the_model(checkpoint)}: its config.json"
    has_sines = values.get("model_type") == "roformer" or any(key.startswith("sinus") for key, _ in _keys(values))
    for key, value in _keys(values):
        if key in _REDIRECTS and value is not None:
            raise IntegrityError(
                f"{where} has {key}={value!r:.80}, which stands for other weights, files or code than those that are "
                f"hashed; remove the key, or {_TRUST}"
            )
        kind = _implementation_of(key)
        chosen = value.values() if isinstance(value, Mapping) else [value]
        for name in chosen if kind else ():
            if name is not None and name not in _IMPLEMENTATIONS[kind]:
                raise IntegrityError(
                    f"{where} has {key}={name!r:.80}, which may be fetched as code; it may be "
                    f"{', '.join(_IMPLEMENTATIONS[kind])}: remove the key, or {_TRUST}"
                )
        limit = _most(key, has_sines)
        if isinstance(value, int) and abs(value) > limit:
            raise IntegrityError(f"{where} has {key}={_digits(value)}, it may be at most {limit}; {_TRUST}")


def check_tokenizer(checkpoint: str, files: Mapping[str, bytes]) -> None:
    """Refuse files of a tokenizer that make transformers open a path.

    Args:
        checkpoint: What the user called it, for the message.
        files: The content of the tokenizer's files by name.

    Raises:
        IntegrityError: Naming the key and its value.
    """
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        for key, value in parse_object(files[name], name).items() if name in files else ():
            if _leads_elsewhere(key, value):
                raise IntegrityError(
                    f"{the_model(checkpoint)}: its {name} has {key}={value!r:.80}, which may stand for other "
                    f"files than those that are hashed; remove the key, or {_TRUST}"
                )


def _leads_elsewhere(key: str, value: Any) -> bool:
    if key == "fast_tokenizer_files":
        return value not in (None, [], ["tokenizer.json"])
    if key == "init_inputs":
        return value not in (None, [])
    is_path = key in _CONTENT or (key.endswith("_file") and key not in _REMEMBERED)
    return is_path and isinstance(value, str)


def _keys(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of an object and of all objects in it; without recursion, JSON is as deep as it was parsed."""
    waiting: list[Any] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _implementation_of(key: str) -> str:
    """What kind of code a key chooses; empty where it chooses none."""
    for kind in _IMPLEMENTATIONS:
        if key.strip("_") in (f"{kind}_implementation", f"{kind}_implementation_internal"):
            return kind
    return ""


def _most(key: str, has_sines: bool) -> int:
    """The largest whole number that a key may have."""
    if any(word in key for word in _PARTS):
        return _MAX_PARTS
    if "position" in key:
        return _MAX_SINES if has_sines else _MAX_POSITIONS
    return _MAX_NUMBER


def _digits(value: int) -> str:
    """A whole number as text; one of very many digits is only counted."""
    return str(value) if abs(value) < 10**40 else f"a number of about {value.bit_length() * 3 // 10} digits"
