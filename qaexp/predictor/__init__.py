"""Answers for users: a finished run's model, an export of it, or any model folder, asked from Python."""

from __future__ import annotations

from qaexp.nodes import face

_HOMES = {
    "Answer": "qaexp.predictor.answer",
    "Predictor": "qaexp.predictor.answers",
    "QuestionAnsweringPipeline": "qaexp.predictor.pipeline",
    "model_folder": "qaexp.predictor.answers",
}
__all__ = [*_HOMES]
__getattr__, __dir__ = face(__name__, _HOMES)
