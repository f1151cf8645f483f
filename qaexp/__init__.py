"""Experiments in extractive question answering: YAML in, comparable run directories out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__", "load_runs", "run"]

if TYPE_CHECKING:
    from qaexp.commands.train import run
    from qaexp.predictor import Predictor
    from qaexp.runs.frame import load_runs

_HOMES = {"run": "qaexp.commands.train", "Predictor": "qaexp.predictor", "load_runs": "qaexp.runs.frame"}


def __getattr__(name: str) -> Any:
    """Import the public names when they are used, so that `import qaexp` costs nothing."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'qaexp' has no attribute {name!r}")
