"""Training speed: the loop of qaexp with its default batches against transformers' Trainer with dynamic padding.

    python tests/benchmarks/training_speed.py [--train-file FILE] [--rounds 4] [--steps 3] [--threads 1 2]

Both train MiniLM on the same features (384/128) of the first 1,000 examples, with the same dropout, optimizer (fused
AdamW) and clipping. Trainer draws batches of 16 at random and pads each to its longest, as run_qa does without
--pad_to_max_length. The two take turns in one process, a few steps each, so that other load on the machine falls on
both; speed is real tokens (no padding) per second, and the ratio is that of the totals. On a busy machine the ratio by
CPU seconds is the steadier one. Before anything is timed, both give one batch of equally long features the same loss.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import DataCollatorWithPadding, PrinterCallback, TrainerCallback, TrainingArguments
from transformers import Trainer as TransformersTrainer

from qaexp.data.batches import BatchPlan
from qaexp.data.features import Features, build_features
from qaexp.data.squad import read_squad_file
from qaexp.model import Checkpoint, LoadedModel
from qaexp.training.loop import Trainer
from qaexp.training.loss import span_loss
from qaexp.training.schedules import constant
from tests import SAMPLE
from tests.benchmarks.measuring import trainer_rows
from tests.fixtures.checkpoints import MINILM

LR, WEIGHT_DECAY, BATCH_SIZE, TOKEN_BUDGET = 3e-4, 0.01, 16, 3072


class Watch:
    """Wall and CPU seconds since it was started."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        """[wall seconds, CPU seconds of all threads]"""
        return np.array([time.perf_counter() - self.began[0], time.process_time() - self.began[1]])


class Ours:
    """The loop of qaexp; each turn takes some steps of one long training."""

    def __init__(self, loaded: LoadedModel, features: Features) -> None:
        trainer = Trainer(epochs=1000, max_steps=10_000, device="cpu", log_every=1)
        plan = BatchPlan(batch_size=None, token_budget=TOKEN_BUDGET, group_by_length=True, shuffle=True, seed=0)
        optimizer = functools.partial(torch.optim.AdamW, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        self.state = trainer.prepare(loaded, features, plan, optimizer=optimizer, schedule=constant, dropout_seed=0)
        self.records = trainer.train(self.state)

    def turn(self, steps: int) -> tuple[int, np.ndarray]:
        """Train on; the real tokens read, and the seconds."""
        before, watch = self.state.num_tokens, Watch()
        for _ in range(steps):
            next(self.records)
        return self.state.num_tokens - before, watch.read()


class Theirs(TrainerCallback):
    """transformers' Trainer; each turn trains on a part of its random order, with its own step loop."""

    def __init__(self, loaded: LoadedModel, features: Features) -> None:
        self.loaded = loaded
        self.rows = trainer_rows(features)
        self.order = np.random.default_rng(0).permutation(len(features))
        self.lengths = features.lengths
        self.place = 0
        self.optimizer = torch.optim.AdamW(loaded.model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        self.folder = tempfile.mkdtemp(prefix="qaexp-benchmark-")
        self.watch, self.seconds = Watch(), np.zeros(2)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Only the step loop is timed, not the setting up of each turn."""
        self.watch = Watch()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """The end of the turn's last step is the end of the turn."""
        self.seconds = self.watch.read()

    def turn(self, steps: int) -> tuple[int, np.ndarray]:
        """Train on; the real tokens read, and the seconds."""
        chosen = self.order.take(range(self.place, self.place + steps * BATCH_SIZE), mode="wrap")
        self.place += steps * BATCH_SIZE
        arguments = TrainingArguments(
            output_dir=self.folder,
            per_device_train_batch_size=BATCH_SIZE,
            max_steps=steps,
            max_grad_norm=1.0,
            lr_scheduler_type="constant",
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        trainer = TransformersTrainer(
            model=self.loaded.model,
            args=arguments,
            train_dataset=[self.rows[index] for index in chosen],
            data_collator=DataCollatorWithPadding(self.loaded.tokenizer),
            optimizers=(self.optimizer, torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)),
            callbacks=[self],
        )
        trainer.remove_callback(PrinterCallback)  # it would print between our lines
        trainer.train()
        return int(self.lengths[chosen].sum()), self.seconds


def check_equal_losses(loaded: LoadedModel, features: Features) -> float:
    """Both losses of one batch of equally long features, dropout off; returns their difference."""
    longest = np.flatnonzero(features.lengths == features.lengths.max())[:4]
    rows = trainer_rows(features)
    batch = DataCollatorWithPadding(loaded.tokenizer)([rows[index] for index in longest])
    loaded.model.eval()
    with torch.no_grad():
        output = loaded.model(**batch)
    labels = batch["start_positions"], batch["end_positions"]
    ours, _ = span_loss(output.start_logits, output.end_logits, batch["attention_mask"], *labels)
    difference = abs(ours.item() / len(longest) - output.loss.item())
    assert difference < 1e-5, difference
    return difference


def measure(examples: Any, *, threads: int, rounds: int, steps: int, dropout: dict[str, float]) -> dict[str, Any]:
    """Let both train in turns; the first turn of each is not counted."""
    torch.set_num_threads(threads)
    checkpoint = Checkpoint(checkpoint=MINILM, **dropout)
    loaded = checkpoint.load(seed=0)
    features = build_features(examples, loaded.tokenizer, max_length=384, doc_stride=128)
    difference = check_equal_losses(loaded, features)
    ours, theirs = Ours(loaded, features), Theirs(checkpoint.load(seed=0), features)
    ours.turn(1)
    theirs.turn(1)
    turns = {"ours": [], "trainer": []}
    for _ in range(rounds):
        turns["ours"].append(ours.turn(steps))
        turns["trainer"].append(theirs.turn(steps))
    tokens = {name: np.array([turn[0] for turn in taken]) for name, taken in turns.items()}
    seconds = {name: np.array([turn[1] for turn in taken]) for name, taken in turns.items()}
    rate = {name: tokens[name].sum() / seconds[name].sum(axis=0) for name in turns}
    each = (tokens["ours"] / seconds["ours"][:, 0]) / (tokens["trainer"] / seconds["trainer"][:, 0])
    return {
        "threads": threads,
        **dropout,
        "loss_difference": difference,
        "num_features": len(features),
        "padding_share": round(ours.state.padding_share, 2),
        "ours_tokens_per_second": round(rate["ours"][0]),
        "trainer_tokens_per_second": round(rate["trainer"][0]),
        "ratio": round(rate["ours"][0] / rate["trainer"][0], 2),
        "ratio_lowest": round(each.min(), 2),
        "ratio_highest": round(each.max(), 2),
        "ours_tokens_per_cpu_second": round(rate["ours"][1]),
        "trainer_tokens_per_cpu_second": round(rate["trainer"][1]),
        "cpu_ratio": round(rate["ours"][1] / rate["trainer"][1], 2),
    }


def main() -> None:
    """Measure, and print one JSON line for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-file", type=Path, default=SAMPLE / "train.json")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--attention-dropout", type=float, default=0.1)
    options = parser.parse_args()
    examples = read_squad_file(options.train_file).examples[:1000]
    dropout = {"hidden_dropout": 0.1, "attention_dropout": options.attention_dropout}
    for threads in options.threads:
        found = measure(examples, threads=threads, rounds=options.rounds, steps=options.steps, dropout=dropout)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
