"""Experiments in extractive question answering: YAML in, comparable run directories out."""

from __future__ import annotations

from qaexp.nodes import face

_HOMES = {
    "Predictor": "qaexp.predictor",
    "QaexpError": "qaexp.errors",
    "Run": "qaexp.commands.python.run",
    "__version__": "qaexp.storage.version",
    "compare": "qaexp.commands.python.compared",
    "load_history": "qaexp.runs.readers.frame",
    "load_predictions": "qaexp.runs.readers.frame",
    "load_runs": "qaexp.runs.readers.frame",
    "pipeline": "qaexp.predictor.pipeline",
    "run": "qaexp.commands.python.called",
    "sweep": "qaexp.commands.python.called",
}
__all__ = [*_HOMES]
__getattr__, __dir__ = face(__name__, _HOMES)
