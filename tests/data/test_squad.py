"""The reader against hand-made files: what is right is read exactly, what is wrong is named with its place."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.data.files.validation import classify_offset
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, Example, SquadFile, paragraph_id
from qaexp.errors import ConfigError, DataError
from tests.fixtures.waiting import waits_at_most

CONTEXT = "Paris is the capital of France. Lyon is not."


def question(id: str = "q1", text: str = "Paris", start: Any = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "question": "Which city?",
        "is_impossible": False,
        "answers": [{"text": text, "answer_start": start}],
        **more,
    }


def unanswerable(id: str = "q2") -> dict[str, Any]:
    return question(id, is_impossible=True, answers=[], plausible_answers=[{"text": "Lyon", "answer_start": 32}])


def document(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., SquadFile]:
    """Write a document (or raw text or bytes) to a file and read it."""

    def write_and_read(content: Any, on_bad: str = "fail", name: str = "data.json") -> SquadFile:
        path = tmp_path / name
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_squad_file(path, on_bad)

    return write_and_read


def refused(read: Callable[..., SquadFile], *args: Any, **kwargs: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(*args, **kwargs)
    assert caught.value.exit_code == 3
    return caught.value


def test_reads_v2(read: Callable[..., SquadFile], tmp_path: Path) -> None:
    file = read(document(question(), unanswerable()))
    assert file.examples == (
        Example("q1", "T", CONTEXT, "Which city?", (Answer("Paris", 0),)),
        Example("q2", "T", CONTEXT, "Which city?", ()),
    )
    assert [example.is_impossible for example in file.examples] == [False, True]
    assert file.examples[0].golds == ("Paris",)
    assert file.examples[0].answers[0].end_char == 5
    assert file.squad_version == "v2"
    assert file.sha256 == hashlib.sha256((tmp_path / "data.json").read_bytes()).hexdigest()
    assert (file.num_skipped, file.num_fixed, file.num_duplicates, file.problems) == (0, 0, 0, ())


def test_a_missing_is_impossible_means_v1(read: Callable[..., SquadFile]) -> None:
    v1 = question()
    del v1["is_impossible"]
    assert read(document(v1)).squad_version == "v1"


def test_paragraph_id_is_a_hash_of_the_bytes() -> None:
    assert paragraph_id("é") == hashlib.sha256(b"\xc3\xa9").hexdigest()[:16]


def test_the_sample_agrees_with_its_own_description(sample_dir: Path) -> None:
    for name, total, impossible, paragraphs in (("train", 3707, 1966, 373), ("dev", 1152, 599, 137)):
        file = read_squad_file(sample_dir / f"{name}.json")
        assert len(file.examples) == total
        assert sum(example.is_impossible for example in file.examples) == impossible
        assert len({paragraph_id(example.context) for example in file.examples}) == paragraphs
        for example in file.examples:
            for answer in example.answers:
                assert example.context[answer.start_char : answer.end_char] == answer.text


# --- Files that are no data at all ------------------------------------------------------------------------------------


def test_each_truncation_names_line_and_column(read: Callable[..., SquadFile]) -> None:
    text = json.dumps(document(*(question(f"é{n}") for n in range(6))), indent=1, ensure_ascii=False).encode()
    for length in range(len(text)):
        message = str(refused(read, text[:length]))
        assert "data.json" in message
        assert length == 0 or ("line " in message and "column " in message), length
    error = refused(read, text[: text.index(b"Which")])
    line = text[: text.index(b"Which")].count(b"\n") + 1
    assert f"line {line}, column " in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"[]", "no usable question"),
        (b"{}", "data is missing"),
        (b"null", "null"),
        (b"3", "is 3"),
        (gzip.compress(b"{}", mtime=0), "gunzip"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"data": NaN}', "NaN"),
        (b'{"data": [], "data": []}', "'data' more than once"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"data": ' + b"9" * 5000 + b"}", "refused"),
        (b'{"data": []}', "no usable question"),
    ],
)
def test_what_is_no_data_set_is_refused(read: Callable[..., SquadFile], content: bytes, words: str) -> None:
    for on_bad in ("fail", "skip", "fix"):
        assert words in str(refused(read, content, on_bad))


def test_a_byte_order_mark_is_accepted(read: Callable[..., SquadFile]) -> None:
    assert len(read(b"\xef\xbb\xbf" + json.dumps(document(question())).encode()).examples) == 1


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (
        tmp_path,
        tmp_path / "pipe",
        Path("/dev/zero"),
        tmp_path / "loop",
        tmp_path / "none",
        tmp_path / "a\0b",
        tmp_path / ("x" * 300),
    ):
        with waits_at_most(1), pytest.raises(DataError):
            read_squad_file(path)


# --- Wrong and missing keys -------------------------------------------------------------------------------------------

LEVELS = {
    "data": "list",
    "data[0].title": "text",
    "data[0].paragraphs": "list",
    "data[0].paragraphs[0].context": "text",
    "data[0].paragraphs[0].qas": "list",
    "data[0].paragraphs[0].qas[0].id": "text",
    "data[0].paragraphs[0].qas[0].question": "text",
    "data[0].paragraphs[0].qas[0].answers": "list",
    "data[0].paragraphs[0].qas[0].answers[0].text": "text",
    "data[0].paragraphs[0].qas[0].answers[0].answer_start": "int",
    "data[0].paragraphs[0].qas[0].is_impossible": "bool",
    "data[0]": "object",
    "data[0].paragraphs[0]": "object",
    "data[0].paragraphs[0].qas[0]": "object",
    "data[0].paragraphs[0].qas[0].answers[0]": "object",
}
WRONG = {"null": None, "text": "x", "int": 7, "bool": True, "float": 1.5, "list": [[1]], "object": {"a": {}}}


def replaced(place: str, value: Any) -> dict[str, Any]:
    """The standard document with the value at a place changed; no value: the key is dropped."""
    changed = copy.deepcopy(document(question(), unanswerable()))
    steps = [int(step) if step.isdigit() else step for step in place.replace("[", ".").replace("]", "").split(".")]
    target: Any = changed
    for step in steps[:-1]:
        target = target[step]
    if value is ...:
        del target[steps[-1]]
    else:
        target[steps[-1]] = value
    return changed


@pytest.mark.parametrize("place", LEVELS)
def test_each_wrong_type_is_named_by_its_path(read: Callable[..., SquadFile], place: str) -> None:
    kind = LEVELS[place]
    for name, value in WRONG.items():
        if name == kind or (place.endswith(".title") and value is None) or (place.endswith(".id") and value == 7):
            continue
        error = refused(read, replaced(place, value))
        assert any(f"data.json: {place} is " in line and ", it must be " in line for line in error.problems)
        if place != "data":
            counted = read(replaced(place, value), "skip") if "qas[0]" in place else None
            assert counted is None or (counted.num_skipped == 1 and [e.id for e in counted.examples] == ["q2"])


DROPPED = [place for place, kind in LEVELS.items() if kind not in ("object", "bool") and not place.endswith(".title")]


@pytest.mark.parametrize("place", DROPPED)
def test_each_dropped_key_is_named_by_its_path(read: Callable[..., SquadFile], place: str) -> None:
    error = refused(read, replaced(place, ...))
    assert any(f": {place} is missing" in line for line in error.problems)


def test_a_bad_article_or_paragraph_is_skipped_with_all_its_questions(read: Callable[..., SquadFile]) -> None:
    good = document(question("a"))["data"][0]
    for place in ("data[0].title", "data[0].paragraphs[0].context"):
        bad = replaced(place, 3)
        bad["data"].append(good)
        file = read(bad, "skip")
        assert (file.num_skipped, [example.id for example in file.examples]) == (2, ["a"])
        assert len(file.problems) == 1


def test_all_errors_are_told_at_once_up_to_twenty(read: Callable[..., SquadFile]) -> None:
    error = refused(read, document(*(question(f"q{n}", start=n + 1) for n in range(19))))
    assert len(error.problems) == 19 + 1
    for n, line in enumerate(error.problems[:-1]):
        assert line.startswith(error.problems[-1].split(" has ")[0])
        assert f": data[0].paragraphs[0].qas[{n}].answers[0].answer_start is {n + 1}, " in line
    error = refused(read, document(*(question(f"q{n}", start="x") for n in range(50))))
    assert len(error.problems) == 20 + 1
    assert "50 faults" in error.problems[-1]
    assert "data.on_bad=skip" in error.problems[-1]


def test_several_faults_of_one_question_skip_one_example(read: Callable[..., SquadFile]) -> None:
    file = read(document(question(id="", start=True), unanswerable()), "skip")
    assert file.num_skipped == 1
    assert len(file.problems) == 2


def test_an_unknown_policy_is_a_config_error(read: Callable[..., SquadFile]) -> None:
    with pytest.raises(ConfigError):
        read(document(question()), "ignore")


# --- Offsets ----------------------------------------------------------------------------------------------------------

OFFSETS = [
    ("x 🙂🙂 Paris.", "Paris", 7, "utf16", 5),
    ("one\r\ntwo Paris", "Paris", 8, "crlf", 9),
    ("one\ntwo\nParis", "Paris", 10, "crlf", 8),
    (CONTEXT, "Paris", 1, "offset-by-1", 0),
    (CONTEXT, "Lyon", 31, "offset-by-1", 32),
    (CONTEXT, "Paris", -3, "offset-by-3", 0),
    ("In Paris", "Paris", -5, "offset-by-8", 3),
    (CONTEXT, "Lyon", 10**30, f"offset-by-{10**30 - 32}", 32),
    (CONTEXT, "Rome", 4, "absent", None),
]


@pytest.mark.parametrize(("context", "text", "start", "kind", "place"), OFFSETS)
def test_wrong_offsets_are_classified_and_unique_ones_fixed(
    read: Callable[..., SquadFile], context: str, text: str, start: int, kind: str, place: int | None
) -> None:
    wrong = document(question("bad", text, start), unanswerable("good"), context=context)
    assert f"({kind}: " in refused(read, wrong).problems[0]
    skipped = read(wrong, "skip")
    assert (skipped.num_skipped, [example.id for example in skipped.examples]) == (1, ["good"])
    assert f"({kind}: " in skipped.problems[0]
    if place is None:
        refused(read, wrong, "fix")
        return
    fixed = read(wrong, "fix")
    assert fixed.examples[0].answers == (Answer(text, place),)
    assert (fixed.num_fixed, fixed.num_skipped) == (1, 0)
    assert kind in fixed.problems[0]


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("shift", [0, 1])
def test_another_normal_form_is_named_and_fixed_to_the_spelling_of_the_context(
    read: Callable[..., SquadFile], form: str, other: str, shift: int
) -> None:
    context, text = (normalize(form, "Das Café in Köln."), normalize(other, "Café"))
    wrong = document(question("q", text, 4 + shift), unanswerable(), context=context)
    error = refused(read, wrong)
    assert "(normal-form: it stands at 4 in another normal form of Unicode)" in error.problems[0]
    fixed = read(wrong, "fix")
    assert fixed.examples[0].answers == (Answer(normalize(form, "Café"), 4),)
    assert fixed.num_fixed == 1
    assert fixed.problems[0].endswith("; spelled as there")
    assert read(wrong, "skip").num_skipped == 1


def test_another_normal_form_at_several_places_needs_a_right_start(read: Callable[..., SquadFile]) -> None:
    twice = "é and é"
    assert read(document(question("q", "e\u0301", 6), context=twice), "fix").examples[0].answers == (Answer("é", 6),)
    refused(read, document(question("q", "e\u0301", 3), context=twice), "fix")


def test_a_text_that_stands_twice_is_never_moved(read: Callable[..., SquadFile]) -> None:
    assert "and elsewhere" in refused(read, document(question("q", "is", 7)), "fix").problems[0]


@given(st.text(alphabet="aab \n🙂é", min_size=1, max_size=30), st.data())
def test_utf16_offsets_are_recognised_whatever_the_text(context: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(context) - 1))
    text = context[begin : data.draw(st.integers(begin + 1, len(context)))]
    start = len(context[:begin].encode("utf-16-le")) // 2
    if context[start : start + len(text)] == text:
        return
    fault = classify_offset(context, text, start)
    assert (fault.kind, fault.start_char) == ("utf16", begin)
    assert fault.is_unique == (sum(context.startswith(text, n) for n in range(len(context))) == 1)


# --- Ids, contradictions, characters ----------------------------------------------------------------------------------


def test_duplicates_with_the_same_content_are_dropped_and_counted(read: Callable[..., SquadFile]) -> None:
    file = read(document(question(), question(), unanswerable()))
    assert (len(file.examples), file.num_duplicates, file.num_skipped) == (2, 1, 0)


@pytest.mark.parametrize("on_bad", ["fail", "skip", "fix"])
def test_duplicates_with_other_content_are_refused(read: Callable[..., SquadFile], on_bad: str) -> None:
    error = refused(read, document(question(), question(question="Another?")), on_bad)
    assert "data[0].paragraphs[0].qas[1].id is the text 'q1'" in error.problems[0]
    assert error.problems[-1] == error.problems[0].partition(":")[0] + (" has 1 fault: correct the file."), (
        "no policy accepts it, so none is advised"
    )
    if on_bad == "fail":
        both = refused(read, document(question(), question(question="Another?"), question(id=1.5)))
        assert both.problems[-1].endswith("; 1 of them must be corrected in any case.")


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("", "has 0 characters"),
        ("x" * 1001, "has 1001 characters"),
        ("x" * 10_000_000, "has 10000000 characters"),
        ("\ud800", "surrogate"),
    ],
)
def test_ids_that_no_file_should_hold_are_refused(read: Callable[..., SquadFile], id: str, words: str) -> None:
    error = refused(read, document(question(id=id)))
    assert words in error.problems[0]
    assert len(str(error)) < 1000


def test_ids_are_no_paths(read: Callable[..., SquadFile]) -> None:
    assert read(document(question(id="../../etc/passwd"))).examples[0].id == "../../etc/passwd"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_impossible": True},
        {"answers": []},
        {"is_impossible": ..., "answers": []},
        {"is_impossible": None},
        {"is_impossible": 0},
        {"answers": [{"text": "", "answer_start": 0}]},
        {"answers": [{"text": " ", "answer_start": 5}]},
    ],
)
def test_contradictions_follow_the_policy(read: Callable[..., SquadFile], changes: dict[str, Any]) -> None:
    bad = {key: value for key, value in {**question(), **changes}.items() if value is not ...}
    for on_bad in ("fail", "fix"):
        refused(read, document(bad, unanswerable()), on_bad)
    file = read(document(bad, unanswerable()), "skip")
    assert (file.num_skipped, len(file.examples)) == (1, 1)


@pytest.mark.parametrize("place", [place for place, kind in LEVELS.items() if kind == "text"])
def test_lone_surrogates_are_refused(read: Callable[..., SquadFile], place: str) -> None:
    assert any(f": {place} has a lone surrogate" in line for line in refused(read, replaced(place, "a\ud800")).problems)


ANY_SCRIPT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(ANY_SCRIPT, ANY_SCRIPT.filter(str.strip), st.text("\r\n\0\u200d\u202e\u0301\U0001f469", max_size=9))
def test_valid_spans_of_any_script_survive(
    tmp_path_factory: pytest.TempPathFactory, left: str, text: str, right: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any_script.json"
    path.write_text(json.dumps(document(question("q", text, len(left)), context=left + text + right)), "utf-8")
    example = read_squad_file(path).examples[0]
    assert example.context[example.answers[0].start_char : example.answers[0].end_char] == text


# --- Flat files -------------------------------------------------------------------------------------------------------


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": "a",
            "title": "T",
            "context": CONTEXT,
            "question": "Q",
            "answers": {"text": ["Paris", "Lyon"], "answer_start": [0, 32]},
        },
        {"id": "b", "title": "T", "context": CONTEXT, "question": "Q", "answers": {"text": [], "answer_start": []}},
    ]


EXPECTED = (
    Example("a", "T", CONTEXT, "Q", (Answer("Paris", 0), Answer("Lyon", 32))),
    Example("b", "T", CONTEXT, "Q", ()),
)


def write_flat(path: Path, records: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(records)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), "utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\r\n\n" for record in records), "utf-8")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.parquet", "a.arrow", "a.json"])
def test_flat_files_hold_the_same_examples(tmp_path: Path, name: str) -> None:
    file = read_squad_file(write_flat(tmp_path / name, rows()))
    assert file.examples == EXPECTED
    assert file.examples[0].context is file.examples[1].context
    assert file.squad_version == "v2"
    assert read_squad_file(write_flat(tmp_path / name, rows()[:1])).squad_version == "v1"


def test_flat_answers_may_be_a_list_and_the_title_may_be_absent(tmp_path: Path) -> None:
    row = {"id": "a", "context": CONTEXT, "question": "Q", "answers": [{"text": "Paris", "answer_start": 0}]}
    assert read_squad_file(write_flat(tmp_path / "a.jsonl", [row])).examples == (
        Example("a", "", CONTEXT, "Q", (Answer("Paris", 0),)),
    )


@pytest.mark.parametrize(("name", "where"), [("a.jsonl", "line 3: "), ("a.parquet", "row 2: "), ("a.json", "[1].")])
def test_flat_faults_are_named_by_row(tmp_path: Path, name: str, where: str) -> None:
    bad = rows()
    bad[1]["answers"] = {"text": ["Paris"], "answer_start": [1]}
    with pytest.raises(DataError) as caught:
        read_squad_file(write_flat(tmp_path / name, bad))
    assert f"{name}: {where}answers[0].answer_start is 1, where the text 'Paris' does not stand" in str(caught.value)
    assert read_squad_file(tmp_path / name, "skip").num_skipped == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answers": {"text": ["Paris"], "answer_start": []}}, "answers has 1 texts and 0 starts"),
        ({"answers": {"text": "Paris", "answer_start": [0]}}, "answers.text is the text 'Paris', it must be a list"),
        ({"answers": None, "is_impossible": False}, "answers is null"),
        ({"context": 3}, "context is 3"),
        ({"title": 3}, "title is 3"),
        ({"is_impossible": True}, "is_impossible is true, but there are 2 answers"),
    ],
)
def test_flat_rows_are_validated_like_nested_ones(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_squad_file(write_flat(tmp_path / "a.jsonl", [{**rows()[0], **change}, rows()[1]]))
    assert f"a.jsonl: line 1: {words}" in str(caught.value)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(rows()[0]) + "\n" + '{"id": "b",\n', "utf-8")
    for on_bad in ("fail", "skip"):
        with pytest.raises(DataError, match="line 2, column 12"):
            read_squad_file(path, on_bad)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_broken_columns_are_refused(tmp_path: Path, suffix: str) -> None:
    whole = write_flat(tmp_path / f"a{suffix}", rows()).read_bytes()
    for content in (b"PAR1", whole[: len(whole) // 2], bytes(100)):
        path = tmp_path / f"b{suffix}"
        path.write_bytes(content)
        with pytest.raises(DataError):
            read_squad_file(path)
