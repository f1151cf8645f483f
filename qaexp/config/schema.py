"""The types of every config key, with its unit and whether it can change results; the values live in conf/.

One dataclass a group. A field without a value is set by every YAML file of its group. `optimizer`, `schedule` and
`trackers` are open nodes: their keys are those of the chosen YAML file, so that one file adds a choice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from omegaconf import MISSING

from qaexp.errors.rules import SUBSETS
from qaexp.nodes import UNNAMED, with_unwritten, without_unnamed
from qaexp.storage.sources import SOURCES


def key(
    help: str,
    *,
    unit: str = "",
    neutral: bool = False,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    default: Any = MISSING,
) -> Any:
    """Declare a config key.

    Args:
        help: What the key means, in one line.
        unit: The unit of the value, for example `tokens`.
        neutral: True when the key cannot change results, so that it is not part of a run's identity.
        low: The smallest legal value, inclusive.
        high: The largest legal value, inclusive.
        choices: The legal words of a text key.
        default: The value in configs that do not have the key, as those of older runs; else it must be given.
    """
    metadata = {"help": help, "unit": unit, "neutral": neutral, "low": low, "high": high, "choices": choices}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class SeedsConfig:
    """Where each kind of randomness comes from; all but `dev` follow `seed` unless they are set."""

    subset: int = key("seed of the draw of training examples", low=0, high=2**32 - 1)
    init: int = key("seed of fresh weights", low=0, high=2**32 - 1)
    order: int = key("seed of the order of batches", low=0, high=2**32 - 1)
    dropout: int = key("seed of dropout", low=0, high=2**32 - 1)
    dev: int = key("seed of the draw of dev examples; never follows `seed`", low=0, high=2**32 - 1)


@dataclass
class ProbeConfig:
    """A question that is answered after each epoch."""

    question: str = MISSING
    context: str = MISSING


@dataclass
class DataConfig:
    """Which examples."""

    _target_: str = MISSING
    source: str = key("where the examples come from", choices=tuple(SOURCES))
    dataset: str | None = key("hub id of the data set (source=hub)")
    config_name: str | None = key("name of the hub data set's configuration (source=hub)")
    revision: str | None = key("commit of the hub data set (source=hub)")
    train_file: str | None = key(
        "file, or folder or pattern of shards: JSON, JSON lines, CSV, parquet, Arrow, .gz, .zst (source=json)",
        neutral=True,
    )
    dev_file: str | None = key("as train_file, for the dev split", neutral=True)
    test_file: str | None = key("as train_file; scored once, at the end", neutral=True)
    test_files: Any = key(  # noqa: RUF009 (it is a field)
        "evaluation sets, scored once, at the end: {bio: bio.json, news: news.jsonl}; files as train_file; null: none",
        neutral=True,
        default=None,
    )
    train_size: int | float | None = key(
        "training examples: a number (1: one), a fraction (1.0: all), or null for all", unit="examples"
    )
    dev_size: int | float | None = key(
        "dev examples: a number (1: one), a fraction (1.0: all), or null for all", unit="examples"
    )
    subset: str = key("how training examples are drawn", choices=SUBSETS)
    on_bad: str = key("what to do with a faulty example", choices=("fail", "skip", "fix"))
    columns: Any = key(  # noqa: RUF009 (it is a field)
        "what the files call qaexp's columns, such as {context: passage, question: query}; null: the same", default=None
    )
    mix: Any = key(  # noqa: RUF009 (it is a field)
        "several training sets in place of train_file, such as {a: {file: a.json, weight: 0.7}, b: {...}}; "
        "null: train_file alone",
        default=None,
    )


@dataclass
class FeaturesConfig:
    """How examples become features."""

    _target_: str = UNNAMED["features"]
    max_length: int = key(
        "tokens of a feature, question and special tokens included", unit="tokens", low=8, high=1_000_000
    )
    doc_stride: int = key("overlap of neighbouring windows", unit="tokens", low=0)
    null_window_rate: float | None = key(
        "share of the training windows without an answer that are kept; null: all", low=0, high=1, default=None
    )


@dataclass
class BatchesConfig:
    """How features become batches: exactly one of batch_size and token_budget is set."""

    _target_: str = UNNAMED["batches"]
    batch_size: int | None = key("features of a micro-batch", unit="features", low=1)
    token_budget: int | None = key("tokens of a micro-batch, padding counted", unit="tokens", low=1)
    group_by_length: bool = key("put features of like length together")
    shuffle: bool = key("a new order every epoch; false: the drawn order")


@dataclass
class ModelConfig:
    """Which weights, and what is changed about them before training."""

    _target_: str = MISSING
    checkpoint: str = key("hub id, local folder, another run's folder or package://module/folder; #sha256=... pins it")
    revision: str | None = key("commit, tag or branch of a hub checkpoint")
    sha256: str | None = key("required sha256 of model.safetensors")
    random_weights: bool = key("take only the architecture and the tokenizer; all weights are fresh")
    hidden_dropout: float | None = key("dropout of hidden states; null: the checkpoint's own", low=0, high=0.99)
    attention_dropout: float | None = key("dropout of attention weights; null: the checkpoint's own", low=0, high=0.99)
    freeze_embeddings: bool = key("do not train the embeddings")
    freeze_layers: int = key("do not train the first n layers (and the embeddings below them)", low=0)


@dataclass
class TrainerConfig:
    """How the weights are trained."""

    _target_: str = MISSING
    epochs: int = key("passes over the training features; 0: evaluate only", low=0, high=100_000)
    max_steps: int | None = key("stop after this many steps", unit="steps", low=1)
    device: str = key("where to compute: auto, cpu, cuda, cuda:N, xpu, xpu:N or mps")
    processes: int = key(
        "processes of this machine that train together, each on a GPU of its own",
        neutral=True,
        low=1,
        high=1024,
        default=1,
    )
    precision: str = key(
        "number format of the forward pass; auto: bf16 where the device computes in it at full speed, else fp32",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    attention: str = key(
        "attention and dropout of a CPU: plain (torch's) or unpadded (feature by feature); auto: unpadded unless fp32",
        choices=("auto", "plain", "unpadded"),
        default="plain",
    )
    gradient_accumulation_steps: int = key("micro-batches of a step", low=1)
    max_grad_norm: float | None = key("clip the gradient to this norm; null: never", low=1e-12)
    layer_decay: float = key("learning rate of layer k from the top is lr * layer_decay**k", low=1e-3, high=1)
    eval_every: int | None = key("steps between evaluations; null: after each epoch", unit="steps", low=1)
    early_stopping_patience: int | None = key("evaluations without a better f1 before training stops", low=1)
    keep: str = key("which epoch's weights are kept", choices=("last", "best"))
    log_every: int = key("steps between two records in metrics.jsonl", unit="steps", neutral=True, low=1)
    gradient_checkpointing: bool = key("recompute activations to save memory")
    compile: bool = key("torch.compile the model")
    deterministic: bool = key("promise the same bytes on CUDA too (slower)")
    checkpoint_every: int | None = key(
        "steps between checkpoints; each epoch and each evaluation ends with one anyway",
        unit="steps",
        neutral=True,
        low=1,
    )
    keep_checkpoints: bool = key("keep the checkpoints of a completed run", neutral=True)
    on_nan: str = key("what a step does that is NaN or infinite: fail, or skip:K for at most K of them")
    allow_drift: bool = key("go on from a checkpoint though config, packages or device changed", neutral=True)
    profile_steps: int | None = key(
        "profile so many steps into profile/; null: none", unit="steps", neutral=True, low=1, high=1000
    )


@dataclass
class DecodingConfig:
    """How logits become answers."""

    _target_: str = UNNAMED["decoding"]
    allow_no_answer: bool = key("allow unanswerable questions (SQuAD v2)")
    n_best_size: int = key("best spans kept per example", low=1, high=1000)
    max_answer_length: int = key("longest legal answer", unit="tokens", low=1)


@dataclass
class ReporterConfig:
    """What is drawn from a finished run, and where it is uploaded to."""

    _target_: str = MISSING
    plots: bool = key("draw plots/*.png", neutral=True)
    html: bool = key("write report.html", neutral=True)
    upload_to: str | None = key(
        "URL of a store, such as s3://bucket/folder, that completed runs are uploaded to; null: none",
        neutral=True,
        default=None,
    )


@dataclass
class SweepConfig:
    """What a sweep does; of no meaning for a single run."""

    dry_run: bool = key("print the plan of a sweep and stop")
    plan_only: bool = key("write the plan of a sweep and stop; qaexp work runs its jobs")
    on_failure: str = key("what failed jobs mean for the rest: continue, or stop_after:K")
    max_checkpoint_mib: float | None = key(
        "what the checkpoints of stopped jobs may take together; null: no limit", unit="MiB", low=0
    )


@dataclass
class ExperimentConfig:
    """One run, completely."""

    name: str | None = key(
        "the run's name and folder, stable; null draws a time stamp, or one name for all starts of a Slurm job",
        neutral=True,
    )
    tags: list[str] = key("words to find the run by", neutral=True, default=[])  # noqa: RUF009 (it is a field)
    notes: str = key("what the run is for, in your words", neutral=True, default="")
    group: str | None = key("which runs it belongs with, a word of yours", neutral=True, default=None)
    seed: int = key("the seed that all others follow", low=0, high=2**32 - 1)
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    threads: int | None = key(
        "CPU threads, shared by the processes of a run; null: torch's default", neutral=True, low=1, high=1024
    )
    steal_lock: bool = key("take over a run whose process on another machine has died", neutral=True)
    probes: list[ProbeConfig] = key("questions that are answered after each epoch")  # noqa: RUF009 (it is a field)
    data: DataConfig = field(default_factory=DataConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    batches: BatchesConfig = field(default_factory=BatchesConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    reporter: ReporterConfig = field(default_factory=ReporterConfig)
    trackers: dict[str, Any] = field(default_factory=dict)
    sweep: SweepConfig = field(default_factory=SweepConfig)


def as_stored(config: ExperimentConfig) -> dict[str, Any]:
    """A config as runs and plans store it: plain values, without those that are written nowhere."""
    return without_unnamed(asdict(config))


def as_read(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `as_stored`, of a tree: with what is written nowhere."""
    return with_unwritten(stored)


OPEN_NODES = ("optimizer", "schedule", "trackers")
# What a fingerprint of the content identifies better than a name: another path to the same weights is the same run.
_IDENTIFIED_BY_CONTENT = ("model.checkpoint", "model.revision", "model.sha256")


@functools.cache
def leaves(schema: type = ExperimentConfig, prefix: str = "") -> tuple[tuple[str, Field[Any], Any], ...]:
    """Every key that people set and the schema declares, with its dotted name, its field and its type, in order.

    Open nodes declare no keys, and `_target_` is none that people set.
    """
    return tuple(_leaves(schema, prefix))


def _leaves(schema: Any, prefix: str) -> Iterator[tuple[str, Field[Any], Any]]:
    hints = get_type_hints(schema)
    for item in fields(schema):
        name, hint = f"{prefix}{item.name}", hints[item.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from leaves(hint, f"{name}.")
        elif item.name != "_target_" and name not in OPEN_NODES:
            yield name, item, hint


@functools.cache
def neutral_keys() -> frozenset[str]:
    """Dotted keys that are not part of a run's identity, whole groups (`reporter`, `trackers`, `sweep`) among them."""
    declared = (name for name, item, _ in leaves() if item.metadata.get("neutral"))
    return frozenset({"reporter", "trackers", "sweep", *_IDENTIFIED_BY_CONTENT, *declared})
