"""A Predictor as the server asks it: a question is cut into windows, these are read, and their logits are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qaexp.data.squad import Example
from qaexp.data.tokenization import plain_backend
from qaexp.errors import ConfigError
from qaexp.predictor.answer import Answer
from qaexp.predictor.answers import Predictor
from qaexp.serve.asked import Wanted
from qaexp.web.refusals import RefusedError

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.evaluation.logits import Logits
    from qaexp.evaluation.question_set import QuestionSet


@dataclass(frozen=True, slots=True)
class Found:
    """What the model found for one question.

    Attributes:
        answer: The answer, with the best spans.
        windows: start_char and end_char (exclusive) of each piece of the context that was read at once.
    """

    answer: Answer
    windows: list[tuple[int, int]]


class Reader:
    """The model of the server; used by one thread."""

    def __init__(self, predictor: Predictor) -> None:
        """Take the loaded model."""
        self._predictor = predictor
        self.token_budget = predictor.token_budget

    @property
    def knows_no_answer(self) -> bool:
        """Whether the model may answer nothing."""
        return bool(self._predictor.settings["allow_no_answer"])

    @property
    def null_threshold(self) -> float:
        """Nothing is answered where null_score_diff is above it."""
        return float(self._predictor.null_threshold)

    def about(self) -> Mapping[str, str]:
        """What is loaded, in a few words: no path of the machine."""
        folder = self._predictor.folder.absolute()
        name = folder.parent.name if folder.name == "model" else folder.name
        return {"model": name, "device": str(self._predictor.device), "precision": self._predictor.precision}

    def check(self, wanted: Wanted) -> None:
        """Refuse what this model cannot give.

        Raises:
            RefusedError: 422: it reads fewer tokens at once, keeps fewer spans, or always answers.
        """
        longest, kept = self._predictor.settings["max_length"], self._predictor.settings["n_best_size"]
        for name, value in (("max_seq_len", wanted.max_seq_len), ("doc_stride", wanted.doc_stride)):
            if value is not None and value > longest:
                shown = f"{name}={value!s:.20}"
                raise RefusedError(422, f"{shown}: the model reads {longest} tokens at once; give at most {longest}")
        if wanted.top_k is not None and wanted.top_k > kept:
            asked = f"{wanted.top_k!s:.20} answers are asked for"
            raise RefusedError(422, f"{asked}: the model's decoding keeps {kept}; ask for at most {kept}")
        if wanted.handle_impossible_answer and not self.knows_no_answer:
            sentence = "handle_impossible_answer=true: the model was trained to answer always"
            raise RefusedError(422, f"{sentence}; leave it out")

    def cut(self, question: str, context: str, wanted: Wanted) -> QuestionSet:
        """Cut one question with its context into windows.

        Raises:
            RefusedError: 422: the windows leave no room, or the question is longer than they are.
        """
        if wanted.max_question_len is not None:
            question = self._first_tokens(question, wanted.max_question_len)
        changed = {"max_length": wanted.max_seq_len, "doc_stride": wanted.doc_stride}
        if wanted.max_answer_len is not None:
            # No answer is longer than a window.
            changed["max_answer_length"] = min(wanted.max_answer_len, self._predictor.settings["max_length"])
        given = {name: value for name, value in changed.items() if value is not None}
        try:
            questions = self._predictor.question_set([Example("", "", context, question, ())], **given)
        except ConfigError as error:
            raise RefusedError(422, error.problems[0]) from error
        if questions.features.num_truncated_questions:
            sentence = "the question is longer than the model reads; shorten it, or give max_question_len"
            raise RefusedError(422, f"{sentence}, in tokens")
        return questions

    def read(self, features: Features) -> Logits:
        """Run the model over some windows, of whatever questions.

        Raises:
            OutOfMemoryError: One of them does not fit into memory.
        """
        return self._predictor.logits(features)

    def answer(self, questions: QuestionSet, logits: Logits) -> Found:
        """Answer a question by the logits of its windows.

        Raises:
            DivergedError: A logit is not finite.
        """
        (answer,) = self._predictor.answers(questions, logits)
        return Found(answer, _windows(questions.features))

    def _first_tokens(self, question: str, count: int) -> str:
        """The question up to the end of its token `count`."""
        with plain_backend(self._predictor.loaded.tokenizer) as backend:
            offsets = backend.encode(question, add_special_tokens=False).offsets
        return question if len(offsets) <= count else question[: offsets[count - 1][1]]


def _windows(features: Features) -> list[tuple[int, int]]:
    """The characters of each window; those without a token of the context are left out."""
    heads = features.indptr[:-1]
    begin, end = heads + features.context_begin, heads + features.context_end
    has_text = begin < end
    starts = features.offset_mapping[begin[has_text], 0].tolist()
    ends = features.offset_mapping[end[has_text] - 1, 1].tolist()
    return list(zip(starts, ends, strict=True))
