"""The files of a scored dev set: predictions, contexts, scores and logits, as records and bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from qaexp.data.features import Features
from qaexp.data.squad import Answer, Example, paragraph_id
from qaexp.errors import IntegrityError
from qaexp.evaluation.evaluate import Evaluation
from qaexp.evaluation.logits import Logits
from qaexp.evaluation.metrics import Golds, score_examples
from qaexp.evaluation.slices import slice_keys

# What decoding needs in addition to the logits, so that `rescore` needs neither model nor tokenizer.
_FEATURE_FIELDS = ("offset_mapping", "context_begin", "context_end", "null_position", "example_index")


def prediction_records(examples: Sequence[Example], scored: Evaluation) -> list[dict[str, Any]]:
    """One record per dev example, for predictions.jsonl.

    Returns:
        Keys id, title, paragraph, question, golds, gold_starts (the start_char of each), prediction_text (threshold 0),
        null_score_diff, exact and f1 (0 to 100), span_exact and span_f1 (scores of n_best[0], whatever the threshold),
        n_best: a list of {text, score, start_char, end_char}, best first.
    """
    scores, golds = _scores(scored), Golds.prepare(example.golds for example in examples)
    span_exact, span_f1 = score_examples(golds, [prediction.span_text for prediction in scored.predictions])
    return [
        {
            "id": example.id,
            "title": example.title,
            "paragraph": paragraph_id(example.context),
            "question": example.question,
            "golds": list(example.golds),
            "gold_starts": [answer.start_char for answer in example.answers],
            "prediction_text": prediction.text,
            "null_score_diff": prediction.null_score_diff,
            "exact": exact,
            "f1": f1,
            "span_exact": float(span_exact[index]),
            "span_f1": float(span_f1[index]),
            "n_best": [
                {"text": span.text, "score": span.score, "start_char": span.start_char, "end_char": span.end_char}
                for span in prediction.n_best
            ],
        }
        for index, (example, prediction, exact, f1) in enumerate(
            zip(examples, scored.predictions, scores["exact"], scores["f1"], strict=True)
        )
    ]


def _scores(scored: Evaluation) -> dict[str, list[Any]]:
    """The columns of scores.csv with a value, or None, for each example."""
    nothing = [None] * len(scored.predictions)
    return {name: nothing if found is None else found.tolist() for name, found in scored.columns.items()}


def contexts_of(examples: Sequence[Example]) -> dict[str, str]:
    """Paragraph to context, for contexts.json."""
    return {paragraph_id(example.context): example.context for example in examples}


def score_rows(examples: Sequence[Example], features: Features, scored: Evaluation) -> list[dict[str, Any]]:
    """One row per dev example, for scores.csv: what a comparison reads."""
    windows = np.bincount(features.example_index, minlength=len(examples))
    scores = _scores(scored)
    exact, f1 = scores.pop("exact"), scores.pop("f1")
    return [
        {
            "id": example.id,
            "title": example.title,
            "paragraph": paragraph_id(example.context),
            "exact": exact[index],
            "f1": f1[index],
            "null_score_diff": scored.predictions[index].null_score_diff,
            **slice_keys(example, int(windows[index])),
            **{name: found[index] for name, found in scores.items()},
        }
        for index, example in enumerate(examples)
    ]


def logits_bytes(features: Features, logits: Logits) -> bytes:
    """The content of logits.safetensors.

    Tensors: start_logits and end_logits, float32 [num_tokens], all features concatenated, unpadded;
    feature_index, int32 [num_tokens], the feature of each token; and the fields of the features that decoding reads.
    """
    tensors = {name: np.ascontiguousarray(getattr(features, name)) for name in _FEATURE_FIELDS}
    index = np.repeat(np.arange(len(features), dtype=np.int32), np.diff(features.indptr))
    return save({"start_logits": logits.start, "end_logits": logits.end, "feature_index": index, **tensors})


def read_logits(data: bytes) -> tuple[Features, Logits]:
    """The inverse of `logits_bytes`; token ids and labels, which decoding does not read, are zero.

    Raises:
        IntegrityError: The bytes are not such a file.
    """
    try:
        tensors = load(data)
        index = tensors["feature_index"]
        counts = np.bincount(index, minlength=len(tensors["example_index"]))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        zeros = np.zeros(len(index), np.int32)
        labels = tensors["null_position"]
        features = Features(
            indptr=indptr,
            input_ids=zeros,
            token_type_ids=zeros.astype(np.uint8),
            start_position=labels,
            end_position=labels,
            num_truncated_questions=0,
            **{name: tensors[name] for name in _FEATURE_FIELDS},
        )
        return features, Logits(indptr, tensors["start_logits"], tensors["end_logits"])
    except Exception as error:
        raise IntegrityError(
            f"logits.safetensors cannot be read ({error}); run qaexp verify, or train again"
        ) from error


def stored_examples(records: Sequence[Mapping[str, Any]], contexts: Mapping[str, str]) -> list[Example]:
    """The dev examples of a run directory; older ones do not store where an answer begins, which is then -1."""
    return [
        Example(
            id=record["id"],
            title=record["title"],
            context=contexts[record["paragraph"]],
            question=record["question"],
            answers=tuple(map(Answer, record["golds"], record.get("gold_starts", [-1] * len(record["golds"])))),
        )
        for record in records
    ]
