"""Text to tokens: each distinct text is encoded once, and the tokenizer shows which special tokens frame a pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.errors import ConfigError
from qaexp.errors.advice import another_model, model_key

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerFast

# Encodings hold every token as a string as well: so many texts are encoded before they shrink to arrays.
_TEXTS_AT_ONCE = 512
# Pairs that show where special tokens go (the first one), and whether that depends on the texts.
_PROBES = (("what is it", "a short text"), ("who", "it was so at the time, they said"), ("", "text"))


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTexts:
    """The tokens of several texts, without special tokens.

    Attributes:
        indptr: int64 `[num_texts + 1]`; the tokens of text i are `indptr[i]:indptr[i + 1]`.
        ids: int32 `[num_tokens]`.
        offsets: int32 `[num_tokens, 2]`, start_char and end_char (exclusive) in the text; zeros where none were asked.
    """

    indptr: NDArray[np.int64]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 `[num_texts]`."""
        return np.diff(self.indptr)


@dataclass(frozen=True, slots=True)
class PairTemplate:
    """How a tokenizer frames two texts: special tokens before, between and after them.

    Attributes:
        specials: Token ids of the three parts.
        special_types: Token type ids of the three parts.
        text_types: Token type id of the first and of the second text.
        null_part: The part that holds the CLS token.
        null_index: Where in that part it stands.
    """

    specials: tuple[tuple[int, ...], ...]
    special_types: tuple[tuple[int, ...], ...]
    text_types: tuple[int, int]
    null_part: int
    null_index: int

    @property
    def num_specials(self) -> int:
        """Special tokens of a row."""
        return sum(map(len, self.specials))

    def frame(self, first: list[int], second: list[int]) -> list[int]:
        """Return the row of token ids for two texts."""
        before, between, after = self.specials
        return [*before, *first, *between, *second, *after]


def check_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    """Refuse a tokenizer that cannot make features.

    Raises:
        ConfigError: It is a slow one (no offsets), or has no CLS or no padding token; every reason is named.
    """
    name = type(tokenizer).__name__
    way_out = another_model("checkpoint with a fast tokenizer of an encoder")
    problems = []
    if not tokenizer.is_fast:
        problems.append(
            f"{model_key()}: its tokenizer ({name}) is slow and gives no character offsets, "
            f"by which answers are cut out; {way_out} (it has a tokenizer.json)"
        )
    if tokenizer.cls_token_id is None:
        problems.append(
            f"{model_key()}: its tokenizer ({name}) has no CLS token, and the label of a feature "
            f"without an answer points there; {way_out}"
        )
    if tokenizer.pad_token_id is None:
        problems.append(
            f"{model_key()}: its tokenizer ({name}) has no padding token, and the rows of a batch "
            f"differ in length; {way_out}"
        )
    if problems:
        raise ConfigError(*problems)


@contextmanager
def plain_backend(tokenizer: PreTrainedTokenizerFast) -> Iterator[Tokenizer]:
    """Yield the Rust tokenizer without truncation and padding; the caller's settings are back afterwards.

    Files may preset both (MiniLM's has 128 and 128), and each call of a transformers tokenizer changes them. Nothing is
    touched where nothing is set, so that threads may share a tokenizer.
    """
    backend: Tokenizer = tokenizer.backend_tokenizer
    truncation, padding, is_split = backend.truncation, backend.padding, backend.encode_special_tokens
    wants_split = bool(getattr(tokenizer, "split_special_tokens", False))
    try:
        if truncation is not None:
            backend.no_truncation()
        if padding is not None:
            backend.no_padding()
        if is_split != wants_split:
            backend.encode_special_tokens = wants_split
        yield backend
    finally:
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)
        if is_split != wants_split:
            backend.encode_special_tokens = is_split


def pair_template(backend: Tokenizer, cls_token_id: int) -> PairTemplate:
    """Learn the special tokens around a pair from a probe, and check them on others.

    Raises:
        ConfigError: The tokenizer adds no CLS token, or frames pairs in a way that depends on the texts.
    """
    encoding = backend.encode(*_PROBES[0])
    parts = _special_parts(encoding)
    specials, types = (
        tuple(tuple(values[i] for i in part) for part in parts) for values in (encoding.ids, encoding.type_ids)
    )
    null_part = next((number for number, part in enumerate(specials) if cls_token_id in part), None)
    if null_part is None:
        raise ConfigError(
            f"{model_key()}: its tokenizer does not put its CLS token (id {cls_token_id}) around "
            f"a question and a context; {another_model('checkpoint of an encoder')}"
        )
    text_types = encoding.type_ids[len(parts[0])], encoding.type_ids[parts[2].start - 1]
    template = PairTemplate(specials, types, text_types, null_part, specials[null_part].index(cls_token_id))
    for pair in _PROBES:
        alone = [backend.encode(text, add_special_tokens=False).ids for text in pair]
        if template.frame(*alone) != backend.encode(*pair).ids:
            raise ConfigError(
                f"{model_key()}: its tokenizer encodes a text in a pair otherwise than alone, so that "
                f"windows cannot be cut; {another_model()}"
            )
    return template


def _special_parts(encoding: Encoding) -> tuple[range, range, range]:
    """Return the positions before, between and after the two texts."""
    sequence_ids = encoding.sequence_ids
    first = [i for i, sequence in enumerate(sequence_ids) if sequence == 0]
    second = [i for i, sequence in enumerate(sequence_ids) if sequence == 1]
    if not first or not second or first[-1] > second[0]:
        raise ConfigError(
            f"{model_key()}: its tokenizer finds no tokens in a plain English question and text, or "
            f"swaps them; {another_model()}"
        )
    return range(first[0]), range(first[-1] + 1, second[0]), range(second[-1] + 1, len(sequence_ids))


def encode_texts(backend: Tokenizer, texts: Sequence[str], *, with_offsets: bool) -> EncodedTexts:
    """Encode texts without special tokens; the time is linear in their characters."""
    encode = backend.encode_batch if with_offsets else backend.encode_batch_fast
    lengths: list[int] = []
    ids, offsets = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        encodings = encode(texts[first : first + _TEXTS_AT_ONCE], add_special_tokens=False)
        lengths += map(len, encodings)
        ids.append(_flat(encoding.ids for encoding in encodings))
        if with_offsets:
            offsets.append(_flat(chain.from_iterable(encoding.offsets for encoding in encodings)))
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    pairs = np.concatenate(offsets).reshape(-1, 2) if with_offsets else np.zeros((int(indptr[-1]), 2), np.int32)
    return EncodedTexts(indptr, np.concatenate(ids), pairs)


def _flat(rows: Iterable[Sequence[Any]]) -> NDArray[np.int32]:
    return np.fromiter(chain.from_iterable(rows), dtype=np.int32)


def distinct(texts: Iterable[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return each different text once, in order of appearance, and for every text given its number in that list.

    >>> distinct(["b", "a", "b"])
    (['b', 'a'], array([0, 1, 0]))
    """
    numbers: dict[str, int] = {}
    index = [numbers.setdefault(text, len(numbers)) for text in texts]
    return list(numbers), np.array(index, dtype=np.int64)
