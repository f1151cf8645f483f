"""Which examples a run takes: drawn without replacement, the same for the same seed, small draws inside larger ones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qaexp.data.ondisk.examples import are_impossible, chosen
from qaexp.data.squad import Example
from qaexp.errors import ConfigError
from qaexp.errors.rules import SUBSETS, choice_problems, refuse, size_problems


def draw(
    examples: Sequence[Example], size: float | None, policy: str, seed: int, *, key: str = "data.train_size"
) -> Sequence[Example]:
    """Draw examples, each at most once, in the order in which they are drawn.

    For every policy but `python_sample` a smaller draw of the same seed is the beginning of a larger one.

    Args:
        examples: What to draw from; the draw depends on their order (but not on their content, apart from whether
            they have answers).
        size: A whole number of examples, a fraction of those that the policy may draw (the float 1.0: all of them), or
            None for all.
        policy: `random`: from one permutation. `stratified`: likewise, with the share of unanswerable questions kept
            to half an example at every size. `first`: in the order given. `answerable`: as random, from the
            answerable ones. `python_sample`: `random.seed(seed); random.sample(range(n), size)`, not nested.
        seed: Of the draw; 0 to 2**32 - 1.
        key: The config key to name in errors.

    Raises:
        ConfigError: The size is not one of these or is more than there are, or the policy is unknown.
    """
    return chosen(examples, _drawn(examples, size, policy, seed, key))


def drawable(examples: Sequence[Example], policy: str) -> tuple[int, str]:
    """Return how many examples a policy may draw, and what they are called."""
    if policy == "answerable":
        return int(np.sum(~are_impossible(examples))), "answerable examples"
    return len(examples), "examples"


def draw_in_order(examples: Sequence[Example], size: float | None, seed: int, *, key: str) -> Sequence[Example]:
    """Draw as `random` does, but keep the order of the examples."""
    return chosen(examples, np.sort(_drawn(examples, size, "random", seed, key)))


def draw_positions(examples: Sequence[Example], count: int, policy: str, seed: int) -> NDArray[np.int64]:
    """Return the positions of the examples that `draw` takes, in its order.

    Raises:
        ConfigError: The policy is unknown, or draws no example.
    """
    return _drawn(examples, count, policy, seed, "data.train_size")


def _drawn(examples: Sequence[Example], size: float | None, policy: str, seed: int, key: str) -> NDArray[np.int64]:
    """Return the positions that are drawn, in the order of the draw."""
    refuse(choice_problems("data.subset", policy, SUBSETS))
    available, kind = drawable(examples, policy)
    count = resolve_size(size, available, key=key, kind=kind)
    return np.asarray(_order(are_impossible(examples), policy, seed, count)[:count], np.int64)


def resolve_size(size: float | None, available: int, *, key: str = "size", kind: str = "examples") -> int:
    """Return how many of the available examples a size means.

    The float 1.0 follows 0.25 and 0.5 and means all; the whole number 1 means one example.

    >>> resolve_size(0.25, 10), resolve_size(4.0, 10), resolve_size(None, 10)
    (3, 4, 10)
    >>> resolve_size(1.0, 10), resolve_size(1, 10)
    (10, 1)

    Raises:
        ConfigError: It is neither a whole number of at least 1 nor a fraction up to 1.0, there are fewer, or there
            are none at all.
    """
    if not available:
        raise ConfigError(f"{key} cannot be met: there are no {kind} to draw from; take another data.subset or data")
    refuse(size_problems(key, size))
    if size is None or is_all(size):
        return available
    if size > available:
        raise ConfigError(
            f"{key}={size:.15g} is more than the {available} {kind} to draw from; take at most {available}, or null "
            "for all"
        )
    return max(1, math.floor(size * available + 0.5)) if size < 1 else int(size)


def is_all(size: float | None) -> bool:
    """Whether a size is the fraction 1.0, as against the whole number 1."""
    return isinstance(size, float) and size == 1.0


def _order(is_no_ans: NDArray[np.bool_], policy: str, seed: int, count: int) -> Sequence[int] | NDArray[np.int64]:
    """Return the positions in the order in which they are drawn; only `python_sample` depends on `count`."""
    if policy == "first":
        return range(len(is_no_ans))
    if policy == "python_sample":
        return random.Random(seed).sample(range(len(is_no_ans)), count)
    permutation = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))).permutation(len(is_no_ans))
    if policy == "answerable":
        permutation = permutation[~is_no_ans[permutation]]
    elif policy == "stratified":
        permutation = _interleave(permutation, is_no_ans[permutation])
    return permutation


def _interleave(permutation: NDArray[np.int64], is_no_ans: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Reorder so that every beginning of k holds k * share unanswerable ones, rounded; each kind keeps its order."""
    total, share = len(permutation), int(is_no_ans.sum())
    steps = np.arange(total + 1, dtype=np.int64)
    takes_no_ans = np.diff((2 * steps * share + total) // (2 * max(total, 1))) == 1
    mixed = np.empty_like(permutation)
    mixed[takes_no_ans] = permutation[is_no_ans]
    mixed[~takes_no_ans] = permutation[~is_no_ans]
    return mixed
