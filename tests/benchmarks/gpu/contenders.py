"""Who trains: the loop of qaexp, and transformers' Trainer with dynamic padding; both in bf16, in turns."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DataCollatorWithPadding, PrinterCallback, TrainerCallback, TrainingArguments
from transformers import Trainer as TransformersTrainer
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from qaexp.training.loop import Trainer
from qaexp.training.records import StepRecord
from qaexp.training.schedules import constant
from tests.benchmarks.gpu.workload import Workload
from tests.benchmarks.measuring import trainer_rows

LR, WEIGHT_DECAY = 3e-5, 0.01
# Devices that transformers' Trainer knows.
_KNOWN = ("cuda", "xpu", "mps")


@dataclass(frozen=True, slots=True)
class Turn:
    """Real tokens and features that were trained on, and the seconds until the device had done it."""

    tokens: int
    features: int
    seconds: float

    @property
    def rate(self) -> float:
        """Real tokens a second."""
        return self.tokens / self.seconds


def wait_for(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


@contextmanager
def _masks_as_shipped() -> Iterator[None]:
    """Let transformers read its masks as it does without qaexp in the process."""
    changed = {kind: ALL_MASK_ATTENTION_FUNCTIONS[kind] for kind in ("sdpa", "eager")}
    for kind, make in changed.items():
        AttentionMaskInterface.register(kind, getattr(make, "__wrapped__", make))
    try:
        yield
    finally:
        for kind, make in changed.items():
            AttentionMaskInterface.register(kind, make)


class Ours:
    """The loop of qaexp with its default batches."""

    def __init__(
        self, work: Workload, device: torch.device, *, all_longest: bool = False, deterministic: bool = False
    ) -> None:
        self.device = device
        self.trainer = Trainer(
            epochs=1000,
            max_steps=10_000,
            device="auto",
            precision="bf16",
            log_every=work.steps,
            deterministic=deterministic,
        )
        optimizer = functools.partial(torch.optim.AdamW, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        loaded, features = work.model(), work.features(all_longest=all_longest)
        self.state = self.trainer.prepare(
            loaded, features, work.plan(), optimizer=optimizer, schedule=constant, dropout_seed=0
        )
        self._records = self.trainer.train(self.state)

    def turn(self) -> Turn:
        """Train on until the next log line."""
        tokens, features = self.state.num_tokens, self.state.num_features
        wait_for(self.device)
        began = time.perf_counter()
        while not isinstance(next(self._records), StepRecord):
            pass
        wait_for(self.device)
        seconds = time.perf_counter() - began
        return Turn(self.state.num_tokens - tokens, self.state.num_features - features, seconds)


class Theirs(TrainerCallback):
    """transformers' Trainer; the same features in batches that it draws itself, and only its step loop is timed."""

    def __init__(self, work: Workload, device: torch.device, *, sampling: str) -> None:
        self.work, self.device, self.sampling = work, device, sampling
        self.loaded = work.model()
        self.rows = trainer_rows(work.features())
        if device.type not in ("cpu", *_KNOWN):
            os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)  # so that a rehearsal on the stand-in runs there too
        self.loaded.model.to(device)
        parameters = self.loaded.model.parameters()
        self.optimizer = torch.optim.AdamW(parameters, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        self.folder = tempfile.TemporaryDirectory(prefix="qaexp-benchmark-")
        self.number, self.began, self.seconds = 0, 0.0, 0.0
        self._batches: list[tuple[int, int]] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Setting up is not timed."""
        wait_for(self.device)
        self.began = time.perf_counter()

    def on_step_end(self, arguments: Any, state: Any, *_: Any, **__: Any) -> None:
        """The last step ends when the device has done it."""
        if state.global_step == self.work.steps:
            wait_for(self.device)
            self.seconds = time.perf_counter() - self.began

    def turn(self) -> Turn:
        """Train some steps, with an order of its own in each turn."""
        self.number += 1
        self._batches.clear()
        trainer = TransformersTrainer(
            model=self.loaded.model,
            args=self._arguments(),
            train_dataset=self.rows,
            data_collator=self._collate,
            optimizers=(self.optimizer, torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)),
            callbacks=[self],
        )
        trainer.remove_callback(PrinterCallback)  # it would print between our lines
        with _masks_as_shipped():
            trainer.train()
        # The loader is a batch ahead.
        done = self._batches[: self.work.steps]
        return Turn(sum(tokens for tokens, _ in done), sum(features for _, features in done), self.seconds)

    def _collate(self, rows: list[dict[str, Any]]) -> Any:
        self._batches.append((sum(len(row["input_ids"]) for row in rows), len(rows)))
        return DataCollatorWithPadding(self.loaded.tokenizer)(rows)

    def _arguments(self) -> TrainingArguments:
        return TrainingArguments(
            output_dir=self.folder.name,
            per_device_train_batch_size=self.work.batch_size,
            train_sampling_strategy=self.sampling,
            seed=self.number,
            max_steps=self.work.steps,
            max_grad_norm=1.0,
            lr_scheduler_type="constant",
            bf16=self.device.type in ("cpu", *_KNOWN),
            use_cpu=self.device.type == "cpu",
            dataloader_pin_memory=self.device.type == "cuda",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
        )
