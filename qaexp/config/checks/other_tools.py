"""The names that other tools (run_qa.py, Trainer, Lightning) have for settings, and what means the same here."""

from __future__ import annotations

# Marks a name that needs no word here.
NOT_NEEDED = ""

_CALLED = ("name", "type")
# What each name is here; {} is the value that was given, and without one the words are whole.
HABITS: dict[str, str] = {
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
    "train_file": "data=json data.train_file={} data.dev_file=DEV.json",
    "dev_file": "data=json data.train_file=TRAIN.json data.dev_file={}",
    "eval_file": "data=json data.train_file=TRAIN.json data.dev_file={}",
    "validation_file": "data=json data.train_file=TRAIN.json data.dev_file={}",
    "test_file": "data=json data.train_file=TRAIN.json data.dev_file=DEV.json data.test_file={}",
    "predict_file": "data=json data.train_file=TRAIN.json data.dev_file=DEV.json data.test_file={}",
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
    "max_steps": "trainer.max_steps={}",
    "gradient_accumulation_steps": "trainer.gradient_accumulation_steps={}",
    "max_grad_norm": "trainer.max_grad_norm={}",
    "gradient_checkpointing": "trainer.gradient_checkpointing={}",
    "activation_checkpointing": "trainer.gradient_checkpointing={}",
    "adam_beta1": "optimizer.betas=[{},0.999]",
    "adam_beta2": "optimizer.betas=[0.9,{}]",
    "adam_epsilon": "optimizer.eps={}",
    "adafactor": "optimizer=adafactor",
    "data_seed": "seeds.order={}",
    "full_determinism": "trainer.deterministic=true",
    "fp16_full_eval": "trainer.precision=fp16",
    "bf16_full_eval": "trainer.precision=bf16",
    "group_by_length": "batches=by_length",
    "train_sampling_strategy": "batches=by_length",
    "metric_for_best_model": "trainer.keep=best",
    "use_mps_device": "trainer.device=mps",
    "model_revision": "model.revision={}",
    "dataset_config_name": "data.config_name={}",
    "doc_stride": "features.doc_stride={}",
    "n_best_size": "decoding.n_best_size={}",
    "max_answer_length": "decoding.max_answer_length={}",
    "dry_run": "sweep.dry_run=true",
    "dryrun": "sweep.dry_run=true",
    **dict.fromkeys(
        ("dir", "out", "outdir", "out_dir", "output", "results_dir", "save_dir", "work_dir"), "hydra.run.dir={}"
    ),
    # The name of what is chosen, as a key inside of its group.
    **{f"{group}.{word}": f"{group}={{}}" for group in ("optimizer", "schedule") for word in _CALLED},
    **{f"scheduler.{word}": "schedule={}" for word in _CALLED},
    **{f"model.{word}": "model.checkpoint={}" for word in (*_CALLED, "path")},
    **dict.fromkeys(
        (
            "auto_find_batch_size", "batch_eval_metrics", "dataloader_in_order", "dataloader_multiprocessing_context",
            "dataloader_num_workers", "dataloader_persistent_workers", "dataloader_pin_memory",
            "dataloader_prefetch_factor", "ddp_backend", "ddp_broadcast_buffers", "ddp_bucket_cap_mb",
            "enable_jit_checkpoint",
            "ddp_find_unused_parameters", "ddp_static_graph", "ddp_timeout", "eval_accumulation_steps",
            "eval_do_concat_batches", "eval_use_gather_object", "greater_is_better", "ignore_data_skip",
            "include_for_metrics", "include_num_input_tokens_seen", "label_names", "length_column_name", "local_rank",
            "log_on_each_node", "logging_nan_inf_filter", "logging_strategy", "pad_to_max_length",
            "prediction_loss_only", "preprocessing_num_workers", "remove_unused_columns",
            "restore_callback_states_from_checkpoint", "save_on_each_node", "save_only_model", "save_safetensors",
            "skip_memory_metrics", "torch_empty_cache_steps", "use_cache", "use_fast_tokenizer",
        ),
        NOT_NEEDED,
    ),
}  # fmt: skip

_ONE_BY_ONE = "its settings are keys of their own, listed by qaexp train {0}=NAME --cfg job -p {0}"
_NO_HUB = "qaexp uploads nothing; leave it out"
_NO_SUCH = "qaexp has nothing like it; leave it out"
_LIVE = "live curves are those of a tracker; write trackers={}"

# What is said of a name that has no equivalent.
INSTEAD: dict[str, str] = {
    "save_total_limit": (
        "a run keeps its newest checkpoints while it trains, and none once it is completed; write "
        "trainer.keep_checkpoints=true to keep them"
    ),
    "resume_from_checkpoint": (
        "a run goes on by itself where it stopped: give its command again, or qaexp resume DIR; to begin with the "
        "weights of another run, give its folder as model.checkpoint"
    ),
    **dict.fromkeys(
        ("resume", "continue", "auto_resume"),
        "a run goes on by itself where it stopped: give its command again, or qaexp resume DIR",
    ),
    **dict.fromkeys(
        ("verbose", "quiet", "v", "q"), "train.log and debug.log in the folder of the run have all; leave it out"
    ),
    "null_score_diff_threshold": (
        "the threshold is chosen on the dev examples and stored with the model; to score with another, give qaexp "
        "rescore RUN --null-threshold T"
    ),
    "lr_scheduler_kwargs": _ONE_BY_ONE.format("schedule"),
    "optim_args": _ONE_BY_ONE.format("optimizer"),
    "gradient_checkpointing_kwargs": "trainer.gradient_checkpointing is true or false",
    "activation_checkpointing_kwargs": "trainer.gradient_checkpointing is true or false",
    "torch_compile_backend": "trainer.compile is true or false",
    "torch_compile_mode": "trainer.compile is true or false",
    "cache_dir": "the variable HF_HOME in the environment names the folder of downloads",
    "token": "the variable HF_TOKEN in the environment gives it",
    "use_auth_token": "the variable HF_TOKEN in the environment gives it",
    "hub_token": "the variable HF_TOKEN in the environment gives it",
    "trust_remote_code": "qaexp runs no code that a checkpoint brings along; leave it out",
    "max_predict_samples": "the examples of data.test_file are scored whole; leave it out",
    "disable_tqdm": "bars are drawn on a terminal alone; leave it out",
    "logging_dir": "what a run records is in its folder, which name=... chooses; leave it out",
    **dict.fromkeys(
        ("push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo", "hub_always_push", "hub_revision"), _NO_HUB
    ),
    **dict.fromkeys(("wandb", "wandb_project"), _LIVE.format("wandb")),
    "mlflow": _LIVE.format("mlflow"),
    **dict.fromkeys(("comet", "neptune"), _LIVE.format("tensorboard")),
    **dict.fromkeys(
        ("project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"), _LIVE.format("trackio")
    ),
    **dict.fromkeys(
        (
            "accelerator_config", "average_tokens_across_devices", "dataloader_drop_last", "deepspeed", "eval_delay",
            "eval_on_start", "fsdp", "fsdp_config", "label_smoothing_factor", "liger_kernel_config", "log_level",
            "log_level_replica", "logging_first_step", "neftune_noise_alpha", "optim_target_modules",
            "parallelism_config", "tf32", "use_liger_kernel",
        ),
        _NO_SUCH,
    ),
}  # fmt: skip
