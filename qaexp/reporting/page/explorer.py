"""The data behind the page's table of predictions: compact JSON that no browser parses as markup."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qaexp.reporting.numbers.outcomes import OUTCOMES, outcome
from qaexp.reporting.numbers.quantities import NO_SPAN_DIFF
from qaexp.runs.number import is_number

Row = Mapping[str, Any]
# Number of n-best spans that are shown of a prediction.
NUM_SPANS = 5

# In a script element `<` could begin an end tag or a comment; the separators and the bidirectional controls are legal
# in JSON, but end lines in old JavaScript or reorder what a reader of the file sees; a lone surrogate is not UTF-8.
_UNSAFE = re.compile("[<>&\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def explorer_data(
    predictions: Sequence[Row],
    scores: Sequence[Row],
    contexts: Mapping[str, str],
    thresholds: Sequence[float] = (),
) -> dict[str, Any]:
    """Return what the table shows; every title, question word and context is there once.

    Args:
        predictions: The records of predictions.jsonl.
        scores: The rows of scores.csv, which know the question words; without them a prediction's word is empty.
        contexts: The contexts by their hash.
        thresholds: Null thresholds that have a name: the default, and the tuned one; none for a run that must answer.

    Returns:
        `outcomes`, `words`, `titles`, `contexts`: lists of texts; `thresholds`: those given, none where the scores of
        the best spans are not stored; `rows`: per prediction id, number of its outcome, word, title and context,
        question, golds (each once), answer, exact, f1, null_score_diff, the spans [start_char, end_char, score],
        counted as JavaScript counts, in UTF-16 code units, and exact and f1 of the best span.
    """
    words_by_id = {row.get("id"): str(row.get("question_word") or "") for row in scores}
    words = _numbered(sorted({words_by_id.get(row["id"], "") for row in predictions}))
    titles = _numbered(row["title"] for row in predictions)
    paragraphs = _numbered(row["paragraph"] for row in predictions)
    places = [_Utf16(contexts.get(paragraph, "")) for paragraph in paragraphs]
    can_move = bool(thresholds) and all(map(_has_span_scores, predictions))
    rows = [
        [
            row["id"],
            OUTCOMES.index(outcome(row)),
            words[words_by_id.get(row["id"], "")],
            titles[row["title"]],
            paragraphs[row["paragraph"]],
            row["question"],
            list(dict.fromkeys(row["golds"])),
            row["prediction_text"],
            # In full, so that means that the page takes equal those of the table above it.
            row["exact"],
            row["f1"],
            # In full too: a threshold that equals it still answers.
            row["null_score_diff"],
            [
                [*map(places[paragraphs[row["paragraph"]]].at, _ends(span)), round(span["score"], 2)]
                for span in row["n_best"][:NUM_SPANS]
            ],
            *([row["span_exact"], row["span_f1"]] if can_move else []),
        ]
        for row in predictions
    ]
    return {
        "outcomes": list(OUTCOMES),
        "words": list(words),
        "titles": list(titles),
        "contexts": [place.text for place in places],
        "thresholds": list(thresholds) if can_move else [],
        "rows": rows,
    }


def script_json(value: Any) -> str:
    r"""Return a value as JSON that is safe in a script element.

    >>> script_json(["</script><!--", "a\u2028b"])
    '["\\u003c/script\\u003e\\u003c!--","a\\u2028b"]'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _has_span_scores(row: Row) -> bool:
    """Whether the scores of the best span are known, or that there is none."""
    has_span = bool(row["n_best"]) or row["null_score_diff"] >= NO_SPAN_DIFF
    return has_span and is_number(row.get("span_exact")) and is_number(row.get("span_f1"))


def _ends(span: Row) -> tuple[int, int]:
    return span["start_char"], span["end_char"]


def _numbered(texts: Iterable[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


class _Utf16:
    """A text in which Python's places become JavaScript's, where a character beyond U+FFFF counts twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._wide = [place for place, character in enumerate(text) if character > "\uffff"]

    def at(self, place: int) -> int:
        return place + bisect.bisect_left(self._wide, place)
