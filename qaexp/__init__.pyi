"""The public names with their types; `__init__.py` imports each of them when it is used."""

from qaexp.commands.python.called import run as run
from qaexp.commands.python.called import sweep as sweep
from qaexp.commands.python.compared import compare as compare
from qaexp.commands.python.run import Run as Run
from qaexp.errors import QaexpError as QaexpError
from qaexp.predictor import Predictor as Predictor
from qaexp.predictor.pipeline import pipeline as pipeline
from qaexp.runs.readers.frame import load_history as load_history
from qaexp.runs.readers.frame import load_predictions as load_predictions
from qaexp.runs.readers.frame import load_runs as load_runs
from qaexp.storage.version import __version__ as __version__
