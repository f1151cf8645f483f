"""The rule of transformers' removed pipeline: probabilities of each window by itself, those of equal texts added up.

It is that of transformers 4.57.6, number for number in float32. `qaexp.Predictor` has another one, which compares the
scores of all windows (docs/pipeline.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Encoding

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# What a token that may not answer counts in the softmax, and where the search for the least null score begins.
_OUTSIDE, _HIGHEST_NULL = -10000.0, 1000000.0


@dataclass(frozen=True, slots=True, eq=False)
class WindowLogits:
    """A window with what the model says of its tokens.

    Attributes:
        encoding: Its tokens.
        sequence: Which of the two texts of the encoding the context is.
        may_answer: Which tokens an answer may hold, [length]: those of the context, and CLS.
        start: Start logits, [length].
        end: End logits, [length].
    """

    encoding: Encoding
    sequence: int
    may_answer: Bools
    start: Floats
    end: Floats


@dataclass(frozen=True, slots=True)
class Rule:
    """How answers are chosen.

    Attributes:
        top_k: The most answers that are given.
        max_answer_len: Tokens of the longest answer.
        handle_impossible_answer: Whether the empty answer is one of them.
        align_to_words: Whether an answer is widened to whole words.
    """

    top_k: int
    max_answer_len: int
    handle_impossible_answer: bool
    align_to_words: bool

    @property
    def num_candidates(self) -> int:
        """Spans of each window that are looked at: widened to words, several may be one."""
        return self.top_k * 2 + 10 if self.align_to_words else self.top_k


def answers_of(windows: Sequence[WindowLogits], context: str, rule: Rule) -> list[dict[str, Any]]:
    """The best answers of one context, as {score, start, end, answer}, the most probable first.

    Args:
        windows: Its windows, in their order.
        context: The text.
        rule: How they are chosen.

    Returns:
        At most `top_k`; `score` is a probability within a window, or the sum of several where the same text, in upper
        or lower case, was found again; `end` is exclusive. The empty answer has the lowest null score of all windows.
    """
    found: dict[str, dict[str, Any]] = {}
    least_null = _HIGHEST_NULL
    for window in windows:
        start, end = (_probabilities(logits, window.may_answer) for logits in (window.start, window.end))
        if rule.handle_impossible_answer:
            least_null = min(least_null, float(start[0] * end[0]))
        start[0] = end[0] = 0.0
        for first, last, score in _candidates(start, end, window.may_answer, rule):
            begin, stop = _characters(window, first, last, align_to_words=rule.align_to_words)
            text = context[begin:stop]
            answer = found.setdefault(text.lower(), {"score": 0.0, "start": begin, "end": stop, "answer": text})
            answer["score"] += score
    answers = list(found.values())
    if rule.handle_impossible_answer:
        answers.append({"score": least_null, "start": 0, "end": 0, "answer": ""})
    return sorted(answers, key=lambda answer: -answer["score"])[: rule.top_k]


def _probabilities(logits: Floats, may_answer: Bools) -> Floats:
    """The softmax over the tokens that may answer."""
    kept = np.where(may_answer, logits, np.float32(_OUTSIDE))
    weights = np.exp(kept - kept.max())
    found: Floats = weights / weights.sum()
    return found


def _candidates(start: Floats, end: Floats, may_answer: Bools, rule: Rule) -> Iterator[tuple[int, int, float]]:
    """Yield the first token, the last one (inclusive) and the probability of a window's best spans.

    All pairs are laid out and searched as transformers does it, so that equal ones come in its order.
    """
    spans = np.tril(np.triu(np.outer(start, end)), rule.max_answer_len - 1).ravel()
    best: Ints
    if rule.num_candidates == 1:
        best = np.array([np.argmax(spans)])
    elif len(spans) <= rule.num_candidates:
        best = np.argsort(-spans)
    else:
        highest = np.argpartition(-spans, rule.num_candidates)[: rule.num_candidates]
        best = highest[np.argsort(-spans[highest])]
    for place in best.tolist():
        first, last = divmod(place, len(start))
        if may_answer[first] and may_answer[last]:
            yield first, last, float(spans[place])


def _characters(window: WindowLogits, first: int, last: int, *, align_to_words: bool) -> tuple[int, int]:
    """Where the text of some tokens begins and ends (exclusive), widened to whole words where that is asked for."""
    encoding = window.encoding
    if align_to_words:
        begin, end = _word(window, first), _word(window, last)
        if begin is not None and end is not None:
            return begin[0], end[1]
    return encoding.offsets[first][0], encoding.offsets[last][1]


def _word(window: WindowLogits, token: int) -> tuple[int, int] | None:
    """The characters of the word that a token belongs to; None where the tokenizer knows none."""
    word = window.encoding.token_to_word(token)
    return None if word is None else window.encoding.word_to_chars(word, window.sequence)
