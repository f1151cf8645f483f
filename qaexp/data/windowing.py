"""The node `features`: how examples become features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qaexp.data.cache import cached_features
from qaexp.data.features import Features, build_features
from qaexp.data.ondisk.building import stored_features
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.ondisk.features import StoredFeatures
from qaexp.data.squad import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Windows:
    """Cuts contexts into overlapping windows; a class of your own derives from this one and has its own `build`.

    Attributes:
        max_length: Tokens of a feature, question and special tokens included.
        doc_stride: Tokens of context that neighbouring windows share.
        null_window_rate: The share of training windows without an answer that are kept; None: all of them.
    """

    max_length: int
    doc_stride: int
    null_window_rate: float | None = None

    def build(self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast) -> Features:
        """Make the features of some examples, in their order.

        Raises:
            ConfigError: The tokenizer does not fit, or max_length leaves no room beside doc_stride.
            DataError: A text cannot be encoded.
        """
        return build_features(examples, tokenizer, max_length=self.max_length, doc_stride=self.doc_stride)

    def cached(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast
    ) -> tuple[Features | StoredFeatures, bool]:
        """The same, and whether they came from the cache, which knows qaexp's own windows alone.

        Features of examples that are on disk are there too.

        Raises:
            StorageError: The disk has no room for them.
        """
        if type(self) is not Windows:
            return self.build(examples, tokenizer), False
        if isinstance(examples, StoredExamples):
            return stored_features(examples, tokenizer, max_length=self.max_length, doc_stride=self.doc_stride)
        return cached_features(examples, tokenizer, max_length=self.max_length, doc_stride=self.doc_stride)
