"""Every name of a setting in run_qa.py and Trainer has its word here, and the words that are told compose."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache

import pytest

from qaexp.cli.arguments import parse_train_arguments
from qaexp.config.checks.other_tools import HABITS, INSTEAD
from qaexp.config.checks.overrides import list_keys
from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.unknown import unknown_key
from qaexp.config.compose import compose_config
from qaexp.config.conf import choices, conf_directory
from qaexp.errors import ConfigError
from tests.fixtures.checked import check_command_line

RUN_QA = (
    "model_name_or_path", "tokenizer_name", "cache_dir", "model_revision", "token", "trust_remote_code",
    "dataset_name", "dataset_config_name", "train_file", "validation_file", "test_file", "overwrite_cache",
    "preprocessing_num_workers", "max_seq_length", "pad_to_max_length", "max_train_samples", "max_eval_samples",
    "max_predict_samples", "version_2_with_negative", "null_score_diff_threshold", "doc_stride", "n_best_size",
    "max_answer_length",
)  # fmt: skip
OLDER = ("evaluation_strategy", "no_cuda", "group_by_length", "logging_dir", "warmup_ratio", "overwrite_output_dir")
INSIDE = {
    "wandb.project": "trackers=wandb",
    "wandb.entity": "trackers=wandb",
    "optimizer.learning_rate": "write optimizer.lr=1",
    "optimizer.name": "optimizer offers adafactor, adamw, muon, sgd; write optimizer=adamw",
    "trainer.save_steps": "write trainer.checkpoint_every=1",
    "training_args.num_train_epochs": "write trainer.epochs=1",
    "data.max_seq_length": "write features.max_length=1",
    "output_dir": "write hydra.run.dir=1",
    "resume_from_checkpoint": "qaexp resume DIR",
    "save_total_limit": "write trainer.keep_checkpoints=true",
}
VALUES = {
    "accelerator": "gpu",
    "activation_checkpointing": "true",
    "adam_beta1": "0.9",
    "adam_beta2": "0.99",
    "gradient_checkpointing": "true",
    "max_seq_length": "256",
    "max_seq_len": "256",
    "model_revision": "main",
}


@cache
def legal() -> tuple[str, ...]:
    return (*list_keys(compose_config([])), *choices([conf_directory()]))


def names() -> list[str]:
    from transformers import TrainingArguments

    given = [*(item.name for item in fields(TrainingArguments)), *RUN_QA, *OLDER, *HABITS, *INSTEAD]
    return sorted({name for name in given if name not in legal()})


def said(name: str, value: str = "1") -> str:
    return unknown_key(name, f"{name}={value}", legal())


def test_every_name_has_its_word() -> None:
    assert [name for name in names() if "lists all keys" in said(name) or said(name).endswith("is not a key")] == []


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_told(name: str) -> None:
    assert INSIDE[name] in said(name)


@pytest.mark.slow
def test_what_is_told_composes() -> None:
    proposals: set[str] = set()
    for name in names():
        value = VALUES.get(name, "1")
        told = said(name, value)
        written = re.search(r"write (.*?)(?: to keep them)?$", told)
        meant = re.search(r"did you mean (\S+)\?$", told)
        proposals |= {written[1]} if written else {f"{meant[1]}={value}"} if meant else set()
    assert len(proposals) > 40
    for words in sorted(proposals):
        check_command_line(keep_texts(words.split()))


def test_flags_say_the_same() -> None:
    for words, says in {
        ("--save_total_limit", "2"): "write trainer.keep_checkpoints=true",
        ("--resume_from_checkpoint",): "qaexp resume DIR",
        ("--report_to", "comet"): "wandb; write trackers=none, without --",
        ("--version_2_with_negative", "false"): "write decoding=squad_v1",
        ("--dataset_name", "me/mine"): "data.dataset=me/mine",
        ("--deepspeed", "ds.json"): "qaexp has nothing like it",
    }.items():
        with pytest.raises(ConfigError) as refused:
            parse_train_arguments(words)
        assert says in refused.value.problems[0]
