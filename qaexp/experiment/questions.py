"""Everything that the model of a run is asked, during training and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.data.features import Features
from qaexp.data.ondisk.features import StoredFeatures
from qaexp.data.pipeline import Splits
from qaexp.data.squad import Example
from qaexp.evaluation.predict import ACCELERATOR_BUDGET, budget_on
from qaexp.evaluation.question_set import QuestionSet, Scored
from qaexp.experiment.parts import Parts
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.model import LoadedModel
from qaexp.runs.directory import NO_ANSWER
from qaexp.training.number_formats import FP32


@dataclass(frozen=True, slots=True)
class Questions:
    """The model in training, and all the questions that it answers.

    Attributes:
        loaded: The model with its current weights.
        dev: The dev questions.
        probes: None without any.
        tests: The questions that are asked once, at the end, by the names of their splits.
    """

    loaded: LoadedModel
    dev: QuestionSet
    probes: QuestionSet | None
    tests: Mapping[str, QuestionSet]

    def probe_answers(self) -> list[str]:
        """The answers to the probes; `NO_ANSWER` where the model gives none."""
        found = self.probes.answers(self.loaded) if self.probes else []
        return [prediction.text or NO_ANSWER for prediction in found]


@dataclass(frozen=True, slots=True)
class Answered:
    """The results of the kept weights; `tests` are by the names of their splits."""

    questions: Questions
    dev: Scored
    tests: Mapping[str, Scored]


def question_sets(
    parts: Parts,
    splits: Splits,
    features: Mapping[str, Features | StoredFeatures],
    loaded: LoadedModel,
    so_far: TrainingSoFar,
    scratch: Path | None,
) -> Questions:
    """Everything that the model will be asked, in the number format of the training.

    Args:
        parts: The config, built.
        splits: The examples.
        features: The features of each split by its name.
        loaded: The model.
        so_far: Its training.
        scratch: The folder whose disk takes logits that memory does not hold; see `QuestionSet`.
    """
    autocast = so_far.state.setup.accelerator.autocast
    # The batches, and so the bytes, of fp32 with plain attention are those of runs made when there was one budget.
    is_former = parts.trainer.precision == FP32 and so_far.state.setup.masks is None
    budget = ACCELERATOR_BUDGET if is_former else budget_on(parts.trainer.device)

    def questions(examples: Sequence[Example], made: Features | StoredFeatures) -> QuestionSet:
        return QuestionSet(examples, made.whole(), parts.decoding, autocast, budget, scratch)

    probes = parts.probes
    return Questions(
        loaded,
        dev=questions(splits.dev.examples, features["dev"]),
        probes=questions(probes, parts.windows.build(probes, parts.checkpoint.tokenizer())) if probes else None,
        tests={name: questions(part.examples, features[name]) for name, part in splits.tests.items()},
    )
