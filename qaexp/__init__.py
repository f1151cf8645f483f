"""Experiments in extractive question answering: YAML in, comparable run directories out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.faces import face

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
    from qaexp.commands.python.called import run, sweep
    from qaexp.commands.python.compared import compare
    from qaexp.errors import QaexpError
    from qaexp.predictor import Predictor
    from qaexp.runs.readers.frame import load_history, load_predictions, load_runs
    from qaexp.storage.version import __version__

__getattr__, __dir__ = face(
    __name__,
    {
        "Predictor": "qaexp.predictor",
        "QaexpError": "qaexp.errors",
        "__version__": "qaexp.storage.version",
        "compare": "qaexp.commands.python.compared",
        "load_history": "qaexp.runs.readers.frame",
        "load_predictions": "qaexp.runs.readers.frame",
        "load_runs": "qaexp.runs.readers.frame",
        "run": "qaexp.commands.python.called",
        "sweep": "qaexp.commands.python.called",
    },
)
