"""`qaexp answer`: one question, a file of them, or those that are typed in."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from qaexp.commands.answer import _parser
from tests.fixtures import tiny_run

CONTEXT = "Anna was born in Paris in 1900."
QUESTION = "Where was Anna born?"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.train(tmp_path_factory.mktemp("work"), "one", *tiny_run.DEMO, "trainer.epochs=0")


def test_one_question_as_json(run: Path, tmp_path: Path) -> None:
    words = ("answer", str(run), "-q", QUESTION, "-c", CONTEXT, "--json", "--n-best", "3", "--null-threshold", "1e5")
    done = tiny_run.call(tmp_path, *words)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert set(found) == {"answer", "score", "start_char", "end_char", "null_score_diff", "n_best", "probability"}
    assert 0 < found["probability"] < 1
    assert len(found["n_best"]) == 3
    assert CONTEXT[found["start_char"] : found["end_char"]] == found["answer"] == found["n_best"][0]["text"] != ""
    assert set(found["n_best"][0]) == {"text", "score", "start_char", "end_char"}


def test_the_number_format_can_be_given(run: Path, tmp_path: Path) -> None:
    words = ("answer", str(run), "-q", QUESTION, "-c", CONTEXT, "--json", "--precision")
    exact, rough, half = (tiny_run.call(tmp_path, *words, format) for format in ("fp32", "bf16", "fp16"))
    scores = [json.loads(done.out)["null_score_diff"] for done in (exact, rough)]
    assert 0 < abs(scores[0] - scores[1]) < 0.1
    assert (exact.err, rough.err.count("bf16 may be slow here: ")) == ("", 1)
    assert (half.code, half.out) == (2, "")
    assert "--precision fp16 needs CUDA" in half.err


def test_a_file_of_questions_gives_a_line_each(run: Path, tmp_path: Path) -> None:
    pairs = [{"question": f"Who is number {number}?", "context": f"Number {number} is Anna."} for number in range(3)]
    (tmp_path / "in.jsonl").write_text("\n".join([*map(json.dumps, pairs), "", ""]))
    words = ("answer", str(run), "--input", "in.jsonl", "--null-threshold", "1e5")
    shown = tiny_run.call(tmp_path, *words).out.splitlines()
    found = [json.loads(line)["answer"] for line in tiny_run.call(tmp_path, *words, "--json").out.splitlines()]
    assert shown == found
    assert all(text in pair["context"] for text, pair in zip(found, pairs, strict=True))


def test_no_answer_is_said(run: Path, tmp_path: Path) -> None:
    words = ("answer", str(run), "-q", QUESTION, "-c", CONTEXT, "--null-threshold=-1e5")
    assert tiny_run.call(tmp_path, *words).out == "(no answer)\n"
    found = json.loads(tiny_run.call(tmp_path, *words, "--json").out)
    assert (found["answer"], found["start_char"], found["end_char"]) == ("", None, None)
    # What --help says of scores.
    assert found["score"] == found["n_best"][0]["score"]
    told = " ".join(_parser().format_help().split())
    assert "may be negative" in told
    assert "`score` is that of the best span, n_best[0], also where the answer is empty" in told


def test_a_text_cannot_steer_the_terminal(run: Path, tmp_path: Path) -> None:
    words = ("-q", "Who?", "-c", "Anna \x1b]0;owned\x07 Boris", "--n-best", "20", "--null-threshold", "1e9")
    done = tiny_run.call(tmp_path, "answer", str(run), *words)
    assert done.code == 0
    assert "owned" in done.out
    assert "\x1b" not in done.out
    assert "\x07" not in done.out


def test_typed_questions(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CONTEXT}\n{QUESTION}\nWhen was Anna born?\n\n"))
    done = tiny_run.call(tmp_path, "answer", str(run), "--null-threshold=1e5")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert all(line in CONTEXT for line in done.out.splitlines())
    assert (
        done.err
        == "Context (Enter to quit): Question (Enter for a new context): "
        + 2 * ("Question (Enter for a new context): ")
        + "Context (Enter to quit): "
    )


def test_what_cannot_be_answered(run: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"question": "a"}\n{"question": 1, "context": "b"}\nx\n')
    faults = {
        ("-q", "a"): (2, "-c"),
        ("-q", "a", "-c", "b", "--input", "bad.jsonl"): (2, "--input"),
        ("--n-best", "0"): (2, "--n-best"),
        ("--input", "bad.jsonl"): (3, "line 3"),
        ("--input", "missing.jsonl"): (3, "missing.jsonl"),
    }
    for words, (code, part) in faults.items():
        failed = tiny_run.call(tmp_path, "answer", str(run), *words)
        assert failed.code == code, failed.err
        assert part in failed.last_line
    failed = tiny_run.call(tmp_path, "answer", "missing", "-q", "a", "-c", "b")
    assert failed.code == 2
    assert "holds no model" in failed.last_line


QUESTIONS = [{"id": "b", "question": QUESTION}, {"id": 7, "question": "When was Anna born?"}]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_of_the_model_that_is_gone_is_named(run: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "model" / name).unlink()
    failed = tiny_run.call(tmp_path, "answer", "copy", "-q", "Who?", "-c", "Anna.")
    assert (failed.code, failed.out) == (8, "")
    assert f"copy/model/{name} is missing; bring back the run's own file, or qaexp reproduce copy" in failed.last_line


@pytest.mark.case("predict_without_gold_answers")
def test_predict_without_gold_answers(run: Path, tmp_path: Path) -> None:
    """A test set whose answers are kept back: {id: text} for the leaderboard, the null odds beside it."""
    (tmp_path / "test.json").write_text(
        json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": QUESTIONS}]}]})
    )
    words = ("answer", str(run), "--input", "test.json", "--null-threshold", "1e5")
    done = tiny_run.call(tmp_path, *words, "--predictions-out", "p.json")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "wrote p.json: 2 answers as {id: text}, 0 of them empty (no answer)" in done.err
    assert "wrote p.null_odds.json: null_score_diff of each id" in done.err
    answers, odds = tiny_run.read_json(tmp_path / "p.json"), tiny_run.read_json(tmp_path / "p.null_odds.json")
    assert list(answers) == list(odds) == ["b", "7"]
    shown = [json.loads(line) for line in tiny_run.call(tmp_path, *words, "--json").out.splitlines()]
    assert [(row["id"], row["question"], row["answer"], row["null_score_diff"]) for row in shown] == [
        ("b", QUESTION, answers["b"], odds["b"]),
        ("7", "When was Anna born?", answers["7"], odds["7"]),
    ]
    both = tiny_run.call(tmp_path, *words, "--json", "--predictions-out", "q.json")
    assert len(both.out.splitlines()) == 2


def test_answers_that_are_there_are_not_looked_at(run: Path, tmp_path: Path) -> None:
    row = {"id": "a", "question": QUESTION, "context": CONTEXT, "answers": [{"text": "nowhere", "answer_start": -9}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    done = tiny_run.call(tmp_path, "answer", str(run), "--input", "a.jsonl", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["id"] == "a"


def test_columns_and_faulty_questions_of_a_table(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id,passage,query\n1,{CONTEXT},{QUESTION}\n{'x' * 1001},{CONTEXT},{QUESTION}\n")
    words = ("answer", str(run), "--input", "a.csv")
    failed = tiny_run.call(tmp_path, *words)
    assert failed.code == 3
    assert "--columns '{context: passage, question: query}'" in failed.last_line
    named = ("--columns", "{context: passage, question: query}")
    failed = tiny_run.call(tmp_path, *words, *named)
    assert failed.code == 3
    assert "--on-bad skip" in failed.last_line
    done = tiny_run.call(tmp_path, *words, *named, "--on-bad", "skip", "--json")
    assert done.code == 0, done.err
    assert "1 of 2 questions left out, first: line 3: id has 1001 characters" in done.err
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["1"]


def test_where_predictions_cannot_be_written_is_said_before_the_work(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "a", "question": QUESTION, "context": CONTEXT}))
    (tmp_path / "folder").mkdir()
    before = (tmp_path / "a.jsonl").read_bytes()
    for out, code, part in (("a.jsonl", 2, "is read"), ("folder", 2, "a folder"), ("no/p.json", 5, "no folder no")):
        failed = tiny_run.call(tmp_path, "answer", "missing", "--input", "a.jsonl", "--predictions-out", out)
        assert failed.code == code
        assert part in failed.last_line
    assert (tmp_path / "a.jsonl").read_bytes() == before
    failed = tiny_run.call(tmp_path, "answer", str(run), "-q", "a", "-c", "b", "--predictions-out", "p.json")
    assert failed.code == 2
    assert "--predictions-out needs --input" in failed.last_line
