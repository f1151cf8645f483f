"""Examples, features and batches: everything between a data file and the first step."""

from qaexp.data.pipeline import DataPipeline, Split, Splits
from qaexp.data.squad import Example

__all__ = ["DataPipeline", "Example", "Split", "Splits"]
