"""Ranges and contradictions of a whole config, found without torch: every problem is one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields

from qaexp.config.checks.open_nodes import open_problems
from qaexp.config.checks.positions import checkpoint_folder, length_problem, position_limit
from qaexp.config.checks.ranges import number_problems, range_problems
from qaexp.config.checks.trainer import trainer_problems
from qaexp.config.schema import ExperimentConfig
from qaexp.errors.rules import limit_problems, room_problems, size_problems
from qaexp.nodes import UNNAMED, public
from qaexp.storage.evaluation_sets import set_problems
from qaexp.storage.mix_problems import mix_key_problems, mix_problems
from qaexp.storage.sources import FILES, SOURCES, source_problems
from qaexp.storage.urls import url_problems

_LEGAL_NAME = re.compile(r"\w[\w.,=+@-]*")
_LONGEST_NAME = 200
_MAX_CONFIG_BYTES = 2 * 2**20
_ON_FAILURE = re.compile(r"continue|stop_after:[1-9]\d{0,5}")
# As many as BERT's; the tokenizer's own number counts once it is open.
_SPECIAL_TOKENS = 3


def check_config(config: ExperimentConfig) -> list[str]:
    """Name everything that is wrong with a config.

    Args:
        config: A config whose types are right.

    Returns:
        One sentence a problem: key, value found, what is allowed, way out. Empty when the config is good.
    """
    return [
        *range_problems(config, ExperimentConfig),
        *_seed_problems(config),
        *open_problems(config),
        *_name_problems(config),
        *_data_problems(config),
        *_model_problems(config),
        *_feature_problems(config),
        *_batch_problems(config),
        *trainer_problems(config.trainer),
        *_sweep_problems(config),
        *_upload_problems(config),
    ]


def _seed_problems(config: ExperimentConfig) -> Iterator[str]:
    """A bad `seed` is named once, not again for each seed that follows it."""
    for item in fields(config.seeds):
        value = getattr(config.seeds, item.name)
        if value != config.seed:
            yield from number_problems(f"seeds.{item.name}", value, item.metadata["low"], item.metadata["high"])


def _name_problems(config: ExperimentConfig) -> Iterator[str]:
    name = config.name
    if name is None:
        return
    if not _LEGAL_NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME:
        yield (
            f"name={name!r} cannot be a folder's name here; use letters, digits, '.', '_', '-', '=' and ',', "
            f"a letter or digit first, at most {_LONGEST_NAME} bytes"
        )


def _data_problems(config: ExperimentConfig) -> Iterator[str]:
    data = config.data
    for name, size in (("data.train_size", data.train_size), ("data.dev_size", data.dev_size)):
        yield from size_problems(name, size)
    if data.source in SOURCES:  # else it is out of its choices
        keys = {name: getattr(data, name) for name in (*FILES, "mix", "columns")}
        yield from source_problems(data.source, keys)
        yield from mix_key_problems(data.source, keys)
    yield from mix_problems(data.mix)
    yield from set_problems(data.test_files)
    for number, probe in enumerate(config.probes):
        if not probe.question.strip():
            yield f"probes[{number}].question is empty; write a question, or leave the probe out"


def _model_problems(config: ExperimentConfig) -> Iterator[str]:
    if not config.model.checkpoint.strip():
        yield "model.checkpoint is empty; give a hub id, the path of a folder or package://module/folder"


def _feature_problems(config: ExperimentConfig) -> Iterator[str]:
    features, longest = config.features, config.features.max_length
    if features.doc_stride >= 0:  # else it is out of its range
        yield from room_problems(longest, features.doc_stride, _SPECIAL_TOKENS)
    if config.decoding.max_answer_length > longest:
        yield (
            f"decoding.max_answer_length={config.decoding.max_answer_length} is more than "
            f"features.max_length={longest}; lower it to at most {longest}"
        )
    checkpoint = config.model.checkpoint
    if (problem := length_problem(longest, _checkpoint_limit(checkpoint), checkpoint)) is not None:
        yield problem


def _batch_problems(config: ExperimentConfig) -> Iterator[str]:
    if public(config.batches._target_) != UNNAMED["batches"]:
        return  # what keys mean to a class of the user's own, it says itself
    yield from limit_problems(config.batches.batch_size, config.batches.token_budget)
    if config.batches.group_by_length and not config.batches.shuffle:
        yield (
            "batches.group_by_length=true needs batches.shuffle=true, since grouped features are not in drawn order; "
            "set both alike"
        )


def _upload_problems(config: ExperimentConfig) -> Iterator[str]:
    if config.reporter.upload_to is not None:
        yield from url_problems("reporter.upload_to=", config.reporter.upload_to)


def _checkpoint_limit(checkpoint: str) -> int | None:
    folder = checkpoint_folder(checkpoint)
    if folder is None:
        return None
    file = folder / "config.json"
    try:
        # A pipe would be waited for, and a file without end read; both are named when the checkpoint is opened.
        if not file.is_file() or file.stat().st_size > _MAX_CONFIG_BYTES:
            return None
        content = json.loads(file.read_text("utf-8"))
        return position_limit(content) if isinstance(content, dict) else None
    except (OSError, ValueError, TypeError, RecursionError):
        # A folder without a readable config.json is named when the checkpoint is opened.
        return None


def _sweep_problems(config: ExperimentConfig) -> Iterator[str]:
    if not _ON_FAILURE.fullmatch(config.sweep.on_failure):
        yield (
            f"sweep.on_failure={config.sweep.on_failure} is neither continue nor stop_after:K (a number of failed jobs "
            "from 1 on)"
        )
