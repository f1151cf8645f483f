"""What other packages say of two groups of runs; started by the Python of the environment that has them.

    PYTHON tests/benchmarks/peers/asked.py GIVEN.npz ANSWERS.npy PACKAGE

GIVEN has the scores `a` and `b` (experiments, seeds, questions), the text of each question, the numbers of seeds at
which one looks, and the `steps` by which b is moved at each look. ANSWERS gets booleans (without steps and with them,
experiments, looks, answers of the package); the last line of the output is its version.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

Answer = Callable[[Any, Any, Any], list[bool]]
"""Whether the package says that two groups (seeds, questions) on these texts differ, in each of its ways."""


def evalsig(a: Any, b: Any, texts: Any) -> list[bool]:
    """Its cluster bootstrap, and its confidence sequence over questions, of means over seeds."""
    from evalsig import ItemResult, RunFrame, compare, confidence_sequence

    def frame(name: str, scores: Any) -> Any:
        items = [
            ItemResult(str(at), float(one), str(text)) for at, (one, text) in enumerate(zip(scores, texts, strict=True))
        ]
        return RunFrame(name, name, "qa", "f1", items)

    a, b = a.mean(axis=0), b.mean(axis=0)
    test = compare(frame("a", a), frame("b", b), cluster="text", n_resamples=400)
    return [test.significant, confidence_sequence(b - a).stopped]


def errorbars(a: Any, b: Any, texts: Any) -> list[bool]:
    """Its paired t test with clusters, of means over seeds."""
    from errorbars.compare import paired_compare

    return [paired_compare(b.mean(axis=0), a.mean(axis=0), clusters=texts).p_value_clustered <= 0.05]


def mushin(a: Any, b: Any, texts: Any) -> list[bool]:
    """Its Welch test over seeds; and where its cluster bootstrap of means over seeds agrees, as its docs ask for."""
    from mushin.llm import compare_scores

    (row,) = compare_scores({"a": a, "b": b}, clusters=texts).comparisons.to_dict("records")
    seeds = bool(row["significant"])
    return [seeds, seeds and bool(row["item_p_corrected"] <= 0.05)]


PACKAGES: dict[str, tuple[Answer, tuple[str, ...]]] = {
    "evalsig": (evalsig, ("evalsig: compare", "evalsig: sequence")),
    "errorbars": (errorbars, ("errorbars",)),
    "mushin-py": (mushin, ("mushin: seeds", "mushin: both")),
}
"""Each package by its name in the index: its answers, and what they are called."""


def main(given_file: str, answers_file: str, package: str) -> None:
    """Ask about every experiment at every look."""
    answer, _ = PACKAGES[package]
    given = np.load(given_file)
    texts, looks, steps = given["texts"], given["looks"], given["steps"]
    warnings.simplefilter("ignore")  # as of few texts: the page says so once
    answers = [
        [
            [answer(a[:num], b[:num] + step, texts) for num, step in zip(looks, moved, strict=True)]
            for a, b in zip(given["a"], given["b"], strict=True)
        ]
        for moved in (0 * steps, steps)
    ]
    np.save(answers_file, np.array(answers, dtype=bool))
    print(version(package))


if __name__ == "__main__":
    main(*sys.argv[1:])
