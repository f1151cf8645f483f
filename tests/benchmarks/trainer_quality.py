"""What transformers' Trainer learns with the hyperparameters of a qaexp run, scored by the same decoding and metrics.

    python tests/benchmarks/trainer_quality.py --train train.json --dev dev.json --seeds 0 1 2

The qaexp side of the comparison, for each seed:

    qaexp train data=json data.train_file=train.json data.dev_file=dev.json data.subset=answerable seed=0 \
        decoding=squad_v1 batches.token_budget=null batches.batch_size=16 trainer.epochs=2

Both read the same examples in the same windows, start from the same MiniLM weights with a fresh head, group batches of
16 features by length, and step AdamW at 3e-4 with 10 % linear warm-up, weight decay 0.01 (none on biases and norms),
clipping at 1 and the checkpoint's dropout. Order, head and dropout masks differ, as between seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

from qaexp.data.features import build_features
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example
from qaexp.evaluation.predict import predict_logits
from qaexp.evaluation.question_set import Decoding, QuestionSet
from qaexp.model import Checkpoint
from tests.benchmarks.measuring import trainer_rows
from tests.fixtures.checkpoints import MINILM

WINDOWS = {"max_length": 384, "doc_stride": 128}
DECODING: dict[str, Any] = {"allow_no_answer": False, "n_best_size": 20, "max_answer_length": 30}


def train_once(train: list[Example], dev: list[Example], seed: int, epochs: int) -> dict[str, Any]:
    """Train with one seed and score the dev set."""
    checkpoint = Checkpoint(checkpoint=MINILM)
    tokenizer = checkpoint.tokenizer()
    features, dev_features = (build_features(part, tokenizer, **WINDOWS) for part in (train, dev))
    loaded = checkpoint.load(seed=seed)
    set_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            seed=seed,
            num_train_epochs=epochs,
            per_device_train_batch_size=16,
            per_device_eval_batch_size=32,
            train_sampling_strategy="group_by_length",
            learning_rate=3e-4,
            weight_decay=0.01,
            warmup_steps=0.1,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            label_names=["start_positions", "end_positions"],
        )
        trainer = Trainer(
            loaded.model,
            arguments,
            train_dataset=trainer_rows(features),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    # Not trainer.predict: with group_by_length it answers in another order than that of the data set.
    logits = predict_logits(
        loaded.model,
        dev_features,
        pad_token_id=int(tokenizer.pad_token_id),
        padding_side="right",
        with_token_types=loaded.with_token_types,
    )
    metrics = QuestionSet(dev, dev_features, Decoding(**DECODING)).evaluate(logits).metrics
    tokens = int(features.lengths.sum()) * epochs
    return {"seed": seed, "has_ans_f1": metrics["has_ans_f1"], "has_ans_exact": metrics["has_ans_exact"],
            "train_seconds": seconds, "tokens_per_second": tokens / seconds}  # fmt: skip


def main() -> None:
    """Train with each seed; one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first examples, to try the script out")
    arguments = parser.parse_args()
    train = [example for example in read_squad_file(arguments.train).examples if not example.is_impossible]
    dev = list(read_squad_file(arguments.dev).examples)
    for seed in arguments.seeds:
        torch.manual_seed(seed)
        found = train_once(train[: arguments.limit], dev[: arguments.limit], seed, arguments.epochs)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
