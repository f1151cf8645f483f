"""Examples with their features, ready for a model: the one path for dev, test, probes and the Predictor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any, Protocol

from qaexp.data.features import Features
from qaexp.data.squad import Example
from qaexp.evaluation.decoding import Prediction, decode
from qaexp.evaluation.evaluate import Evaluation, evaluate
from qaexp.evaluation.logits import Logits
from qaexp.evaluation.metrics import Golds
from qaexp.evaluation.predict import ACCELERATOR_BUDGET, predict_logits

# Called after each batch with the number of answered features and their total.
Seen = Callable[[int, int], None]


class Answering(Protocol):
    """What answers: a model with its tokenizer, as `qaexp.model.LoadedModel` holds them."""

    @property
    def model(self) -> Any:
        """A torch module that returns start and end logits."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, which says how rows are padded."""

    @property
    def with_token_types(self) -> bool:
        """Whether the model takes token_type_ids."""


@dataclass(frozen=True)
class Decoding:
    """The node `decoding`: how logits become answers.

    A class of your own derives from this one and has its own `decode`.

    Attributes:
        allow_no_answer: Whether a question may have no answer (SQuAD v2).
        n_best_size: Best spans kept for each example.
        max_answer_length: Tokens of the longest legal answer.
    """

    allow_no_answer: bool
    n_best_size: int
    max_answer_length: int

    def keywords(self) -> dict[str, Any]:
        """The settings that every decoding has, as keywords of `decode` and `evaluate`."""
        return {item.name: getattr(self, item.name) for item in fields(Decoding)}

    def decode(self, examples: Sequence[Example], features: Features, logits: Logits) -> list[Prediction]:
        """One prediction per example, in their order; see `qaexp.evaluation.decoding.decode`."""
        return decode(examples, features, logits, **self.keywords())


@dataclass(frozen=True, slots=True)
class Scored:
    """A question set after a model has answered it: logits, their evaluation, and the seconds it took."""

    logits: Logits
    evaluation: Evaluation
    eval_seconds: float


class QuestionSet:
    """Examples, their features and their prepared gold answers."""

    def __init__(
        self,
        examples: Sequence[Example],
        features: Features,
        decoding: Decoding,
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
        token_budget: int = ACCELERATOR_BUDGET,
    ) -> None:
        """Take what does not change from one evaluation to the next.

        Args:
            examples: The examples.
            features: Their features.
            decoding: How logits become answers.
            autocast: Makes the context of the forward pass, as in training.
            token_budget: Tokens of a batch, padding included.
        """
        self.examples = tuple(examples)
        self.features = features
        self.decoding = decoding
        self._golds = Golds.prepare(example.golds for example in examples)
        self._autocast, self._token_budget = autocast, token_budget

    def score(self, loaded: Answering, seen: Seen | None = None) -> Scored:
        """Answer every example and score the answers officially; `seen` is called as features are done."""
        began = time.perf_counter()
        logits = self.logits(loaded, seen)
        return Scored(logits, self.evaluate(logits), time.perf_counter() - began)

    def evaluate(self, logits: Logits, null_threshold: float = 0.0) -> Evaluation:
        """Score what the decoding makes of some logits; nothing is answered above `null_threshold`."""
        return evaluate(
            self.examples,
            self.features,
            logits,
            golds=self._golds,
            null_threshold=null_threshold,
            predictions=self.decoding.decode(self.examples, self.features, logits),
            **self.decoding.keywords(),
        )

    def answers(self, loaded: Answering, seen: Seen | None = None) -> list[Prediction]:
        """Answer every example, in order."""
        return self.decoding.decode(self.examples, self.features, self.logits(loaded, seen))

    def logits(self, loaded: Answering, seen: Seen | None = None) -> Logits:
        """The model's start and end logits of every feature."""
        with self._autocast():
            return predict_logits(
                loaded.model,
                self.features,
                pad_token_id=int(loaded.tokenizer.pad_token_id),
                padding_side=str(loaded.tokenizer.padding_side),
                with_token_types=loaded.with_token_types,
                token_budget=self._token_budget,
                seen=seen,
            )
