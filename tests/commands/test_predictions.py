"""`qaexp predictions`: the predictions that meet conditions, for people and for programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.fake_run import build


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("runs") / "one", num_examples=120)


def lines(run: Path, *words: str) -> list[dict[str, Any]]:
    done = tiny_run.call(run.parent, "predictions", str(run), *words, "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture(scope="module")
def rows(run: Path) -> list[dict[str, Any]]:
    return tiny_run.read_lines(run / "predictions.jsonl")


def test_without_conditions_all_are_there_with_their_scores(run: Path, rows: list[dict[str, Any]]) -> None:
    found = lines(run)
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert {"question_word", "crossfit_f1", "num_windows"} <= set(found[0])


@pytest.mark.parametrize(
    ("words", "is_wanted"),
    [
        (("f1<50",), lambda row: row["f1"] < 50),
        (("wrong",), lambda row: row["exact"] != 100),
        (("right and has_ans",), lambda row: row["exact"] == 100 and row["golds"]),
        (("no_ans", "answered"), lambda row: not row["golds"] and row["prediction_text"]),
        (("unanswered or f1>=99",), lambda row: not row["prediction_text"] or row["f1"] >= 99),
        (("question~WHO",), lambda row: "who" in row["question"].lower()),
        (("question_word=when",), lambda row: row["question_word"] == "when"),
        (("answer_words in 1,2",), lambda row: row["answer_words"] in (1, 2)),
        (("outcome=missed answer",), lambda row: row["golds"] and not row["prediction_text"]),
        (("confidence>0.5",), None),
    ],
)
def test_conditions_are_those_that_are_typed(run: Path, words: tuple[str, ...], is_wanted: Any) -> None:
    found = lines(run, *(word for text in words for word in ("--where", text)))
    everything = lines(run)
    assert 0 < len(found) < len(everything)
    if is_wanted is not None:
        assert found == [row for row in everything if is_wanted(row)]


def test_one_by_its_id(run: Path, rows: list[dict[str, Any]]) -> None:
    assert [row["id"] for row in lines(run, "--where", f"id={rows[7]['id']}")] == [rows[7]["id"]]


def test_orders_pages_and_limits_are_stretches_of_one_list(run: Path, rows: list[dict[str, Any]]) -> None:
    worst = sorted(rows, key=lambda row: (row["f1"], -abs(row["null_score_diff"]), row["id"]))
    found = lines(run, "--order", "worst", "--limit", "120")
    assert [row["id"] for row in found] == [row["id"] for row in worst]
    pages = [lines(run, "--order", "worst", "--limit", "50", "--skip", str(skip)) for skip in (0, 50, 100)]
    assert [row for page in pages for row in page] == found
    unsure = lines(run, "--order", "unsure", "--limit", "3")
    assert abs(unsure[0]["null_score_diff"]) == min(abs(row["null_score_diff"]) for row in rows)
    assert lines(run, "--skip", "118") == lines(run)[118:]


def test_people_see_eighty_columns_and_how_to_go_on(run: Path, rows: list[dict[str, Any]]) -> None:
    done = tiny_run.call(run.parent, "predictions", str(run), "--where", "wrong")
    num = sum(row["exact"] != 100 for row in rows)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.out.splitlines()[-1] == f"1 to 20 of {num} (of 120 predictions); the next: --skip 20"
    assert done.out.count("  question ") == 20
    rest = tiny_run.call(run.parent, "predictions", str(run), "--where", "wrong", "--skip", str(num - 1))
    assert rest.out.splitlines()[-1] == f"{num} to {num} of {num} (of 120 predictions)"
    beyond = tiny_run.call(run.parent, "predictions", str(run), "--where", "wrong", "--skip", "500")
    assert beyond.out.splitlines() == [f"none of {num} (of 120 predictions)"]


def test_yes_and_no_are_said_in_any_way(run: Path) -> None:
    expected = lines(run, "--where", "has_ans")
    assert 0 < len(expected) < 120
    for words in ("has_ans=True", "has_ans=true", "has_ans=1", "has_ans = yes", "has_ans!=no", "has_ans in true"):
        assert lines(run, "--where", words) == expected, words


def test_none_that_meets_it_is_no_mistake(run: Path) -> None:
    done = tiny_run.call(run.parent, "predictions", str(run), "--where", "f1>100")
    assert (done.code, done.out) == (0, "none of 120 predictions meets this\n")
    assert lines(run, "--where", "f1>100") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--where", "question_wrod=who"), "did you mean question_word?"),
        (("--where", "bad"), "give a key, one of"),
        (("--where", "question~rock and roll"), "'roll' is no condition: give a key, one of >= <= != = > < ~ in, "),
        (("--where", "f1>abc"), "abc is not a number"),
        (("--where", "f1>=5%"), "5% is not a number"),
        (("--where", "f1 < nan"), "nan is not a number"),
        (("--where", "has_ans=maybe"), "has_ans is never maybe; it is true or false"),
        (("--where", "outcome=wrong"), "outcome is never wrong; it is right span or wrong span or missed answer or"),
        (("--where", "optimizer.lr=1"), "predictions have no optimizer.lr"),
        (("--limit", "0"), "--limit"),
        (("--order", "best"), "--order"),
        (("--json", "--order", "worst"), "needs --limit N"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Path, words: tuple[str, ...], says: str) -> None:
    done = tiny_run.call(run.parent, "predictions", str(run), *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.last_line


def test_damage_is_named(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    path = copy / "predictions.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"id": "torn')
    done = tiny_run.call(tmp_path, "predictions", str(copy), "--where", "wrong")
    assert done.code == 0
    assert f"{path}: 1 line cannot be read" in done.err
    assert "is not what the run wrote" in done.err
    path.write_text('{"id": "a"}\n')
    done = tiny_run.call(tmp_path, "predictions", str(copy), "--where", "wrong")
    assert done.code == 8
    assert "record 1 is not a prediction" in done.last_line
    path.unlink()
    done = tiny_run.call(tmp_path, "predictions", str(copy))
    assert done.code == 8
    assert "missing or empty" in done.last_line
    assert tiny_run.call(tmp_path, "predictions", str(tmp_path)).code == 2


def test_texts_of_strangers_are_texts(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    rows = tiny_run.read_lines(copy / "predictions.jsonl")
    rows[0] |= {"question": "a\x1b]0;b\nforged \u202e" + "x" * 5000, "golds": [], "prediction_text": ""}
    (copy / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = tiny_run.call(tmp_path, "predictions", str(copy), "--limit", "1")
    assert "\x1b" not in done.out
    assert "\nforged" not in done.out
    assert "(no answer)" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
