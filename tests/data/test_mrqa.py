"""Files of the MRQA 2019 shared task: spans with an inclusive end, golds of its scorer, and what must be refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.data.files.shards import find_shards
from qaexp.data.ondisk.reading import read_any_split
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, SquadFile
from qaexp.errors import DataError

CONTEXT = "[TLE] Life [SEP] [PAR] The answer is 42. 42 is the answer for early-life exercise, says Wikipédia"
HEADER = {"header": {"dataset": "SQuAD", "split": "dev"}}


def spans(*texts: str) -> list[dict[str, Any]]:
    """Detected answers at every place where a text stands."""
    return [{"text": text, "char_spans": places(text), "token_spans": [[0, 0]]} for text in texts]


def places(text: str) -> list[list[int]]:
    found, start = [], CONTEXT.find(text)
    while start >= 0:
        found.append([start, start + len(text) - 1])
        start = CONTEXT.find(text, start + 1)
    return found


def question(qid: str, *texts: str, **changed: Any) -> dict[str, Any]:
    detected = spans(*texts)
    return {
        "qid": qid,
        "question": f"What is {qid}?",
        "answers": list(texts),
        "detected_answers": detected,
        "question_tokens": [["What", 0]],
        **changed,
    }


def paragraph(*qas: dict[str, Any]) -> dict[str, Any]:
    return {"id": "", "context": CONTEXT, "context_tokens": [["[TLE]", 0]], "qas": list(qas)}


def write(path: Path, *values: Any) -> Path:
    text = "".join(f"{json.dumps(value)}\n" for value in values)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(folder: Path, *qas: dict[str, Any], **how: Any) -> SquadFile:
    return read_squad_file(write(folder / "a.jsonl.gz", HEADER, paragraph(*qas)), **how)


def refused(folder: Path, *qas: dict[str, Any], **how: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, *qas, **how)
    return "\n".join(caught.value.problems)


def test_a_span_ends_with_its_last_character_and_each_place_is_a_gold_answer(tmp_path: Path) -> None:
    (example,) = read(tmp_path, question("a", "42")).examples
    first, second = CONTEXT.find("42"), CONTEXT.rfind("42")
    assert (example.id, example.title, example.context) == ("a", "", CONTEXT)
    assert example.answers == (Answer("42", first), Answer("42", second))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.gz", "a.json", "a.txt", "a"])
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    found = read_squad_file(write(tmp_path / name, HEADER, paragraph(question("a", "42"), question("b", "Life"))))
    assert [example.id for example in found.examples] == ["a", "b"]
    assert found.squad_version == "v1"
    assert found.num_skipped == found.num_made_ids == 0


def test_a_file_without_its_header_and_files_behind_one_another_are_read(tmp_path: Path) -> None:
    lines = [paragraph(question("a", "42")), HEADER, paragraph(question("b", "Life"))]
    found = read_squad_file(write(tmp_path / "a.jsonl", *lines))
    assert [example.id for example in found.examples] == ["a", "b"]
    assert found.num_skipped == 0


def test_the_qid_is_the_id_and_where_there_is_none_the_id_is(tmp_path: Path) -> None:
    both = question("a", "42", id="./cnn/stories/1.story#0")
    assert read(tmp_path, both).examples[0].id == "a"
    alone = question("a", "42", id="1")
    del alone["qid"]
    assert read(tmp_path, alone).examples[0].id == "1"


def test_texts_that_no_span_marks_are_gold_answers_of_the_score_and_never_the_label(tmp_path: Path) -> None:
    (example,) = read(tmp_path, question("a", "42", answers=["forty-two", "42", "forty-two"])).examples
    assert example.answers[0] == Answer("42", CONTEXT.find("42"))
    assert example.answers[-1] == Answer("forty-two", -1)
    assert example.golds == ("42", "42", "forty-two")


@pytest.mark.parametrize(
    ("marked", "text"), [("Life", "life"), ("The answer", "answer"), ("early-life", "early- life"), ("42.", "42")]
)
def test_the_span_decides_over_a_text_that_the_scorer_takes_for_the_same(
    tmp_path: Path, marked: str, text: str
) -> None:
    start = CONTEXT.find(marked)
    detected = [{"text": text, "char_spans": [[start, start + len(marked) - 1]]}]
    (example,) = read(tmp_path, question("a", detected_answers=detected, answers=[text])).examples
    assert example.answers == (Answer(marked, start), Answer(text, -1))


def test_characters_are_those_of_the_context_beyond_ascii_and_markers_stay(tmp_path: Path) -> None:
    (example,) = read(tmp_path, question("a", "Wikipédia")).examples
    (answer,) = example.answers
    assert example.context[answer.start_char : answer.end_char] == "Wikipédia"
    assert example.context.startswith("[TLE] Life [SEP] [PAR]")


@pytest.mark.parametrize("on_bad", ["fail", "skip", "fix"])
def test_exclusive_ends_are_refused_whatever_is_done_about_faults(tmp_path: Path, on_bad: str) -> None:
    start = CONTEXT.find("Life")
    cut = [{"text": "Life", "char_spans": [[start, start + 4]]}]
    told = refused(tmp_path, question("a", "42"), question("b", detected_answers=cut), on_bad=on_bad)
    assert f"line 2: qas[1].detected_answers[0].char_spans[0][1] is {start + 4}, one behind the text 'Life'" in told
    assert "subtract 1 from each of them" in told


def test_an_exclusive_end_at_the_end_of_the_context_is_told_as_such(tmp_path: Path) -> None:
    start = CONTEXT.find("Wikipédia")
    cut = [{"text": "Wikipédia", "char_spans": [[start, len(CONTEXT)]]}]
    assert "one behind the text 'Wikip" in refused(tmp_path, question("b", detected_answers=cut))


def spanned(*char_spans: Any, text: Any = "42") -> Callable[[dict[str, Any]], None]:
    return lambda one: one.update(detected_answers=[{"text": text, "char_spans": list(char_spans)}])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (spanned([90, 200]), "char_spans[0] is [90, 200], which is no [first, last] in a context of"),
        (spanned([-4, 2]), "char_spans[0] is [-4, 2], which is no [first, last]"),
        (spanned([5, 4]), "char_spans[0] is [5, 4], which is no [first, last]"),
        (spanned([6, 9]), "is [6, 9], which marks the text 'Life' and not the text '42'"),
        (spanned([5, 5], text=" "), "which marks the text ' '; an answer must not be blank"),
        (spanned([6, 9.0]), "char_spans[0] is a list, it must be [first character, last character]"),
        (spanned(6), "char_spans[0] is 6, it must be [first character, last character]"),
        (spanned(), "char_spans is empty"),
        (spanned([6, 9], text=None), "detected_answers[0].text is null, it must be text"),
        (lambda one: one.update(detected_answers=[]), "detected_answers is empty, and answers is not"),
        (lambda one: one.update(detected_answers=[], answers=[]), "is_impossible is missing and answers is empty"),
        (lambda one: one.update(detected_answers={}), "detected_answers is an object, it must be a list"),
        (lambda one: one.update(answers=[3]), "answers[0] is 3, it must be text"),
        (lambda one: one.pop("qid"), "id is missing"),
    ],
)
def test_a_faulty_question_is_refused_or_left_out(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    faulty = question("b", "Life")
    change(faulty)
    assert sentence in refused(tmp_path, question("a", "42"), faulty)
    found = read(tmp_path, question("a", "42"), faulty, on_bad="skip")
    assert [example.id for example in found.examples] == ["a"]
    assert found.num_skipped == 1


def test_one_id_for_two_questions_is_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, question("a", "42"), question("a", "Life"), on_bad="skip")
    assert "which another question of the file has too" in told or "stands in the file with other answers too" in told


def test_a_header_alone_and_a_torn_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="header"):
        read_squad_file(write(tmp_path / "a.jsonl", HEADER))
    path = write(tmp_path / "b.jsonl.gz", HEADER, *[paragraph(question(str(n), "42")) for n in range(99)])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_squad_file(path)


def test_questions_without_answers_are_read_to_be_answered(tmp_path: Path) -> None:
    asked = {"qid": "a", "question": "What?"}
    path = write(tmp_path / "a.jsonl", HEADER, paragraph(asked))
    assert [example.id for example in read_squad_file(path, wants_answers=False).examples] == ["a"]
    with pytest.raises(DataError, match="questions without answers"):
        read_squad_file(path)


def test_a_stream_and_shards_hold_what_a_small_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.data.files.streams.LARGE_BYTES", 1)
    paragraphs = [paragraph(question(f"q{n}", "42", answers=["forty-two", "42"])) for n in range(20)]
    path = write(tmp_path / "a.jsonl.gz", HEADER, *paragraphs)
    streamed = read_any_split(find_shards(path), cache_dir=tmp_path / "cache")
    assert list(streamed.examples) == list(read_squad_file(path).examples)
    assert list((tmp_path / "cache").rglob("index.json"))
    for number, part in enumerate((paragraphs[:10], paragraphs[10:])):
        write(tmp_path / f"part-{number}.jsonl.gz", HEADER, *part)
    shards = read_any_split(find_shards(tmp_path / "part-*.jsonl.gz"), cache_dir=tmp_path / "cache")
    assert list(shards.examples) == list(streamed.examples)
