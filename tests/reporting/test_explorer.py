"""The explorer's data: everything once, places as JavaScript counts them, and JSON that a script element can hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qaexp.reporting.page.explorer import NUM_SPANS, explorer_data, script_json

CONTEXT = "The 🦀 crab 🦞 and 東京"


def prediction(number: int, **changes: Any) -> dict[str, Any]:
    begin = CONTEXT.index("crab")
    return {
        "id": f"q{number}",
        "title": "Crabs",
        "paragraph": "p",
        "question": "What?",
        "golds": ["crab", "crab"],
        "prediction_text": "crab",
        "exact": 100.0,
        "f1": 66.6666,
        "null_score_diff": -1.23456,
        "n_best": [{"text": "crab", "score": 2.0, "start_char": begin, "end_char": begin + 4}] * (NUM_SPANS + 3),
        **changes,
    }


def test_texts_that_repeat_stand_there_once() -> None:
    rows = [prediction(number) for number in range(3)]
    data = explorer_data(rows, [{"id": "q1", "question_word": "what"}], {"p": CONTEXT, "unused": "x"})
    assert data["contexts"] == [CONTEXT]
    assert data["titles"] == ["Crabs"]
    assert data["words"] == ["", "what"]
    assert [row[2] for row in data["rows"]] == [0, 1, 0]
    assert data["rows"][0][5:11] == ["What?", ["crab"], "crab", 100.0, 66.6666, -1.23456]
    assert len(data["rows"][0][11]) == NUM_SPANS


def test_a_threshold_moves_only_where_the_best_spans_are_scored() -> None:
    scored = prediction(0, span_exact=100.0, span_f1=66.6666)
    data = explorer_data([scored], [], {}, [0.0, 0.5])
    assert data["thresholds"] == [0.0, 0.5]
    assert data["rows"][0][12:] == [100.0, 66.6666]
    silent = prediction(1, span_exact=0.0, span_f1=0.0, n_best=[], null_score_diff=1e6)
    assert explorer_data([scored, silent], [], {}, [0.0])["thresholds"] == [0.0]
    for other in (prediction(1), prediction(1, span_exact=0.0, span_f1=0.0, n_best=[])):
        data = explorer_data([scored, other], [], {}, [0.0, 0.5])
        assert data["thresholds"] == []
        assert len(data["rows"][0]) == 12


@pytest.mark.parametrize("text", ["The", "crab", "🦞", "and", "東京"])
def test_places_are_those_of_utf_16(text: str) -> None:
    begin = CONTEXT.index(text)
    span = {"text": text, "score": 1.0, "start_char": begin, "end_char": begin + len(text)}
    (row,) = explorer_data([prediction(0, n_best=[span])], [], {"p": CONTEXT})["rows"]
    first, last, _ = row[11][0]
    assert CONTEXT.encode("utf-16-le")[2 * first : 2 * last].decode("utf-16-le") == text


def test_a_lost_context_is_empty() -> None:
    assert explorer_data([prediction(0)], [], {})["contexts"] == [""]


@pytest.mark.parametrize(
    "text", ["</script>", "<!--<script>", "a\u2028b\u2029", "\u202e", "\x7f\x00", "\ud800", "&lt;", "é東🦀"]
)
def test_json_is_inert_and_comes_back(text: str) -> None:
    written = script_json([text])
    assert json.loads(written) == [text]
    assert not set(written) & set("<>&\u2028\u2029\u202e\x7f\x00\ud800")
    written.encode("utf-8")
