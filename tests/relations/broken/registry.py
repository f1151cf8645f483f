"""The faults by name, each with the relations that stand for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.fixtures.patching import Patch

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


def answering(group: Any) -> Any:
    """The runs of a group as if all of them answered."""
    return tuple(replace(entry, collapse=None) for entry in group.entries)
