"""How a run was trained, as its card tells it: a row a fact, and the command that makes it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from qaexp.export.markdown import code
from qaexp.export.origins import base_of, data_set
from qaexp.reporting.numbers.advice import shown
from qaexp.reporting.page.heading import environment
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.formats import dotted

_VERSIONS = ("qaexp", "python", "torch", "transformers", "tokenizers")
# A path from the root, from the home or of Windows, as the value of a word; of a list, any of its items.
_PATH = re.compile(r"""(?<=[=,\[(:'"])(?:~|/|[A-Za-z]:[\\/])[^,\]'"]*|^(?:~|/|[A-Za-z]:[\\/]).*""")

Leaves = Mapping[str, Any]


def training_facts(run: RunFiles) -> list[tuple[str, str]]:
    """Return what was trained on what and how, as name and value in Markdown; what is not known is left out."""
    leaves, world = dotted(run.config), environment(run)
    found = [
        ("base model", code(base_of(run).name)),
        ("data", _data(run)),
        ("steps", _steps(run.summary or {}, leaves)),
        ("optimizer", _optimizer(leaves)),
        ("schedule", _schedule(leaves)),
        ("batches", _batches(leaves)),
        ("windows", f"{_value(leaves, 'features.max_length')} tokens, {_value(leaves, 'features.doc_stride')} shared"),
        ("weights", _kept(run.summary or {}, leaves)),
        ("number format", _machine(world)),
        ("seed", _value(leaves, "seed")),
        ("versions", _versions(world)),
        ("code", _commit(world)),
        ("run id", code(run.run_id)),
    ]
    return [(name, value) for name, value in found if value]


def made_by(run: RunFiles) -> str | None:
    """Return the command that makes a run again, without the folders of files; None where it is not known.

    A card is for strangers: where a file lay on somebody's machine is nobody's business.
    """
    typed = run.typed
    if typed.flags is None or not (typed.overrides or typed.choices):
        return None
    words = [*typed.flags, *typed.overrides]
    return shlex.join(["qaexp", "train", *(without_folders(word) for word in words)])


def without_folders(word: str) -> str:
    """Return a word of a command line with the names of files instead of their whole paths.

    >>> without_folders("data.train_file=/home/me/a/train.json"), without_folders("optimizer.lr=1e-4")
    ('data.train_file=train.json', 'optimizer.lr=1e-4')
    """
    return _PATH.sub(lambda found: PurePath(found[0].replace("\\", "/")).name, word)


def _data(run: RunFiles) -> str:
    train = data_set(run, "train")
    features = shown(run.summary or {}, "num_train_features")
    revision = f", {'revision' if train.hub_id else 'sha256'} {code(train.revision)}" if train.revision else ""
    return f"{code(train.name)}, {train.size} ({features} windows){revision}"


def _steps(summary: Leaves, leaves: Leaves) -> str:
    epochs = leaves.get("trainer.epochs")
    of = f" in {epochs} epoch{'' if epochs == 1 else 's'}" if is_number(epochs) else ""
    return f"{shown(summary, 'num_steps')}{of}" if is_number(summary.get("num_steps")) else ""


def _optimizer(leaves: Leaves) -> str:
    name = str(leaves.get("optimizer._target_") or "").rpartition(".")[2]
    given = [
        f"{word} {_value(leaves, f'optimizer.{key}')}"
        for key, word in (("lr", "learning rate"), ("weight_decay", "weight decay"), ("momentum", "momentum"))
        if is_number(leaves.get(f"optimizer.{key}"))
    ]
    clip = leaves.get("trainer.max_grad_norm")
    clipped = [f"gradients clipped at {clip:g}"] if is_number(clip) else []
    return ", ".join([code(name), *given, *clipped]) if name else ""


def _schedule(leaves: Leaves) -> str:
    name = str(leaves.get("schedule._target_") or "").rpartition(".")[2]
    share, steps = leaves.get("schedule.warmup_ratio"), leaves.get("schedule.warmup_steps")
    if is_number(steps):
        return f"{code(name)}, {steps} steps of warm-up"
    return f"{code(name)}, warm-up over {100 * share:g} % of the steps" if is_number(share) else code(name) * bool(name)


def _batches(leaves: Leaves) -> str:
    size, budget = leaves.get("batches.batch_size"), leaves.get("batches.token_budget")
    parts = leaves.get("trainer.gradient_accumulation_steps")
    times = f", {parts} of them a step" if is_number(parts) and parts != 1 else ""
    processes = leaves.get("trainer.processes")
    each = f", in {processes} processes" if is_number(processes) and processes != 1 else ""
    if is_number(size):
        return f"{size} windows{times}{each}"
    return f"of similar length, up to {budget:,} tokens{times}{each}" if is_number(budget) else ""


def _kept(summary: Leaves, leaves: Leaves) -> str:
    if not is_number(summary.get("kept_epoch")):
        return ""
    why = ", the best by f1 on the dev questions" if leaves.get("trainer.keep") == "best" else ""
    return f"of epoch {shown(summary, 'kept_epoch')}{why}"


def _machine(world: Leaves) -> str:
    device = world.get("device")
    if not isinstance(device, Mapping):
        return ""
    return ", ".join(code(str(device[key])) for key in ("precision", "device") if device.get(key))


def _versions(world: Leaves) -> str:
    versions = world.get("versions")
    if not isinstance(versions, Mapping):
        return ""
    return ", ".join(f"{name} {code(str(versions[name]))}" for name in _VERSIONS if name in versions)


def _commit(world: Leaves) -> str:
    git = world.get("git")
    found = git.get("code") if isinstance(git, Mapping) else None
    if not isinstance(found, Mapping) or not found.get("commit"):
        return ""
    return f"qaexp at commit {code(str(found['commit']))}{', with changes' if found.get('dirty') else ''}"


def _value(leaves: Leaves, key: str) -> str:
    value: Iterator[Any] | Any = leaves.get(key)
    return f"{value:g}" if isinstance(value, float) else code(str(value)) if isinstance(value, str) else str(value)
