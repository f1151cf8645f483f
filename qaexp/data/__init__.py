"""Examples, features and batches: everything between a data file and the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.nodes import face

__all__ = ["DataPipeline", "Example", "Split", "Splits"]

if TYPE_CHECKING:
    from qaexp.data.pipeline import DataPipeline, Split, Splits
    from qaexp.data.squad import Example

__getattr__, __dir__ = face(
    __name__,
    {
        "DataPipeline": "qaexp.data.pipeline",
        "Example": "qaexp.data.squad",
        "Split": "qaexp.data.pipeline",
        "Splits": "qaexp.data.pipeline",
    },
)
