"""Which runs may be ranked together: those that were measured on the same questions, in the same way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qaexp.comparison.entries import Entry, Measure, golds_digest
from qaexp.runs.readers.repeats import differing
from qaexp.storage.formats import dotted


@dataclass(frozen=True, slots=True)
class Block:
    """Runs that were measured alike.

    Attributes:
        entries: The runs.
        reason: Why they are not in the first block; None for the first.
    """

    entries: Sequence[Entry]
    reason: str | None


def blocks(entries: Sequence[Entry]) -> list[Block]:
    """Divide runs by what they were measured on: the largest block first; ties by what they were measured on.

    Folders and names of runs decide nothing.
    """
    found: dict[Measure, list[Entry]] = {}
    for entry in _with_known_measures(_with_like_golds(entries)):
        found.setdefault(entry.measure, []).append(entry)
    ordered = sorted(found.values(), key=lambda block: (-len(block), repr(block[0].measure)))
    return [
        Block(block, None if block is ordered[0] else difference(ordered[0][0].measure, block[0].measure))
        for block in ordered
    ]


def difference(main: Measure, other: Measure) -> str:
    """What was measured differently, in words."""
    found = []
    if other.num_questions != main.num_questions:
        found.append(f"other dev questions ({other.num_questions} against {main.num_questions})")
    elif other.questions != main.questions:
        found.append("other dev questions, paragraphs, articles, or another choice of those without an answer")
    elif other.golds != main.golds:
        found.append("other gold answers, or other words of the questions")
    if other.decoding != main.decoding:
        one, two = (_leaves(json.loads(measure.decoding)) for measure in (main, other))
        keys = [key for key in sorted({*one, *two}) if one.get(key) != two.get(key)]
        found += [f"{key} is {two.get(key)} against {one.get(key)}" for key in keys]
    if other.version != main.version:
        found.append(f"another version of metrics and results ({other.version} against {main.version})")
    return "; ".join(found)


def _leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a config's node `decoding`; a value that is not a tree is a leaf itself."""
    return dotted({"decoding": tree})


def _with_like_golds(entries: Sequence[Entry]) -> list[Entry]:
    """Count files that differ but hold the same questions with the same gold answers as the same."""
    files: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        files.setdefault(entry.measure.questions, {}).setdefault(entry.measure.golds, entry)
    names: dict[tuple[str, str], str] = {}
    for questions, by_file in files.items():
        for golds, entry in by_file.items():
            same = golds_digest(entry.run) if len(by_file) > 1 else None
            names[questions, golds] = same or golds
    return [
        replace(entry, measure=replace(entry.measure, golds=names[entry.measure.questions, entry.measure.golds]))
        for entry in entries
    ]


def _with_known_measures(entries: Sequence[Entry]) -> list[Entry]:
    """Give other programs' results, whose decoding is not known, the decoding and version of most runs beside them.

    Their scores are computed here, or said to be taken as given; a contrast with them is one of whole programs.
    """
    found: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    of_all: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if entry.run.program is None:
            for counter in (found.setdefault((entry.measure.questions, entry.measure.golds), Counter()), of_all):
                counter[entry.measure.decoding, entry.measure.version] += 1
    known = []
    for entry in entries:
        # Beside other questions it is these alone that keep them apart.
        beside = found.get((entry.measure.questions, entry.measure.golds), of_all)
        if entry.run.program is not None and beside:
            decoding, version = min(beside, key=lambda one: (-beside[one], one))
            entry = replace(entry, measure=replace(entry.measure, decoding=decoding, version=version))
        known.append(entry)
    return known


def changed_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings in which two groups differ, with both values.

    >>> changed_keys({"lr": 1, "epochs": 2}, {"lr": 3, "epochs": 2})
    {'lr': (1, 3)}
    """
    one, other = differing([a, b])
    return {key: (one[key], other[key]) for key in one}


def factors(changed: Mapping[str, tuple[Any, Any]], a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The causes behind changed keys: keys that only one choice of a node has belong to that choice.

    Several hashes of the same weights, or of the same data, are one cause.

    >>> a, b = {"optimizer._target_": "AdamW", "optimizer.eps": 1}, {"optimizer._target_": "SGD"}
    >>> factors(changed_keys(a, b), a, b)
    ['optimizer._target_']
    """
    chosen = {key.removesuffix("_target_") for key in changed if key.endswith("._target_")}
    causes = [
        key
        for key in changed
        if key.endswith("._target_") or (key in a and key in b) or not any(key.startswith(node) for node in chosen)
    ]
    return list(dict.fromkeys(".".join(key.split(".")[:2]) if key.startswith("inputs.") else key for key in causes))
