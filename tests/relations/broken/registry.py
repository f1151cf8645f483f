"""The faults by name, each with the relations that stand for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Patch = Callable[[Any, str, Any], None]
Break = Callable[[Patch], None]


@dataclass(frozen=True)
class Fault:
    """A promise that is taken away.

    Attributes:
        break_it: Takes it away by patches.
        modules: The modules of relations that stand for it, without `test_`.
    """

    break_it: Break
    modules: tuple[str, ...]


FAULTS: dict[str, Fault] = {}


def noticed_by(*modules: str) -> Callable[[Break], Break]:
    """Enter a fault, under its function's name."""

    def enter(break_it: Break) -> Break:
        FAULTS[break_it.__name__] = Fault(break_it, modules)
        return break_it

    return enter


def everywhere(patch: Patch, original: Any, replacement: Any) -> None:
    """Replace a function in every module of qaexp that has imported it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "qaexp":
            for key, value in list(vars(module).items()):
                if value is original:
                    patch(module, key, replacement)


def answering(group: Any) -> Any:
    """The runs of a group as if all of them answered."""
    return tuple(replace(entry, collapse=None) for entry in group.entries)
