"""How fast an exported graph answers beside torch in fp32: the same questions, the same threads, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from qaexp.data.squad import Example
from qaexp.errors import IntegrityError
from qaexp.evaluation.logits import Logits
from qaexp.evaluation.question_set import Answering, QuestionSet
from qaexp.predictor.answers import Predictor
from qaexp.runs.writing.environment import describe_machine
from qaexp.storage.formats import counted

# Enough for batches as they are in use; a small model on one core takes two seconds for them.
_NUM_TOKENS = 6_000
_TURNS = 3
# What sums in another order change; largest seen on MiniLM: 3e-5.
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Attributes:
        num_answers: Questions that were answered in each turn.
        num_tokens: Their tokens, without padding.
        seconds: Of a turn, the median.
        torch_seconds: The same of torch in fp32.
        ratio: How many times as fast as torch: the median over the turns.
        threads: Of both.
        baseline: What torch computed, in words: `the run`, `its 3 seeds together`.
        cpu: The processor of both.
        max_difference: The largest difference between their logits.
    """

    num_answers: int
    num_tokens: int
    seconds: float
    torch_seconds: float
    ratio: float
    threads: int
    baseline: str
    cpu: str
    max_difference: float

    @property
    def sentence(self) -> str:
        """How fast, as what, and where, as the end of a sentence."""
        return f"{self.ratio:.1f} x as fast as {self.baseline} in torch fp32 ({self.where})"

    @property
    def where(self) -> str:
        """What both were measured with."""
        return ", ".join([counted(self.threads, "thread"), *([self.cpu] if self.cpu else [])])

    def document(self) -> dict[str, Any]:
        """What export.json holds of it."""
        return {
            "answers_per_second": self.num_answers / self.seconds,
            "tokens_per_second": self.num_tokens / self.seconds,
            "torch_fp32_answers_per_second": self.num_answers / self.torch_seconds,
            "torch_fp32_tokens_per_second": self.num_tokens / self.torch_seconds,
            "ratio": self.ratio,
            "baseline": f"{self.baseline} in torch fp32",
            "measured_with": self.where,
            "threads": self.threads,
            "turns": _TURNS,
            "num_answers": self.num_answers,
            "max_logit_difference": self.max_difference,
        }


def measured(
    examples: Sequence[Example], written: Predictor, source: Answering, baseline: str, *, is_exact: bool
) -> Speed:
    """Answer some questions with a graph and with torch, in turns, and hold their logits against each other.

    Args:
        examples: All dev questions, of which some are taken from everywhere.
        written: The folder of the graph.
        source: What it was made of.
        baseline: What that is, in words.
        is_exact: Whether it computes in fp32, so that its logits must be torch's.

    Raises:
        IntegrityError: They are not.
    """
    questions, graph = written.question_set(_some(examples, written)), written.loaded
    # Dev questions may all be short, and a graph may hold for the lengths that it was traced with alone.
    longest = written.question_set([Example("", "", "a " * written.settings["max_length"], examples[0].question, ())])
    difference = max(
        _difference(_logits(asked, graph), _logits(asked, source), is_exact=is_exact) for asked in (questions, longest)
    )
    turns = [(_seconds(questions, source), _seconds(questions, graph)) for _ in range(_TURNS)]
    return Speed(
        num_answers=len(questions.examples),
        num_tokens=questions.features.num_tokens,
        seconds=statistics.median(own for _, own in turns),
        torch_seconds=statistics.median(torchs for torchs, _ in turns),
        ratio=statistics.median(torchs / own for torchs, own in turns),
        threads=torch.get_num_threads(),
        baseline=baseline,
        cpu=str(describe_machine()["cpu"] or ""),
        max_difference=difference,
    )


def _some(examples: Sequence[Example], written: Predictor) -> Sequence[Example]:
    """Every n-th question, so that they have about as many tokens as are answered in a turn."""
    probe = examples[:: max(1, len(examples) // 50)]
    per_question = written.question_set(probe).features.num_tokens / len(probe)
    wanted = max(1, round(_NUM_TOKENS / per_question))
    return examples[:: max(1, len(examples) // wanted)][:wanted]


def _logits(questions: QuestionSet, model: Answering) -> Logits:
    found = questions.logits(model)
    return found if isinstance(found, Logits) else found.part(0, len(questions.features))


def _seconds(questions: QuestionSet, model: Answering) -> float:
    began = time.perf_counter()
    questions.logits(model)
    return time.perf_counter() - began


def _difference(own: Logits, theirs: Logits, *, is_exact: bool) -> float:
    pairs = ((own.start, theirs.start), (own.end, theirs.end))
    found = max(float(np.max(np.abs(one - other))) for one, other in pairs)
    allowed = _TOLERANCE * max(1.0, *(float(np.max(np.abs(other))) for _, other in pairs))
    # A NaN is not within anything.
    if is_exact and not found <= allowed:
        raise IntegrityError(
            f"the logits of the exported graph differ by up to {found:.2g} from those of torch, and {allowed:.2g} is "
            "what rounding can do, so it would give other answers; nothing is written, take --format hf"
        )
    return found
