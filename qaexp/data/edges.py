"""The characters of a gold answer that its label stands for: what no token covers at its edges is left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qaexp.data.squad import Answer
from qaexp.data.tokenization import EncodedTexts, distinct
from qaexp.data.windows import Ints

NOWHERE = (-1, -1)
"""The place of an answer that has no label."""

# Controls, formats (zero width, direction), spaces and line ends.
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Zs", "Zl", "Zp")
# Letters, marks and symbols by category, of which nothing is seen: fillers, joiners of graphemes, the blank of Braille.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def label_chars(
    answers: Sequence[Answer | None], contexts: Sequence[str], tokens: EncodedTexts, context_index: Ints
) -> tuple[Ints, Ints]:
    """Find the characters that the label of each answer has to hold.

    They are those of the answer, without white space around it and without what no token stands for at its edges, so
    that a space, a line end or an accent that the tokenizer drops does not move the label to the word beside it.

    Args:
        answers: One for each example, None without one.
        contexts: The distinct contexts.
        tokens: Their tokens.
        context_index: The number of each example's context.

    Returns:
        start_char and end_char (exclusive), int64 `[num_examples]`; -1 where there is no answer, or none of its visible
        characters has a token.
    """
    start = np.array([answer.start_char if answer else -1 for answer in answers], np.int64)
    end = np.array([answer.end_char if answer else -1 for answer in answers], np.int64)
    asked = np.array([bool(answer and answer.text) for answer in answers], dtype=bool)
    # One character more for each, so that an empty context has a place too.
    base = np.cumsum([0, *(len(context) + 1 for context in contexts)], dtype=np.int64)
    token_base = np.repeat(base[:-1], tokens.lengths)
    is_covered = _covered(int(base[-1]), *(token_base + column for column in tokens.offsets.T))
    lengths = np.array([len(context) for context in contexts], np.int64)
    inside = np.flatnonzero(asked & (start >= 0) & (end <= lengths[context_index]))
    head = base[context_index[inside]]
    is_plain = is_covered[head + start[inside]] & is_covered[head + end[inside] - 1]
    for index, has_tokens in zip(inside.tolist(), is_plain.tolist(), strict=True):
        answer = answers[index]
        assert answer is not None
        if not (has_tokens and _is_body(answer.text[0]) and is_visible(answer.text[-1])):
            number = int(context_index[index])
            offsets = tokens.offsets[tokens.indptr[number] : tokens.indptr[number + 1]]
            start[index], end[index] = narrowed(contexts[number], answer.start_char, answer.end_char, offsets)
    return start, end


def narrowed(context: str, start_char: int, end_char: int, offsets: NDArray[np.int32]) -> tuple[int, int]:
    """Leave out what the label of an answer cannot or need not hold at its edges.

    Kept are the visible characters that have a token; a mark that the answer begins with is written on a character
    outside it and counts for none. Invisible ones around them (a zero-width space, a variation selector) are kept where
    they have tokens of their own, which lie inside the answer; white space never is.

    Args:
        context: The text.
        start_char: Where the answer starts.
        end_char: The character after it.
        offsets: start_char and end_char (exclusive) of the tokens of the context, `[num_tokens, 2]`.

    Returns:
        start_char and end_char (exclusive) of what is kept; `NOWHERE` if that is nothing.

    >>> narrowed("the  Seine ", 4, 11, np.array([[0, 3], [5, 10]], np.int32))
    (5, 10)
    """
    while start_char < end_char and context[start_char].isspace():
        start_char += 1
    while end_char > start_char and context[end_char - 1].isspace():
        end_char -= 1
    begin, end = offsets.astype(np.int64).T
    near = (begin < end_char) & (end > start_char) & (begin < end)
    covered = {place for one, other in zip(begin[near], end[near], strict=True) for place in range(one, other)}
    solid = [place for place in range(start_char, end_char) if place in covered and is_visible(context[place])]
    bodies = [place for place in solid if _is_body(context[place])]
    if not solid:
        return NOWHERE
    own = near & (begin >= start_char) & (end <= end_char)
    first, last = (bodies or solid)[0], solid[-1] + 1
    return min([first, *begin[own].tolist()]), max([last, *end[own].tolist()])


def ends_with_marks(
    contexts: Sequence[str], example_index: NDArray[np.int32], indptr: Ints, offset_mapping: NDArray[np.int32]
) -> Ints:
    """Move the ends of tokens past the marks behind them that no token covers.

    A tokenizer that drops accents ends the token of a decomposed é before its accent; an answer that is cut out of the
    text there would have another spelling than the text.

    Args:
        contexts: One for each example.
        example_index: The example of each feature, `[num_features]`.
        indptr: Where the tokens of each feature begin, `[num_features + 1]`.
        offset_mapping: start_char and end_char (exclusive) of all tokens, `[num_tokens, 2]`.

    Returns:
        end_char (exclusive) of every token, int64 `[num_tokens]`.
    """
    begin, end = offset_mapping.astype(np.int64).T
    texts, number = distinct(contexts)
    # A line end parts them: it is not a mark, so that none is taken from the next text.
    text = "".join(f"{one}\n" for one in texts)
    marks = [ord(character) for character in set(text) if is_mark(character)]
    if not marks:
        return np.asarray(end)
    base = np.cumsum([0, *(len(one) + 1 for one in texts)], dtype=np.int64)
    head = np.repeat(base[number[example_index]], np.diff(indptr))
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    is_loose = np.isin(codes, marks) & ~_covered(len(text), head + begin, head + end)
    position = np.arange(len(text), dtype=np.int64)
    kept = np.where(is_loose, len(text), position)
    following = np.minimum.accumulate(kept[::-1])[::-1]
    moved: Ints = np.where(begin < end, following[head + end] - head, end)
    return moved


def is_visible(character: str) -> bool:
    """Whether something of a character is seen: no white space, control, zero-width character or variation selector.

    >>> [is_visible(character) for character in "a.\u0301 \u200b\ufe0f"]
    [True, True, True, False, False, False]
    """
    return not (
        unicodedata.category(character) in _INVISIBLE_CATEGORIES
        or character in _INVISIBLE
        or any(ord(character) in selectors for selectors in _VARIATION_SELECTORS)
    )


def is_mark(character: str) -> bool:
    """Whether a character is written on the one before it: an accent, a vowel sign, a variation selector."""
    return unicodedata.category(character).startswith("M")


def _is_body(character: str) -> bool:
    return is_visible(character) and not is_mark(character)


def _covered(num_characters: int, begin: Ints, end: Ints) -> NDArray[np.bool_]:
    """Whether one of the stretches from `begin` to `end` (exclusive) covers each character."""
    depth = np.zeros(num_characters + 1, np.int32)
    np.add.at(depth, begin, 1)
    np.add.at(depth, end, -1)
    is_covered: NDArray[np.bool_] = np.cumsum(depth, out=depth)[:-1] > 0
    return is_covered
