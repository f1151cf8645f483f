"""The same small training, 40 steps of a tiny BERT with dropout, with transformers' Trainer and with qaexp."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import BertConfig, BertForQuestionAnswering, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging

from qaexp.runs.checkpoint import commit_checkpoint
from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.runs.writing import run
from qaexp.training import step
from qaexp.training.feed import Feed
from tests.benchmarks.peers.accidents import BATCH_SIZE, NUM_EPOCHS, NUM_FEATURES, SAVE_EVERY, Plan
from tests.faults.test_hostile import replaced
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import TINY_FOLDER

_LENGTH = 48
_WORDS = (
    *tiny_run.MODEL,
    f"data.train_size={NUM_FEATURES}",
    "data.dev_size=8",
    "threads=1",
    "batches=fixed",
    f"batches.batch_size={BATCH_SIZE}",
    f"trainer.epochs={NUM_EPOCHS}",
    f"trainer.checkpoint_every={SAVE_EVERY}",
)


class Rows(Dataset[dict[str, Tensor]]):
    """Features of one length, which may draw a mask whenever they are read."""

    def __init__(self, plan: Plan) -> None:
        drawn = torch.Generator().manual_seed(0)
        self.ids = torch.randint(5, 1500, (NUM_FEATURES, _LENGTH), generator=drawn)
        self.places = torch.randint(1, _LENGTH, (NUM_FEATURES,), generator=drawn)
        self.plan = plan

    def __len__(self) -> int:
        return NUM_FEATURES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        labels = {"start_positions": self.places[index], "end_positions": self.places[index]}
        return {"input_ids": self.plan.mask(self.ids[index]), **labels}


class PlannedTrainer(Trainer):
    """A Trainer that something befalls."""

    plan: Plan

    def get_batch_samples(self, *args: Any, **keywords: Any) -> Any:
        self.plan.fetch()
        return super().get_batch_samples(*args, **keywords)

    def training_step(self, *args: Any, **keywords: Any) -> Tensor:
        self.plan.step(self.state.global_step)
        return super().training_step(*args, **keywords)


class TrainerSide:
    """transformers' Trainer, started as its example scripts do: it goes on after `get_last_checkpoint`."""

    name = "transformers Trainer"
    weights_file, optimizer_file, state_file = "model.safetensors", "optimizer.pt", "trainer_state.json"
    pickled: tuple[str, ...] = ("optimizer.pt", "rng_state.pth")

    def train(self, folder: Path, plan: Plan) -> int:
        logging.set_verbosity_warning()
        set_seed(0)
        output = folder / "output"
        arguments = TrainingArguments(
            output_dir=str(output),
            num_train_epochs=NUM_EPOCHS,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=3e-4,
            save_strategy="steps",
            save_steps=SAVE_EVERY,
            save_total_limit=plan.num_kept,
            enable_jit_checkpoint=plan.on_sigterm,
            logging_steps=1,
            use_cpu=True,
            seed=0,
            report_to="none",
            disable_tqdm=True,
        )
        model = BertForQuestionAnswering(BertConfig.from_pretrained(TINY_FOLDER))
        trainer = PlannedTrainer(model, arguments, train_dataset=Rows(plan))
        trainer.plan = plan
        trainer._save_checkpoint = plan.around_save(trainer._save_checkpoint)
        last = get_last_checkpoint(str(output)) if output.is_dir() else None
        trainer.train(resume_from_checkpoint=last)
        trainer.save_model()
        trainer.save_state()
        return 0

    def weights(self, folder: Path) -> bytes | None:
        file = folder / "output" / self.weights_file
        return file.read_bytes() if file.exists() else None

    def records(self, folder: Path) -> list[tuple[int, float]]:
        history = json.loads((folder / "output" / self.state_file).read_text())["log_history"]
        return [(line["step"], line["loss"]) for line in history if "loss" in line]

    def checkpoints(self, folder: Path) -> list[Path]:
        found = (folder / "output").glob("checkpoint-*")
        return sorted(found, key=lambda path: int(path.name.partition("-")[2]), reverse=True)

    def plant(self, file: Path, content: object) -> None:
        torch.save(content, file)


class QaexpSide:
    """qaexp, by its command line."""

    name = "qaexp"
    weights_file, optimizer_file, state_file = "model.safetensors", "optimizer.safetensors", "state.json"
    pickled: tuple[str, ...] = ("optimizer.safetensors", "state.json")

    def train(self, folder: Path, plan: Plan) -> int:
        forward, collated, fetched = step._forward, Feed._collated, Feed.step

        def planned(state: Any, *args: Any) -> Any:
            plan.step(state.step)
            return forward(state, *args)

        def masked(feed: Feed, *args: Any) -> dict[str, Tensor]:
            batch = collated(feed, *args)
            return {**batch, "input_ids": plan.mask(batch["input_ids"])}

        def paused(feed: Feed, *place: int) -> Any:
            plan.fetch()
            return fetched(feed, *place)

        for owner, name, function in (
            (step, "_forward", planned),
            (Feed, "_collated", masked),
            (Feed, "step", paused),
            (run, "commit_checkpoint", plan.around_save(commit_checkpoint)),
        ):
            setattr(owner, name, function)
        done = tiny_run.call(folder, "train", "name=run", *_WORDS)
        print(done.out, done.err)
        return done.code

    def weights(self, folder: Path) -> bytes | None:
        file = folder / "outputs" / "run" / "model" / self.weights_file
        return file.read_bytes() if file.exists() else None

    def records(self, folder: Path) -> list[tuple[int, float]]:
        lines = tiny_run.read_lines(folder / "outputs" / "run" / "metrics.jsonl")
        return [(line["step"], line["loss"]) for line in lines]

    def checkpoints(self, folder: Path) -> list[Path]:
        return list(find_checkpoints(folder / "outputs" / "run"))

    def plant(self, file: Path, content: object) -> None:
        replaced(file, pickle.dumps(content))
