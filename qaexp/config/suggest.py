"""Did you mean: the legal word nearest to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

# What people type for keys that have another name here.
_SYNONYMS = {
    "learning_rate": "optimizer.lr",
    "num_epochs": "trainer.epochs",
    "num_train_epochs": "trainer.epochs",
    "max_seq_length": "features.max_length",
    "stride": "features.doc_stride",
    "max_train_samples": "data.train_size",
    "subset_size": "data.train_size",
    "checkpoint": "model.checkpoint",
    "model_name_or_path": "model.checkpoint",
}
_NEAR = 0.6
_WRONG_GROUP = 0.1


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """Find the legal word most like `word`, or None when nothing is like it.

    A dotted word is compared with whole keys; a word without a dot also with their last parts, so that
    `max_lenght` finds `features.max_length`.

    >>> nearest("optimizer.lrr", ["optimizer.lr", "trainer.epochs"])
    'optimizer.lr'
    >>> nearest("max_lenght", ["features.max_length", "seed"])
    'features.max_length'
    >>> nearest("lerning_rate", ["optimizer.lr", "seed"])
    'optimizer.lr'
    >>> nearest("zzz", ["optimizer.lr"]) is None
    True
    """
    known = set(legal)
    spelled = {key: key for key in known}
    spelled.update({name: key for name, key in _SYNONYMS.items() if key in known})
    if "." not in word:
        for key in sorted(known):
            spelled.setdefault(key.rpartition(".")[2], key)
    best = max(sorted(spelled), key=lambda candidate: _likeness(word, candidate), default=None)
    return spelled[best] if best is not None and _likeness(word, best) >= _NEAR else None


def did_you_mean(word: str, legal: Iterable[str]) -> str:
    """The nearest legal word as the end of a sentence, or nothing.

    >>> did_you_mean("sead", ["seed", "name"])
    '; did you mean seed?'
    """
    found = nearest(word, legal)
    return f"; did you mean {found}?" if found else ""


def _likeness(word: str, candidate: str) -> float:
    """How alike two keys are, 0 to 1; a key of the wrong group counts by its last part (`model.max_length`)."""
    last, other = word.rpartition(".")[2], candidate.rpartition(".")[2]
    in_wrong_group = _ratio(last, other) - _WRONG_GROUP if "." in word and len(last) > 3 else 0.0
    return max(_ratio(word, candidate), in_wrong_group)


def _ratio(left: str, right: str) -> float:
    return SequenceMatcher(None, left.lower(), right.lower(), autojunk=False).ratio()
