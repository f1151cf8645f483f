"""What a terminal shows before training: what runs, where, on what data, and how."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.experiment.screen import show_lines
from qaexp.reporting.numbers.checkpoint_name import checkpoint_name
from qaexp.reporting.terminal.outlets import encodable, is_terminal
from qaexp.reporting.terminal.printing import say
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.storage.formats import counted
from qaexp.storage.sources import data_name
from qaexp.storage.version import __version__

Tree = Mapping[str, Any]

_MILLION = 1_000_000


def announce(kind: str, directory: Path, run_id: str = "") -> None:
    """Announce a run or sweep as soon as its folder is known.

    Args:
        kind: `run` or `sweep`.
        directory: Its folder.
        run_id: The run's id, if already known.
    """
    name = f"{directory.name} {run_id}".rstrip()
    say(f"qaexp {__version__}  {kind} {name} -> {near(directory)}")


def near(directory: Path) -> Path:
    """A folder as one would type it from the working directory."""
    try:
        return directory.relative_to(Path.cwd())
    except (ValueError, OSError):
        return directory


def already_completed(ended: Any, lost: Sequence[str] = ()) -> None:
    """Say that the requested run is already completed.

    Args:
        ended: When it ended, as in run.json; anything unreadable is left out.
        lost: Which of the given words differ from the stored ones.
    """
    try:
        then = datetime.fromisoformat(ended).astimezone()
        is_today = then.date() == datetime.now(then.tzinfo).date()
        when = f" at {then:%H:%M}" if is_today else f" on {then:%Y-%m-%d}"
    except (TypeError, ValueError, OverflowError):
        when = ""
    show_lines([f"already completed{when}; nothing to do (another name= runs it again)"])
    if lost:
        given = " and ".join(lost)
        show_lines([f"the {given} that you gave are not stored: a completed run keeps what it was made with"])


def tell_parts(
    run_id: str, config: Tree, counts: Sequence[int], set_counts: Sequence[int] = (), *, num_parameters: int | None,
    device: str, precision: str, threads: int,
) -> None:  # fmt: skip
    """Print what a run is made of: model and size, data and counts, optimizer and rate, device, precision, threads.

    Args:
        run_id: The first digits of its identity.
        config: Its config without secrets.
        counts: Examples of train, dev and, if there is one, the test file.
        set_counts: Examples of each evaluation set.
        num_parameters: Size of the stored weights; None when all weights are drawn.
        device: The device.
        precision: The number format.
        threads: CPU threads.
    """
    model = checkpoint_name(str(config["model"].get("checkpoint", "")))
    parts = [
        model if num_parameters is None else f"{model} {size(num_parameters)}",
        f"{data_name(config['data'])} {_slashed(counts)}",
        *([f"{counted(len(set_counts), 'evaluation set')} {_slashed(set_counts)}"] if set_counts else []),
        optimizer_words(config["optimizer"]),
        f"{device} {precision}, {counted(threads, 'thread')}",
    ]
    _tell_parts(f"{run_id}  ", parts)


def tell_features(audit: Mapping[str, Any], *, is_cached: bool) -> None:
    """Print the number of features, and the best score that they allow.

    Args:
        audit: The entry `audit` of data.json.
        is_cached: Whether all of them came from the cache.
    """
    counts = "/".join(f"{audit[name]['num_features']:,}" for name in ("train", *audit["shared_with_train"]))
    reach = number_of("exact").shown(audit["dev"]["ceiling"]["exact"])
    where = " from the cache" if is_cached else ""
    _tell_parts("", [f"features {counts}{where}", f"dev exact {reach} at best"])


def _slashed(counts: Sequence[int]) -> str:
    return "/".join(f"{count:,}" for count in counts)


def tell_fresh(source: Mapping[str, Any], *, is_all: bool) -> None:
    """Print the layers whose weights are fresh; nothing when the checkpoint had all of them.

    Args:
        source: The source of a loaded model.
        is_all: Whether only the architecture came from a checkpoint.
    """
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in source.get("fresh_weights", ())))
    if is_all:
        say(f"fresh weights: all {size(source['num_parameters'])}")
    elif layers:
        more = f" and {counted(len(layers) - 1, 'other layer')}" if len(layers) > 1 else ""
        say(f"fresh weights: {layers[0]}{more}")


def size(num_parameters: int) -> str:
    """The size of a model in words.

    >>> size(22_713_986), size(31_000)
    ('22.7 M', '0.03 M')
    """
    millions = num_parameters / _MILLION
    return f"{millions:,.1f} M" if millions >= 1 else f"{millions:.2f} M"


def optimizer_words(optimizer: Tree) -> str:
    """An optimizer and its rate.

    >>> optimizer_words({"_target_": "torch.optim.AdamW", "lr": 0.0003}), optimizer_words({"_target_": "a.Mine"})
    ('adamw 3e-4', 'mine')
    """
    name = str(optimizer.get("_target_", "optimizer")).rpartition(".")[2].lower()
    rate = optimizer.get("lr")
    return f"{name} {_rate(rate)}" if is_number(rate) else name


def _rate(rate: float) -> str:
    """A learning rate as people type it: 3e-4 or 0.01."""
    if not 0 < rate < 0.01:
        return f"{rate:g}"
    digits, _, power = f"{rate:.12e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def _tell_parts(start: str, parts: Sequence[str]) -> None:
    """Print parts on one line; on a narrow terminal the line breaks between them."""
    stream = sys.stdout
    mark = " \u00b7 " if encodable("\u00b7", stream) == "\u00b7" else " | "
    width = shutil.get_terminal_size().columns if is_terminal(stream) else sys.maxsize
    line = start + parts[0]
    for part in parts[1:]:
        if len(line) + len(mark) + len(part) > width:
            say(line)
            line = " " * len(start) + part
        else:
            line += mark + part
    say(line)
