"""What is sent back: the JSON of the hub's question-answering task, and qaexp's own with spans, odds and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qaexp.predictor.answer import Answer
from qaexp.serve.asked import Asked, Pair, Wanted
from qaexp.serve.reading import Found, Reader
from qaexp.web.refusals import RefusedError


def likelihoods(answer: Answer, *, may_be_empty: bool, with_none: bool) -> tuple[list[float], float]:
    """How probable the best spans and "no answer" are, among all that may be answered.

    Args:
        answer: The answer.
        may_be_empty: Whether "no answer" is among what the answer's probability is measured by.
        with_none: Whether it is wanted there: otherwise the spans share what is its part.

    Returns:
        One for each of n_best, and that of "no answer" (0 where it is not wanted).

    Raises:
        RefusedError: 501: a decoding of the user's own has no probabilities.
    """
    if answer.probability is None and answer.n_best:
        raise RefusedError(501, "the model's own decoding has no probabilities, which this task gives; POST to /answer")
    none = (answer.no_answer_probability or 0.0) if may_be_empty else 0.0
    spans = [share or 0.0 for share in answer.span_probabilities]
    if with_none or none == 0.0:
        return spans, none
    # Where "no answer" is all but certain, its rest has been rounded away: the spans share what they have.
    rest = 1.0 - none if none < 1.0 - 1e-6 else sum(spans)
    return [min(1.0, share / rest) if rest else 0.0 for share in spans], 0.0


def hub_reply(asked: Asked, found: Sequence[Found], reader: Reader) -> Any:
    """The reply to a request of the hub's task: an object for one answer, a list for `top_k` of them.

    Returns:
        {answer, score, start, end}, or a list of them; for a list of questions a list of either. The empty answer has
        start and end 0.

    Raises:
        RefusedError: 422: a text holds nothing that could be an answer, and there has to be one.
    """
    replies = [_hub_answer(pair, one, asked.wanted, reader) for pair, one in zip(asked.pairs, found, strict=True)]
    return replies if asked.is_list else replies[0]


def _hub_answer(pair: Pair, found: Found, wanted: Wanted, reader: Reader) -> Any:
    with_none = reader.knows_no_answer if wanted.handle_impossible_answer is None else wanted.handle_impossible_answer
    shares, none = likelihoods(found.answer, may_be_empty=reader.knows_no_answer, with_none=with_none)
    likely: dict[tuple[int, int], float] = {}
    for span, share in zip(found.answer.n_best, shares, strict=True):
        place = (span["start_char"], span["end_char"])
        place = whole_words(pair[1], *place) if wanted.align_to_words else place
        likely[place] = likely.get(place, 0.0) + share
    ranked = [
        {"answer": pair[1][start:end], "score": share, "start": start, "end": end}
        for (start, end), share in sorted(likely.items(), key=lambda item: -item[1])
    ]
    if with_none:
        ranked = _with_none(ranked, none, comes_first=not found.answer.answer)
    if not ranked:
        raise RefusedError(422, "the context holds nothing that could be an answer; send a text with words")
    return ranked[: wanted.top_k] if (wanted.top_k or 1) > 1 else ranked[0]


def _with_none(ranked: list[dict[str, Any]], share: float, *, comes_first: bool) -> list[dict[str, Any]]:
    """Put "no answer" where it belongs: the model's threshold decides between it and the best span."""
    none = {"answer": "", "score": share, "start": 0, "end": 0}
    if comes_first:
        return [none, *ranked]
    rest = sorted([none, *ranked[1:]], key=lambda one: -one["score"])
    return [*ranked[:1], *rest]


def whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    """Widen a span to the words that it cuts: runs of letters and digits.

    >>> whole_words("the Parisians", 4, 9)
    (4, 13)
    """
    while 0 < start < end and context[start - 1].isalnum() and context[start].isalnum():
        start -= 1
    while start < end < len(context) and context[end - 1].isalnum() and context[end].isalnum():
        end += 1
    return start, end


def own_reply(asked: Asked, found: Found, reader: Reader) -> dict[str, Any]:
    """The reply of `/answer`: what `qaexp answer --json` prints, probabilities, the threshold, and the windows."""
    answer, may_be_empty = found.answer, reader.knows_no_answer
    spans = [
        {**span, "probability": share} for span, share in zip(answer.n_best, answer.span_probabilities, strict=True)
    ]
    return {
        **asdict(answer),
        "n_best": spans[: asked.wanted.top_k],
        "no_answer_probability": answer.no_answer_probability if may_be_empty else None,
        "null_threshold": reader.null_threshold,
        "allow_no_answer": may_be_empty,
        "windows": [{"start_char": start, "end_char": end} for start, end in found.windows],
    }
