"""The sets of `data.mix` as one training split: their examples by turns, and where each of them comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qaexp.data.mixing import mixed_total, take_turns
from qaexp.data.ondisk.examples import MAX_IN_MEMORY, StoredExamples, chosen
from qaexp.data.ondisk.joining import stored_union
from qaexp.data.squad import Example
from qaexp.data.subsets import draw_positions, drawable
from qaexp.errors import ConfigError, collected
from qaexp.storage.mix import MixedSet

_COUNTS = ("num_examples", "num_skipped", "num_fixed", "num_duplicates")
_MAX_PROBLEMS = 20


def named_examples(name: str, examples: Sequence[Example]) -> Iterator[Example]:
    """The examples of a set, each id behind the set's name, so that no two sets have an id in common."""
    return (replace(example, id=f"{name}/{example.id}") for example in examples)


def draw_mix(
    read: Mapping[str, tuple[Sequence[Example], Mapping[str, Any]]],
    mix: Mapping[str, MixedSet],
    size: float | None,
    policy: str,
    seed: int,
    *,
    cache_dir: Path | None = None,
) -> tuple[Sequence[Example], dict[str, Any], int]:
    """Draw the training examples of a mix.

    The questions of a set are those that would be drawn of it alone by the same seed; the sets take turns.

    Args:
        read: The examples of each set, and where they come from as in `Split.source`.
        mix: The sets with their weights.
        size: The value of `data.train_size`.
        policy: As for `draw`.
        seed: As for `draw`.
        cache_dir: As for `cached_features`.

    Returns:
        The examples in the order of the draw; where they come from, each set under `sets`; how many there could be.

    Raises:
        ConfigError: The size is not legal or more than the weights allow, or a set gives nothing.
    """
    sizes = _drawable_of_each({name: examples for name, (examples, _) in read.items()}, policy)
    turns = take_turns(sizes, {name: mix[name].weight or sizes[name] for name in sizes})
    total = mixed_total(size, turns, sizes)
    counts, owners = turns.counts(total), turns.turns[:total]
    positions, first = np.empty(total, np.int64), 0
    for number, name in enumerate(turns.names):
        examples = read[name][0]
        positions[owners == number] = first + draw_positions(examples, counts[name], policy, seed)
        first += len(examples)
    sources = {name: source for name, (_, source) in read.items()}
    union = _union({name: read[name][0] for name in turns.names}, sources, cache_dir)
    told = {
        name: {**sources[name], "weight": mix[name].weight, "num_drawable": sizes[name], "num_drawn": counts[name]}
        for name in turns.names
    }
    return chosen(union, positions), _source(told), len(turns.turns)


def _drawable_of_each(examples: Mapping[str, Sequence[Example]], policy: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    problems: list[str] = []
    for name, some in examples.items():
        with collected(problems, ConfigError):
            sizes[name], kind = drawable(some, policy)
            if not sizes[name]:
                raise ConfigError(
                    f"data.mix.{name} cannot be met: it has no {kind} to draw from; leave the set out, or take another "
                    "data.subset"
                )
    if problems:
        raise ConfigError(*problems)
    return sizes


def _union(
    sets: Mapping[str, Sequence[Example]], sources: Mapping[str, Mapping[str, Any]], cache_dir: Path | None
) -> Sequence[Example]:
    """The examples of all sets, one set after the other; many of them are on disk."""
    every = (example for name, examples in sets.items() for example in named_examples(name, examples))
    total = sum(map(len, sets.values()))
    if total <= MAX_IN_MEMORY and not any(isinstance(examples, StoredExamples) for examples in sets.values()):
        return tuple(every)
    told = {name: [sources[name]["sha256"], len(examples)] for name, examples in sets.items()}
    return stored_union(every, json.dumps(told), sum(map(_num_bytes, sets.values())), cache_dir=cache_dir)


def _num_bytes(examples: Sequence[Example]) -> int:
    """About how many bytes of text some examples have, each context once."""
    if isinstance(examples, StoredExamples):
        return sum(examples.num_bytes())
    contexts = {example.context for example in examples}
    return sum(map(len, contexts)) + sum(len(example.question) for example in examples)


def _source(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where a mix comes from, with the keys of `Split.source` for it as a whole."""
    told = "\n".join(f"{name} {source['sha256']}" for name, source in sets.items())
    return {
        "kind": "mix",
        "sets": dict(sets),
        "sha256": hashlib.sha256(told.encode()).hexdigest(),
        "squad_version": max(source["squad_version"] for source in sets.values()),
        **{name: sum(source[name] for source in sets.values()) for name in _COUNTS},
        "problems": [problem for source in sets.values() for problem in source["problems"]][:_MAX_PROBLEMS],
    }
