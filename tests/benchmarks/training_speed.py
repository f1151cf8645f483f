"""Training speed: qaexp's loop against plain fp32, and against transformers' Trainer at its default and its best.

    python tests/benchmarks/training_speed.py [--train-file FILE] [--formats fp32 bf16] [--rounds 5] [--steps 3]
        [--threads 1 2]

All train MiniLM on the same features (384/128), with the same dropout, optimizer (fused AdamW) and clipping:

- `qaexp fp32 plain`: `trainer.precision=fp32`, with torch's own attention and dropout;
- `qaexp FORMAT`: unpadded attention, in each of `--formats`;
- `Trainer`: batches of 16 in random order, each padded to its longest, in fp32: what run_qa does without
  --pad_to_max_length;
- `Trainer FORMAT grouped`: the same with `train_sampling_strategy="group_by_length"`, Trainer's best setting.

They take turns in one process, a few steps each, so that other load on the machine falls on all of them; speed is real
tokens (no padding) per second. Ratios are medians of the rounds, with the lowest and the highest. On a busy machine the
ratio by CPU seconds is the steadier one. Before anything is timed, both loops give one batch of equally long features
the same loss. The share of matrix products is that of a step's own time in the profiler of torch.
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
from transformers.trainer_pt_utils import get_length_grouped_indices

from qaexp.data.batches import BatchPlan
from qaexp.data.features import Features, build_features
from qaexp.data.question_files import read_squad_file
from qaexp.model import Checkpoint, LoadedModel
from qaexp.training.loop import Trainer
from qaexp.training.loss import span_loss
from qaexp.training.schedules import constant
from tests import SAMPLE
from tests.benchmarks.measuring import trainer_rows
from tests.fixtures.checkpoints import MINILM

LR, WEIGHT_DECAY, BATCH_SIZE, TOKEN_BUDGET = 3e-4, 0.01, 16, 3072
PLAIN, RANDOM = "qaexp fp32 plain", "Trainer"
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")


class Watch:
    """Wall and CPU seconds since it was started."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        """[wall seconds, CPU seconds of all threads]"""
        return np.array([time.perf_counter() - self.began[0], time.process_time() - self.began[1]])


class Ours:
    """The loop of qaexp; each turn takes some steps of one long training."""

    def __init__(self, loaded: LoadedModel, features: Features, precision: str, attention: str) -> None:
        settings = {"device": "cpu", "log_every": 1, "precision": precision, "attention": attention}
        trainer = Trainer(epochs=1000, max_steps=10_000, **settings)
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
    """transformers' Trainer; each turn trains on a part of its order, with its own step loop."""

    def __init__(self, loaded: LoadedModel, features: Features, precision: str, *, is_grouped: bool) -> None:
        self.loaded = loaded
        self.precision = precision
        self.rows = trainer_rows(features)
        self.lengths = features.lengths
        self.order = np.random.default_rng(0).permutation(len(features))
        if is_grouped:
            chance = torch.Generator().manual_seed(0)
            self.order = np.array(get_length_grouped_indices(self.lengths.tolist(), BATCH_SIZE, generator=chance))
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
            bf16=self.precision == "bf16",
            train_sampling_strategy="sequential",
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


def product_share(ours: Ours, steps: int) -> float:
    """The share of a step's own time that matrix products take, 0 to 1."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        ours.turn(steps)
    seconds = {event.key: event.self_cpu_time_total for event in found.key_averages()}
    return sum(seconds.get(name, 0.0) for name in PRODUCTS) / sum(seconds.values())


def measure(features: Features, checkpoint: Checkpoint, options: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Let all train in turns; the first turn of each is not counted."""
    torch.set_num_threads(threads)
    difference = check_equal_losses(checkpoint.load(seed=0), features)

    def fresh() -> LoadedModel:
        return checkpoint.load(seed=0)

    racers: dict[str, Ours | Theirs] = {
        PLAIN: Ours(fresh(), features, "fp32", "plain"),
        RANDOM: Theirs(fresh(), features, "fp32", is_grouped=False),
    }
    for precision in options.formats:
        racers[f"qaexp {precision}"] = Ours(fresh(), features, precision, "unpadded")
        racers[f"Trainer {precision} grouped"] = Theirs(fresh(), features, precision, is_grouped=True)
    for racer in racers.values():
        racer.turn(1)
    # [rounds, (wall, CPU)]: real tokens per second
    speeds: dict[str, list[np.ndarray]] = {name: [] for name in racers}
    for _ in range(options.rounds):
        for name, racer in racers.items():
            tokens, seconds = racer.turn(options.steps)
            speeds[name].append(tokens / seconds)
    shares = {name: product_share(racer, options.steps) for name, racer in racers.items() if isinstance(racer, Ours)}
    return {
        "threads": threads,
        "num_features": len(features),
        "loss_difference": difference,
        "tokens_per_second": {name: round(float(np.median(found, axis=0)[0])) for name, found in speeds.items()},
        "tokens_per_cpu_second": {name: round(float(np.median(found, axis=0)[1])) for name, found in speeds.items()},
        "product_share": {name: round(share, 3) for name, share in shares.items()},
        "ratios": {f"qaexp {precision}": ratios(speeds, f"qaexp {precision}") for precision in options.formats},
    }


def ratios(speeds: dict[str, list[np.ndarray]], name: str) -> dict[str, str]:
    """How many times as fast one is as each of the others, and in brackets the same by CPU seconds."""
    found = {}
    for other, theirs in speeds.items():
        if other != name:
            each = np.array(speeds[name]) / np.array(theirs)
            low, middle, high = (edge(each, axis=0) for edge in (np.min, np.median, np.max))
            found[other] = f"{middle[0]:.2f} ({low[0]:.2f} to {high[0]:.2f}); by CPU seconds {middle[1]:.2f}"
    return found


def main() -> None:
    """Measure, and print one JSON object for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-file", type=Path, default=SAMPLE / "train.json")
    parser.add_argument("--formats", nargs="+", default=["fp32"], choices=["fp32", "bf16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--attention-dropout", type=float, default=0.1)
    options = parser.parse_args()
    checkpoint = Checkpoint(checkpoint=MINILM, hidden_dropout=0.1, attention_dropout=options.attention_dropout)
    examples = read_squad_file(options.train_file).examples
    features = build_features(examples, checkpoint.tokenizer(), max_length=384, doc_stride=128)
    for threads in options.threads:
        print(json.dumps(measure(features, checkpoint, options, threads), indent=1), flush=True)


if __name__ == "__main__":
    main()
