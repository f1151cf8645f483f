"""What results of other programs are called: their file names without clock times, and folders that tell them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# lm-evaluation-harness: samples_<task>_<time>.jsonl; inspect: <time>_<task>_<22 random signs>.json.
_HARNESS = re.compile(r"(samples_.+)_\d{4}-\d\d-\d\dT[\d.-]+(\.jsonl)")
_INSPECT = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d\d-\d\d_(.+)_[A-Za-z0-9]{22}(\.json)")


def names_of(paths: Iterable[Path]) -> list[str]:
    """A name for each path, different from all others: as few folders before it as that takes.

    Args:
        paths: Different paths.

    >>> names_of([Path("a/p.json"), Path("b/p.json"), Path("b/q.json")])
    ['a/p.json', 'b/p.json', 'q.json']
    >>> names_of([Path("small/samples_squadv2_2026-11-30T09-08-09.037795.jsonl")])
    ['samples_squadv2.jsonl']
    """
    whole = [path.resolve().parts[1:] for path in paths]
    short = [(*folders, _timeless(name)) for *folders, name in whole]
    # Two evaluations of one task, written into one folder, differ in the time alone.
    parts = [one if short.count(one) == 1 else told for one, told in zip(short, whole, strict=True)]
    return ["/".join(one[-_depth(one, parts) :]) for one in parts]


def _timeless(name: str) -> str:
    for pattern in (_HARNESS, _INSPECT):
        if found := pattern.fullmatch(name):
            return "".join(found.groups())
    return name


def _depth(parts: tuple[str, ...], all_parts: list[tuple[str, ...]]) -> int:
    """How many of the last parts of a path no other path ends with."""
    for depth in range(1, len(parts)):
        if sum(one[-depth:] == parts[-depth:] for one in all_parts) == 1:
            return depth
    return len(parts)
