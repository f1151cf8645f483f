"""Decoding against the post-processing of transformers' run_qa.py: `python tests/benchmarks/decoding.py`.

Outputs are compared before anything is timed: with a brute force over every legal span, field by field, and with
run_qa's way (written anew here: the best starts paired with the best ends of each window, in Python loops, over data
sets as run_qa holds them; without the progress bar and the files that the original writes). The same loops over plain
lists in memory are timed too: the rest is what reading rows from a data set costs. Seconds are the processor's, of one
thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Example
from qaexp.evaluation.decoding import NO_SPAN_DIFF, Prediction, Span, decode
from qaexp.evaluation.logits import Logits
from tests.benchmarks.measuring import paired_seconds, sample_examples
from tests.fixtures.checkpoints import minilm_tokenizer

LIMITS: dict[str, Any] = {"n_best_size": 20, "max_answer_length": 30, "allow_no_answer": True}
TARGET = 6.0
NUM_BRUTE_FORCE = 200


def brute_force(
    example: Example,
    rows: Sequence[dict[str, Any]],
    *,
    n_best_size: int,
    max_answer_length: int,
    allow_no_answer: bool,
) -> Prediction:
    """The definition of decoding, span by span; `rows` are the example's windows with their logits."""
    best: dict[tuple[int, int], float] = {}
    for row in rows:
        for i in range(row["context_begin"], row["context_end"]):
            for j in range(i, min(i + max_answer_length, row["context_end"])):
                begin, end = row["offset_mapping"][i][0], row["offset_mapping"][j][1]
                text = example.context[begin:end]
                begin, end = begin + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
                if begin < end:
                    score = float(row["start"][i]) + float(row["end"][j])
                    best[begin, end] = max(best.get((begin, end), score), score)
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:n_best_size]
    n_best = tuple(Span(example.context[begin:end], score, begin, end) for (begin, end), score in ranked)
    null = min(float(row["start"][row["null_position"]]) + float(row["end"][row["null_position"]]) for row in rows)
    diff = null - n_best[0].score if n_best else NO_SPAN_DIFF
    text = n_best[0].text if n_best and not (allow_no_answer and diff > 0) else ""
    return Prediction(example.id, text, diff, n_best)


def rows_of(features: Features, logits: Logits) -> dict[int, list[dict[str, Any]]]:
    """The windows of each example as plain lists, with `start` and `end` logits (float32 arrays)."""
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for index in range(len(features)):
        tokens = slice(features.indptr[index], features.indptr[index + 1])
        row = {"offset_mapping": features.offset_mapping[tokens].tolist(), "start": logits.start[tokens]}
        row["end"] = logits.end[tokens]
        for name in ("context_begin", "context_end", "null_position"):
            row[name] = int(getattr(features, name)[index])
        rows[int(features.example_index[index])].append(row)
    return dict(rows)


@dataclass(frozen=True)
class RunQaInputs:
    """What run_qa's post-processing takes: rows of examples and of features, and logits padded to one length."""

    examples: Any
    features: Any
    start: np.ndarray[Any, Any]
    end: np.ndarray[Any, Any]

    @classmethod
    def of(cls, examples: Sequence[Example], features: Features, logits: Logits, max_length: int) -> RunQaInputs:
        """As run_qa holds them: data sets, and every feature padded to max_length (its default)."""
        from datasets import Dataset

        generator = np.random.default_rng(1)  # a model's logits of padding are as good as any
        start, end = generator.normal(size=(2, len(features), max_length)).astype(np.float32)
        columns: dict[str, list[Any]] = defaultdict(list)
        for index in range(len(features)):
            row = features.row(index)
            length = len(row["input_ids"])
            tokens, padding = slice(features.indptr[index], features.indptr[index + 1]), max_length - length
            start[index, :length], end[index, :length] = logits.start[tokens], logits.end[tokens]
            context = range(row["context_begin"], row["context_end"])
            offsets = [pair if k in context else None for k, pair in enumerate(row["offset_mapping"])]
            columns["input_ids"].append(row["input_ids"] + [0] * padding)
            columns["token_type_ids"].append(row["token_type_ids"] + [0] * padding)
            columns["attention_mask"].append([1] * length + [0] * padding)
            columns["offset_mapping"].append(offsets + [None] * padding)
            columns["example_id"].append(examples[row["example_index"]].id)
        names = ("id", "title", "context", "question")
        example_set = Dataset.from_dict({name: [getattr(example, name) for example in examples] for name in names})
        return cls(example_set, Dataset.from_dict(columns), start, end)

    def in_memory(self) -> RunQaInputs:
        """The same rows as plain lists, which is faster than the original ever is."""
        return RunQaInputs(list(self.examples), list(self.features), self.start, self.end)


def run_qa_way(
    inputs: RunQaInputs, n_best_size: int, max_answer_length: int
) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]], dict[str, float]]:
    """Predictions, n-best lists and null score differences by id, by the rules of run_qa for SQuAD v2."""
    index_of_id = {example["id"]: index for index, example in enumerate(inputs.examples)}
    features_of = defaultdict(list)
    for index, feature in enumerate(inputs.features):
        features_of[index_of_id[feature["example_id"]]].append(index)
    texts, n_bests, diffs = {}, {}, {}
    for example_index, example in enumerate(inputs.examples):
        null: dict[str, Any] | None = None
        candidates: list[dict[str, Any]] = []
        for index in features_of[example_index]:
            start, end, offsets = inputs.start[index], inputs.end[index], inputs.features[index]["offset_mapping"]
            max_context = inputs.features[index].get("token_is_max_context", None)
            if null is None or null["score"] > start[0] + end[0]:
                null = {"offsets": (0, 0), "score": start[0] + end[0], "start_logit": start[0], "end_logit": end[0]}
            starts = np.argsort(start)[-1 : -n_best_size - 1 : -1].tolist()
            ends = np.argsort(end)[-1 : -n_best_size - 1 : -1].tolist()
            for i in starts:
                for j in ends:
                    if i >= len(offsets) or j >= len(offsets) or offsets[i] is None or offsets[j] is None:
                        continue
                    if len(offsets[i]) < 2 or len(offsets[j]) < 2:
                        continue
                    if j < i or j - i + 1 > max_answer_length:
                        continue
                    if max_context is not None and not max_context.get(str(i), False):
                        continue
                    span = {"offsets": (offsets[i][0], offsets[j][1]), "score": start[i] + end[j]}
                    candidates.append(span | {"start_logit": start[i], "end_logit": end[j]})
        assert null is not None
        found = sorted([*candidates, null], key=lambda span: span["score"], reverse=True)[:n_best_size]
        if not any(span["offsets"] == (0, 0) for span in found):
            found.append(null)
        for span in found:
            begin, stop = span.pop("offsets")
            span["text"] = example["context"][begin:stop]
        if len(found) == 1 and found[0]["text"] == "":
            found.insert(0, {"text": "empty", "start_logit": 0.0, "end_logit": 0.0, "score": 0.0})
        scores = np.array([span.pop("score") for span in found])
        exponents = np.exp(scores - np.max(scores))
        for probability, span in zip(exponents / exponents.sum(), found, strict=True):
            span["probability"] = probability
        best = next(span for span in found if span["text"])
        diff = float(null["start_logit"] + null["end_logit"] - best["start_logit"] - best["end_logit"])
        diffs[example["id"]], texts[example["id"]] = diff, "" if diff > 0 else best["text"]
        n_bests[example["id"]] = [
            {key: float(value) if isinstance(value, np.floating) else value for key, value in span.items()}
            for span in found
        ]
    return texts, n_bests, diffs


def random_logits(features: Features, seed: int, *, peaked: bool) -> Logits:
    """Normal noise, or noise with a hill around a place of each window as a trained model draws it."""
    generator = np.random.default_rng(seed)
    start, end = generator.normal(size=(2, features.num_tokens)).astype(np.float32)
    if peaked:
        width = features.context_end - features.context_begin
        place = features.indptr[:-1] + features.context_begin + (generator.random(len(features)) * width).astype(int)
        distance = np.arange(features.num_tokens) - np.repeat(place, features.lengths)
        start += (8 * np.exp(-np.abs(distance) / 4)).astype(np.float32)
        end += (8 * np.exp(-np.abs(distance - 2) / 4)).astype(np.float32)
    return Logits(features.indptr, start, end)


def compare(examples: Sequence[Example], features: Features, logits: Logits, inputs: RunQaInputs) -> str:
    """Hold our output against both references; raises AssertionError where it is wrong."""
    ours = decode(examples, features, logits, **LIMITS)
    rows = rows_of(features, logits)
    step = max(1, len(examples) // NUM_BRUTE_FORCE)
    for index in range(0, len(examples), step):
        assert ours[index] == brute_force(examples[index], rows[index], **LIMITS), examples[index].id
    texts, n_bests, diffs = run_qa_way(inputs, LIMITS["n_best_size"], LIMITS["max_answer_length"])
    num_missed = num_equal = 0
    for prediction in ours:
        theirs = next(span for span in n_bests[prediction.id] if span["text"])
        gain = prediction.n_best[0].score - theirs["start_logit"] - theirs["end_logit"]
        assert gain > -1e-4, f"{prediction.id}: run_qa's way found a better span"
        if gain > 1e-4:
            num_missed += 1
        else:
            assert prediction.n_best[0].text == theirs["text"].strip()
            assert abs(prediction.null_score_diff - diffs[prediction.id]) < 1e-4
            assert prediction.text == texts[prediction.id].strip()
            num_equal += 1
    checked = len(range(0, len(examples), step))
    return (
        f"equal to brute force: {checked} of {checked}; equal to run_qa's way: {num_equal} of {len(ours)}, "
        f"in the other {num_missed} it misses a better span"
    )


def decoder(examples: Sequence[Example], features: Features, logits: Logits) -> Callable[[], Any]:
    return lambda: decode(examples, features, logits, **LIMITS)


def run_qa(inputs: RunQaInputs) -> Callable[[], Any]:
    return lambda: run_qa_way(inputs, LIMITS["n_best_size"], LIMITS["max_answer_length"])


def main() -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    examples = sample_examples()
    features = build_features(examples, minilm_tokenizer(), max_length=384, doc_stride=128)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "transformers"))
    print(f"Python {platform.python_version()}, {versions}, {os.cpu_count()} cores ({platform.machine()})")
    print(f"{len(examples)} examples, {len(features)} features, {features.num_tokens} tokens; {LIMITS}")
    worst = float("inf")
    for peaked in (False, True):
        logits = random_logits(features, 0, peaked=peaked)
        inputs = RunQaInputs.of(examples, features, logits, max_length=384)
        print(f"{'peaked' if peaked else 'random'} logits: {compare(examples, features, logits, inputs)}")
        ours, theirs = paired_seconds(decoder(examples, features, logits), run_qa(inputs))
        worst = min(worst, theirs / ours)
        print(f"  qaexp {ours:.3f} s, run_qa's way {theirs:.3f} s: {theirs / ours:.1f} x (target {TARGET:.0f} x)")
        ours, theirs = paired_seconds(decoder(examples, features, logits), run_qa(inputs.in_memory()))
        print(f"  qaexp {ours:.3f} s, run_qa's loops over plain lists {theirs:.3f} s: {theirs / ours:.1f} x")
    return 0 if worst >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
