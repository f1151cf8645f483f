"""Examples with their features, ready for a model: the one path for dev, test, probes and the Predictor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qaexp.data.features import Features
from qaexp.data.squad import Example
from qaexp.evaluation.batchwise import ACCELERATOR_BUDGET
from qaexp.evaluation.decoding import Prediction, decode
from qaexp.evaluation.evaluate import Evaluation, evaluate
from qaexp.evaluation.likelihood import log_totals
from qaexp.evaluation.logits import Logits, LogitsInMemory, LogitsOnDisk, LogitSource
from qaexp.evaluation.shards import is_one_shard, shards
from qaexp.model.exported import ExportedModel

if TYPE_CHECKING:
    from qaexp.evaluation.together import Peers

# Called after each batch with the number of answered features and their total.
Seen = Callable[[int, int], None]


class Answering(Protocol):
    """What answers: a model with its tokenizer, as `qaexp.model.LoadedModel` holds them."""

    @property
    def model(self) -> Any:
        """A torch module that returns start and end logits, or an exported graph."""

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
        """The settings that every decoding has, as keywords of `decode`."""
        return {item.name: getattr(self, item.name) for item in fields(Decoding)}

    def decode(self, examples: Sequence[Example], features: Features, logits: Logits) -> list[Prediction]:
        """One prediction per example, in their order; see `qaexp.evaluation.decoding.decode`."""
        return decode(examples, features, logits, **self.keywords())


@dataclass(frozen=True, slots=True)
class Scored:
    """A question set after a model has answered it: logits, their evaluation, and the seconds it took."""

    logits: LogitSource
    evaluation: Evaluation
    eval_seconds: float


class QuestionSet:
    """Examples and their features, answered and scored shard by shard: memory holds only the scores of all."""

    def __init__(
        self,
        examples: Sequence[Example],
        features: Features,
        decoding: Decoding,
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
        token_budget: int = ACCELERATOR_BUDGET,
        scratch: Path | None = None,
    ) -> None:
        """Take what does not change from one evaluation to the next.

        Args:
            examples: The examples; each is asked for when its shard is decoded.
            features: Their features.
            decoding: How logits become answers.
            autocast: Makes the context of the forward pass, as in training.
            token_budget: Tokens of a batch, padding included.
            scratch: The folder whose disk takes the logits of several shards; None: that of temporary files.
        """
        self.examples, self.features, self.decoding = examples, features, decoding
        self._autocast, self._token_budget, self._scratch = autocast, token_budget, scratch
        self._decoded: tuple[LogitSource, Sequence[Prediction]] | None = None

    def score(self, loaded: Answering, seen: Seen | None = None) -> Scored:
        """Answer every example and score the answers officially; `seen` is called as features are done."""
        began = time.perf_counter()
        logits = self.logits(loaded, seen)
        return Scored(logits, self.evaluate(logits), time.perf_counter() - began)

    def score_together(self, loaded: Answering, peers: Peers, seen: Seen | None = None) -> Scored | None:
        """Do what `score` does with other processes, which answer a share each; the first one scores all.

        Args:
            loaded: The model, with the same weights in all of them.
            peers: The processes; all of them call this at the same place.
            seen: As for `score`.

        Returns:
            None in all but the first.

        Raises:
            Stopped: One of them was asked to stop.
        """
        from qaexp.evaluation.together import predict_together

        began = time.perf_counter()
        asked = self._asked(loaded, seen)
        made = (
            LogitsInMemory(self.features.indptr)
            if peers.index or is_one_shard(self.features, len(self.examples))
            else LogitsOnDisk(self.features.indptr, self._scratch)
        )
        with self._autocast():
            predict_together(loaded.model, self.features, made.put, peers, **asked)
        if peers.index:
            return None
        logits = made.all() if isinstance(made, LogitsInMemory) else made
        return Scored(logits, self.evaluate(logits), time.perf_counter() - began)

    def evaluate(self, logits: LogitSource, null_threshold: float = 0.0) -> Evaluation:
        """Score what the decoding makes of some logits; nothing is answered above `null_threshold`."""

        def decode(examples: Sequence[Example], features: Features, some: Logits) -> Sequence[Prediction]:
            found = self.decoding.decode(examples, features, some)
            self._decoded = (logits, found) if len(examples) == len(self.examples) else None
            return found

        return evaluate(
            shards(self.examples, self.features, logits),
            decode,
            null_threshold=null_threshold,
            max_answer_length=self.decoding.max_answer_length,
            allow_no_answer=self.decoding.allow_no_answer,
        )

    def answers(self, loaded: Answering, seen: Seen | None = None) -> list[Prediction]:
        """Answer every example, in order."""
        return [prediction for _, found in self.decoded(self.logits(loaded, seen)) for prediction in found]

    def decoded(self, logits: LogitSource) -> Iterator[tuple[Sequence[Example], Sequence[Prediction]]]:
        """Yield the examples of each shard with their predictions, as the decoding makes them.

        Those of a single shard are kept from the evaluation of these logits; others are too many to be held.
        """
        if self._decoded is not None and self._decoded[0] is logits:
            yield self.examples, self._decoded[1]
            return
        for shard in shards(self.examples, self.features, logits):
            yield shard.examples, self.decoding.decode(shard.examples, shard.features, shard.logits)

    def log_totals(self, logits: LogitSource) -> Iterator[float]:
        """Yield for each example what turns a score into the log of a probability; see `likelihood.log_totals`."""
        longest, may_be_empty = self.decoding.max_answer_length, self.decoding.allow_no_answer
        for shard in shards(self.examples, self.features, logits):
            totals = log_totals(
                shard.examples, shard.features, shard.logits, max_answer_length=longest, allow_no_answer=may_be_empty
            )
            yield from totals.tolist()

    def logits(self, loaded: Answering, seen: Seen | None = None) -> LogitSource:
        """The model's start and end logits of every feature; those of several shards lie on the disk.

        Raises:
            StorageError: The disk has no room for them.
        """
        made = (
            LogitsInMemory(self.features.indptr)
            if is_one_shard(self.features, len(self.examples))
            else LogitsOnDisk(self.features.indptr, self._scratch)
        )
        with self._autocast():
            runner_of(loaded.model)(loaded.model, self.features, made.put, **self._asked(loaded, seen))
        return made.all() if isinstance(made, LogitsInMemory) else made

    def _asked(self, loaded: Answering, seen: Seen | None) -> dict[str, Any]:
        """How the model is asked."""
        return {
            "pad_token_id": int(loaded.tokenizer.pad_token_id),
            "padding_side": str(loaded.tokenizer.padding_side),
            "with_token_types": loaded.with_token_types,
            "token_budget": self._token_budget,
            "seen": seen,
        }


def runner_of(model: Any) -> Callable[..., None]:
    """What runs a model over features: torch, which is imported for it, or the runtime of an exported graph."""
    if isinstance(model, ExportedModel):
        from qaexp.evaluation.predict_exported import run_exported

        return run_exported
    from qaexp.evaluation.predict import predict_each

    return predict_each
