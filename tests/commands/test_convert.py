"""`qaexp convert`: exports of annotation tools become SQuAD JSON that qaexp reads; nothing is dropped in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from qaexp.data.exports.exported import Exported
from qaexp.data.exports.reading import read_source
from qaexp.data.question_files import read_squad_file
from qaexp.errors import QaexpError
from tests.fixtures import tiny_run

CONTEXT = "Paris is the capital of France. It lies on the Seine \U0001f642 today."
CAPITAL, NONE = "What is the capital?", "Which sea?"
PARIS = {"start": 0, "end": 5, "text": "Paris", "labels": ["Answer"]}
# Label Studio counts UTF-16 units: the emoji before it is two of them.
TODAY = {"start": 56, "end": 61, "text": "today", "labels": ["Answer"]}


def region(value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "r", "from_name": "answer", "to_name": "text", "type": "labels", "value": value, **more}


def task(id: int, question: str | None, *results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    annotations = [{"id": 9 + number, "result": result, **more} for number, result in enumerate(results)]
    data = {"text": CONTEXT} if question is None else {"text": CONTEXT, "question": question}
    return {"id": id, "data": data, "annotations": annotations, "predictions": [], "project": 1}


def typed(text: str, **value: Any) -> dict[str, Any]:
    return {"id": "r", "from_name": "question", "type": "textarea", "value": {**value, "text": [text]}}


CHOICE = {"from_name": "c", "type": "choices", "value": {"choices": ["No answer"]}}
LABEL_STUDIO = [
    task(1, CAPITAL, [region(PARIS)]),
    task(2, NONE, []),
    task(3, "When?", [region(TODAY)]),
    task(4, "Skipped?", [], was_cancelled=True),
    task(5, "Open?"),
    task(6, "Two of us?", [region(PARIS)], [region(PARIS)]),
    task(7, "Chosen?", [region(PARIS), CHOICE]),
    task(8, None, [region(PARIS), typed("Typed?", start=0, end=5)]),
    task(9, None, [typed("Whole?"), region(PARIS)]),
    task(10, None, [region({**PARIS, "labels": ["Labelled?"]})]),
    task(11, None, [region(PARIS)]),
    task(12, "Shifted?", [region({**PARIS, "text": "London"})]),
    task(13, "HTML?", [region({**PARIS, "start": "/div[1]/text()[1]", "startOffset": 0})]),
]
MINIMAL = [
    {"text": CONTEXT, "question": CAPITAL, "id": 1, "answer": [PARIS], "annotator": 1, "annotation_id": 5},
    {"text": CONTEXT, "question": NONE, "id": 2, "annotator": 1, "annotation_id": 6, "lead_time": 2.5},
]
DOCCANO = [
    {"id": 1, "text": CONTEXT, "label": [[0, 5, "ANSWER"]], "question": CAPITAL, "Comments": []},
    {"id": 2, "text": CONTEXT, "label": [], "question": NONE, "Comments": []},
]
DOCCANO_RELATIONS = [
    {
        "id": 1,
        "text": CONTEXT,
        "entities": [
            {"id": 1, "label": CAPITAL, "start_offset": 0, "end_offset": 5},
            {"id": 2, "label": "Which river?", "start_offset": 47, "end_offset": 52},
            {"id": 3, "label": "PLACE", "start_offset": 24, "end_offset": 30},
        ],
        "relations": [],
        "Comments": [],
    }
]
ANSWER = {
    "answer_id": 1,
    "document_id": 2,
    "question_id": 3,
    "text": "Paris",
    "answer_start": 0,
    "answer_category": None,
}
HAYSTACK = {
    "data": [
        {
            "paragraphs": [
                {
                    "qas": [
                        {"question": CAPITAL, "id": 107744, "answers": [ANSWER], "is_impossible": False},
                        {"question": NONE, "id": 107745, "answers": [], "is_impossible": True},
                    ],
                    "context": CONTEXT,
                    "document_id": 38690,
                }
            ]
        }
    ]
}
DOCUMENT = {"content": CONTEXT, "content_type": "text", "id": "d", "meta": {}}
LABELS = [
    {
        "id": "a1",
        "query": CAPITAL,
        "document": DOCUMENT,
        "is_correct_answer": True,
        "is_correct_document": True,
        "origin": "gold-label",
        "answer": {"answer": "Paris", "type": "extractive", "offsets_in_document": [{"start": 0, "end": 5}]},
        "no_answer": False,
    },
    {"id": "a2", "query": "Bad?", "document": DOCUMENT, "is_correct_answer": False, "answer": None, "no_answer": False},
    {"id": "a3", "query": NONE, "document": DOCUMENT, "is_correct_answer": True, "answer": None, "no_answer": True},
]
CDQA = {
    "version": "v1.1",
    "data": [
        {
            "title": "t",
            "paragraphs": [
                {"context": CONTEXT, "qas": [{"question": CAPITAL, "answers": [{"answer_start": 0, "text": "Paris"}]}]},
                {"context": "nobody asked", "qas": []},
            ],
        }
    ],
}
EXPORTS: dict[str, tuple[str, str]] = {
    "Label Studio": ("ls.json", json.dumps(LABEL_STUDIO[:3])),
    "Label Studio of JSON_MIN": ("min.json", json.dumps(MINIMAL)),
    "doccano": ("doc.jsonl", "\n".join(map(json.dumps, DOCCANO))),
    "doccano with relations": ("rel.jsonl", "\n".join(map(json.dumps, DOCCANO_RELATIONS))),
    "Haystack's annotation tool": ("hs.json", json.dumps(HAYSTACK)),
    "Haystack (labels)": ("labels.json", json.dumps(LABELS)),
    "cdQA": ("cdqa.json", json.dumps(CDQA)),
    "table": ("a.csv", f"id,context,question,answer_text,answer_start\n1,{CONTEXT},{CAPITAL},Paris,0\n"),
}


def converted(folder: Path, name: str) -> dict[str, list[str]]:
    """The answers by question of what was written."""
    return {one.question: list(one.golds) for one in read_squad_file(folder / name).examples}


@pytest.mark.parametrize("tool", EXPORTS)
def test_each_export_becomes_squad_json(tmp_path: Path, tool: str) -> None:
    name, text = EXPORTS[tool]
    (tmp_path / name).write_text(text, "utf-8")
    done = tiny_run.call(tmp_path, "convert", name, "--to", "squad")
    assert done.code == 0, done.err
    assert tool.partition(" of ")[0].partition(" with ")[0] in done.out.splitlines()[0]
    out = f"{name.partition('.')[0]}.squad.json"
    assert f"wrote {out}: " in done.out
    found = converted(tmp_path, out)
    assert found[CAPITAL] == ["Paris"]
    assert found.get(NONE, []) == []
    written = tiny_run.read_json(tmp_path / out)
    assert written["version"] == "v2.0"
    again = tiny_run.call(tmp_path, "convert", name, "--to", "squad")
    assert again.code == 2
    assert f"--output {out} is there already" in again.last_line
    assert tiny_run.read_json(tmp_path / out) == written


def test_what_is_left_out_of_label_studio_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "ls.json").write_text(json.dumps(LABEL_STUDIO))
    done = tiny_run.call(tmp_path, "convert", "ls.json", "--output", "out.json")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "read ls.json: export of Label Studio, 13 tasks"
    assert {line.removeprefix("left out: ") for line in done.out.splitlines() if line.startswith("left out: ")} == {
        "task that was skipped (1)",
        "task without an annotation (1)",
        "marked span without a question (1)",
        "annotation without a question (1)",
        "answer that does not stand where the export says (1)",
        "answer that was marked in HTML or in a dialogue (1)",
    }
    # A question whose answer cannot be read is left out, and does not become one without an answer.
    assert converted(tmp_path, "out.json") == {
        CAPITAL: ["Paris"],
        NONE: [],
        "When?": ["today"],
        "Two of us?": ["Paris"],
        "Chosen?": [],
        "Typed?": ["Paris"],
        "Whole?": ["Paris"],
        "Labelled?": ["Paris"],
    }


def test_a_label_of_doccano_may_be_the_question(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, DOCCANO_RELATIONS)))
    done = tiny_run.call(tmp_path, "convert", "a.json")
    assert converted(tmp_path, "a.squad.json") == {CAPITAL: ["Paris"], "Which river?": ["Seine"]}
    assert "left out: span whose label is no question, of a document without a question (1)" in done.out


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[1, 2]", "a,b\n1,2\n", '[{"id": 1, "data": {"text": "a"}, "annotations": []}]']
)
def test_an_unknown_file_is_refused_and_the_known_ones_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    failed = tiny_run.call(tmp_path, "convert", "a.json")
    assert failed.code == 3
    assert all(tool in failed.err for tool in ("Label Studio",))
    assert "Traceback" not in failed.err
    assert not (tmp_path / "a.squad.json").exists()


def test_places_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "ls.json").write_text(json.dumps(LABEL_STUDIO))
    os.mkfifo(tmp_path / "pipe")
    for words, code in (
        (["."], 3),
        (["pipe"], 3),
        (["missing.json"], 3),
        (["ls.json", "--output", "pipe"], 2),
        (["ls.json", "--output", "."], 2),
        (["ls.json", "--output", "ls.json"], 2),
        (["ls.json", "--output", "no/out.json"], 5),
    ):
        failed = tiny_run.call(tmp_path, "convert", *words)
        assert failed.code == code, failed.err
        assert len(failed.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["ls.json"]


def test_more_answers_than_anybody_gives_are_left_out_before_they_are_compared() -> None:
    found = Exported("tool", "task")
    for number in (10_000, 10_001):
        found.add("", 1, "Q", CONTEXT, [{"text": "Paris", "answer_start": one} for one in range(number)])
    assert [len(row["answers"]) for _, row in found.rows] == [10_000]
    assert found.left_out == {"question with more than 10,000 answers": 1}


FORMS: dict[str, Any] = {
    "Label Studio": LABEL_STUDIO[:1] + LABEL_STUDIO[6:9],
    "JSON_MIN": MINIMAL,
    "doccano": DOCCANO,
    "doccano with relations": DOCCANO_RELATIONS,
    "Haystack": HAYSTACK,
    "labels": LABELS,
    "cdQA": CDQA,
}


def swapped(tree: Any) -> Iterator[Any]:
    """The tree once for each of its nodes and each strange value in the node's place."""
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        for other in (5, [], {}, None, "x", [[]], True):
            tree[key] = deepcopy(other)
            yield tree
        tree[key] = inner
        for _ in swapped(inner):
            yield tree


@pytest.mark.parametrize("on_bad", ["fail", "skip"])
@pytest.mark.parametrize("form", FORMS)
def test_whatever_stands_in_an_export_is_told_and_is_no_bug(tmp_path: Path, form: str, on_bad: str) -> None:
    path = tmp_path / "export.json"
    for tree in swapped(deepcopy(FORMS[form])):
        path.write_text(json.dumps(tree))
        with suppress(QaexpError):
            read_source(path, on_bad)


def test_convert_is_listed_and_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "convert" in tiny_run.call(tmp_path, "--help").out
    monkeypatch.setenv("COMP_LINE", "qaexp con")
    assert tiny_run.call(tmp_path, "-sc", "query=bash").out.split() == ["convert"]


def test_one_task_is_one_task(tmp_path: Path) -> None:
    task = {
        "id": 1,
        "data": {"text": "Paris is a city.", "question": "What is Paris?"},
        "annotations": [{"result": []}],
    }
    for number, words in ((1, "1 task"), (2, "2 tasks")):
        (tmp_path / "one.json").write_text(json.dumps([{**task, "id": id} for id in range(number)]))
        out = f"{number}.json"
        done = tiny_run.call(tmp_path, "convert", "one.json", "--to", "squad", "--output", out)
        assert f"one.json: export of Label Studio, {words}\n" in done.out + done.err, done.err


OSLO = "Oslo is the capital of Norway. Oslo lies at a fjord."
MARK = {"start": 0, "end": 4, "text": "Oslo", "labels": ["Answer"]}


def minimal(**more: Any) -> dict[str, Any]:
    return {"id": 1, "text": OSLO, "question": "Q?", "annotator": 1, "annotation_id": 1, "lead_time": 2, **more}


def chosen(control: str, word: str) -> dict[str, Any]:
    choice = {"from_name": control, "type": "choices", "value": {"choices": [word]}}
    results = [{"id": "r", "from_name": "a", "type": "labels", "value": MARK}, choice]
    return {"id": 1, "data": {"text": OSLO, "question": "Q?"}, "annotations": [{"result": results}]}


def only(control: str, word: str) -> dict[str, Any]:
    """A task with a choice, and without a marked span."""
    task = chosen(control, word)
    del task["annotations"][0]["result"][0]
    return task


def labelled(label: str) -> dict[str, Any]:
    return minimal(label=[{**MARK, "labels": [label]}])


def document(**more: Any) -> dict[str, Any]:
    return {"id": 1, "text": OSLO, "question": "Q?", "Comments": [], **more}


def judged(**more: Any) -> dict[str, Any]:
    return {"query": "Q?", "document": {"content": OSLO}, "is_correct_answer": True, **more}


PLACED = {"answer": "Oslo", "offsets_in_document": [{"start": 0, "end": 4}]}


@pytest.mark.parametrize(
    "record",
    [minimal(label=[MARK], lang="no"), minimal(label=[MARK], reviewed="No"), minimal(label=[MARK], kind="none")]
    + [minimal(label=[MARK], flagged=False), minimal(label=[MARK], is_impossible="No")]
    + [chosen(control, "No") for control in ("is_ambiguous", "needs_review", "is_impossible", "no_answer")]
    + [chosen("answerable", "Yes"), chosen("difficulty", "Impossible")]
    + [document(label=[span]) for span in (["0", "4", "ANSWER"], [0.0, 4.0, "ANSWER"], [0, 4], [0, 4, "A", "x"])]
    + [document(entities=[{"start": 0, "end": 4, "label": "ANSWER"}])]
    + [judged(answer={"answer": "Oslo", "offsets_in_document": [{"start": 0, "end": 4}]}, no_answer=False)],
)
def test_an_answer_that_is_marked_stays_one(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "a.json").write_text(json.dumps([record]))
    (example,) = read_source(tmp_path / "a.json").file.examples
    assert [(one.text, one.start_char) for one in example.answers] == [("Oslo", 0)]


@pytest.mark.parametrize(
    "record",
    [
        minimal(label=[MARK], answerable="No"),
        minimal(is_impossible=True),
        minimal(label=[], choice="No answer"),
        chosen("has_answer", "No"),
        chosen("isImpossible", "Yes"),
        chosen("answerable", "No"),
        labelled("No answer"),
        labelled("NO_ANSWER"),
        document(label=[[0, 4, "NO_ANSWER"]]),
        document(label=["unanswerable"]),
        document(label=[]),
        judged(answer=None, no_answer=True),
        judged(answer=None, no_answer="True"),
        judged(answer={"answer": ""}),
        only("answer", "None"),
    ],
)
def test_a_statement_about_the_answer_makes_a_question_unanswerable(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "a.json").write_text(json.dumps([record]))
    (example,) = read_source(tmp_path / "a.json").file.examples
    assert example.is_impossible


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (labelled(label), "label says that it is no answer")
        for label in ("Not an answer", "Wrong answer", "WRONG_ANSWER")
    ]
    + [(document(label=[one]), "annotation that is no span") for one in ("Oslo", [None, 4, "ANSWER"], {"start": 0}, 5)]
    + [(document(label=[[0, 4, "wrong answer"]]), "label says that it is no answer")]
    + [(minimal(answer=word), "typed, and not marked") for word in ("Oslo", "No", "yes")]
    + [(minimal(answerable="Yes"), "said to have an answer"), (minimal(is_impossible="No"), "said to have an answer")]
    + [(minimal(has_answer=True), "said to have an answer")]
    + [(only("answer", word), "typed, and not marked") for word in ("Oslo", "No")]
    + [(only("answerable", "Yes"), "said to have an answer"), (only("noAnswer", "No"), "said to have an answer")]
    + [
        (judged(answer=PLACED, is_correct_answer=word), "label that says that an answer is wrong")
        for word in (False, "false", 0)
    ]
    + [
        (judged(answer=None, no_answer=False), "does not say that there is none"),
        (judged(answer={"answer": ""}, is_correct_document=False), "does not say that there is none"),
        (judged(answer={"answer": "Oslo"}), "stands at several"),
        (judged(answer={"answer": "Oslo"}, no_answer=True), "says that there is none"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps([record]))
    with pytest.raises(QaexpError, match=reason):
        read_source(tmp_path / "a.json")


def test_what_is_taken_as_no_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([document(label=[])]))
    assert "note: document without an annotation, taken as" in tiny_run.call(tmp_path, "convert", "a.json").out
    (tmp_path / "b.json").write_text(json.dumps([chosen("answerable", "No")]))
    assert "note: marked span beside the choice that" in tiny_run.call(tmp_path, "convert", "b.json").out
    (tmp_path / "c.json").write_text(json.dumps([minimal()]))
    assert "note: question without a marked span, taken as" in tiny_run.call(tmp_path, "convert", "c.json").out


def test_those_who_do_not_agree_whether_there_is_an_answer_are_told(tmp_path: Path) -> None:
    both = only("x", "No answer")
    both["annotations"].append({"result": [{"id": "r", "from_name": "a", "type": "labels", "value": MARK}]})
    labels = [judged(answer=None, no_answer=True), judged(answer=PLACED, no_answer=False)]
    for number, records in enumerate(([both], labels)):
        (tmp_path / f"{number}.json").write_text(json.dumps(records))
        done = tiny_run.call(tmp_path, "convert", f"{number}.json")
        assert "note: question without an answer for some, and with one for others, taken with it (1)" in done.out
        assert converted(tmp_path, f"{number}.squad.json") == {"Q?": ["Oslo"]}


@pytest.mark.parametrize("name", ["comment", "notes", "reason"])
def test_a_remark_that_was_typed_is_no_question(tmp_path: Path, name: str) -> None:
    remark = {"id": "c", "from_name": name, "type": "textarea", "value": {"text": ["hard"]}}
    tasks = [task(1, None, [region(PARIS), typed("Which?"), remark]), task(2, None, [region(PARIS), remark])]
    tasks[0]["data"]["question_type"] = "factoid"
    (tmp_path / "a.json").write_text(json.dumps(tasks))
    done = tiny_run.call(tmp_path, "convert", "a.json")
    assert converted(tmp_path, "a.squad.json") == {"Which?": ["Paris"]}
    assert "left out: annotation without a question (1)" in done.out


TWO = "Paris is the capital of France. Rome is the capital of Italy."
ROME = {"start": 32, "end": 36, "text": "Rome"}
FIRST = {"start": 0, "end": 5, "text": "Paris", "labels": ["Span"]}
FOCUS = {"start": 12, "end": 19, "text": "capital of France", "labels": ["Focus"]}


def of_two(*results: Any, **data: str) -> dict[str, Any]:
    data = data or {"question": "What is the capital of France?"}
    return {"id": 1, "data": {"text": TWO, **data}, "annotations": [{"result": list(results)}]}


def answers_of(folder: Path, *records: dict[str, Any]) -> tuple[dict[str, list[str]], str]:
    """What becomes of an export beside a question that can be read: its answers by question, and what is told."""
    (folder / "a.json").write_text(json.dumps([*records, {**of_two(region(FIRST), question="Other?"), "id": 2}]))
    done = tiny_run.call(folder, "convert", "a.json")
    assert done.code == 0, done.err
    return {key: value for key, value in converted(folder, "a.squad.json").items() if key != "Other?"}, done.out


VALUES_OF_A_SPAN: list[dict[str, Any]] = [
    {"type": "choices", "value": {**ROME, "choices": ["high"]}},
    {"type": "rating", "value": {**ROME, "rating": 3}},
    {"type": "number", "value": {**ROME, "number": 3}},
    {"type": "taxonomy", "value": {**ROME, "taxonomy": [["a", "b"]]}},
]


@pytest.mark.parametrize("more", VALUES_OF_A_SPAN, ids=lambda more: more["type"])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_said_of_a_marked_span_is_no_span(tmp_path: Path, more: dict[str, Any], is_first: bool) -> None:
    wrong = [region({**ROME, "labels": ["Distractor"]}, id="b"), region(more["value"], id="b", type=more["type"])]
    wrong = wrong[::-1] if is_first else wrong
    found, told = answers_of(tmp_path, of_two(region(FIRST, id="a"), *wrong))
    assert found == {"What is the capital of France?": ["Paris"]}
    assert "label says that it is no answer (1)" in told


@pytest.mark.parametrize("label", ["Wrong answer", "Distractor"])
def test_a_span_with_two_labels_is_wrong_where_one_says_so(tmp_path: Path, label: str) -> None:
    for results in (
        [region({**ROME, "labels": ["Span", label]})],
        [region({**ROME, "labels": ["Span"]}), region({**ROME, "labels": [label]})],
        [region(VALUES_OF_A_SPAN[1]["value"], type="rating"), region({**ROME, "labels": [label]})],
    ):
        (tmp_path / "a.json").write_text(json.dumps([of_two(*results)]))
        with pytest.raises(QaexpError, match="label says that it is no answer"):
            read_source(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (of_two(region(FOCUS, to_name="question")), "another text than the context"),
        (of_two(region(FOCUS, to_name="question1"), question1="What is the capital of France?"), "another text"),
        (of_two(region({**FIRST, "start": 2, "end": 7})), "does not stand where the export says"),
        (of_two(region(FIRST, to_name="title"), title="Paris", question="Q?"), "another text"),
        (of_two(region(VALUES_OF_A_SPAN[0]["value"], type="choices")), "value of a marked span that has no label"),
        (of_two({"type": "labels", "value": {"text": "Paris", "labels": ["Answer"]}}), "cannot be read"),
        (of_two("x"), "cannot be read"),
        ({**of_two(), "annotations": [{"result": json.dumps([region(FIRST)])}]}, "cannot be read"),
        (of_two(typed("A?"), typed("B?"), region(FIRST), title="t"), "several questions in one task"),
        (
            of_two({**typed("A?"), "value": {"text": ["A?", "B?"]}}, region(FIRST), title="t"),
            "several questions in one task",
        ),
        (of_two(region(FIRST), question1="A?", question2="B?"), "several questions in one task"),
        (of_two(region(FIRST), question="A?", question2="B?"), "several questions in one task"),
        (minimal(label=[{"text": "Oslo", "labels": ["Answer"]}]), "cannot be read"),
        (minimal(label=json.dumps([MARK])), "cannot be read"),
        (minimal(label={"text": "Oslo", "labels": ["Answer"]}), "cannot be read"),
    ],
)
def test_a_mark_that_cannot_be_taken_makes_no_question_unanswerable(
    tmp_path: Path, record: dict[str, Any], reason: str
) -> None:
    found, told = answers_of(tmp_path, record)
    assert found == {}
    assert "left out: " in told
    assert reason in told


def test_a_mark_of_the_question_is_no_answer_of_the_context(tmp_path: Path) -> None:
    for focus in (FOCUS, {**FOCUS, "start": 13, "end": 30}):
        record = of_two(region(focus, id="q", to_name="question"), region(FIRST, id="a"))
        (tmp_path / "a.squad.json").unlink(missing_ok=True)
        found, told = answers_of(tmp_path, record)
        assert found == {"What is the capital of France?": ["Paris"]}
        assert "marked span of another text than the context, such as the question (1)" in told


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    "answer", [{"answer": "fjord", "offsets_in_document": [{"start": 3}]}, {"answer": "Oslo"}, {"answer": ["Oslo"]}]
)
def test_an_answer_that_has_no_place_is_not_outvoted_by_no_answer(tmp_path: Path, answer: Any, is_first: bool) -> None:
    labels = [judged(answer=None, no_answer=True), judged(answer=answer, no_answer=False)]
    other = {**judged(answer=PLACED), "query": "Other?"}
    (tmp_path / "a.json").write_text(json.dumps([*(labels if is_first else labels[::-1]), other]))
    done = tiny_run.call(tmp_path, "convert", "a.json")
    assert converted(tmp_path, "a.squad.json") == {"Other?": ["Oslo"]}
    assert "left out: question without an answer for some, and with one that cannot be taken for others (1)" in done.out
