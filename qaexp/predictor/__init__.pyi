"""The public names with their types; `__init__.py` imports each of them when it is used."""

from qaexp.predictor.answer import Answer as Answer
from qaexp.predictor.answers import Predictor as Predictor
from qaexp.predictor.answers import model_folder as model_folder
from qaexp.predictor.pipeline import QuestionAnsweringPipeline as QuestionAnsweringPipeline
