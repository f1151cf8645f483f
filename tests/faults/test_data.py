"""Faults of data files: each is named with its place, or handled as data.on_bad says and counted; never silent."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.data.edges import is_mark
from qaexp.data.features import build_features
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Answer, Example
from qaexp.errors import DataError
from qaexp.evaluation.decoding import decode
from qaexp.evaluation.logits import Logits
from qaexp.model import Checkpoint
from tests.fixtures import own_tokenizers, tiny_run
from tests.fixtures.visible_core import visible_core

CONTEXT = "Paris is the capital of France. Lyon is not."
THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"


def question(id: str = "q1", text: str = "Paris", start: Any = 0, **more: Any) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": id, "question": "Which city?", "is_impossible": False, "answers": answers, **more}


def unanswerable(id: str = "q2") -> dict[str, Any]:
    return question(id, is_impossible=True, answers=[])


def document(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


class Files:
    """Trains on a file, with a good one beside it."""

    def __init__(self, qaexp: Any, folder: Path) -> None:
        self.qaexp, self.folder = qaexp, folder
        self.good = tiny_run.write_squad(folder / "good.json", 4, 2)
        self.number = 0

    def path(self, content: Any) -> Path:
        self.number += 1
        path = self.folder / f"file{self.number}.json"
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)
        return path

    def words(self, train: Path, dev: Path, *more: str) -> tuple[str, ...]:
        tiny = tiny_run
        return ("train", f"name=r{self.number}", *tiny.FILES, *tiny.files_of(train, dev), "trainer.epochs=1", *more)

    def refused(self, content: Any, *more: str, says: tuple[str, ...] = ()) -> None:
        path = content if isinstance(content, Path) else self.path(content)
        self.qaexp.refused(3, *self.words(self.good, path, *more), says=(str(path), *says))
        assert not (self.qaexp.folder / "outputs" / f"r{self.number}" / "summary.json").exists()

    def run(self, content: Any, *more: str) -> dict[str, Any]:
        """Train with a dev file; the source of the dev split in data.json."""
        done = self.qaexp.call(*self.words(self.good, self.path(content), *more))
        assert done.code == 0, done.err
        report: dict[str, Any] = tiny_run.read_json(self.directory / "data.json")
        return report

    @property
    def directory(self) -> Path:
        folder: Path = self.qaexp.folder / "outputs" / f"r{self.number}"
        return folder

    def predicted(self) -> list[str]:
        return [row["id"] for row in tiny_run.read_lines(self.directory / "predictions.jsonl")]


@pytest.fixture
def files(qaexp: Any, tmp_path: Path) -> Files:
    (tmp_path / "files").mkdir()
    return Files(qaexp, tmp_path / "files")


def problems_of(path: Path, on_bad: str = "fail") -> list[str]:
    with pytest.raises(DataError) as caught:
        read_squad_file(path, on_bad)
    return list(caught.value.problems)


def counts(report: dict[str, Any]) -> str:
    """All of data.json, for counts that are looked for by name."""
    return json.dumps(report)


@pytest.mark.fault("D1")
def test_no_data_file(files: Files) -> None:
    for content, part in {
        b"": "empty",
        b"[]": "no usable question",
        b"null": "null",
        b"not json": "line 1, column 1",
        b'{"data": [\n{"title": }]}': "line 2, column 11",
        b'{"data": NaN}': "NaN",
        b'{"data": [], "data": []}': "more than once",
        b"\xff\xfe{": "line 1, column 1",
        b"[" * 100_000: "nested too deeply",
        gzip.compress(b"{}"): "gunzip",
    }.items():
        files.refused(content, says=(part,))
    text = json.dumps(document(*(question(f"é{n}") for n in range(9))), indent=1, ensure_ascii=False).encode()
    assert len(text) > 2000
    for length in range(1, len(text)):
        (problem,) = problems_of(files.path(text[:length]))
        assert "line " in problem
        assert "column " in problem
    os.mkfifo(files.folder / "pipe")
    (files.folder / "loop").symlink_to(files.folder / "loop")
    for special in (files.folder, files.folder / "pipe", Path("/dev/zero"), files.folder / "loop"):
        files.number += 1
        files.refused(special)
        assert files.qaexp.waited < 5
    # Every file that is missing is named, not the first alone.
    missing = [files.folder / f"missing-{name}.json" for name in ("train", "dev", "test")]
    words = files.words(missing[0], missing[1], f"data.test_file={missing[2]}")
    files.qaexp.refused(3, *words, says=tuple(map(str, missing)))
    both = [files.path(b"{"), files.path(b"}")]
    files.qaexp.refused(3, *files.words(*both), says=tuple(map(str, both)))


PLACES = {
    "data": list,
    "data[0]": dict,
    "data[0].title": str,
    "data[0].paragraphs": list,
    "data[0].paragraphs[0]": dict,
    "data[0].paragraphs[0].context": str,
    "data[0].paragraphs[0].qas": list,
    "data[0].paragraphs[0].qas[0]": dict,
    "data[0].paragraphs[0].qas[0].id": str,
    "data[0].paragraphs[0].qas[0].question": str,
    "data[0].paragraphs[0].qas[0].answers": list,
    "data[0].paragraphs[0].qas[0].answers[0]": dict,
    "data[0].paragraphs[0].qas[0].answers[0].text": str,
    "data[0].paragraphs[0].qas[0].answers[0].answer_start": int,
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """The standard document with another value at a place, or (`...`) none."""
    whole = copy.deepcopy(document(question(), unanswerable()))
    *steps, last = [int(s) if s.isdigit() else s for s in place.replace("[", ".").replace("]", "").split(".")]
    target: Any = whole
    for step in steps:
        target = target[step]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return whole


@pytest.mark.fault("D2")
def test_keys(files: Files) -> None:
    for place, kind in PLACES.items():
        for value in (..., None, 7, [[1]], {"a": {}}, True, "x"):
            if type(value) is kind or (value is ... and kind is dict):
                continue
            if (place.endswith(".title") and value in (..., None)) or (
                place.endswith(".id") and value == 7 and value is not True
            ):
                continue  # a title may be absent, and whole numbers are ids
            problems = problems_of(files.path(changed(place, value)))
            assert any(f": {place} is " in problem for problem in problems), (place, value, problems)
            if "qas[0]" in place:
                file = read_squad_file(files.path(changed(place, value)), "skip")
                assert (file.num_skipped, [example.id for example in file.examples]) == (1, ["q2"])
                assert file.problems
    files.refused(changed("data[0].paragraphs[0].qas[0].id", None), says=("data[0].paragraphs[0].qas[0].id is null",))
    many = document(*(question(f"q{n}", start="x") for n in range(50)))
    path = files.path(many)
    done = files.qaexp.refused(3, *files.words(files.good, path), last=("50 faults", "data.on_bad=skip"))
    assert len(done.err.splitlines()) == 21
    report = files.run(changed("data[0].paragraphs[0].qas[0].question", 7), "data.on_bad=skip")
    assert '"num_skipped": 1' in counts(report)
    assert files.predicted() == ["q2"]


OFFSETS = [
    (CONTEXT, "Lyon", 31, "offset-by-1", 32),
    (CONTEXT, "Paris", 1, "offset-by-1", 0),
    ("one\r\ntwo Paris", "Paris", 8, "crlf", 9),
    ("x \U0001f642\U0001f642 Paris.", "Paris", 7, "utf16", 5),
    (CONTEXT, "Paris", -3, "offset-by-3", 0),
    (CONTEXT, "Lyon", 10**9, "offset-by-", 32),
    (CONTEXT, "Rome", 4, "absent", None),
    (CONTEXT, "is", 7, "and elsewhere", None),
    (CONTEXT, "Paris", 0.0, "whole number", None),
    (CONTEXT, "Paris", "0", "whole number", None),
]


@pytest.mark.fault("D3")
def test_offsets(files: Files) -> None:
    for context, text, start, kind, place in OFFSETS:
        content = document(question("bad", text, start), unanswerable("good"), context=context)
        assert any(kind in problem for problem in problems_of(files.path(content)))
        skipped = read_squad_file(files.path(content), "skip")
        assert (skipped.num_skipped, [example.id for example in skipped.examples]) == (1, ["good"])
        if place is None:
            assert any(kind in problem for problem in problems_of(files.path(content), "fix"))
        else:
            fixed = read_squad_file(files.path(content), "fix")
            assert fixed.examples[0].answers == (Answer(text, place),)
            assert fixed.num_fixed == 1
    wrong = document(question("bad", "Lyon", 31), unanswerable("good"))
    files.refused(wrong, says=("offset-by-1", "data.on_bad=fix"))
    assert '"num_fixed": 1' in counts(files.run(wrong, "data.on_bad=fix"))
    assert files.predicted() == ["bad", "good"]


@pytest.mark.thorough
@pytest.mark.fault("D4")
def test_ids(files: Files) -> None:
    assert '"num_duplicates": 1' in counts(files.run(document(question(), question(), unanswerable())))
    for on_bad in ("fail", "skip", "fix"):
        twice = document(question(), question(question="Another?"))
        files.refused(twice, f"data.on_bad={on_bad}", says=("qas[1].id", "unique"))
    files.refused(document(question("")), says=("has 0 characters",))
    files.refused(document(question("x" * 10_000_000)), says=("has 10000000 characters",))
    files.run(document(question("../../../escaped"), unanswerable("/etc/passwd")))
    assert files.predicted() == ["../../../escaped", "/etc/passwd"]
    assert not [path for path in files.folder.parent.rglob("*") if "escaped" in path.name or path.name == "passwd"]


@pytest.mark.fault("D5")
def test_contexts(files: Files) -> None:
    size = 1_000_000 if THOROUGH else 100_000
    contexts = ["", " \n\t ", "word " * (size // 50), "a" * size, "[SEP]", "[CLS] [PAD] [SEP]", "\u200b", "."]
    content = document()
    content["data"][0]["paragraphs"] = [
        {"context": context, "qas": [unanswerable(f"q{number}")]} for number, context in enumerate(contexts)
    ]
    files.run(content, "trainer.epochs=0")
    assert files.predicted() == [f"q{number}" for number in range(len(contexts))]


@pytest.mark.fault("D6")
def test_questions(files: Files) -> None:
    asked = ["x " * 200, "x " * 61, "x " * 64, "", "  ", "y" * 5000]
    questions = [{**question(f"q{number}"), "question": text} for number, text in enumerate(asked)]
    many = [question(f"many{number}") for number in range(10_000 if THOROUGH else 300)]
    files.run(document(*questions, *many), "trainer.epochs=0")
    assert files.predicted() == [f"q{n}" for n in range(len(asked))] + [f"many{n}" for n in range(len(many))]
    log = (files.directory / "train.log").read_text()
    assert log.count("were cut on the right") == 1, log


# Joined emoji, flags and skin tones; combining marks in both normal forms; line ends and NUL; right to left with its
# controls; zero width; scripts without spaces; private use; what normalisers drop, widen or split.
PIECES = (
    "\U0001f469\u200d\U0001f4bb", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1eb\U0001f1f7", "\U0001f44d\U0001f3fd",
    "\u00e9", "e\u0301", "\u1e69", "s\u0323\u0307", "A\u030a", "\u212b", "\ufb01", "\u00bd", "\u0130", "\u00df",
    "\r\n", "\n", "\r", "\t", "\0", "\u00a0", "\u3000", "\u2028", "\u0085",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u202e\u0639\u0631\u0628\u202c", "\u2067", "\u200f", "\u0651",
    "\u200b", "\u200c", "\u2060", "\ufeff", "\u00ad", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", "\u0e33",
    "\u65e5\u672c\u8a9e", "\ud55c", "\u1112\u1161\u11ab", "\ue000", "\U0010fffd", "\uffff",
    "Paris", " in ", "  ", ".", "\u2581", "\u0120", "[SEP]",
)  # fmt: skip
SCRIPTS = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"]), max_size=4)), max_size=10
).map("".join)
# One of each kind, and those whose offsets follow other rules.
KINDS = {"WordPiece": ("bert",), "byte-level BPE": ("roberta", "modernbert"), "Unigram": ("xlmr", "deberta_v3")}


@pytest.mark.fault("D7")
def test_scripts(files: Files, tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizers = {
        family: own_tokenizers.trained(family, own_tokenizers.CORPUS) for kind in KINDS.values() for family in kind
    }
    tokenizers["shipped"] = Checkpoint(checkpoint="package://qaexp/tiny_random", random_weights=True).tokenizer()
    path = tmp_path_factory.mktemp("scripts") / "one.json"
    tried, exact = Counter[str](), Counter[str]()

    def span_survives(left: str, text: str, right: str) -> None:
        path.write_text(json.dumps(document(question("q", text, len(left)), context=left + text + right)))
        (example,) = read_squad_file(path).examples
        answer = example.answers[0]
        assert example.context[answer.start_char : answer.end_char] == answer.text == text
        for family, tokenizer in tokenizers.items():
            tried[family] += 1
            exact[family] += comes_back(example, tokenizer, family)

    @settings(max_examples=2000 if THOROUGH else 100, deadline=None, database=None, derandomize=True)
    @given(SCRIPTS, SCRIPTS.filter(lambda text: bool(text.strip())), SCRIPTS)
    def any_span_survives(left: str, text: str, right: str) -> None:
        span_survives(left, text, right)

    any_span_survives()
    for piece in filter(str.strip, PIECES):
        for left, right in (("Paris ", " in Paris"), ("Paris", "Paris"), ("", "")):
            span_survives(left, piece, right)
    # A test that never sees a span come back as it was proves nothing.
    assert min(exact.values()) > 20, (tried, exact)
    for place in ("context", "question", "id"):
        broken = document(question(), unanswerable())
        target = broken["data"][0]["paragraphs"][0]
        (target if place == "context" else target["qas"][0])[place] = "Paris \ud800"
        files.refused(broken, says=(place, "surrogate"))
    broken = document(question(question="\ud800"), unanswerable())
    assert '"num_skipped": 1' in counts(files.run(broken, "data.on_bad=skip"))


def comes_back(example: Example, tokenizer: Any, family: str) -> bool:
    """Send an answer through features and, by a model that is sure of the label, back to a text.

    Returns:
        Whether the text is the answer itself; it may be longer by the rest of a token at either side.
    """
    features = build_features([example], tokenizer, max_length=1024, doc_stride=8)
    assert len(features) == 1
    answer, context = visible_core(example, tokenizer), example.context
    offsets = features.offset_mapping[features.context_begin[0] : features.context_end[0]].tolist()
    first, last = int(features.start_position[0]), int(features.end_position[0])
    where = (family, context, answer, offsets, first, last)
    if first == features.null_position[0]:
        # No label: nothing that is seen of the answer has a token, or the tokens are in no order.
        assert answer is None or offsets[0][0] > answer.start_char or offsets[-1][1] < answer.end_char, where
        return False
    assert answer is not None, where
    assert features.context_begin[0] <= first <= last < features.context_end[0], where
    start_char, end_char = int(features.offset_mapping[first][0]), int(features.offset_mapping[last][1])
    assert start_char <= answer.start_char, where
    assert answer.end_char <= end_char, where
    # Nothing more than the tokens that the answer begins and ends in; tokens that overlap may all be needed.
    if all(one == other or one[1] <= other[0] for one, other in pairwise(offsets)):
        assert [pair for pair in offsets if start_char < pair[0] <= answer.start_char] == [], where
        assert [pair for pair in offsets if answer.end_char <= pair[1] < end_char] == [], where
    logits = np.zeros((2, features.num_tokens), np.float32)
    logits[0, first] = logits[1, last] = 9.0
    (found,) = decode(
        [example],
        features,
        Logits(features.indptr, *logits),
        n_best_size=1,
        max_answer_length=1024,
        allow_no_answer=True,
    )
    label = context[start_char:end_char].strip()
    assert found.text.startswith(label), where
    assert all(map(is_mark, found.text[len(label) :])), where  # accents of its last letter that the tokenizer drops
    assert context[found.n_best[0].start_char : found.n_best[0].end_char] == found.text, where
    assert answer.text.strip() in found.text, where
    return found.text == example.answers[0].text.strip()


@pytest.mark.fault("D8")
def test_versions(files: Files) -> None:
    v1 = {key: value for key, value in question().items() if key != "is_impossible"}
    assert '"squad_version": "v1"' in counts(files.run(document(v1)))
    contradictions: list[dict[str, Any]] = [
        {"is_impossible": True},
        {"answers": []},
        {"is_impossible": None},
        {"is_impossible": 0},
        {"answers": [{"text": " ", "answer_start": 5}]},
    ]
    for change in contradictions:
        content = document({**question(), **change}, unanswerable())
        for on_bad in ("fail", "fix"):
            assert problems_of(files.path(content), on_bad)
        assert read_squad_file(files.path(content), "skip").num_skipped == 1
    plausible = {**unanswerable(), "plausible_answers": [{"text": "Lyon", "answer_start": 32}]}
    del plausible["is_impossible"]
    files.refused(document(plausible, question()), says=("is_impossible",))
    report = files.run(document({**question(), "is_impossible": True}, unanswerable()), "data.on_bad=skip")
    assert '"num_skipped": 1' in counts(report)


@pytest.mark.thorough
@pytest.mark.fault("D17")
def test_spans_that_are_not_those_of_their_texts(files: Files) -> None:
    def lines(*spans: list[Any]) -> bytes:
        def asked(number: int, span: list[Any]) -> dict[str, Any]:
            detected = [{"text": "Paris", "char_spans": [span]}] if span else []
            return {"qid": f"m{number}", "question": "Which?", "answers": ["Paris"], "detected_answers": detected}

        qas = [asked(number, span) for number, span in enumerate(([0, 4], *spans))]
        values = ({"header": {"dataset": "SQuAD"}}, {"context": CONTEXT, "qas": qas})
        return "\n".join(map(json.dumps, values)).encode()

    for span, part in (
        ([0, 5], "[0][1] is 5, one behind the text 'Paris'; ends are inclusive"),
        ([40, 99], "is [40, 99], which is no [first, last]"),
        ([4, 0], "is [4, 0], which is no [first, last]"),
        ([32, 35], "marks the text 'Lyon' and not the text 'Paris'"),
        ([], "qas[1].detected_answers is empty"),
    ):
        files.refused(lines(span), says=(part,))
    files.refused(lines([0, 5]), "data.on_bad=skip", says=("one behind",))
    torn = files.path(b"").with_name("torn.jsonl.gz")
    torn.write_bytes(gzip.compress(lines())[:-9])
    files.refused(torn, says=("cannot be unpacked",))
    source = files.run(lines([40, 99], [32, 35]), "data.on_bad=skip")["source"]["dev"]
    assert (source["num_examples"], source["num_skipped"]) == (1, 2)
    assert files.predicted() == ["m0"]


@pytest.mark.thorough
@pytest.mark.fault("D18")
def test_mixes_that_cannot_be_what_their_weights_say(qaexp: Any, tmp_path: Path) -> None:
    a, b = tiny_run.write_squad(tmp_path / "a.json", 14, 6), tiny_run.write_squad(tmp_path / "b.json", 5, 0)
    (twin := tmp_path / "twin.json").write_bytes(a.read_bytes())
    (empty := tmp_path / "empty.json").write_text('{"data": []}')
    number = itertools.count()

    def words(mix: str, *more: str) -> tuple[str, ...]:
        dev = f"data.dev_file={tiny_run.write_squad(tmp_path / 'dev.json', 4, 2)}"
        name = f"name=mix{next(number)}"
        return ("train", name, *tiny_run.FILES, dev, "trainer.epochs=1", f"data.mix={{{mix}}}", *more)

    good = f"a: {{file: {a}, weight: 0.75}}, b: {{file: {b}, weight: 0.25}}"
    for mix, more, code, part in (
        (f"a: {{file: {a}, weight: 0}}", (), 2, "data.mix.a.weight=0 must be a number above 0"),
        (f"a: {{file: {a}, weight: nan}}", (), 2, "data.mix.a.weight=nan must be a number above 0"),
        (f"a: {{file: {a}, weight: much}}", (), 2, "data.mix.a.weight=much must be a number above 0"),
        (f"a: {{file: {a}, weight: 1}}, b: {b}", (), 2, "data.mix.b has no weight, and data.mix.a has one"),
        (good, (f"data.train_file={a}",), 2, "both say what is trained on"),
        (good, ("data.mix.c.weight=1",), 2, "data.mix.c.weight is not a key"),
        (good, ("data.train_size=30",), 2, "all 5 of b are taken, and none is taken twice; take at most"),
        (good, ("data.train_size=1",), 2, "data.mix.b gives none of 1 questions"),
        (f"a: {a}, b: {tmp_path}/none.json", (), 3, "data.mix.b: "),
        (f"a: {a}, b: {twin}", (), 3, "twin.json holds the same as data.mix.a"),
        (f"a: {a}, b: {empty}", (), 3, f"{empty} holds no usable question"),
    ):
        qaexp.refused(code, *words(mix, *more), says=(part,))
    run = qaexp.train(*words(good)[1:])
    sets = tiny_run.read_json(run / "data.json")["source"]["train"]["sets"]
    assert {name: one["num_drawn"] for name, one in sets.items()} == {"a": 17, "b": 5}
    assert len(set(tiny_run.read_json(run / "data.json")["train_ids"])) == 22
    again = [f"name={run.name}" if word.startswith("name=") else word for word in words(good)]
    assert "already completed" in qaexp.call(*again).out
    tiny_run.write_squad(b, 6, 0)
    qaexp.refused(2, *again, says=("data.mix_sha256.b",))
