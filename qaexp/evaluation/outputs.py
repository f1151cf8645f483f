"""The files of a scored dev set: predictions, contexts and scores as records, one at a time; and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.data.squad import Answer, Example, paragraph_id
from qaexp.evaluation.evaluate import Evaluation
from qaexp.evaluation.logits import check_owners
from qaexp.evaluation.logits_file import LogitsFile
from qaexp.evaluation.question_set import QuestionSet, Scored
from qaexp.evaluation.shards import Shard, bounds
from qaexp.evaluation.slices import slice_keys
from qaexp.storage.columns import Columns

Floats = npt.NDArray[np.float64]

# Of a record of predictions.jsonl without any text.
MIN_RECORD_BYTES = 200


def prediction_records(questions: QuestionSet, scored: Scored) -> Iterator[dict[str, Any]]:
    """Yield one record per dev example, for predictions.jsonl.

    Returns:
        Keys id, title, paragraph, question, golds, gold_starts (the start_char of each), prediction_text (threshold 0),
        null_score_diff, exact and f1 (0 to 100), span_exact and span_f1 (scores of n_best[0], whatever the threshold),
        n_best: a list of {text, score, start_char, end_char}, best first.
    """
    scores = zip(*(column.tolist() for column in _span_scores(scored.evaluation)), strict=True)
    for examples, predictions in questions.decoded(scored.logits):
        for example, prediction in zip(examples, predictions, strict=True):
            exact, f1, span_exact, span_f1 = next(scores)
            yield {
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
                "span_exact": span_exact,
                "span_f1": span_f1,
                "n_best": [
                    {"text": span.text, "score": span.score, "start_char": span.start_char, "end_char": span.end_char}
                    for span in prediction.n_best
                ],
            }


def _span_scores(scored: Evaluation) -> tuple[Floats, Floats, Floats, Floats]:
    """Exact and f1 of each answer and of each best span, in percent."""
    exact, f1, judged = scored.columns["exact"], scored.columns["f1"], scored.judged
    assert exact is not None
    assert f1 is not None
    return exact, f1, 100.0 * judged.raw_exact, 100.0 * judged.raw_f1


def answer_table(scored: Evaluation) -> Columns:
    """Return what the numbers of a whole set need of each prediction, with the keys of predictions.jsonl.

    `golds` and `prediction_text` only say whether there are any.
    """
    exact, f1, span_exact, span_f1 = _span_scores(scored)
    columns = {
        "golds": scored.judged.has_ans,
        "prediction_text": scored.judged.is_answered,
        "null_score_diff": scored.judged.diffs,
        "exact": exact,
        "f1": f1,
        "span_exact": span_exact,
        "span_f1": span_f1,
    }
    return Columns.of({name: column.tolist() for name, column in columns.items()})


def contexts_of(examples: Iterable[Example]) -> Iterator[tuple[str, str]]:
    """Yield paragraph and context, each once, for contexts.json."""
    seen = set()
    for example in examples:
        if (paragraph := paragraph_id(example.context)) not in seen:
            seen.add(paragraph)
            yield paragraph, example.context


def score_rows(questions: QuestionSet, scored: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield one row per example, for scores.csv: what a comparison reads."""
    num_examples = len(questions.examples)
    windows = np.bincount(questions.features.example_index, minlength=num_examples).tolist()
    nothing = [None] * num_examples
    scores = {name: nothing if found is None else found.tolist() for name, found in scored.columns.items()}
    exact, f1, diffs = scores.pop("exact"), scores.pop("f1"), scored.judged.diffs.tolist()
    for index, example in enumerate(questions.examples):
        yield {
            "id": example.id,
            "title": example.title,
            "paragraph": paragraph_id(example.context),
            "exact": exact[index],
            "f1": f1[index],
            "null_score_diff": diffs[index],
            **slice_keys(example, windows[index]),
            **{name: found[index] for name, found in scores.items()},
        }


def stored_shards(file: LogitsFile, examples: Iterable[Example], num_examples: int) -> Iterator[Shard]:
    """Yield what a run stored shard by shard.

    Args:
        file: Its logits.
        examples: Its dev examples, each of which is asked for when its shard is.
        num_examples: How many there are.

    Raises:
        IntegrityError: The logits belong to other examples.
    """
    example_index = file.columns["example_index"]
    check_owners(num_examples, example_index)
    rest = iter(examples)
    for first, last in bounds(file.indptr, example_index, num_examples):
        begin, end = np.searchsorted(example_index, (first, last)).tolist()
        yield Shard(tuple(islice(rest, last - first)), *file.part(begin, end, first))


def stored_example(record: Mapping[str, Any], contexts: Mapping[str, str]) -> Example:
    """A dev example of a run directory; older ones do not store where an answer begins, which is then -1."""
    return Example(
        id=record["id"],
        title=record["title"],
        context=contexts[record["paragraph"]],
        question=record["question"],
        answers=tuple(map(Answer, record["golds"], record.get("gold_starts", [-1] * len(record["golds"])))),
    )
