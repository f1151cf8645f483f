"""Exports that people have: each layout holds the same four questions, whatever its file is called."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qaexp.data.files.keys import peek
from qaexp.data.files.names import parse_columns
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, Example, SquadFile
from qaexp.errors import ConfigError, DataError

CONTEXT = 'Paris is the capital of France.\nIt lies on the river "Seine"; Berlin, too, is a capital.'
ROWS: list[dict[str, Any]] = [
    {"id": "q0", "question": "Which city?", "text": "Paris", "start": 0},
    {"id": "q1", "question": "Which river?", "text": "Seine", "start": 54},
    {"id": "q2", "question": "Which sea?", "text": None, "start": None},
    {"id": "q3", "question": 'Which "other" city, then?', "text": "Berlin", "start": 62},
]
EXPECTED = tuple(
    Example(
        row["id"], "", CONTEXT, row["question"], (Answer(row["text"], row["start"]),) if row["text"] is not None else ()
    )
    for row in ROWS
)


def columns(row: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        "text": [] if row["text"] is None else [row["text"]],
        "answer_start": [] if row["text"] is None else [row["start"]],
    }


def flat() -> list[dict[str, Any]]:
    return [{"id": row["id"], "context": CONTEXT, "question": row["question"], "answers": columns(row)} for row in ROWS]


def qas() -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "question": row["question"],
            "answers": [] if row["text"] is None else [{"text": row["text"], "answer_start": row["start"]}],
            "is_impossible": row["text"] is None,
        }
        for row in ROWS
    ]


def paragraphs() -> list[dict[str, Any]]:
    return [{"context": CONTEXT, "qas": qas()[:2]}, {"context": CONTEXT, "qas": qas()[2:]}]


def lines(values: list[Any]) -> str:
    return "\n".join(map(json.dumps, values)) + "\n"


def table(cells: Callable[[dict[str, Any]], dict[str, Any]], **how: Any) -> str:
    rows = [{"id": row["id"], "context": CONTEXT, "question": row["question"], **cells(row)} for row in ROWS]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), **how)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def printed(row: dict[str, Any]) -> dict[str, Any]:
    """The answers as pandas prints the arrays of a parquet file."""
    found = columns(row)
    starts = f"array({found['answer_start']}, dtype=int32)"
    return {"answers": f"{{'text': array({found['text']!r},\n      dtype=object), 'answer_start': {starts}}}"}


def two_columns(row: dict[str, Any]) -> dict[str, Any]:
    return {"answer_text": row["text"], "answer_start": "" if row["start"] is None else float(row["start"])}


BATCHES = (flat()[:2], flat()[2:])


def _numbered(values: list[Any]) -> dict[str, Any]:
    return {str(number): value for number, value in enumerate(values)}


LAYOUTS: dict[str, str] = {
    "layout_of_run_qa": json.dumps({"version": "0.1", "data": flat()}),
    "a bare list of rows": json.dumps(flat(), indent=2),
    "suffix_that_lies: JSON lines": lines(flat()),
    "JSON lines with blank lines and CRLF": lines(flat()).replace("\n", "\r\n\r\n"),
    "nested": json.dumps({"version": "v2.0", "data": [{"title": "", "paragraphs": paragraphs()}]}),
    "nested without titles": json.dumps({"data": [{"paragraphs": paragraphs()}]}, indent=1),
    "a list of paragraphs": json.dumps(paragraphs()),
    "paragraphs under data": json.dumps({"data": paragraphs()}),
    "one object of paragraphs": json.dumps({"paragraphs": paragraphs()}),
    "one paragraph": json.dumps({"context": CONTEXT, "qas": qas()}),
    "a list of articles": json.dumps([{"title": "", "paragraphs": [one]} for one in paragraphs()]),
    "paragraphs a line": lines(paragraphs()),
    "a whole document a line": lines([{"version": "v2.0", "data": [{"paragraphs": [one]}]} for one in paragraphs()]),
    "a document of run_qa a line": lines([{"data": flat()[:3]}, {"data": flat()[3:]}]),
    "a batch of rows a line": lines([flat()[:1], flat()[1:]]),
    "a batch of columns a line": lines([{name: [row[name] for row in part] for name in part[0]} for part in BATCHES]),
    "articles and documents a line": lines([{"paragraphs": paragraphs()[:1]}, {"data": paragraphs()[1:]}]),
    "two byte order marks": "\ufeff\ufeff" + lines(flat()),
    "a byte order mark before each line": "\ufeff" + lines(flat()).replace("\n{", "\n\ufeff{"),
    "a document that ends in Ctrl-Z": json.dumps(flat(), indent=1) + "\x1a",
    "JSON lines that end in Ctrl-Z": lines(flat()) + "\x1a",
    "answers of questions as two lists": json.dumps(
        [{"context": CONTEXT, "qas": [{**one, "answers": columns(row)} for one, row in zip(qas(), ROWS, strict=True)]}]
    ),
    "columns of pandas": json.dumps({name: _numbered([row[name] for row in flat()]) for name in flat()[0]}),
    "lists of to_dict": json.dumps({name: [row[name] for row in flat()] for name in flat()[0]}),
    "split of pandas": json.dumps({"columns": list(flat()[0]), "data": [list(row.values()) for row in flat()]}),
    "index of pandas": json.dumps(_numbered(flat())),
    "rows by their ids": json.dumps(
        {row["id"]: {key: value for key, value in row.items() if key != "id"} for row in flat()}
    ),
    "answer_text and answer_start": json.dumps(
        [{**row, "answers": None, **two_columns(one)} for row, one in zip(flat(), ROWS, strict=True)]
    ).replace('"answers": null, ', ""),
    "CSV with answers as JSON": table(lambda row: {"answers": json.dumps(columns(row))}),
    "CSV with answers as Python": table(lambda row: {"answers": str(columns(row))}),
    "CSV with answers as numpy": table(printed),
    "CSV with two columns": table(two_columns),
    "CSV with a BOM and semicolons": "\ufeff" + table(two_columns, delimiter=";"),
    "CSV of a spreadsheet": "sep=;\r\n" + table(two_columns, delimiter=";"),
    "CSV with is_impossible": table(lambda row: {**two_columns(row), "is_impossible": row["text"] is None}),
    "TSV": table(two_columns, delimiter="\t"),
    "CSV with a space behind each comma": table(two_columns, quoting=csv.QUOTE_ALL).replace('","', '", "'),
    "CSV with two byte order marks": "\ufeff\ufeff" + table(two_columns),
    "CSV that ends in Ctrl-Z": table(two_columns) + "\x1a\r\n",
}


@pytest.mark.case("layout_of_run_qa")
@pytest.mark.case("suffix_that_lies")
@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv", "data"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_holds_the_same_questions(tmp_path: Path, layout: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(LAYOUTS[layout].encode())
    found = read_squad_file(path)
    assert found.examples == EXPECTED
    assert (found.squad_version, found.num_fixed, found.num_skipped, found.num_made_ids) == ("v2", 0, 0, 0)


def test_a_table_with_tabs_need_not_quote(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('id\tcontext\tquestion\tanswers\n1\tThe "Seine", say.\tWhich "river"?\t\n', "utf-8")
    assert read_squad_file(path).examples == (Example("1", "", 'The "Seine", say.', 'Which "river"?', ()),)


def test_a_long_text_is_a_cell_and_the_limit_of_others_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = tmp_path / "a.csv"
    path.write_text("id,context,question,answers\n1," + "word " * 60_000 + ",Q,\n", "utf-8")
    assert len(read_squad_file(path).examples[0].context) == 300_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,context,question,answers\n1,a,b\n", "has 3 cells, and the header has 4"),
        ('id,context,question,answers\n1,"a,b,c\n', "no row of a table"),
        ("id,context,context,question,answers\n1,a,b,c,\n", "column 'context' more than once"),
        ("id,context,question,answers\n", "no usable question"),
        ("id,context,question,answers\n1,a,b,__import__('os')\n", "line 2: answers[0].answer_start is missing"),
        ("id,context,question,answers\n1,a,b,[open('x')]\n", "answer_start is"),
        ("id,context,question,answers\n1,a,b," + "[" * 5000 + "\n", "answer_start is"),
    ],
)
def test_a_table_that_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as caught:
        read_squad_file(path)
    assert says in str(caught.value)
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize("mark", [",", ";", "|"])
def test_columns_are_counted_before_there_are_cells(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(*_: Any, **__: Any) -> Iterator[list[str]]:
        raise AssertionError("cells were made")

    path = tmp_path / "a.csv"
    path.write_text(f"sep={mark}\n" + mark.join(map(str, range(30_000))) + "\n", "utf-8")
    monkeypatch.setattr(csv, "reader", reader)
    with pytest.raises(DataError, match="30,000 cells, and a table may have 10,000 columns"):
        read_squad_file(path)


# --- Files that are something else ------------------------------------------------------------------------------------

ELSE = {
    "zip": (b"PK\x03\x04" + bytes(30), "a zip archive"),
    "xlsx": (b"PK\x03\x04" + bytes(30) + b"xl/workbook.xml", "an Excel workbook"),
    "gzip": (b"\x1f\x8b" + bytes(30), "gunzip"),
    "bzip2": (b"BZh91AY", "bunzip2"),
    "parquet": (b"PAR1" + bytes(30), "a name that ends in .parquet"),
    "html": (b"\n<!DOCTYPE html><html>404</html>", "a web page (HTML)"),
    "xml": (b"<?xml version='1.0'?>", "markup"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "pickle": (b"\x80\x04\x95", "pickle"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull"),
    "UTF-16": ('{"data": []}'.encode("utf-16"), "save it as UTF-8"),
    **{
        name: (
            text.encode(name),
            f"is {name[:6].upper()} text from line 1, column 1 on, not UTF-8; save it as UTF-8 (iconv -f UTF-",
        )
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
        for text in ("id,context,question,answers\n1,\u4e00\u3001\u30d1\u30ea,\u4f55\uff1f,\n" * 9,)
    },
    "twice encoded": ("\ufeffid,context\n".encode().decode("latin-1").encode(), "encoded twice"),
    "tar": (bytes(257) + b"ustar" + bytes(300), "tar archive"),
}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
@pytest.mark.parametrize("kind", ELSE)
def test_what_is_something_else_is_named(tmp_path: Path, kind: str, name: str) -> None:
    content, says = ELSE[kind]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_squad_file(path)
    (problem,) = caught.value.problems
    assert says in problem
    assert str(path) in problem


# --- Names ------------------------------------------------------------------------------------------------------------

OWN = [{"id": 7, "passage": "Paris", "query": "Which?", "answer": {"text": ["Paris"], "answer_start": [0]}}]
MAPPING = {"context": "passage", "question": "query", "answers": "answer"}


def own(tmp_path: Path) -> Iterator[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = {**OWN[0], "answer": str(OWN[0]["answer"])}
    contents = {
        "a.json": json.dumps({"data": OWN}),
        "b.json": json.dumps(OWN),
        "c.jsonl": lines(OWN * 1),
        "d.csv": ",".join(cells) + "\n" + ",".join(f'"{value}"' for value in cells.values()) + "\n",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text, "utf-8")
        yield tmp_path / name
    pq.write_table(pa.Table.from_pylist(OWN), tmp_path / "e.parquet")
    yield tmp_path / "e.parquet"


def test_own_names_are_told_once_and_the_mapping_that_helps_works(tmp_path: Path) -> None:
    for path in own(tmp_path):
        with pytest.raises(DataError) as caught:
            read_squad_file(path)
        (problem,) = caught.value.problems
        assert "found: id, passage, query, answer; needed: id, context, question, answers" in problem
        assert "'data.columns={context: passage, question: query, answers: answer}'" in problem
        file = read_squad_file(path, columns=MAPPING)
        assert file.examples == (Example("7", "", "Paris", "Which?", (Answer("Paris", 0),)),)
        # Text cells have no numbers.
        assert file.num_number_ids == (path.suffix != ".csv")


def test_own_names_in_nested_files(tmp_path: Path) -> None:
    """Keys of paragraphs and questions are mapped as columns are; what other keys files have is nobody's business."""
    paragraph = {
        "passage": CONTEXT,
        "qas": [{"qid": 3, "query": "Q", "answers": [], "is_impossible": True, "query2": 1}],
    }
    for value in ([paragraph], {"data": [{"title": "T", "paragraphs": [paragraph]}]}, {"paragraphs": [paragraph]}):
        path = write(tmp_path / "a.json", value)
        with pytest.raises(
            DataError, match=r"'data\.columns=\{id: qid, context: passage, question: query\}'"
        ) as caught:
            read_squad_file(path)
        assert len(caught.value.problems) == 1
        file = read_squad_file(path, columns={"id": "qid", "context": "passage", "question": "query"})
        assert ids(file) == ["3"]
        with pytest.raises(DataError, match="found: passage"):
            read_squad_file(path, columns={"id": "qid", "context": "text", "question": "query"})


def test_names_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = next(own(tmp_path))
    with pytest.raises(
        DataError,
        match=r"names context: wrong, .*found: id, passage.*'data\.columns=\{question: query, answers: answer, context",
    ):
        read_squad_file(path, columns={"context": "wrong", "question": "query", "answers": "answer"})
    with pytest.raises(DataError, match=r"names title: headline, and the file has no such column.*; correct the name"):
        read_squad_file(path, columns={**MAPPING, "title": "headline"})
    for wrong in ({"kontext": "passage"}, {"context": "a", "question": "a"}, ["context"], "passage"):
        with pytest.raises(ConfigError, match=r"data\.columns"):
            read_squad_file(path, columns=wrong)  # type: ignore[arg-type]


# --- Ids --------------------------------------------------------------------------------------------------------------


def with_ids(*ids: Any) -> list[dict[str, Any]]:
    return [{**flat()[0], "id": id} if id is not ... else {**flat()[0]} for id in ids]


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


def ids(file: SquadFile) -> list[str]:
    return [example.id for example in file.examples]


@pytest.mark.case("whole_number_ids")
def test_whole_number_ids(tmp_path: Path) -> None:
    file = read_squad_file(write(tmp_path / "a.json", with_ids(100, 101.0, "102", -1)))
    assert ids(file) == ["100", "101", "102", "-1"]
    assert file.num_number_ids == 3
    for wrong in (1.5, True, [1]):
        with pytest.raises(DataError, match="id is"):
            read_squad_file(write(tmp_path / "b.json", with_ids(wrong, 1)))


def test_a_number_and_its_digits_are_one_id(tmp_path: Path) -> None:
    rows = with_ids(1, "1")
    assert read_squad_file(write(tmp_path / "a.json", rows)).num_duplicates == 1
    rows[1]["question"] = "Another?"
    with pytest.raises(DataError, match="ids must be unique"):
        read_squad_file(write(tmp_path / "b.json", rows))


def test_whole_number_ids_of_a_table(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(with_ids(100, 101)), tmp_path / "a.parquet")
    assert ids(read_squad_file(tmp_path / "a.parquet")) == ["100", "101"]


def test_ids_are_made_where_no_question_has_one(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "id"} for row in flat()]
    file = read_squad_file(write(tmp_path / "a.json", rows))
    assert [id.partition("-")[0] for id in ids(file)] == ["q1", "q2", "q3", "q4"]
    assert {id.partition("-")[2] for id in ids(file)} == {file.sha256[:8]}
    assert file.num_made_ids == 4
    # By content, not by name: the same run has the same ids wherever its file lies.
    assert ids(read_squad_file(write(tmp_path / "b.json", rows))) == ids(file)
    with pytest.raises(DataError, match=r"\[1\]\.id is missing"):
        read_squad_file(write(tmp_path / "c.json", [flat()[0], rows[1]]))


@pytest.mark.parametrize("on_bad", ["fail", "skip", "fix"])
def test_an_id_among_made_ones_is_a_fault(tmp_path: Path, on_bad: str) -> None:
    rows = [{key: value for key, value in flat()[0].items() if key != "id"} for _ in range(120)]
    path = write(tmp_path / "a.json", [*rows, {**flat()[1], "id": "own"}])
    if on_bad == "skip":
        file = read_squad_file(path, on_bad)
        assert (len(file.examples), file.num_skipped, file.num_made_ids) == (120, 1, 120)
        return
    with pytest.raises(DataError, match=r"\[120\]\.id is the text 'own', and the first 100 questions have no id"):
        read_squad_file(path, on_bad)


@pytest.mark.parametrize("is_nested", [False, True])
def test_skip_goes_on_behind_a_hundred_without_answers(tmp_path: Path, is_nested: bool) -> None:
    bare = [{**(qas() if is_nested else flat())[0], "id": f"b{number}"} for number in range(120)]
    for row in bare:
        del row["answers"]
        row.pop("is_impossible", None)
    good = (qas() if is_nested else flat())[1]

    def content(rows: list[dict[str, Any]]) -> Any:
        return [{"context": CONTEXT, "qas": rows}] if is_nested else rows

    path = write(tmp_path / "a.json", content([*bare, good]))
    file = read_squad_file(path, "skip")
    assert (ids(file), file.num_skipped) == (["q1"], 120)
    with pytest.raises(DataError, match="questions without answers"):
        read_squad_file(path)
    with pytest.raises(DataError, match="questions without answers"):
        read_squad_file(write(tmp_path / "b.json", content(bare)), "skip")


# --- No answer --------------------------------------------------------------------------------------------------------

NONE: dict[str, Any] = {
    "blank_answer_means_no_answer": [{"text": "", "answer_start": 0, "answer_category": "NO_ANSWER"}],
    "blank": [{"text": "  ", "answer_start": 5}],
    "minus one": [{"text": "", "answer_start": -1}],
    "unknown of CoQA": [{"text": "unknown", "answer_start": -1}],
    "null text": [{"text": None, "answer_start": None}],
    "a category": [{"text": "Paris", "answer_start": 0, "answer_category": "NO_ANSWER"}],
    "CANNOTANSWER of QuAC": [{"text": "CANNOTANSWER", "answer_start": 20}],
    "several": [{"text": "", "answer_start": 0}, {"text": "", "answer_start": -1}],
    "null": None,
    "empty lists": {"text": [], "answer_start": []},
    "lists of blanks": {"text": [""], "answer_start": [-1]},
    "one blank": {"text": "", "answer_start": -1},
}


def asked(answers: Any, **more: Any) -> dict[str, Any]:
    return {"context": CONTEXT, "qas": [{"id": "a", "question": "Q", "answers": answers, **more}, qas()[0]]}


@pytest.mark.case("blank_answer_means_no_answer")
@pytest.mark.parametrize("spelling", NONE)
@pytest.mark.parametrize("on_bad", ["fail", "skip", "fix"])
def test_each_spelling_of_no_answer(tmp_path: Path, spelling: str, on_bad: str) -> None:
    for more in ({"is_impossible": True}, {}):
        file = read_squad_file(write(tmp_path / "a.json", [asked(NONE[spelling], **more)]), on_bad)
        assert [example.is_impossible for example in file.examples] == [True, False], more
        assert (file.num_skipped, file.num_fixed) == (0, 0)
        assert file.num_blank_answers == 1
    row = {**flat()[0], "id": "a", "answers": NONE[spelling]}
    file = read_squad_file(write(tmp_path / "b.json", [row, flat()[0]]), on_bad)
    assert [example.is_impossible for example in file.examples] == [True, False]


@pytest.mark.parametrize("spelling", NONE)
def test_a_blank_answer_of_an_answerable_question_is_a_fault(tmp_path: Path, spelling: str) -> None:
    if spelling == "a category":
        return  # its text stands where it says
    path = write(tmp_path / "a.json", [asked(NONE[spelling], is_impossible=False)])
    for on_bad in ("fail", "fix"):
        with pytest.raises(DataError):
            read_squad_file(path, on_bad)
    assert read_squad_file(path, "skip").num_skipped == 1


@pytest.mark.parametrize("word", ["no answer", "unanswerable", "No_Answer"])
@pytest.mark.parametrize("on_bad", ["fail", "fix"])
def test_a_word_for_no_answer_that_stands_in_the_text_is_an_answer_or_refused(
    tmp_path: Path, word: str, on_bad: str
) -> None:
    context = f"She said: {word} is final."

    other = {"id": "b", "question": "Who?", "answers": [], "is_impossible": True}

    def file(start: int | None, context: str = context, **more: Any) -> Path:
        qa = {"id": "a", "question": "What did she say?", "answers": [{"text": word, "answer_start": start}], **more}
        return write(tmp_path / "a.json", [{"context": context, "qas": [qa, other]}])

    read = read_squad_file(file(10), on_bad)
    assert read.examples[0].answers == (Answer(word, 10),)
    for start in (-1, None, 3, 0, 9, 11):
        with pytest.raises(DataError, match="may be an answer or say that there is none"):
            read_squad_file(file(start), on_bad)
        assert read_squad_file(file(start), "skip").num_skipped == 1
        assert read_squad_file(file(start, is_impossible=True), on_bad).examples[0].is_impossible
    with pytest.raises(DataError, match="may be an answer or say that there is none"):
        read_squad_file(file(3, "Another text."), on_bad)
    for start in (-1, None, 0):
        assert read_squad_file(file(start, "Another text."), on_bad).examples[0].is_impossible


def test_some_blank_answers_are_a_fault(tmp_path: Path) -> None:
    mixed = [{"text": "Paris", "answer_start": 0}, {"text": "", "answer_start": 0}]
    with pytest.raises(DataError, match="must not be blank"):
        read_squad_file(write(tmp_path / "a.json", [asked(mixed)]))


def test_minus_one_of_an_answer_that_stands_in_the_text_is_an_offset(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [asked([{"text": "Paris", "answer_start": -1}])])
    with pytest.raises(DataError, match="answer_start is -1"):
        read_squad_file(path)
    assert read_squad_file(path, "fix").examples[0].answers == (Answer("Paris", 0),)


def test_an_answer_without_its_start_is_sought_by_fix_alone(tmp_path: Path) -> None:
    for answers in ([{"text": "Paris"}], ["Paris"], "Paris"):
        row = {**flat()[0], "answers": answers}
        path = write(tmp_path / "a.json", [row])
        with pytest.raises(DataError) as caught:
            read_squad_file(path)
        is_listed = answers == ["Paris"]  # a text is no answer of a list, and is told as that
        assert is_listed or "data.on_bad=fix to look for answers without answer_start" in caught.value.problems[-1]
        file = read_squad_file(path, "fix")
        assert file.examples[0].answers == (Answer("Paris", 0),)
        assert file.num_fixed == 1
    with pytest.raises(DataError, match="at several places"):
        read_squad_file(write(tmp_path / "b.json", [{**flat()[0], "answers": ["capital"]}]), "fix")


# --- Questions alone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [{k: v for k, v in row.items() if k != "answers"} for row in flat()],
        [{"context": CONTEXT, "qas": [{"id": row["id"], "question": row["question"]} for row in ROWS]}],
    ],
)
def test_predict_without_gold_answers(tmp_path: Path, value: Any) -> None:
    path = write(tmp_path / "test file.json", value)
    with pytest.raises(DataError) as caught:
        read_squad_file(path)
    (problem,) = caught.value.problems
    assert f"qaexp answer RUN --input '{path}' --predictions-out" in problem
    assert ids(read_squad_file(path, wants_answers=False)) == ["q0", "q1", "q2", "q3"]


def test_an_export_of_a_tool_is_named_with_the_command(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    write(path, [{"id": 1, "data": {"text": "a", "question": "Q"}, "annotations": [{"result": []}]}])
    with pytest.raises(DataError, match=r"export of Label Studio.*qaexp convert .*export\.json --to squad"):
        read_squad_file(path)


def test_little_is_held_to_learn_what_a_file_holds() -> None:
    taken: list[int] = []

    def rows() -> Iterator[dict[str, str]]:
        for number in range(1000):
            taken.append(number)
            yield {"context": "x" * 2**20}

    values = rows()
    assert len(peek(values, lambda row: row)) == 5
    assert len(taken) == 5
    assert next(values)
    assert len(peek(iter([{"context": ""}] * 1000), lambda row: row)) == 100


HEADERS = [
    ("id", "context", "question", "answer", "start"),
    ("qid", "passage", "query", "gold", "offset"),
    ("Id", "Context", "Question", "Answer_Text", "Answer_Start"),
    ("uid", "paragraph", "q", "answers", "begin"),
    ("id", "text", "prompt", "label", "start_char"),
    ("id", "context", "question", "answerText", "answerStart"),
    ("ID", "Context", "Question", "Answer text", "Answer start"),
    ("id", "context", "question", "answers.text", "answers.answer_start"),
    ("id", "context", "question", "answers[0].text", "answers[0].answer_start"),
    ("id", "context", "question", "gold_answer", "answer-start"),
]


@pytest.mark.parametrize("names", HEADERS, ids=lambda names: names[-1])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_mapping_that_is_proposed_reads_the_file(tmp_path: Path, names: tuple[str, ...], mark: str) -> None:
    """`Rome` stands twice: only the offset of the file tells which is meant."""
    path = tmp_path / "a.csv"
    path.write_text(
        f"{mark.join(names)}\n{mark.join(('1', 'Anna lives in Rome. Rome is old.', 'Where?', 'Rome', '14'))}\n"
    )
    with pytest.raises(DataError) as caught:
        read_squad_file(path)
    proposed = re.search(r"'data\.columns=(\{.*?\})'", caught.value.problems[0])
    assert proposed is not None, caught.value.problems
    file = read_squad_file(path, columns=parse_columns(proposed[1]))
    assert [example.answers for example in file.examples] == [(Answer("Rome", 14),)]


def test_texts_without_places_are_told_with_what_finds_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,context,question,answer\n1,Anna lives in Rome.,Where?,Rome\n")
    with pytest.raises(
        DataError, match=r"answers: answer\}'; where that column holds texts alone, set data.on_bad=fix"
    ):
        read_squad_file(path)
    file = read_squad_file(path, on_bad="fix", columns={"answers": "answer"})
    assert file.examples[0].answers == (Answer("Rome", 14),)


def test_two_paragraphs_beside_questions_of_their_own_lose_none(tmp_path: Path) -> None:
    article = {"title": "t", **paragraphs()[0], "paragraphs": paragraphs()[1:]}
    file = read_squad_file(write(tmp_path / "a.json", {"data": [article]}))
    assert [example.id for example in file.examples] == ["q0", "q1", "q2", "q3"]


def test_a_row_of_a_column_wise_table_that_lacks_a_question_is_a_fault(tmp_path: Path) -> None:
    row = {"context": CONTEXT, "question": "Which city?", "answers": []}
    table = {name: {"0": value, "1": value} for name, value in row.items()}
    del table["question"]["1"]
    with pytest.raises(DataError, match="question is missing"):
        read_squad_file(write(tmp_path / "a.json", table))


@pytest.mark.parametrize("row", [["1", "a"], ["1", "a", "b", [], "more"]])
def test_a_row_that_is_longer_or_shorter_than_its_header_is_a_fault(tmp_path: Path, row: list[Any]) -> None:
    good = ["0", CONTEXT, "Which city?", {"text": ["Paris"], "answer_start": [0]}]
    table = {"columns": ["id", "context", "question", "answers"], "data": [good, row]}
    with pytest.raises(DataError, match=r"\[1\]"):
        read_squad_file(write(tmp_path / "a.json", table))


def test_an_empty_list_of_answers_beside_an_answer_is_a_fault(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "context": CONTEXT,
        "question": "Which?",
        "answers": [],
        "answer_text": "Paris",
        "answer_start": 0,
    }
    with pytest.raises(DataError, match="answers is empty, but answer_text is not"):
        read_squad_file(write(tmp_path / "a.json", [row]))


def test_answers_that_a_cell_holds_as_text_are_read_in_json_lines_too(tmp_path: Path) -> None:
    for number, cell in enumerate(
        ["{'text': ['Paris'], 'answer_start': [0]}", '[{"text": "Paris", "answer_start": 0}]']
    ):
        row = {"id": "1", "context": CONTEXT, "question": "Which?", "answers": cell}
        file = read_squad_file(write(tmp_path / f"{number}.json", [row]))
        assert file.examples[0].answers == (Answer("Paris", 0),)


def test_ids_of_a_column_with_gaps_are_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id,context,question,answer_text,answer_start\n1.0,{CONTEXT.split()[0]} is,Which?,Paris,0\n")
    assert [example.id for example in read_squad_file(path).examples] == ["1"]


@pytest.mark.parametrize("word", ["VRAI", "Y", "t", "oui", "2", "-"])
@pytest.mark.parametrize("answer", ["Paris,0", ","])
def test_a_word_that_is_not_read_as_impossible_is_named_with_its_column(tmp_path: Path, word: str, answer: str) -> None:
    """The table has no column `answers`, and the fault speaks of none."""
    path = tmp_path / "a.csv"
    path.write_text(f"id,context,question,answer_text,answer_start,none\n1,Paris is,Which?,{answer},{word}\n")
    with pytest.raises(DataError) as caught:
        read_squad_file(path, columns={"is_impossible": "none"})
    assert caught.value.problems[0] == (
        f"{path}: line 2: none is the text '{word}', and only true, false, yes, no, 1 and 0 are read there "
        "(empty: nothing is said)"
    )
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_words_of_tables_say_whether_a_question_has_an_answer(tmp_path: Path, suffix: str) -> None:
    said = {"TRUE": True, "Yes": True, "1": True, "1.0": True, "False": False, "no": False, "0": False, "": None}
    for word, is_impossible in said.items():
        row = {"id": "1", "context": "Paris is", "question": "Which?", "answer_text": "", "is_impossible": word}
        if is_impossible is not True:
            row |= {"answer_text": "Paris", "answer_start": "0"}
        path = tmp_path / f"a{suffix}"
        path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n" if suffix == ".csv" else lines([row]))
        assert read_squad_file(path).examples[0].is_impossible is (is_impossible is True), word


def test_a_row_without_the_answer_that_it_says_it_has_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,context,question,answer_text,answer_start,is_impossible\n1,Paris is,Which?,,,FALSE\n")
    with pytest.raises(DataError, match="line 2: is_impossible is false, but there are 0 answers"):
        read_squad_file(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": 1}\x00\x00', "Extra data at the character U+0000); a whole value ends before it"),
        (
            '{\n"data": []}\n{"data": []}',
            "line 3, column 1: this is not JSON (Extra data); a whole value ends before it",
        ),
        ('{\n"data": [', "is the file complete?"),
        ("[{'id': 1}]", "JSON has double quotes: was it printed by Python?"),
        ('{"id": 1},\n{"id": 2}', "leave out the comma behind each line"),
    ],
)
def test_what_stands_behind_json_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_squad_file(path)
    assert says in caught.value.problems[0]


def test_a_fault_in_a_document_of_a_line_has_the_place_of_both(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines([{"data": paragraphs()[:1]}, {"data": [{"context": 5, "qas": []}]}]))
    with pytest.raises(DataError, match=r"line 2: data\[0\]\.context is 5, it must be text"):
        read_squad_file(path)


BARE = {
    "begins here, ends there": '1\t"Seine" is it\tWhich is "it"\t\n',
    "ends before it begins": '1\tIt is "it"\t"Which" is it\t\n',
    "in two rows": '1\t"Seine is\tWhich\t\n2\tSeine"\tWhich\t\n',
    "in two rows that are one in quotes": '1\tc\t"Seine\t\n2\tSeine"\tWhich\t\n',
    "in the last cell": '1\tSeine is\tWhich?\t"\n2\t"Seine" is\tWhich\t\n',
    "at the beginning and the end": '1\t"Seine" is "it"\tWhich?\t\n',
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", BARE)
def test_marks_of_quotation_at_edges_of_cells_are_characters_where_rows_are_whole_so_alone(
    tmp_path: Path, kind: str, end: str
) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(f"id\tcontext\tquestion\tanswers\n{BARE[kind]}".replace("\n", end).encode())
    rows = [line.split("\t") for line in BARE[kind].splitlines()]
    found = [(one.id, one.context, one.question) for one in read_squad_file(path, wants_answers=False).examples]
    assert found == [tuple(row[:3]) for row in rows]


@pytest.mark.parametrize(
    ("row", "context"),
    [
        ('1\t"Seine"\tWhich?\t\n', "Seine"),
        ('1\t"The ""Seine"" is"\tWhich?\t\n', 'The "Seine" is'),
        ('1\t"The\tSeine"\t"Which"\t\n', "The\tSeine"),
        ('1\t"The\nSeine"\t"Which"\t\n', "The\nSeine"),
    ],
)
def test_cells_of_a_table_with_tabs_that_a_program_quoted_are_read_so(tmp_path: Path, row: str, context: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"id\tcontext\tquestion\tanswers\n{row}")
    assert [one.context for one in read_squad_file(path).examples] == [context]


@pytest.mark.parametrize(
    "row", ['1\t"Seine" is\tWhich "it"\t\t\n', '1\t"Sei""ne"\t"Which" is\t\n', '1\t"Seine" is\tWhich\n2\t"a"\tb\t\n']
)
def test_a_table_with_tabs_that_is_whole_in_no_way_is_a_fault(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"id\tcontext\tquestion\tanswers\n{row}")
    with pytest.raises(DataError, match=r"no row of a table|cells, and the header has"):
        read_squad_file(path)


def test_a_table_without_a_header_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("7,Anna lives in Rome.,Where?,Rome,14\n8,Anna lives in Rome.,Where?,Rome,14\n")
    with pytest.raises(DataError, match=r"found: 7, Anna lives .* write a line with the names above it"):
        read_squad_file(path)


@pytest.mark.parametrize(("text", "start"), [("['Rome', 'old']", "[14, 28]"), ('["Rome", "old"]', "[14,28]")])
def test_texts_and_starts_as_two_lists_are_read(tmp_path: Path, text: str, start: str) -> None:
    row = {"id": "1", "context": "Anna lives in Rome. Rome is old.", "question": "Q", "answers": text}
    row["answer_start"] = start
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(row), list(row.values())])
    expected = (Answer("Rome", 14), Answer("old", 28))
    assert read_squad_file(path).examples[0].answers == expected
    listed = {**row, "answers": ["Rome", "old"], "answer_start": [14, 28]}
    assert read_squad_file(write(tmp_path / "a.json", [listed])).examples[0].answers == expected


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "<NA>"])
@pytest.mark.parametrize("start", ["", "nan", "<NA>"])
def test_what_pandas_prints_for_nothing_is_no_answer(tmp_path: Path, word: str, start: str) -> None:
    """`nan` of `finance` was no answer, and would be found in it."""
    path = tmp_path / "a.csv"
    path.write_text(f"id,context,question,answer_text,answer_start\n1,He is in finance.,Where?,{word},{start}\n")
    for on_bad in ("fail", "fix"):
        file = read_squad_file(path, on_bad)
        assert (file.examples[0].answers, file.num_blank_answers, file.num_fixed) == ((), 1, 0)


def test_a_word_for_nothing_that_stands_in_the_text_is_no_statement(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,context,question,answer_text,answer_start\n1,We eat nan today.,What?,nan,\n")
    with pytest.raises(DataError, match="answer_start is null"):
        read_squad_file(path)
    assert read_squad_file(path, "fix").examples[0].answers == (Answer("nan", 7),)


@pytest.mark.parametrize(
    ("context", "text", "start"),
    [
        ("It is known there.", "no", None),
        ("It starts.", "art", None),
        ("In 1984 he came.", "98", None),
        ("Wir sind in der Haust\u00fcr.", "Haus", None),
        ("It is the co-op.", "op", 13),
        ("He paid 98%.", "98", 8),
        ("\u5df4\u9ece\u662f\u6cd5\u56fd\u7684\u9996\u90fd", "\u6cd5\u56fd", 3),
    ],
)
def test_fix_finds_no_answer_inside_a_word(tmp_path: Path, context: str, text: str, start: int | None) -> None:
    path = write(tmp_path / "a.json", [{"id": "1", "context": context, "question": "Q", "answers": [{"text": text}]}])
    if start is not None:
        assert read_squad_file(path, "fix").examples[0].answers == (Answer(text, start),)
        return
    with pytest.raises(DataError, match="stands inside a word alone"):
        read_squad_file(path, "fix")


def test_two_rows_of_one_question_with_an_answer_each_are_told_as_that(tmp_path: Path) -> None:
    rows = [{**flat()[0], "answers": columns(row)} for row in ROWS[:2]]
    with pytest.raises(DataError, match="its question stands in the file with other answers too; ids must be unique"):
        read_squad_file(write(tmp_path / "a.json", rows))


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_text_of_windows_is_told_with_what_reads_it(tmp_path: Path, name: str) -> None:
    """In ISO-8859-1 the quotation marks of Windows are controls, which nobody sees."""
    path = tmp_path / name
    path.write_bytes("[\u201cRome\u201d]".encode("cp1252"))
    with pytest.raises(DataError, match=r"not UTF-8 .*iconv -f WINDOWS-1252 -t UTF-8"):
        read_squad_file(path)


@pytest.mark.parametrize("name", ["start", "start_char", "start_offset", "offset"])
def test_a_start_by_another_name_counts_where_the_text_proves_it(tmp_path: Path, name: str) -> None:
    context = "Anna lives in Rome. Rome is old."
    answer = {"text": "Rome", name: 20, "end": 24}
    row = {"id": "1", "context": context, "question": "Q", "answers": [answer]}
    assert read_squad_file(write(tmp_path / "a.json", [row])).examples[0].answers == (Answer("Rome", 20),)
    row["answers"] = [{**answer, name: 3}]
    with pytest.raises(DataError, match="answer_start is missing"):
        read_squad_file(write(tmp_path / "a.json", [row]))


BRACKETS = "In Python, [] is a list and {} is a dict."


@pytest.mark.parametrize(("text", "start"), [("[]", 11), ("{}", 28)])
@pytest.mark.parametrize("column", ["answers", "answer_text"])
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_brackets_that_stand_at_their_place_are_an_answer(
    tmp_path: Path, text: str, start: int, column: str, suffix: str
) -> None:
    row = {"id": "1", "context": BRACKETS, "question": "Which?", column: text, "answer_start": start}
    content = f'id,context,question,{column},answer_start\n1,"{BRACKETS}",Which?,{text},{start}\n'
    path = tmp_path / f"a{suffix}"
    path.write_text(content if suffix == ".csv" else json.dumps([row]))
    assert read_squad_file(path).examples[0].answers == (Answer(text, start),)
    path.write_text(path.read_text().replace(str(start), "3"))
    with pytest.raises(DataError, match="does not stand"):
        read_squad_file(path)


@pytest.mark.parametrize("start", ["", "[]", "-1", "nan"])
def test_brackets_without_a_place_are_no_answer(tmp_path: Path, start: str) -> None:
    for column in ("answers", "answer_text"):
        path = tmp_path / "a.csv"
        path.write_text(f'id,context,question,{column},answer_start\n1,"{BRACKETS}",Which?,[],{start}\n')
        assert read_squad_file(path).examples[0].is_impossible


@pytest.mark.parametrize("answers", [[], None, {"text": [], "answer_start": []}])
@pytest.mark.parametrize("start", [11, "11", [11], 0])
def test_a_place_without_an_answer_is_a_fault(tmp_path: Path, answers: Any, start: Any) -> None:
    row = {"id": "1", "context": BRACKETS, "question": "Which?", "answers": answers, "answer_start": start}
    path = write(tmp_path / "a.json", [row, {**row, "id": "2", "answer_start": None}])
    with pytest.raises(DataError, match="and there is no answer for it"):
        read_squad_file(path)
    assert ids(read_squad_file(path, "skip")) == ["2"]


BOTH = {"text": ["Rome"], "answer_start": [0]}


@pytest.mark.parametrize(
    ("columns", "answers", "more", "expected"),
    [
        ({"answer_text": "short", "answer_start": "start"}, answers, {"short": "Paris", "start": 9}, "Paris")
        for answers in (BOTH, [{"text": "Rome", "answer_start": 0}], None, [], "Rome")
    ]
    + [
        ({"answer_text": "short", "answer_start": "start"}, BOTH, {"short": short, "start": None}, "'short', which is")
        for short in (None, "", ["  "])
    ]
    + [
        ({"answer_start": "start"}, BOTH, {"start": 9}, "'start', which is mapped, has no effect"),
        ({"answer_start": "start"}, ["Paris"], {"start": 9}, "Paris"),
        ({"answers": "gold", "answer_text": "short", "answer_start": "start"}, None, {}, ""),
    ],
)
def test_a_mapping_of_answers_has_an_effect_or_is_refused(
    tmp_path: Path, columns: dict[str, str], answers: Any, more: dict[str, Any], expected: str
) -> None:
    row = {"id": "1", "context": "Rome and Paris", "question": "Which?", "answers": answers, **more}
    if not more:
        row, expected = {**row, "gold": BOTH, "short": "Paris", "start": 9}, "is mapped, and so is 'short'"
    path = write(tmp_path / "a.json", [row])
    if expected == "Paris":
        assert read_squad_file(path, columns=columns).examples[0].answers == (Answer("Paris", 9),)
        return
    with pytest.raises(DataError, match=expected):
        read_squad_file(path, columns=columns)
