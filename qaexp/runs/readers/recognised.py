"""The choices of runs whose own folders do not say them: those of other runs with the same node in their config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.group_names import prefixes
from qaexp.storage.formats import dotted

_Node = Mapping[str, Any]


def recognised(runs: Sequence[RunFiles]) -> list[RunFiles]:
    """The runs, each with the choices that it does not record where others show them.

    A run that began with a stored config (`--from`, or a file of its own) records no choice of what was in there. Its
    choice is that of the runs whose node is equal in all keys, else of those whose node has the same keys and texts,
    where that is one choice alone. What cannot be recognised so stays unknown.

    Args:
        runs: Runs to be looked at together.
    """
    groups = sorted({group for run in runs for group in run.typed.choices})
    found = [dict(run.typed.choices) for run in runs]
    for group in groups:
        nodes = [_node(run, group) for run in runs]
        known = [
            (run.typed.choices[group], node)
            for run, node in zip(runs, nodes, strict=True)
            if group in run.typed.choices and node and not any(key in run.typed.words for key in _texts(node))
        ]
        for place, run in enumerate(runs):
            if group not in run.typed.choices and nodes[place] and (choice := _choice(nodes[place], known)):
                found[place][group] = choice
    return [
        run if choices == run.typed.choices else replace(run, told=replace(run.typed, choices=choices))
        for run, choices in zip(runs, found, strict=True)
    ]


def _node(run: RunFiles, group: str) -> _Node:
    """The keys of a config that a choice brings."""
    leaves = dotted(run.config)
    begins = prefixes(group, leaves)
    return {key: value for key, value in leaves.items() if begins and key.startswith(begins)}


def _texts(node: _Node) -> dict[str, str]:
    return {key: value for key, value in node.items() if isinstance(value, str)}


def _choice(node: _Node, known: Sequence[tuple[str, _Node]]) -> str | None:
    equal = {choice for choice, other in known if other == node}
    alike = {choice for choice, other in known if other.keys() == node.keys() and _texts(other) == _texts(node)}
    return next((next(iter(choices)) for choices in (equal, alike) if len(choices) == 1), None)
