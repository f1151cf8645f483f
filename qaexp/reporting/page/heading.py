"""A run in one line (model, data, rate, epochs, seed, device), and where its config differs from the default."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.reporting.numbers.advice import shown
from qaexp.reporting.numbers.checkpoint_name import checkpoint_name
from qaexp.reporting.terminal.tables import counted
from qaexp.runs.directory import ENVIRONMENT
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.defaults import default_leaves, is_default
from qaexp.runs.readers.group_names import prefixes
from qaexp.runs.readers.typed import Typed
from qaexp.runs.short_words import shortened
from qaexp.storage.formats import dotted
from qaexp.storage.reading import read_json
from qaexp.storage.sources import full_name

# Keys that do not affect training, or that the line above has already.
_UNTOLD = re.compile(
    r"(name|tags|notes|group|probes|threads|steal_lock|debug)$|(sweep|reporter|trackers|hydra)\b|.*\._partial_$"
)

_MAX_CHARS = 60
_NOTHING = Typed()

Config = Mapping[str, Any]


def run_line(run: RunFiles, summary: Mapping[str, Any]) -> list[str]:
    """Return what defines a run, one part each for model, data, optimizer, length, seed and device.

    Args:
        run: The files of the run; what they do not know is left out.
        summary: Its summary, which knows how many examples there were.
    """
    leaves, was_typed = dotted(run.config), run.typed
    is_chosen = "model" in was_typed.choices and "model.checkpoint" not in was_typed.words
    found = [
        ("model ", was_typed.choices["model"] if is_chosen else model_name(leaves)),
        ("data ", _data(leaves, summary)),
        ("", _optimizer(leaves)),
        ("", _length(leaves)),
        ("seed ", _plain(leaves.get("seed"))),
        ("", _device(environment(run), run.run)),
    ]
    return [f"{word}{value}" for word, value in found if value]


def changed_keys(config: Config, was_typed: Typed = _NOTHING) -> list[tuple[str, str, str]]:
    """Return where a config differs from the default: config groups with their choice, then keys, with the defaults.

    Keys that another choice brought are left out unless they were typed, and so are those that the choice does not
    have. A seed that follows `seed` is left out.

    Args:
        config: The config of a run.
        was_typed: What was typed for it, as far as that is known.
    """
    leaves, defaults = dotted(config), default_leaves()
    chosen = {group: name for group, name in was_typed.choices.items() if name != defaults.get(group)}
    chosen = {group: name for group, name in chosen.items() if not _UNTOLD.match(group)}
    brought = tuple(begin for group in chosen for begin in prefixes(group, leaves))
    found = [(group, name, defaults.get(group)) for group, name in chosen.items()]
    found += [
        (key, value, defaults.get(key))
        for key, value in leaves.items()
        if not _UNTOLD.match(key)
        and (_is_changed(key, value, leaves, defaults) or (key in was_typed.words and value != defaults.get(key)))
        and (key in was_typed.words or not key.startswith(brought))
    ]
    return [(key, _short(key, value), _short(key, default) if key in defaults else "") for key, value, default in found]


def labels(config: Config) -> list[tuple[str, str]]:
    """Return what its user wrote on a run: group, tags and notes, where there are any."""
    tags = config.get("tags")
    words = ", ".join(map(_plain, tags)) if isinstance(tags, list) else _plain(tags)
    found = [("group", _plain(config.get("group"))), ("tags", words), ("notes", _plain(config.get("notes")))]
    return [(name, value) for name, value in found if value]


def environment(run: RunFiles) -> dict[str, Any]:
    """Return what env.json says, nothing where it cannot be read."""
    try:
        return read_json(run.path / ENVIRONMENT)
    except (OSError, IntegrityError):
        return {}


def model_name(leaves: Config) -> str:
    """Return what a run's checkpoint is called, and whether its weights were left aside.

    >>> model_name({"model.checkpoint": "/home/me/outputs/mine/model", "model.random_weights": True})
    'mine/model, random weights'
    """
    checkpoint = leaves.get("model.checkpoint")
    if not isinstance(checkpoint, str) or not checkpoint:
        return ""
    name = checkpoint_name(checkpoint)
    has_random = leaves.get("model.random_weights") is True and "random" not in name
    return f"{name}{', random weights' * has_random}"


def _data(leaves: Config, summary: Mapping[str, Any]) -> str:
    name = full_name({key.removeprefix("data."): value for key, value in leaves.items() if key.startswith("data.")})
    sizes = [
        f"{shown(summary, f'num_{split}_examples')} {split}"
        for split in ("train", "dev")
        if is_number(summary.get(f"num_{split}_examples"))
    ]
    return f"{_plain(name)} ({', '.join(sizes)})" if name and sizes else _plain(name)


def _optimizer(leaves: Config) -> str:
    name = _plain(leaves.get("optimizer._target_")).rpartition(".")[2]
    rate = leaves.get("optimizer.lr")
    return ", ".join(filter(None, [name, f"rate {_plain(rate)}" if rate is not None else ""]))


def _length(leaves: Config) -> str:
    steps, epochs = leaves.get("trainer.max_steps"), leaves.get("trainer.epochs")
    if is_number(steps):
        return f"at most {counted({'num_steps': steps}, 'num_steps', 'step')}"
    return f"{_plain(epochs)} epoch{'' if epochs == 1 else 's'}" if epochs is not None else ""


def _device(world: Config, record: Config) -> str:
    device = world.get("device")
    device = device if isinstance(device, Mapping) else {}
    name = _plain(device.get("device"))
    if name and name != "cpu" and device.get("name"):
        name = f"{name} ({_plain(device['name'])})"
    threads = counted(record, "threads", "thread") if is_number(record.get("threads")) else ""
    return ", ".join(filter(None, [name, _plain(device.get("precision")), threads]))


def _is_changed(key: str, value: Any, leaves: Config, defaults: Config) -> bool:
    if key in defaults:
        return not is_default(key, value, defaults[key])
    if key.startswith("seeds."):
        return bool(value != leaves.get("seed"))
    return value is not None


def _short(key: str, value: Any) -> str:
    """A value of the config in a line of many: no hash of a checkpoint, the middle of a long text left out."""
    text = "null" if value is None else _plain(value)
    text = text.partition("#sha256=")[0] if key == "model.checkpoint" else text
    return shortened(text, _MAX_CHARS)


def _plain(value: Any) -> str:
    """A value as it would be typed; nothing for null."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return short if float(short := f"{value:g}") == value else repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)
