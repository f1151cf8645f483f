"""Experiments in extractive question answering: YAML in, comparable run directories out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.faces import face

__version__ = "0.1.0"
__all__ = [
    "Predictor",
    "QaexpError",
    "__version__",
    "compare",
    "load_history",
    "load_predictions",
    "load_runs",
    "run",
    "sweep",
]

if TYPE_CHECKING:
    from qaexp.commands.called import run, sweep
    from qaexp.commands.compared import compare
    from qaexp.errors import QaexpError
    from qaexp.predictor import Predictor
    from qaexp.runs.frame import load_history, load_predictions, load_runs

__getattr__, __dir__ = face(
    __name__,
    {
        "Predictor": "qaexp.predictor",
        "QaexpError": "qaexp.errors",
        "compare": "qaexp.commands.compared",
        "load_history": "qaexp.runs.frame",
        "load_predictions": "qaexp.runs.frame",
        "load_runs": "qaexp.runs.frame",
        "run": "qaexp.commands.called",
        "sweep": "qaexp.commands.called",
    },
)
