"""Exact and f1 against the official SQuAD v2 functions: `python tests/benchmarks/metric.py`.

The official functions are written anew here, with the same semantics. Outputs are compared before anything is timed:
every example's scores to the last bit, every summary value to 1e-9. Seconds are the processor's, of one thread, without
garbage collection (as `timeit` does it).
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import string
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qaexp.data.squad import Example
from qaexp.evaluation.metrics import Golds, Metrics, score_examples, summarize
from tests.benchmarks.measuring import paired_seconds, sample_examples

TARGET = 10.0


def normalize(text: str) -> str:
    punctuation = set(string.punctuation)
    kept = "".join(char for char in text.lower() if char not in punctuation)
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", kept).split())


def words(text: str) -> list[str]:
    return normalize(text).split() if text else []


def official_exact(gold: str, predicted: str) -> int:
    return int(normalize(gold) == normalize(predicted))


def official_f1(gold: str, predicted: str) -> float:
    gold_words, predicted_words = words(gold), words(predicted)
    num_same = sum((Counter(gold_words) & Counter(predicted_words)).values())
    if len(gold_words) == 0 or len(predicted_words) == 0:
        return int(gold_words == predicted_words)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(predicted_words)
    recall = 1.0 * num_same / len(gold_words)
    return (2 * precision * recall) / (precision + recall)


def official_scores(
    golds: Mapping[str, Sequence[str]], predictions: Mapping[str, str]
) -> tuple[dict[str, float], dict[str, float]]:
    """The official get_raw_scores: exact and f1 by id, from 0 to 1."""
    exact, f1 = {}, {}
    for key, texts in golds.items():
        answers = [text for text in texts if normalize(text)] or [""]
        exact[key] = max(official_exact(text, predictions[key]) for text in answers)
        f1[key] = max(official_f1(text, predictions[key]) for text in answers)
    return exact, f1


def official_summary(
    golds: Mapping[str, Sequence[str]], exact: Mapping[str, float], f1: Mapping[str, float]
) -> dict[str, float]:
    """The official make_eval_dict: over all, over those with an answer, over those without."""
    groups = {
        "": list(golds),
        "has_ans_": [k for k in golds if golds[k]],
        "no_ans_": [k for k in golds if not golds[k]],
    }
    summary = {}
    for prefix, keys in groups.items():
        summary[f"{prefix}exact"] = 100.0 * sum(exact[key] for key in keys) / len(keys)
        summary[f"{prefix}f1"] = 100.0 * sum(f1[key] for key in keys) / len(keys)
    return summary


def official_best(
    golds: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    scores: Mapping[str, float],
    no_answer: Mapping[str, float],
) -> tuple[float, float]:
    """The official find_best_thresh: the best score in percent, and its threshold."""
    current = best = float(sum(1 for key in golds if not golds[key]))
    threshold = 0.0
    for key in sorted(no_answer, key=lambda key: no_answer[key]):
        if key not in scores:
            continue
        current += scores[key] if golds[key] else (-1 if predictions[key] else 0)
        if current > best:
            best, threshold = current, no_answer[key]
    return 100.0 * best / len(scores), threshold


def perturbed(examples: Sequence[Example], seed: int) -> dict[str, str]:
    """Predictions as a middling model gives them: a third empty, gold answers, parts of them, and other spans."""
    generator = np.random.default_rng(seed)
    predictions = {}
    for example in examples:
        context = example.context.split()
        first, length, kind = generator.integers(len(context)), generator.integers(1, 8), generator.random()
        predictions[example.id] = " ".join(context[first : first + length])
        if kind < 0.33:
            predictions[example.id] = ""
        elif example.golds and kind < 0.8:
            gold = example.golds[generator.integers(len(example.golds))]
            predictions[example.id] = gold if kind < 0.55 else f"{context[first]} {gold}"
    return predictions


def compare(golds: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> str:
    """Hold our scores against the official functions; raises AssertionError where they differ."""
    exact, f1 = official_scores(golds, predictions)
    prepared = Golds.prepare(golds.values())
    raw_exact, raw_f1 = prepared.raw_scores([predictions[key] for key in golds])
    assert raw_exact.tolist() == list(exact.values())
    assert raw_f1.tolist() == list(f1.values())
    ours, theirs = score(prepared, golds, predictions), official_summary(golds, exact, f1)
    assert list(ours) == list(theirs)
    assert all(abs((ours[name] or 0.0) - theirs[name]) < 1e-9 for name in theirs)
    return f"{len(golds)} of {len(golds)} examples equal, exact {theirs['exact']:.2f}, f1 {theirs['f1']:.2f}"


def score(prepared: Golds, golds: Mapping[str, Any], predictions: Mapping[str, str]) -> Metrics:
    return summarize(prepared.has_ans, *score_examples(prepared, [predictions[key] for key in golds]))


def main() -> int:
    examples = sample_examples()
    golds = {example.id: example.golds for example in examples}
    predictions = perturbed(examples, seed=0)
    print(f"Python {platform.python_version()}, numpy {importlib.metadata.version('numpy')}, {platform.machine()}")
    print(compare(golds, predictions))
    prepared = Golds.prepare(golds.values())
    ours, whole, theirs = paired_seconds(
        lambda: score(prepared, golds, predictions),
        lambda: score(Golds.prepare(golds.values()), golds, predictions),
        lambda: official_summary(golds, *official_scores(golds, predictions)),
    )
    print(f"qaexp {ours:.4f} s, official {theirs:.4f} s: {theirs / ours:.1f} x (target {TARGET:.0f} x), golds prepared")
    print(f"qaexp {whole:.4f} s, official {theirs:.4f} s: {theirs / whole:.1f} x, preparing the golds counted")
    return 0 if theirs / ours >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
