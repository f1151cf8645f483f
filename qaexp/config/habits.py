"""What people type who come from other tools (run_qa.py, Trainer, Lightning): the words that mean it here."""

from __future__ import annotations

from qaexp.config.conf import choices, conf_directory

NOT_NEEDED = ""
"""Stands for a habit that needs no word here."""

# {} is the value that was given; without one, the words are whole.
_HABITS: dict[str, str] = {
    "lr": "optimizer.lr={}",
    "learning_rate": "optimizer.lr={}",
    "weight_decay": "optimizer.weight_decay={}",
    "wd": "optimizer.weight_decay={}",
    "optim": "optimizer={}",
    "epochs": "trainer.epochs={}",
    "num_epochs": "trainer.epochs={}",
    "max_epochs": "trainer.epochs={}",
    "num_train_epochs": "trainer.epochs={}",
    "steps": "trainer.max_steps={}",
    "batch_size": "batches=fixed batches.batch_size={}",
    "bs": "batches=fixed batches.batch_size={}",
    "train_batch_size": "batches=fixed batches.batch_size={}",
    "per_device_train_batch_size": "batches=fixed batches.batch_size={}",
    "per_gpu_train_batch_size": "batches=fixed batches.batch_size={}",
    "per_device_eval_batch_size": NOT_NEEDED,
    "per_gpu_eval_batch_size": NOT_NEEDED,
    "gradient_accumulation": "trainer.gradient_accumulation_steps={}",
    "accumulate_grad_batches": "trainer.gradient_accumulation_steps={}",
    "gradient_clip_val": "trainer.max_grad_norm={}",
    "lr_scheduler_type": "schedule={}",
    "scheduler": "schedule={}",
    "warmup": "schedule.warmup_ratio={}",
    "warmup_ratio": "schedule.warmup_ratio={}",
    "warmup_steps": "schedule.warmup_steps={} schedule.warmup_ratio=null",
    "model_name": "model.checkpoint={}",
    "model_name_or_path": "model.checkpoint={}",
    "tokenizer_name": "model.checkpoint={}",
    "checkpoint": "model.checkpoint={}",
    "max_seq_length": "features.max_length={}",
    "max_seq_len": "features.max_length={}",
    "stride": "features.doc_stride={}",
    "max_train_samples": "data.train_size={}",
    "max_eval_samples": "data.dev_size={}",
    "max_val_samples": "data.dev_size={}",
    "subset_size": "data.train_size={}",
    "dataset": "data={}",
    "dataset_name": "data={}",
    "train_file": "data=json data.train_file={}",
    "dev_file": "data.dev_file={}",
    "eval_file": "data.dev_file={}",
    "validation_file": "data.dev_file={}",
    "test_file": "data.test_file={}",
    "predict_file": "data.test_file={}",
    "output_dir": "hydra.run.dir={}",
    "run_name": "name={}",
    "experiment_name": "name={}",
    "report_to": "trackers={}",
    "logger": "trackers={}",
    "logging_steps": "trainer.log_every={}",
    "log_every_n_steps": "trainer.log_every={}",
    "eval_steps": "trainer.eval_every={}",
    "save_steps": "trainer.checkpoint_every={}",
    "load_best_model_at_end": "trainer.keep=best",
    "early_stopping_patience": "trainer.early_stopping_patience={}",
    "fp16": "trainer.precision=fp16",
    "bf16": "trainer.precision=bf16",
    "amp": "trainer.precision=bf16",
    "no_cuda": "trainer=cpu",
    "use_cpu": "trainer=cpu",
    "cpu": "trainer=cpu",
    "cuda": "trainer=cuda",
    "gpu": "trainer=cuda",
    "gpus": "trainer=cuda",
    "accelerator": "trainer.device={}",
    "torch_compile": "trainer.compile=true",
    "version_2_with_negative": "decoding=squad_v2",
    "seed": "seed={}",
    "name": "name={}",
    "do_train": NOT_NEEDED,
    "do_eval": NOT_NEEDED,
    "do_predict": NOT_NEEDED,
    "do_lower_case": NOT_NEEDED,
    "overwrite_output_dir": NOT_NEEDED,
    "overwrite_cache": NOT_NEEDED,
    "evaluation_strategy": NOT_NEEDED,
    "eval_strategy": NOT_NEEDED,
    "save_strategy": NOT_NEEDED,
    "null_score_diff_threshold": NOT_NEEDED,
}
_NO = ("false", "no", "0", "none", "off")
# Values that have another name here.
_VALUES = {
    "optimizer": {"adamw_torch": "adamw", "adamw_hf": "adamw", "adamw_torch_fused": "adamw", "adam": "adamw"},
    "schedule": {"constant_with_warmup": "constant"},
    "data": {"squad": "squad_v1"},
    "trainer.device": {"gpu": "cuda"},
}


def known_habits() -> dict[str, str]:
    """Each habit with the key or group that gets its value.

    >>> known_habits()["batch_size"], known_habits()["fp16"]
    ('batches.batch_size', 'trainer.precision')
    """
    found = {name: next((word for word in words.split() if "{}" in word), words) for name, words in _HABITS.items()}
    return {name: word.partition("=")[0] for name, word in found.items() if word}


def in_our_words(name: str, value: str | None) -> str | None:
    """Say what means the same here.

    Args:
        name: A flag or key of another tool, without its dashes.
        value: What was given to it; None without a value.

    Returns:
        The words to write; `NOT_NEEDED` when there is nothing to write; None for a name that nobody knows.

    >>> in_our_words("learning-rate", "3e-5"), in_our_words("fp16", None), in_our_words("do_train", None)
    ('optimizer.lr=3e-5', 'trainer.precision=fp16', '')
    >>> in_our_words("fp16", "false"), in_our_words("accelerator", "gpu"), in_our_words("report_to", "wandb")
    ('', 'trainer.device=cuda', 'trackers=none|tensorboard')
    """
    words = _HABITS.get(name.replace("-", "_").lower())
    if words is None or "{}" not in words:
        return NOT_NEEDED if words and (value or "").lower() in _NO else words
    key = next(word for word in words.split() if "{}" in word).partition("=")[0]
    given = "..." if value is None else _VALUES.get(key, {}).get(value, value)
    legal = choices([conf_directory()]).get(key, [given])
    return words.replace("{}", given if given in legal else "|".join(legal))
