"""What settings may be, in one wording for the check of a config and for a class that is called from Python."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from qaexp.errors import ConfigError
from qaexp.errors.advice import named, setting

SUBSETS = ("random", "stratified", "first", "answerable", "python_sample")


def refuse(problems: Iterator[str]) -> None:
    """Raise what is wrong, if anything is.

    Raises:
        ConfigError: With every problem.
    """
    if found := list(problems):
        raise ConfigError(*found)


def choice_problems(key: str, value: str, choices: Sequence[str]) -> Iterator[str]:
    """Say why a word is not legal, if it is not.

    >>> list(choice_problems("data.subset", "best", ("random", "first")))
    ['data.subset=best is none of random, first']
    """
    if value not in choices:
        yield f"{key}={value} is none of {', '.join(choices)}"


def size_problems(key: str, size: float | str | None) -> Iterator[str]:
    """Say why a number of examples is not legal, if it is not; how many there are is not asked.

    >>> list(size_problems("data.dev_size", 25)), next(size_problems("data.dev_size", 2.5))[:40]
    ([], 'data.dev_size=2.5 is neither a whole num')
    """
    number = math.nan if isinstance(size, bool | str | None) else size
    if size is not None and not (0 < number < 1 or (1 <= number < math.inf and number == int(number))):
        yield (
            f"{key}={size} is neither a whole number of examples from 1 up, a fraction between 0 and 1 (1.0: all), "
            "nor null"
        )


def limit_problems(batch_size: int | None, token_budget: int | None) -> Iterator[str]:
    """Say why a micro-batch has no limit or two, if so.

    >>> next(limit_problems(8, 3072)).partition(";")[0]
    'batches.batch_size=8 and batches.token_budget=3072: exactly one of them must be set'
    """
    if (batch_size is None) == (token_budget is None):
        size, budget = ("null" if number is None else str(number) for number in (batch_size, token_budget))
        by_size = f"{setting('batches', 'fixed')} {setting('batches.batch_size', str(batch_size or 8))}"
        by_tokens = f"{setting('batches', 'by_length')} {setting('batches.token_budget', str(token_budget or 3072))}"
        yield (
            f"{setting('batches.batch_size', size)} and {setting('batches.token_budget', budget)}: exactly one of them "
            f"must be set; write {by_size}, or {by_tokens}"
        )


def room_problems(max_length: int, doc_stride: int, num_specials: int) -> Iterator[str]:
    """Say why windows could not advance beside a question of one token, if so.

    Args:
        max_length: Tokens of a feature.
        doc_stride: Tokens that neighbouring windows share.
        num_specials: Special tokens of a feature.

    >>> list(room_problems(384, 128, 3))
    []
    """
    least, largest = doc_stride + num_specials + 2, max_length - num_specials - 2
    if doc_stride < 0 or max_length < least:
        length, stride = named("features.max_length"), named("features.doc_stride")
        way_out = f"{stride} must be 0 to {largest}, or " if largest >= 0 else ""
        yield (
            f"{stride}={doc_stride} leaves no room in {length}={max_length}, {num_specials} tokens of which are "
            f"special: {way_out}{length} at least {max(least, num_specials + 2)}"
        )
