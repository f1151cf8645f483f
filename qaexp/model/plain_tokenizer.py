"""A tokenizer by its tokenizer.json alone: what `qaexp.data` asks of one, without transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.model.folder import read_bounded

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

FILE = "tokenizer.json"
# Where a tokenizer says no length: transformers' own number for it.
_NO_LIMIT = 10**30
_SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class PlainTokenizer:
    """What features are made with, by the names of transformers' fast tokenizers.

    Attributes:
        backend_tokenizer: That of the library `tokenizers`, without truncation and padding.
        cls_token_id: The id of the token that stands for "no answer".
        pad_token_id: The id of padding.
        padding_side: `left` or `right`; questions are first where it is `right`.
        truncation_side: `left` or `right`.
        model_input_names: What its model takes.
        split_special_tokens: Whether special tokens in a text are words like others.
        model_max_length: Tokens of the longest row.
    """

    backend_tokenizer: Tokenizer
    cls_token_id: int
    pad_token_id: int
    padding_side: str
    truncation_side: str
    model_input_names: tuple[str, ...]
    split_special_tokens: bool
    model_max_length: int

    @property
    def is_fast(self) -> bool:
        """It knows the characters of each token."""
        return True


def described(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What beside its tokenizer.json makes a fast tokenizer: what `open_plain_tokenizer` takes, as JSON holds it."""
    return {
        "cls_token_id": tokenizer.cls_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "model_input_names": list(tokenizer.model_input_names),
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
        "model_max_length": min(int(tokenizer.model_max_length), _NO_LIMIT),
    }


def open_plain_tokenizer(folder: Path, about: Mapping[str, Any]) -> PlainTokenizer:
    """Open the tokenizer.json of a folder.

    Args:
        folder: Holds it.
        about: What `described` gave.

    Raises:
        ConfigError: There is none, or `about` does not say what is needed.
        IntegrityError: The file holds no tokenizer.
    """
    from tokenizers import Tokenizer

    if not (folder / FILE).is_file():
        raise ConfigError(f"{folder} has no {FILE}; export the model again")
    problems = [
        f"{folder}: the tokenizer's {key} is {about.get(key)!r:.60}; export the model again"
        for key, is_legal in _LEGAL.items()
        if not is_legal(about.get(key))
    ]
    if problems:
        raise ConfigError(*problems)
    try:
        backend = Tokenizer.from_buffer(read_bounded(folder / FILE))
    except IntegrityError:
        raise
    except Exception as error:  # the library raises plain ones
        raise IntegrityError(f"{folder / FILE} holds no tokenizer ({error!s:.200}); export the model again") from error
    backend.no_truncation()
    backend.no_padding()
    return PlainTokenizer(
        backend,
        about["cls_token_id"],
        about["pad_token_id"],
        about["padding_side"],
        about["truncation_side"],
        tuple(about["model_input_names"]),
        about["split_special_tokens"],
        about["model_max_length"],
    )


def _is_id(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


_LEGAL: Mapping[str, Callable[[Any], bool]] = {
    "cls_token_id": _is_id,
    "pad_token_id": _is_id,
    "padding_side": lambda value: value in _SIDES,
    "truncation_side": lambda value: value in _SIDES,
    "model_input_names": _are_names,
    "split_special_tokens": lambda value: isinstance(value, bool),
    "model_max_length": lambda value: _is_id(value) and value > 0,
}
