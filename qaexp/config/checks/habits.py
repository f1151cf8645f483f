"""What people type who come from other tools (run_qa.py, Trainer, Lightning), in the words that mean it here."""

from __future__ import annotations

from collections.abc import Callable

from qaexp.config.checks.other_tools import HABITS, INSTEAD, NOT_NEEDED
from qaexp.config.conf import choices, conf_directory

_NO = ("false", "no", "0", "none", "off")
# What the opposite is called, where it is not what holds anyway.
_WITHOUT = {
    "version_2_with_negative": "decoding=squad_v1",
    "group_by_length": "batches=fixed",
    "train_sampling_strategy": "batches=fixed",
}
# Values that have another name here.
_VALUES = {
    "optimizer": {"adamw_torch": "adamw", "adamw_hf": "adamw", "adamw_torch_fused": "adamw", "adam": "adamw"},
    "schedule": {"constant_with_warmup": "constant"},
    "data": {"squad": "squad_v1", "rajpurkar/squad": "squad_v1", "rajpurkar/squad_v2": "squad_v2"},
    "trainer.device": {"gpu": "cuda"},
}
_USUAL = {"optimizer": "adamw", "schedule": "linear", "trackers": "none"}
_OF_THE_HUB = "data=squad_v2 data.dataset={} data.config_name=null data.revision=null"
_SAME = ("name", "seed")


def known_habits() -> dict[str, str]:
    """Each habit with the key or group that gets its value.

    >>> known_habits()["batch_size"], known_habits()["fp16"]
    ('batches.batch_size', 'trainer.precision')
    """
    found = {name: next((word for word in words.split() if "{}" in word), words) for name, words in HABITS.items()}
    return {name: word.partition("=")[0] for name, word in found.items() if word}


def in_our_words(name: str, value: str | None) -> str | None:
    """Say what means the same here.

    Args:
        name: A flag or key of another tool, without its dashes; of a dotted one the last part may be the habit.
        value: What was given to it; None without a value.

    Returns:
        The words to write; `NOT_NEEDED` when there is nothing to write; None for a name that nobody knows.

    >>> in_our_words("learning-rate", "3e-5"), in_our_words("fp16", None), in_our_words("do_train", None)
    ('optimizer.lr=3e-5', 'trainer.precision=fp16', '')
    >>> in_our_words("fp16", "false"), in_our_words("accelerator", "gpu"), in_our_words("report_to", "wandb")
    ('', 'trainer.device=cuda', 'trackers=wandb')
    >>> in_our_words("optimizer.learning_rate", "1e-4"), in_our_words("dataset_name", "me/mine")
    ('optimizer.lr=1e-4', 'data=squad_v2 data.dataset=me/mine data.config_name=null data.revision=null')
    """
    habit = _known(name, HABITS.__contains__)
    words = None if habit is None else HABITS[habit]
    if habit is None or words is None or "{}" not in words:
        return _WITHOUT.get(habit or "", NOT_NEEDED) if words and (value or "").lower() in _NO else words
    key = next(word for word in words.split() if "{}" in word).partition("=")[0]
    given = "..." if value is None else _VALUES.get(key, {}).get(value, value)
    legal = choices([conf_directory()]).get(key, [given])
    if given in legal or value is None:
        return words.replace("{}", given)
    return _OF_THE_HUB.replace("{}", given) if key == "data" else words.replace("{}", _USUAL[key])


def said_of(name: str, value: str | None) -> str:
    """What is said of a habit beside the words to write, as the end of a sentence; empty where there is nothing to say.

    >>> said_of("wandb.project", "mine"), said_of("lr_scheduler_type", "cosine")
    ('; live curves are those of a tracker; write trackers=wandb', '')
    >>> said_of("lr_scheduler_type", "polynomial")
    '; schedule offers constant, cosine, linear'
    """
    # `wandb.project` speaks of wandb, whatever else has a project.
    first = name.partition(".")[0]
    alone = first if first in INSTEAD else _known(name, INSTEAD.__contains__)
    if alone is not None:
        return f"; {INSTEAD[alone]}"
    habit = _known(name, HABITS.__contains__)
    key = known_habits().get(habit or "", "")
    legal = choices([conf_directory()]).get(key, [])
    is_offered = value is None or _VALUES.get(key, {}).get(value, value) in legal
    return "" if is_offered or key not in _USUAL else f"; {key} offers {', '.join(legal)}"


def _known(name: str, knows: Callable[[str], bool]) -> str | None:
    """The habit that a name is, or that its last part is."""
    whole = name.replace("-", "_").lower()
    last = whole.rpartition(".")[2]
    if knows(whole):
        return whole
    return last if knows(last) and last not in _SAME else None
